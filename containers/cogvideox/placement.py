"""Apply a memory plan to a diffusers pipeline."""

import logging
from typing import Any

import psutil
import torch
from diffusers.hooks import apply_group_offloading, apply_layerwise_casting

from containers.cogvideox.memory import KEPT_16_BIT, Device, Option, Placement, tile_size

logger = logging.getLogger(__name__)


def read_device(kind: str) -> Device:
    """Return the device `kind` (cpu, cuda) with what is free on it now; on a CPU, that is main memory."""
    host_free = psutil.virtual_memory().available
    if kind == "cpu":
        return Device("cpu", "the CPU", host_free, host_free)
    free, _total = torch.cuda.mem_get_info()
    return Device("cuda", torch.cuda.get_device_name(), free, host_free)


def place(pipeline: Any, option: Option, device: str, size: tuple[int, int]) -> None:
    """Place `pipeline`, just loaded, as `option` says; `size` is the largest (width, height) it renders.

    Raises torch.OutOfMemoryError if it does not fit after all.
    """
    if option.fp8:
        for name, kept in KEPT_16_BIT.items():
            model = getattr(pipeline, name)
            apply_layerwise_casting(
                model,
                storage_dtype=torch.float8_e4m3fn,
                compute_dtype=model.dtype,
                skip_modules_pattern=kept,
            )
    match option.placement:
        case Placement.RESIDENT:
            pipeline.to(device)
        case Placement.MODEL_OFFLOAD:
            pipeline.enable_model_cpu_offload(device=device)
        case Placement.GROUP_OFFLOAD:
            _offload_groups(pipeline, torch.device(device))
        case Placement.SEQUENTIAL_OFFLOAD:
            _offload_layers(pipeline, torch.device(device))
    if option.tiling:
        tile(pipeline.vae, size)


def tile(vae: Any, size: tuple[int, int]) -> None:
    """Make `vae` decode frames of `size` (width, height) and larger in tiles that add up to the same size."""
    width, height = tile_size(*size)
    vae.enable_tiling(tile_sample_min_width=width, tile_sample_min_height=height)


def decode_latents(pipeline: Any, latents: Any) -> Any:
    """Return `pipeline.decode_latents`; retry in tiles if whole frames do not fit into memory.

    `latents` has the shape (1, frames, channels, height, width); the pipeline ends up as it was. Raises
    torch.OutOfMemoryError if tiles do not fit either, or if the frames were already decoded in tiles.
    """
    try:
        return pipeline.decode_latents(latents)
    except torch.OutOfMemoryError:
        if pipeline.vae.use_tiling:
            raise
    # Outside the handler: the error's traceback keeps alive what the attempt allocated.
    logger.warning("decoding in tiles after running out of memory")
    if latents.device.type == "cuda":
        torch.cuda.empty_cache()
    height, width = (side * pipeline.vae_scale_factor_spatial for side in latents.shape[-2:])
    tile(pipeline.vae, (width, height))
    try:
        return pipeline.decode_latents(latents)
    finally:
        pipeline.vae.disable_tiling()


def _offload_groups(pipeline: Any, device: torch.device) -> None:
    streams = device.type == "cuda"
    apply_group_offloading(
        pipeline.transformer, device, offload_type="block_level", num_blocks_per_group=1, use_stream=streams
    )
    # Its blocks are not where diffusers looks for blocks; as one group, they would all be fetched at once.
    apply_group_offloading(pipeline.text_encoder, device, offload_type="leaf_level", use_stream=streams)
    pipeline.vae.to(device)


def _offload_layers(pipeline: Any, device: torch.device) -> None:
    # Not pipeline.enable_sequential_cpu_offload: accelerate 1.15 fails on the embeddings that T5 holds twice.
    for component in (pipeline.transformer, pipeline.text_encoder, pipeline.vae):
        apply_group_offloading(component, device, offload_type="leaf_level")
