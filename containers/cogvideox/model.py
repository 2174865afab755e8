"""A CogVideoX checkpoint in memory: prompt and first frame in, frames out. Only this file knows diffusers."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import CogVideoXDPMScheduler, CogVideoXImageToVideoPipeline, CogVideoXPipeline
from diffusers.utils import logging as diffusers_logging
from numpy.typing import NDArray
from PIL import Image
from transformers.utils import logging as transformers_logging

from containers.cogvideox.errors import BadCheckpoint, DeviceLost, EngineFailed, OutOfMemory
from containers.cogvideox.limits import Limits
from containers.cogvideox.request import ClipRequest

# The model cards of all CogVideoX checkpoints.
STEPS = 50
GUIDANCE = 6.0


@dataclass(frozen=True)
class Rendering:
    """`frames` is RGB of shape (frames, height, width, 3); the times are in seconds."""

    frames: NDArray[np.uint8]
    encode_seconds: float
    step_seconds: list[float]
    """Of each denoising step."""
    decode_seconds: float
    peak_memory_bytes: int
    """The most that was in use: of the GPU for this clip, or of the process on a CPU, since it started."""


class Model:
    """A loaded checkpoint on one device; not for use by two threads at once."""

    def __init__(self, pipeline: Any, limits: Limits) -> None:
        self._pipeline = pipeline
        self._limits = limits

    @classmethod
    def load(cls, directory: Path, limits: Limits, device: str) -> "Model":
        """Read the safetensors onto `device` (cpu, cuda); raises BadCheckpoint or OutOfMemory."""
        _use_our_logging()
        pipeline_class = CogVideoXImageToVideoPipeline if limits.takes_image else CogVideoXPipeline
        try:
            pipeline = pipeline_class.from_pretrained(
                directory, dtype=_dtype(limits, device), use_safetensors=True, local_files_only=True
            ).to(device)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemory(f"the model does not fit into the memory of {device}") from error
        except Exception as error:  # the loaders raise whatever a broken file leads them to
            raise BadCheckpoint(f"the checkpoint in {directory} cannot be loaded: {error}") from error
        pipeline.set_progress_bar_config(disable=True)
        if limits.rotary:
            # The model cards: DPM with trailing steps for the 5b models, what the checkpoint says for 2b.
            pipeline.scheduler = CogVideoXDPMScheduler.from_config(
                pipeline.scheduler.config, timestep_spacing="trailing"
            )
        if limits.patches_in_time:
            _make_rotary_table_square(pipeline.transformer)
        if device == "cuda":
            # Decoding a whole clip at once takes more memory than denoising it (zai-org/CogVideo#493, #519).
            pipeline.vae.enable_tiling()
            pipeline.vae.enable_slicing()
        return cls(pipeline, limits)

    def count_tokens(self, text: str) -> int:
        """The number of tokens of `text` with the checkpoint's tokenizer, its end mark included."""
        return len(self._pipeline.tokenizer(text, verbose=False).input_ids)

    def render(
        self, request: ClipRequest, first_frame: Image.Image | None, go_on: Callable[[], None]
    ) -> Rendering:
        """All `request.frames` frames; raises OutOfMemory, DeviceLost, EngineFailed, or what `go_on` raises,
        which is called before every denoising step and every piece that is decoded."""
        try:
            return self._render(request, first_frame, go_on)
        except (torch.OutOfMemoryError, MemoryError) as error:
            torch.cuda.empty_cache()
            raise OutOfMemory(
                f"{request.frames} frames of {request.width}×{request.height} do not fit into memory"
            ) from error
        except torch.AcceleratorError as error:
            raise DeviceLost(f"the GPU failed: {error}") from error

    def _render(
        self, request: ClipRequest, first_frame: Image.Image | None, go_on: Callable[[], None]
    ) -> Rendering:
        started = time.monotonic()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        ticks: list[float] = []  # when the first step began, and when each ended

        def before_step(*_: Any) -> None:
            go_on()
            if not ticks:
                ticks.append(time.monotonic())

        def on_step_end(
            _pipeline: Any, _step: int, _timestep: Any, tensors: dict[str, Any]
        ) -> dict[str, Any]:
            if torch.cuda.is_available():
                torch.cuda.synchronize()  # else the steps are queued, and are neither timed nor stopped
            ticks.append(time.monotonic())
            return tensors

        with (
            _called_before(self._pipeline.transformer, before_step),
            _called_before(self._pipeline.vae.decoder, lambda *_: go_on()),
        ):
            frames = self._frames(request, first_frame, on_step_end)
        return Rendering(
            frames,
            encode_seconds=ticks[0] - started,
            step_seconds=[end - begin for begin, end in pairwise(ticks)],
            decode_seconds=time.monotonic() - ticks[-1],
            peak_memory_bytes=_peak_memory_bytes(),
        )

    def _frames(
        self, request: ClipRequest, first_frame: Image.Image | None, on_step_end: Callable[..., Any]
    ) -> NDArray[np.uint8]:
        video = self._pipeline(
            **({} if first_frame is None else {"image": first_frame}),
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            width=request.width,
            height=request.height,
            num_frames=request.frames,
            num_inference_steps=STEPS if request.steps is None else request.steps,
            guidance_scale=GUIDANCE if request.guidance is None else request.guidance,
            # The model cards: with the DPM scheduler, and only with it.
            use_dynamic_cfg=self._limits.rotary,
            max_sequence_length=self._limits.prompt_tokens,
            # On the CPU, so that a seed gives the same noise on every GPU.
            generator=torch.Generator("cpu").manual_seed(request.seed),
            output_type="pt",
            callback_on_step_end=on_step_end,
        ).frames[0]
        frames = _to_rgb(video)
        expected = (request.frames, request.height, request.width, 3)
        if frames.shape != expected:
            raise EngineFailed(f"the model made frames of shape {frames.shape}, not {expected}")
        return frames


@contextmanager
def _called_before(module: Any, hook: Callable[..., None]) -> Iterator[None]:
    handle = module.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _peak_memory_bytes() -> int:
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _to_rgb(video: Any) -> NDArray[np.uint8]:
    """`video` is a tensor (frames, 3, height, width) from 0 to 1, of any float type."""
    if not torch.isfinite(video).all():
        raise EngineFailed("the model made values that are not numbers; try other steps or guidance")
    pixels = [(frame.float() * 255).round().to(torch.uint8).permute(1, 2, 0).cpu() for frame in video]
    rgb: NDArray[np.uint8] = torch.stack(pixels).numpy()
    return rgb


def _dtype(limits: Limits, device: str) -> Any:
    if device == "cpu":
        return torch.float32
    # The model cards: 2b was trained in fp16, all others (which have rotary embeddings) in bf16.
    return torch.bfloat16 if limits.rotary else torch.float16


def _make_rotary_table_square(transformer: Any) -> None:
    # CogVideoX1.5 cuts its rotary table to the clip's size, and diffusers makes the table as large as the
    # landscape size in the configuration: portrait fails (zai-org/CogVideo#758). The values of a table do not
    # depend on its size, so a larger one changes nothing else.
    side = max(transformer.config.sample_width, transformer.config.sample_height)
    transformer.register_to_config(sample_width=side, sample_height=side)


def _use_our_logging() -> None:
    for library in (diffusers_logging, transformers_logging):
        library.disable_default_handler()
        library.enable_propagation()
        library.disable_progress_bar()
