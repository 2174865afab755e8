"""LoRA adapters on a tiny checkpoint."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.errors import BadCheckpoint, InvalidRequest
from containers.diffusion.families.cogvideox import CogVideoX
from containers.diffusion.family import Turbo
from containers.diffusion.memory import Option, Placement
from containers.diffusion.model import Model
from containers.diffusion.request import ClipRequest, Lora
from containers.diffusion.source import Source
from containers.diffusion.speed import Speed
from tests.contract import document
from tests.tiny_checkpoint import make_tiny_checkpoint

ATTENTION = "transformer.transformer_blocks.{}.attn1.{}"
WAN_ATTENTION = "transformer.blocks.{}.attn1.{}"
WIDTH = 32  # of the tiny checkpoint's transformer


def write_lora(
    checkpoint: Path, name: str, *, seed: int, width: int = WIDTH, prefix: str = ATTENTION
) -> None:
    write_adapter(checkpoint / "loras" / name, seed=seed, width=width, prefix=prefix)


def write_adapter(folder: Path, *, seed: int, width: int = WIDTH, prefix: str = ATTENTION) -> None:
    folder.mkdir(parents=True)
    random = torch.Generator().manual_seed(seed)
    weights = {}
    for block in range(2):
        for part in ("to_q", "to_k", "to_v"):
            layer = prefix.format(block, part)
            weights[f"{layer}.lora_A.weight"] = torch.randn(4, width, generator=random)
            weights[f"{layer}.lora_B.weight"] = torch.randn(width, 4, generator=random)
    save_file(weights, folder / "pytorch_lora_weights.safetensors")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkpoint = make_tiny_checkpoint(tmp_path_factory.mktemp("model"))
    write_lora(checkpoint, "paper", seed=1)
    write_lora(checkpoint, "sketch-1.5", seed=2)
    return checkpoint


@pytest.fixture(scope="module")
def model(directory: Path) -> Model:
    return Model.load(directory, read_checkpoint(directory), "cpu")


def frames(model: Model, *loras: Lora, speed: Speed = Speed.EXACT) -> np.ndarray:
    request = ClipRequest(**document("clip_request.text") | {"frames": 9, "steps": 6, "loras": loras})
    return model.render(request, Source(), speed, lambda: None).frames


def test_adapters_are_found_with_the_model(model: Model) -> None:
    assert list(model.loras) == ["paper", "sketch-1.5"]


def test_an_adapter_only_changes_its_own_clip(model: Model) -> None:
    plain = frames(model)
    paper = frames(model, Lora(name="paper"))
    assert not np.array_equal(paper, plain)
    assert np.array_equal(frames(model), plain)
    assert np.array_equal(frames(model, Lora(name="paper")), paper)
    assert np.array_equal(frames(model, Lora(name="paper", scale=0.0)), plain)
    assert not np.array_equal(frames(model, Lora(name="paper", scale=0.5)), paper)


def test_adapters_add_up_in_any_order(model: Model, caplog: pytest.LogCaptureFixture) -> None:
    paper, sketch = Lora(name="paper"), Lora(name="sketch-1.5", scale=0.5)
    both = frames(model, paper, sketch).astype(int)
    assert np.abs(both - frames(model, sketch, paper)).max() <= 1  # a sum's order rounds differently
    assert not np.array_equal(both, frames(model, paper))
    assert not np.array_equal(both, frames(model, sketch))
    assert caplog.messages == [], "no library misses anything in them"


def test_an_adapter_can_be_rendered_fast(model: Model) -> None:
    plain = frames(model, speed=Speed.FAST)
    assert not np.array_equal(frames(model, Lora(name="paper"), speed=Speed.FAST), plain)
    assert np.array_equal(frames(model, speed=Speed.FAST), plain)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"width": 2 * WIDTH},
            r"lora_A.weight has shape \[4, 64\], but transformer_blocks.0.attn1.to_k .* 32 in",
        ),
        (
            {"prefix": "unet.blocks.{}.{}"},
            "it changes unet.blocks.0.to_k, which this transformer does not have",
        ),
        ({"prefix": WAN_ATTENTION}, "it changes blocks.0.attn1.to_k, which this transformer does not have"),
    ],
)
def test_an_adapter_of_another_model_is_refused_at_load(
    tmp_path: Path, fields: dict[str, Any], reason: str
) -> None:
    checkpoint = make_tiny_checkpoint(tmp_path)
    write_lora(checkpoint, "wrong", seed=3, **fields)
    with pytest.raises(BadCheckpoint, match=rf"the adapter wrong \(.*\) is for another model: .*{reason}"):
        Model.load(checkpoint, read_checkpoint(checkpoint), "cpu")


def test_an_8_bit_model_supports_no_adapters(directory: Path) -> None:
    loaded = Model.load(directory, read_checkpoint(directory), "cpu")
    loaded.plan = replace(loaded.plan, option=Option(Placement.RESIDENT, tiling=True, fp8=True))
    request = ClipRequest(**document("clip_request.text"))
    loaded.check(request, Speed.EXACT)
    with pytest.raises(InvalidRequest, match="does not support adapters") as refusal:
        loaded.check(request.model_copy(update={"loras": (Lora(name="paper"),)}), Speed.EXACT)
    assert refusal.value.param == "loras"


@dataclass(frozen=True)
class WithTurbo(CogVideoX):
    """A checkpoint of a family that has adapters for three steps."""

    @property
    def turbo(self) -> Turbo:
        return Turbo(steps=3)


def test_turbo_is_its_adapter_s_few_steps_without_guidance(tmp_path: Path) -> None:
    directory = make_tiny_checkpoint(tmp_path)
    own = read_checkpoint(directory)
    checkpoint = WithTurbo(own.name, own.limits, own.recipe, own.variant)
    assert Speed.TURBO not in Model.load(directory, checkpoint, "cpu").speeds, "without the adapter"
    write_adapter(directory / "turbo", seed=1)
    write_lora(directory, "same", seed=1)
    loaded = Model.load(directory, checkpoint, "cpu")
    assert loaded.speeds == (Speed.EXACT, Speed.BALANCED, Speed.FAST, Speed.TURBO)
    asked = ClipRequest(**document("clip_request.text") | {"frames": 9, "steps": None})
    turbo = loaded.render(asked, Source(), Speed.TURBO, lambda: None)
    assert (len(turbo.step_seconds), turbo.computed_steps) == (3, 3)
    by_hand = asked.model_copy(update={"steps": 3, "guidance": 1.0, "loras": (Lora(name="same"),)})
    assert np.array_equal(turbo.frames, loaded.render(by_hand, Source(), Speed.EXACT, lambda: None).frames)
    loaded.plan = replace(loaded.plan, option=Option(Placement.RESIDENT, tiling=True, fp8=True))
    assert Speed.TURBO not in loaded.speeds
