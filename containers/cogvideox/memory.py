"""Plan where to place a model so that its clips fit, from its sizes and the device's, before loading it.

The estimates count what PyTorch allocates. Their coefficients were measured on the real classes, run on the
meta device with every allocation counted (benchmarks/memory.py, which also compares them with what others
measured on GPUs).
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from containers.cogvideox.errors import BadCheckpoint, InvalidRequest, OutOfMemory
from containers.cogvideox.limits import Limits
from containers.cogvideox.weights import COMPONENTS, Tensor, component_tensors, read_json

GIB = 2**30

# Denoising: number of tensors with one value per token and channel alive at once; the one inside the
# feed-forward counts as four. Metered: 12.9 to 13.1.
HIDDEN_TENSORS = 13.5
# Decoding: number of tensors with one value per pixel and channel (a block's frames at the finest level, and
# the convolutions' caches of the previous and the current piece). Metered: 89.4.
PIXEL_TENSORS = 90
# Copies of the frames while the last piece is decoded, and while they are joined and scaled to 0 … 1.
FRAME_COPIES_WHILE_DECODING, FRAME_COPIES_AFTER = 1.5, 4

# Memory that the allocator holds beyond what is in use, and the libraries' workspaces. An assumption: the
# figures in diffusers' documentation, which are for reserved memory, are 1.1 to 1.2 times those for allocated
# memory.
RESERVED = 1.1
WORKSPACES = GIB // 2
# Left for the operating system and the server when the weights are in main memory.
HOST_RESERVE = 2 * GIB

# Tile size in pixels. The width must be a multiple of 40 and the height of 48: diffusers overlaps tiles by a
# fifth and a sixth, and only then are these whole latents of 8 pixels; otherwise frames come out larger.
TILE = (360, 240)
TILE_STEP = (40, 48)

Dtype = Literal["float32", "bfloat16", "float16"]
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Weights:
    """Sizes of a component's weights in bytes."""

    total: int
    fp8: int
    """Total with linear layers in 8 bits."""
    tensor: int
    """Largest tensor."""
    blocks: int
    """All of the transformer's blocks, and the largest of them; 0 for other components."""
    block: int

    @classmethod
    def of(cls, component: str, tensors: dict[str, Tensor], dtype: Dtype) -> "Weights":
        sizes = {
            name: tensor.values * _stored_bytes(component, name, dtype) for name, tensor in tensors.items()
        }
        fp8 = {
            name: tensor.values if in_fp8(component, name, tensor) else sizes[name]
            for name, tensor in tensors.items()
        }
        blocks: dict[str, int] = {}
        for name, size in sizes.items():
            if component == "transformer" and name.startswith("transformer_blocks."):
                number = name.split(".")[1]
                blocks[number] = blocks.get(number, 0) + size
        return cls(
            total=sum(sizes.values()),
            fp8=sum(fp8.values()),
            tensor=max(sizes.values()),
            blocks=sum(blocks.values()),
            block=max(blocks.values(), default=0),
        )


@dataclass(frozen=True)
class ModelSizes:
    """Properties of a checkpoint that determine how much memory it needs."""

    text_encoder: Weights
    transformer: Weights
    vae: Weights
    channels: int
    """Per token in the transformer."""
    text_tokens: int
    patch_pixels: int
    """Side of a token."""
    patches_in_time: bool
    pixel_channels: int
    """Channels of the VAE's decoder at one value per pixel."""
    value_bytes: int

    @classmethod
    def read(cls, directory: Path, dtype: Dtype) -> "ModelSizes":
        """Read the sizes from the headers and configurations in `directory`, for weights loaded as `dtype`.

        Raises BadCheckpoint.
        """
        tensors = {component: component_tensors(directory, component) for component in COMPONENTS}
        configs = {name: read_json(directory / name / "config.json") for name in ("transformer", "vae")}
        return cls.of(tensors, configs["transformer"], configs["vae"], dtype)

    @classmethod
    def of(
        cls,
        tensors: dict[str, dict[str, Tensor]],
        transformer: dict[str, Any],
        vae: dict[str, Any],
        dtype: Dtype,
    ) -> "ModelSizes":
        """Return the sizes for each component's tensors and the two configurations, as in config.json.

        Raises BadCheckpoint.
        """
        try:
            finest = vae["block_out_channels"]
            return cls(
                **{component: Weights.of(component, tensors[component], dtype) for component in COMPONENTS},
                channels=transformer["num_attention_heads"] * transformer["attention_head_dim"],
                text_tokens=transformer["max_text_seq_length"],
                patch_pixels=transformer["patch_size"] * 2 ** (len(finest) - 1),
                patches_in_time=transformer.get("patch_size_t") is not None,
                pixel_channels=max(finest[:2]),
                value_bytes=_BYTES[dtype],
            )
        except (KeyError, TypeError) as error:
            raise BadCheckpoint(f"a config.json has a missing or invalid value: {error}") from error

    @property
    def weights(self) -> tuple[Weights, Weights, Weights]:
        return self.text_encoder, self.transformer, self.vae


@dataclass(frozen=True)
class Device:
    """A device, and the bytes free on it and in main memory before a model is loaded."""

    kind: Literal["cuda", "cpu"]
    name: str
    free: int
    host_free: int


@dataclass(frozen=True)
class Demand:
    """A clip's size in pixels and frames; guidance computes each step twice."""

    width: int
    height: int
    frames: int
    guided: bool = True

    def __str__(self) -> str:
        return f"{self.frames} frames of {self.width}×{self.height}"


class Placement(StrEnum):
    RESIDENT = "resident"
    """Everything stays on the device."""
    MODEL_OFFLOAD = "model offload"
    """The text encoder, the transformer and the VAE take turns on the device."""
    GROUP_OFFLOAD = "group offload"
    """The transformer's blocks take turns too, each fetched while the previous one computes."""
    SEQUENTIAL_OFFLOAD = "sequential offload"
    """Every layer takes turns too, fetched when needed: slow."""


@dataclass(frozen=True)
class Option:
    placement: Placement
    tiling: bool = False
    """Decode frames in overlapping tiles; they differ slightly from frames decoded whole."""
    fp8: bool = False
    """Store linear layers in 8 bits and compute in 16; clips differ slightly."""

    def __str__(self) -> str:
        parts = [str(self.placement)]
        parts += ["fp8 weights"] if self.fp8 else []
        parts += ["tiled decoding"] if self.tiling else []
        return ", ".join(parts)


# From fastest to slowest, with fp8 last because it changes the clips: on a small device, fetching 16-bit
# blocks while others compute costs next to nothing, so only a small main memory needs fp8.
OPTIONS = (
    Option(Placement.RESIDENT),
    Option(Placement.RESIDENT, tiling=True),
    Option(Placement.MODEL_OFFLOAD),
    Option(Placement.MODEL_OFFLOAD, tiling=True),
    Option(Placement.GROUP_OFFLOAD, tiling=True),
    Option(Placement.RESIDENT, tiling=True, fp8=True),
    Option(Placement.MODEL_OFFLOAD, tiling=True, fp8=True),
    Option(Placement.GROUP_OFFLOAD, tiling=True, fp8=True),
)
# For devices on which no clip fits otherwise: fetching each layer on demand takes several times as long as
# computing it (zai-org/CogVideo#668).
LAST_RESORT = Option(Placement.SEQUENTIAL_OFFLOAD, tiling=True)


@dataclass(frozen=True)
class Plan:
    """Placement of a model on a device, and why faster ones were ruled out."""

    model: ModelSizes
    device: Device
    option: Option
    demand: Demand
    """Longest clip that the plan was made for."""
    reason: str

    @property
    def peak(self) -> int:
        """Bytes of device memory that the longest clip needs."""
        return peak(self.model, self.option, self.demand)

    def check(self, demand: Demand, limits: Limits) -> None:
        """Raise InvalidRequest unless the clip fits; the message names the longest clip of its size that
        does."""
        need = peak(self.model, self.option, demand)
        if need <= self.device.free:
            return
        shorter = [n for n in lengths(limits) if n < demand.frames]
        fits = (
            n for n in reversed(shorter) if self._fits(Demand(demand.width, demand.height, n, demand.guided))
        )
        longest = next(fits, None)
        advice = f"use at most {longest} frames at this size" if longest else "no length fits at this size"
        raise InvalidRequest(
            "frames",
            f"{demand} need {gib(need)} of device memory ({self.option}), "
            f"but only {gib(self.device.free)} are free; {advice}",
        )

    def _fits(self, demand: Demand) -> bool:
        return peak(self.model, self.option, demand) <= self.device.free

    def document(self) -> dict[str, Any]:
        """Return the plan's fields for /ping and the log."""
        return {
            "placement": str(self.option),
            "planned_for": str(self.demand),
            "planned_peak_gib": round(self.peak / GIB, 1),
            "free_gib": round(self.device.free / GIB, 1),
            "reason": self.reason,
        }


def plan(model: ModelSizes, device: Device, limits: Limits) -> Plan:
    """Return the fastest placement for the longest clip that fits in any of OPTIONS, at the model's largest
    size.

    Raises OutOfMemory, with what each option needs, if not even the shortest clip fits.
    """
    demands = [Demand(limits.width, limits.height, frames) for frames in reversed(lengths(limits))]
    # Offloading moves weights to main memory, where a CPU has them anyway.
    options = OPTIONS if device.kind == "cuda" else OPTIONS[:2]
    for choice in (options, (LAST_RESORT,)) if device.kind == "cuda" else (options,):
        for demand in demands:
            found = _first_fit(model, device, demand, choice)
            if found is not None:
                return found
    lacks = "; ".join(filter(None, (_lack(model, device, demands[-1], option) for option in options)))
    raise OutOfMemory(
        f"not even {demands[-1]} fit into the {gib(device.free)} free on {device.name}: {lacks}"
    )


def _first_fit(model: ModelSizes, device: Device, demand: Demand, options: tuple[Option, ...]) -> Plan | None:
    lacks: list[str] = []
    for option in options:
        lack = _lack(model, device, demand, option)
        if lack is None:
            return Plan(model, device, option, demand, reason="; ".join(lacks) or "everything fits")
        lacks.append(lack)
    return None


def _lack(model: ModelSizes, device: Device, demand: Demand, option: Option) -> str | None:
    """Return why a clip does not fit, or None if it does."""
    need, host = peak(model, option, demand), host_need(model, option)
    if need > device.free:
        return f"{option} needs {gib(need)}"
    if host > device.host_free:
        return f"{option} needs {gib(host)} of main memory, but only {gib(device.host_free)} are free"
    return None


def peak(model: ModelSizes, option: Option, demand: Demand) -> int:
    """Return the bytes of device memory that a clip needs at its peak, including the model."""
    working = (0, denoising(model, demand), decoding(model, demand, tiling=option.tiling))
    if option.placement is Placement.RESIDENT:
        needed = sum(_bytes(weights, option) for weights in model.weights) + max(working)
    else:
        turns = zip(model.weights, working, strict=True)
        needed = max(_on_device(weights, option) + work for weights, work in turns)
        if option.placement is Placement.GROUP_OFFLOAD:
            needed += model.vae.total  # stays on the device
    return int(needed * RESERVED) + WORKSPACES


def denoising(model: ModelSizes, demand: Demand) -> int:
    """Return the bytes that a step allocates at its peak."""
    latents = (demand.frames - 1) // 4 + 1
    depth = -(-latents // 2) if model.patches_in_time else latents
    tokens = depth * demand.width * demand.height // model.patch_pixels**2
    batch = 2 if demand.guided else 1
    return int(HIDDEN_TENSORS * (tokens + model.text_tokens) * model.channels * batch * model.value_bytes)


def decoding(model: ModelSizes, demand: Demand, *, tiling: bool) -> int:
    """Return the bytes that decoding allocates at its peak."""
    frame = demand.width * demand.height
    pixels = min(frame, math.prod(tile_size(demand.width, demand.height))) if tiling else frame
    video = 3 * demand.frames * frame * model.value_bytes
    last_piece = PIXEL_TENSORS * model.pixel_channels * pixels * model.value_bytes
    return max(last_piece + int(FRAME_COPIES_WHILE_DECODING * video), FRAME_COPIES_AFTER * video)


def host_need(model: ModelSizes, option: Option) -> int:
    """Return the bytes of main memory that the weights need; 0 if they stay on the device."""
    if option.placement is Placement.RESIDENT:
        return 0
    return sum(_bytes(weights, option) for weights in model.weights) + HOST_RESERVE


def lengths(limits: Limits) -> list[int]:
    """Return the frame counts that a model renders, in ascending order."""
    return list(range(limits.frame_step + 1, limits.longest + 1, limits.frame_step))


def tile_size(width: int, height: int) -> tuple[int, int]:
    """Return the tiles' width and height in pixels: TILE, or about half the sides of a smaller frame."""
    sides = zip((width, height), TILE, TILE_STEP, strict=True)
    across, down = (min(most, max(step, side // 2 // step * step)) for side, most, step in sides)
    return across, down


def gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"


def in_fp8(component: str, name: str, tensor: Tensor) -> bool:
    """Return whether Option.fp8 stores this tensor in 8 bits: matrices of linear layers, with exceptions."""
    return (
        component != "vae"
        and len(tensor.shape) == 2
        and not any(part in name for part in KEPT_16_BIT[component])
    )


# Parts of tensor names. T5 takes its output type from its embeddings, and the type of wo's input from wo.
KEPT_16_BIT = {
    "text_encoder": ("shared", "embed_tokens", "relative_attention_bias", "wo", "norm"),
    "transformer": ("patch_embed", "norm", "proj_out"),
}


def _stored_bytes(component: str, name: str, dtype: Dtype) -> int:
    # transformers keeps T5's wo in float32 when the rest is float16 (its _keep_in_fp32_modules).
    if component == "text_encoder" and dtype == "float16" and name.endswith(".wo.weight"):
        return 4
    return _BYTES[dtype]


def _bytes(weights: Weights, option: Option) -> int:
    return weights.fp8 if option.fp8 else weights.total


def _on_device(weights: Weights, option: Option) -> int:
    """Return the bytes of a component's weights on the device at once while the component computes."""
    match option.placement:
        case Placement.GROUP_OFFLOAD if weights.block:
            # Weights outside the blocks stay; one block computes, the next is fetched, the previous is
            # released. In 16 bits, in which each layer computes.
            return weights.total - weights.blocks + 3 * weights.block
        case Placement.GROUP_OFFLOAD | Placement.SEQUENTIAL_OFFLOAD:
            return 3 * weights.tensor
        case _:
            return _bytes(weights, option)
