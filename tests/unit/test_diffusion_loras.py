import json
from pathlib import Path

import pytest

from containers.diffusion.errors import BadCheckpoint, InvalidRequest
from containers.diffusion.loras import find_loras, find_turbo
from containers.diffusion.request import parse_request
from tests.contract import document
from tests.unit.clip_checks import check

ONE = ("transformer",)
EXPERTS = ("transformer", "transformer_2")


def put(folder: Path, *files: str) -> None:
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).touch()


def test_an_adapter_for_several_parts_has_a_file_for_each_that_it_changes(tmp_path: Path) -> None:
    put(tmp_path / "loras" / "both", "transformer.safetensors", "transformer_2.safetensors")
    put(tmp_path / "loras" / "low", "transformer_2.safetensors")
    found = find_loras(tmp_path, EXPERTS)
    assert {name: list(adapter) for name, adapter in found.items()} == {
        "both": list(EXPERTS),
        "low": ["transformer_2"],
    }
    assert found["low"]["transformer_2"] == tmp_path / "loras" / "low" / "transformer_2.safetensors"


@pytest.mark.parametrize(
    "files", [[], ["weights.safetensors"], ["transformer.safetensors", "vae.safetensors"]]
)
def test_a_file_for_no_part_is_refused(tmp_path: Path, files: list[str]) -> None:
    put(tmp_path / "loras" / "paper", *files)
    with pytest.raises(BadCheckpoint, match=r"must contain transformer\.safetensors or transformer_2"):
        find_loras(tmp_path, EXPERTS)


def test_turbo_s_adapter_changes_every_part(tmp_path: Path) -> None:
    assert find_turbo(tmp_path, EXPERTS) is None
    put(tmp_path / "turbo", "transformer.safetensors")
    with pytest.raises(BadCheckpoint, match=r"turbo lacks transformer_2\.safetensors"):
        find_turbo(tmp_path, EXPERTS)
    assert find_turbo(tmp_path, ONE) == {"transformer": tmp_path / "turbo" / "transformer.safetensors"}


def test_adapters_are_found_by_folder(tmp_path: Path) -> None:
    assert find_loras(tmp_path, ONE) == {}
    for name in ("sketch", "paper"):
        (tmp_path / "loras" / name).mkdir(parents=True)
        (tmp_path / "loras" / name / "weights.safetensors").touch()
    (tmp_path / "loras" / "README.md").touch()
    # Manifests do not list names that start with a dot.
    (tmp_path / "loras" / "paper" / "._weights.safetensors").touch()
    (tmp_path / "loras" / ".hidden").mkdir()
    (tmp_path / "loras" / ".hidden" / "weights.safetensors").touch()
    found = find_loras(tmp_path, ONE)
    assert list(found) == ["paper", "sketch"]
    assert found["paper"] == {"transformer": tmp_path / "loras" / "paper" / "weights.safetensors"}


@pytest.mark.parametrize("files", [[], ["a.safetensors", "b.safetensors"], ["weights.bin"]])
def test_a_folder_holds_exactly_one_adapter(tmp_path: Path, files: list[str]) -> None:
    folder = tmp_path / "loras" / "paper"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).touch()
    with pytest.raises(BadCheckpoint, match=r"paper must contain exactly one \.safetensors file"):
        find_loras(tmp_path, ONE)


def ask(loras: list[dict[str, object]], known: tuple[str, ...]) -> None:
    request = document("clip_request.text") | {"loras": loras}
    check(parse_request(json.dumps(request).encode()), loras=known)


def test_known_adapters_are_accepted() -> None:
    ask([{"name": "paper", "scale": 0.5}, {"name": "sketch"}], ("paper", "sketch"))


@pytest.mark.parametrize(
    ("loras", "known", "message"),
    [
        ([{"name": "oil"}], ("paper", "sketch"), "unknown adapter 'oil'; allowed: paper, sketch$"),
        ([{"name": "oil"}], (), "unknown adapter 'oil'; this model has none$"),
        ([{"name": "paper"}, {"name": "paper"}], ("paper",), "must name each adapter only once"),
        ([{"name": "paper", "scale": 3}], ("paper",), "less than or equal to 2"),
    ],
)
def test_other_adapters_are_rejected(
    loras: list[dict[str, object]], known: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message) as refusal:
        ask(loras, known)
    assert refusal.value.param == "loras"
