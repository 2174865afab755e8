"""Plan where to place a model so that its clips fit, from its sizes and the device's, before loading it.

The estimates count what PyTorch allocates. A family's coefficients were measured on the real classes, run on
the meta device with every allocation counted (benchmarks/memory.py, which also compares them with what others
measured on GPUs).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from containers.diffusion.checkpoint import read_configs
from containers.diffusion.errors import BadCheckpoint, InvalidRequest, OutOfMemory
from containers.diffusion.family import DTYPE_BYTES, Configs, Demand, Dtype, Family, Part, Stage, Work
from containers.diffusion.limits import Limits
from containers.diffusion.weights import Tensor, part_tensors

GIB = 2**30

# Memory that the allocator holds beyond what is in use, and the libraries' workspaces. An assumption: the
# figures in diffusers' documentation, which are for reserved memory, are 1.1 to 1.2 times those for allocated
# memory.
RESERVED = 1.1
WORKSPACES = GIB // 2
# Left for the operating system and the server when the weights are in main memory.
HOST_RESERVE = 2 * GIB


@dataclass(frozen=True)
class Weights:
    """Sizes of a part's weights in bytes."""

    stage: Stage
    total: int
    fp8: int
    """Total with linear layers in 8 bits."""
    layers: int
    """The three largest tensors: what is on the device at most if each layer is fetched for its turn."""
    blocks: int
    """All of the part's blocks, and the largest of them; 0 for parts without."""
    block: int

    @classmethod
    def of(cls, part: Part, tensors: Mapping[str, Tensor], dtype: Dtype) -> "Weights":
        assert part.stage is not None  # noqa: S101 - only parts with weights are asked for
        sizes = {
            name: tensor.values * DTYPE_BYTES[stored_dtype(part, name, dtype)]
            for name, tensor in tensors.items()
        }
        fp8 = {
            name: tensor.values if in_fp8(part, name, tensor) else sizes[name]
            for name, tensor in tensors.items()
        }
        blocks: dict[str, int] = {}
        for name, size in sizes.items():
            if part.blocks and name.startswith(f"{part.blocks}."):
                number = name.removeprefix(f"{part.blocks}.").split(".")[0]
                blocks[number] = blocks.get(number, 0) + size
        return cls(
            stage=part.stage,
            total=sum(sizes.values()),
            fp8=sum(fp8.values()),
            layers=sum(sorted(sizes.values())[-3:]),
            blocks=sum(blocks.values()),
            block=max(blocks.values(), default=0),
        )


@dataclass(frozen=True)
class ModelSizes:
    """Properties of a checkpoint that determine how much memory it needs."""

    weights: Mapping[str, Weights]
    """By part."""
    work: Work

    @classmethod
    def read(cls, directory: Path, dtype: Dtype) -> "ModelSizes":
        """Read the sizes from the headers and configurations in `directory`, for weights loaded as `dtype`.

        Raises BadCheckpoint.
        """
        family, configs = read_configs(directory)
        parts = family.parts_of(configs.index)
        tensors = {name: part_tensors(directory, name, part) for name, part in parts.items()}
        return cls.of(family, configs, tensors, dtype)

    @classmethod
    def of(
        cls, family: Family, configs: Configs, tensors: Mapping[str, Mapping[str, Tensor]], dtype: Dtype
    ) -> "ModelSizes":
        """Return the sizes for each part's tensors and the configuration. Raises BadCheckpoint."""
        weights = {name: Weights.of(family.parts[name], found, dtype) for name, found in tensors.items()}
        try:
            return cls(weights, family.work(configs, dtype))
        except (KeyError, TypeError) as error:
            raise BadCheckpoint(f"a config.json has a missing or invalid value: {error}") from error


@dataclass(frozen=True)
class Device:
    """A device, and the bytes free on it and in main memory before a model is loaded."""

    kind: Literal["cuda", "cpu"]
    name: str
    free: int
    host_free: int


class Placement(StrEnum):
    RESIDENT = "resident"
    """Everything stays on the device."""
    MODEL_OFFLOAD = "model offload"
    """The parts take turns on the device."""
    GROUP_OFFLOAD = "group offload"
    """The blocks of what denoises take turns too, each fetched while the previous one computes."""
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


def plan(model: ModelSizes, device: Device, limits: Limits, *, guided: bool = True) -> Plan:
    """Return the fastest placement for the longest clip that fits in any of OPTIONS, at the model's largest
    size and with guidance unless it renders without.

    Raises OutOfMemory, with what each option needs, if not even the shortest clip fits.
    """
    demands = [Demand(*limits.sizes.largest, frames, guided) for frames in reversed(lengths(limits))]
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
    working = {
        Stage.ENCODE: model.work.encoding(),
        Stage.DENOISE: model.work.denoising(demand),
        Stage.DECODE: model.work.decoding(demand, tiling=option.tiling),
    }
    weights = model.weights.values()
    if option.placement is Placement.RESIDENT:
        needed = sum(_bytes(part, option) for part in weights) + max(working.values())
    else:
        # What decodes stays on the device; if the parts take turns, only during the steps, for which it has
        # encoded an image or a video.
        stays = sum(part.total for part in weights if part.stage is Stage.DECODE)
        beside = dict.fromkeys(Stage, 0)
        if option.placement is Placement.MODEL_OFFLOAD:
            beside[Stage.DENOISE] = stays
        elif option.placement is Placement.GROUP_OFFLOAD:
            beside = dict.fromkeys(Stage, stays)
        needed = max(_on_device(part, option) + working[part.stage] + beside[part.stage] for part in weights)
    return int(needed * RESERVED) + WORKSPACES


def host_need(model: ModelSizes, option: Option) -> int:
    """Return the bytes of main memory that the weights need; 0 if they stay on the device."""
    if option.placement is Placement.RESIDENT:
        return 0
    return sum(_bytes(part, option) for part in model.weights.values()) + HOST_RESERVE


def lengths(limits: Limits) -> list[int]:
    """Return the frame counts that a model renders, in ascending order."""
    return list(range(limits.frame_step + 1, limits.longest + 1, limits.frame_step))


def gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"


def in_fp8(part: Part, name: str, tensor: Tensor) -> bool:
    """Return whether Option.fp8 stores this tensor in 8 bits: matrices of linear layers, with exceptions."""
    return (
        part.kept_16_bit is not None
        and len(tensor.shape) == 2
        and not any(kept in name for kept in part.kept_16_bit)
    )


def stored_dtype(part: Part, name: str, dtype: Dtype) -> Dtype:
    """Return the type in which this tensor is stored when the checkpoint is loaded as `dtype`."""
    dtype = part.dtype or dtype
    return "float32" if any(kept in name for kept in part.kept_32_bit.get(dtype, ())) else dtype


def _bytes(weights: Weights, option: Option) -> int:
    return weights.fp8 if option.fp8 else weights.total


def _on_device(weights: Weights, option: Option) -> int:
    """Return the bytes of a part's weights on the device at once while the part computes."""
    match option.placement:
        case Placement.GROUP_OFFLOAD if weights.block:
            # Weights outside the blocks stay; one block computes, the next is fetched, the previous is
            # released. In 16 bits, in which each layer computes.
            return weights.total - weights.blocks + 3 * weights.block
        case Placement.GROUP_OFFLOAD | Placement.SEQUENTIAL_OFFLOAD:
            return weights.layers
        case _:
            return _bytes(weights, option)
