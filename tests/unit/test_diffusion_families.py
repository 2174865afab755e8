"""A checkpoint is of a family and has all its parts, or it is refused with the reason."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from containers.diffusion import families, weights
from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.families.cogvideox import COGVIDEOX, PARTS, read
from containers.diffusion.family import Configs, Part, Stage
from containers.diffusion.weights import inspect

NANO = Path(__file__).parents[2] / "models" / "cogvideox-nano"
EXPERT = Part("diffusers", ("CogVideoXTransformer3DModel",), Stage.DENOISE, optional=True)


@pytest.fixture
def two_experts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], Path]:
    """Return a function that makes a checkpoint of a family of which some have a second transformer."""

    def read_both(configs: Configs) -> Any:
        if configs.index.get("boundary_ratio") is not None and not _has_expert(configs):
            raise BadCheckpoint("the checkpoint lacks its expert transformer_2")
        return read(configs)

    family = replace(
        COGVIDEOX, parts=PARTS | {"transformer_2": EXPERT}, settings=("boundary_ratio",), read=read_both
    )
    monkeypatch.setattr(families, "FAMILIES", (family,))

    def make(fields: dict[str, Any]) -> Path:
        for path in NANO.rglob("*"):
            if path.is_file():
                copy = tmp_path / path.relative_to(NANO)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
        index = tmp_path / "model_index.json"
        index.write_text(json.dumps(json.loads(index.read_text()) | fields))
        return tmp_path

    return make


def _has_expert(configs: Configs) -> bool:
    return not EXPERT.left_out(configs.index.get("transformer_2"))


CLASS = ["diffusers", "CogVideoXTransformer3DModel"]


@pytest.mark.parametrize("entry", [{}, {"transformer_2": None}, {"transformer_2": [None, None]}])
def test_an_optional_part_may_be_left_out(two_experts: Callable[..., Path], entry: dict[str, Any]) -> None:
    folder = two_experts(entry | {"boundary_ratio": None})
    inspect(folder)
    assert read_checkpoint(folder).name == "cogvideox-nano"


def test_a_part_that_this_checkpoint_needs_is_missed(two_experts: Callable[..., Path]) -> None:
    folder = two_experts({"boundary_ratio": 0.875, "transformer_2": [None, None]})
    with pytest.raises(BadCheckpoint, match="lacks its expert transformer_2"):
        read_checkpoint(folder)


def test_the_weights_of_a_part_that_the_index_names_are_missed(two_experts: Callable[..., Path]) -> None:
    folder = two_experts({"boundary_ratio": 0.875, "transformer_2": CLASS})
    with pytest.raises(BadCheckpoint, match=r"transformer_2/\S+\.safetensors cannot be read"):
        inspect(folder)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"boundary_ratio": [0.9]}, "as boundary_ratio; a CogVideoX checkpoint has no such entry"),
        ({"expand_timesteps": True}, "True as expand_timesteps"),
        ({"transformer_2": ["my_code", "Model"]}, "as transformer_2"),
        ({"transformer": [None, None]}, "as transformer; a CogVideoX checkpoint has diffusers's"),
    ],
)
def test_other_entries_are_refused(
    two_experts: Callable[..., Path], fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BadCheckpoint, match=reason):
        inspect(two_experts(fields))


def test_an_unknown_family_is_told_those_that_there_are(tmp_path: Path) -> None:
    index = tmp_path / "model_index.json"
    for pipeline in ("MochiPipeline", None, ["CogVideoXPipeline"], {}):
        index.write_text(json.dumps({"_class_name": pipeline}))
        for check in (read_checkpoint, weights.inspect):
            with pytest.raises(BadCheckpoint, match=r"not a checkpoint of a family .* renders: CogVideoX"):
                check(tmp_path)


def test_nothing_in_the_server_names_a_family_but_its_module() -> None:
    containers = Path(families.__file__).parents[1]
    for file in containers.glob("*.py"):
        code = [line for line in file.read_text(encoding="utf-8").splitlines() if "#" not in line]
        named = [line for line in code if "cogvideox" in line.lower()]
        assert not named or file.name in ("speed.py", "memory.py"), (file.name, named)


def test_each_family_is_complete() -> None:
    for family in families.FAMILIES:
        stages = {part.stage for part in family.parts.values()}
        assert stages >= set(Stage)
        assert all(part.blocks for part in family.parts.values() if part.stage is Stage.DENOISE)
        assert len(set(family.pipelines)) == len(family.pipelines)
