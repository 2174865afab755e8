"""Apply a memory plan to a diffusers pipeline."""

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import psutil
import torch
from diffusers.hooks import apply_group_offloading, apply_layerwise_casting

from containers.diffusion.family import Part, Stage
from containers.diffusion.memory import Device, Option, Placement

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


def read_device(kind: str) -> Device:
    """Return the device `kind` (cpu, cuda) with what is free on it now; on a CPU, that is main memory."""
    host_free = psutil.virtual_memory().available
    if kind == "cpu":
        return Device("cpu", "the CPU", host_free, host_free)
    free, _total = torch.cuda.mem_get_info()
    return Device("cuda", torch.cuda.get_device_name(), free, host_free)


def place(
    pipeline: Any, parts: Mapping[str, Part], option: Option, device: str, tiles: Mapping[str, int]
) -> None:
    """Place `pipeline`, just loaded, as `option` says: its `parts` with weights. `tiles` are enable_tiling's
    arguments for the largest frames it renders.

    Raises torch.OutOfMemoryError if it does not fit after all.
    """
    if option.fp8:
        for name, part in parts.items():
            if part.kept_16_bit is not None:
                model = getattr(pipeline, name)
                apply_layerwise_casting(
                    model,
                    storage_dtype=torch.float8_e4m3fn,
                    compute_dtype=model.dtype,
                    skip_modules_pattern=part.kept_16_bit,
                )
    match option.placement:
        case Placement.RESIDENT:
            pipeline.to(device)
        case Placement.MODEL_OFFLOAD:
            pipeline.enable_model_cpu_offload(device=device)
        case Placement.GROUP_OFFLOAD:
            _offload_groups(pipeline, parts, torch.device(device))
        case Placement.SEQUENTIAL_OFFLOAD:
            # Not pipeline.enable_sequential_cpu_offload: accelerate 1.15 fails on embeddings that a text
            # encoder holds twice.
            for name in parts:
                apply_group_offloading(
                    getattr(pipeline, name), torch.device(device), offload_type="leaf_level"
                )
    if option.tiling:
        pipeline.vae.enable_tiling(**tiles)


def whole_or_tiled(vae: Any, tiles: Mapping[str, int], decode: Callable[[], Result]) -> Result:
    """Return `decode()`, in which `vae` decodes; retry in tiles if whole frames do not fit into memory.

    The VAE ends up as it was. Raises torch.OutOfMemoryError if tiles do not fit either, or if the frames were
    already decoded in tiles.
    """
    try:
        return decode()
    except torch.OutOfMemoryError:
        if vae.use_tiling:
            raise
    # Outside the handler: the error's traceback keeps alive what the attempt allocated.
    logger.warning("decoding in tiles after running out of memory")
    torch.cuda.empty_cache()
    vae.enable_tiling(**tiles)
    try:
        return decode()
    finally:
        vae.disable_tiling()


def _offload_groups(pipeline: Any, parts: Mapping[str, Part], device: torch.device) -> None:
    streams = device.type == "cuda"
    for name, part in parts.items():
        model = getattr(pipeline, name)
        match part.stage:
            case Stage.DENOISE:
                apply_group_offloading(
                    model, device, offload_type="block_level", num_blocks_per_group=1, use_stream=streams
                )
            case Stage.ENCODE:
                # A text encoder's blocks are not where diffusers looks for blocks; as one group, they would
                # all be fetched at once.
                apply_group_offloading(model, device, offload_type="leaf_level", use_stream=streams)
            case _:
                model.to(device)
