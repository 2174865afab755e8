"""Limits and defaults of the published checkpoints, and of any other from its configuration files.

Sources: the model cards at https://huggingface.co/zai-org, and for the sampler and dynamic guidance
https://github.com/zai-org/CogVideo/blob/main/inference/cli_demo.py.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from containers.cogvideox.config import check_config
from containers.cogvideox.errors import BadCheckpoint
from containers.cogvideox.limits import Limits, limits_of
from containers.cogvideox.weights import read_json


@dataclass(frozen=True)
class Recipe:
    """How a checkpoint renders unless a request says otherwise."""

    dtype: Literal["float16", "bfloat16"]
    """Type it was trained in, and computes in on a GPU. On a CPU it computes in float32."""
    scheduler: Literal["ddim", "dpm"]
    """CogVideoXDDIMScheduler or CogVideoXDPMScheduler, both with trailing steps."""
    dynamic_guidance: bool
    """Guidance that changes from step to step."""
    guidance: float
    steps: int
    frames: int


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's limits and recipe; `name` is None if it is not in PUBLISHED."""

    name: str | None
    limits: Limits
    recipe: Recipe


@dataclass(frozen=True)
class Architecture:
    """Properties that distinguish the published transformers, whatever their folders are called."""

    layers: int
    heads: int
    in_channels: int
    patches_in_time: bool


_2B = Recipe("float16", "ddim", dynamic_guidance=False, guidance=6.0, steps=50, frames=49)
_5B = replace(_2B, dtype="bfloat16", scheduler="dpm", dynamic_guidance=True)
_1_5 = replace(_5B, frames=81)

_SD = Limits(
    width=720, height=480, any_long_side=False, takes_image=False, frame_step=8, longest=49, fps=8,
    prompt_tokens=226, rotary=False, patches_in_time=False,
)  # fmt: skip
_SD_ROTARY = replace(_SD, rotary=True)
# "16N + 1 where N <= 10 (default 81)", 16 fps, 224 tokens.
_HD = Limits(
    width=1360, height=768, any_long_side=False, takes_image=False, frame_step=16, longest=161, fps=16,
    prompt_tokens=224, rotary=True, patches_in_time=True,
)  # fmt: skip

PUBLISHED: dict[Architecture, Checkpoint] = {
    Architecture(30, 30, 16, patches_in_time=False): Checkpoint("cogvideox-2b", _SD, _2B),
    Architecture(42, 48, 16, patches_in_time=False): Checkpoint("cogvideox-5b", _SD_ROTARY, _5B),
    Architecture(42, 48, 32, patches_in_time=False): Checkpoint(
        "cogvideox-5b-i2v", replace(_SD_ROTARY, takes_image=True), _5B
    ),
    Architecture(42, 48, 16, patches_in_time=True): Checkpoint("cogvideox-1.5-5b", _HD, _1_5),
    Architecture(42, 48, 32, patches_in_time=True): Checkpoint(
        "cogvideox-1.5-5b-i2v", replace(_HD, takes_image=True, any_long_side=True), _1_5
    ),
}

# Trained here (training/nano), and not for a GPU: float16 is the type of its files.
_NANO = Limits(
    width=96, height=64, any_long_side=False, takes_image=False, frame_step=8, longest=9, fps=8,
    prompt_tokens=226, rotary=False, patches_in_time=False,
)  # fmt: skip
PUBLISHED[Architecture(6, 4, 8, patches_in_time=False)] = Checkpoint(
    "cogvideox-nano", _NANO, replace(_2B, guidance=3.0, steps=20, frames=9)
)


def read_checkpoint(directory: Path) -> Checkpoint:
    """Return the checkpoint in `directory`. Raises BadCheckpoint with the reason if there is none."""
    index = read_json(directory / "model_index.json")
    if not str(index.get("_class_name", "")).startswith("CogVideoX"):
        raise BadCheckpoint(
            f"{directory / 'model_index.json'} names {index.get('_class_name')!r}: not a CogVideoX checkpoint"
        )
    transformer = read_json(directory / "transformer" / "config.json")
    vae = read_json(directory / "vae" / "config.json")
    check_config(directory, transformer, vae)
    try:
        limits = limits_of(transformer, vae)
    except (KeyError, TypeError) as error:
        raise BadCheckpoint(
            f"a config.json in {directory} has a missing or invalid value: {error}"
        ) from error
    known = PUBLISHED.get(_architecture(transformer))
    # A checkpoint fine-tuned for another size or length is not the published one.
    if known is not None and known.limits == limits:
        return known
    # Models with rotary position embeddings are built like the 5b models.
    recipe = _1_5 if limits.patches_in_time else _5B if limits.rotary else _2B
    return Checkpoint(None, limits, replace(recipe, frames=min(recipe.frames, limits.longest)))


def _architecture(transformer: dict[str, Any]) -> Architecture:
    # The defaults are those of CogVideoXTransformer3DModel.
    return Architecture(
        transformer.get("num_layers", 30),
        transformer.get("num_attention_heads", 30),
        transformer.get("in_channels", 16),
        patches_in_time=transformer.get("patch_size_t") is not None,
    )
