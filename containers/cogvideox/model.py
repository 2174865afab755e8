"""A CogVideoX checkpoint in memory: words and pictures in, frames out. Only this file, adapters.py and
acceleration.py know diffusers."""

import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    CogVideoXDPMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
    CogVideoXVideoToVideoPipeline,
)
from diffusers.utils import logging as diffusers_logging
from numpy.typing import NDArray
from transformers.utils import logging as transformers_logging

from containers.cogvideox.acceleration import Accelerator
from containers.cogvideox.adapters import adapted
from containers.cogvideox.catalogue import Checkpoint, Recipe
from containers.cogvideox.embeddings import EmbeddingCache
from containers.cogvideox.errors import BadCheckpoint, DeviceLost, EngineFailed, InvalidRequest, OutOfMemory
from containers.cogvideox.loras import find_loras
from containers.cogvideox.memory import Demand, Dtype, ModelSizes, Placement, Plan, plan
from containers.cogvideox.placement import decode_latents, place, read_device
from containers.cogvideox.request import STRENGTH, ClipRequest
from containers.cogvideox.source import Source
from containers.cogvideox.speed import Speed

logger = logging.getLogger(__name__)


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

    def __init__(
        self,
        pipeline: Any,
        checkpoint: Checkpoint,
        loras: dict[str, Path],
        accelerator: Accelerator,
        plan: Plan,
    ) -> None:
        self.loras = loras
        """The adapters' names and files."""
        self.plan = plan
        self._accelerator = accelerator
        self._pipeline = pipeline
        self._checkpoint = checkpoint
        self._embeddings = EmbeddingCache(self._encode)

    @classmethod
    def load(cls, directory: Path, checkpoint: Checkpoint, device: str, *, compiled: bool = False) -> "Model":
        """Read the safetensors to where they fit on `device` (cpu, cuda).

        `compiled` has torch compile the transformer's blocks for what is not rendered exactly, if they stay
        on the device as they are: compiled, a block would be neither fetched nor turned from 8 into 16 bits.
        Raises BadCheckpoint or OutOfMemory.
        """
        _use_our_logging()
        limits, recipe = checkpoint.limits, checkpoint.recipe
        loras = find_loras(directory)
        dtype = _dtype(recipe, device)
        planned = plan(ModelSizes.read(directory, dtype), read_device(device), limits)
        logger.info("placement planned", extra=planned.document())
        pipeline_class = CogVideoXImageToVideoPipeline if limits.takes_image else CogVideoXPipeline
        try:
            pipeline = pipeline_class.from_pretrained(
                directory, dtype=getattr(torch, dtype), use_safetensors=True, local_files_only=True
            )
            place(pipeline, planned.option, device, (limits.width, limits.height))
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemory(f"the model does not fit into the memory of {device}") from error
        except Exception as error:  # the loaders raise whatever a broken file leads them to
            raise BadCheckpoint(f"the checkpoint in {directory} cannot be loaded: {error}") from error
        pipeline.set_progress_bar_config(disable=True)
        if recipe.scheduler == "dpm":
            pipeline.scheduler = CogVideoXDPMScheduler.from_config(
                pipeline.scheduler.config, timestep_spacing="trailing"
            )
        if limits.patches_in_time:
            _make_rotary_table_square(pipeline.transformer)
        stays = planned.option.placement is Placement.RESIDENT and not planned.option.fp8
        accelerator = Accelerator(pipeline.transformer, compiled=compiled and stays)
        return cls(pipeline, checkpoint, loras, accelerator, planned)

    def check(self, request: ClipRequest) -> None:
        """Raise InvalidRequest unless the clip fits into the device's memory, and its adapters to where the
        model lies in it."""
        if request.loras and self.plan.option.fp8:
            # PEFT makes an adapter of the type of the layer that it is for, and computes in it: 8 bits round
            # the adapter, and PyTorch multiplies none.
            raise InvalidRequest(
                "loras",
                "loras must be empty: to fit into memory the model is kept in 8 bits, to which no adapter "
                "can be added; a machine with more main memory takes them",
            )
        guidance = self._checkpoint.recipe.guidance if request.guidance is None else request.guidance
        demand = Demand(request.width, request.height, request.frames, guided=guidance > 1)
        self.plan.check(demand, self._checkpoint.limits)

    def count_tokens(self, text: str) -> int:
        """The number of tokens of `text` with the checkpoint's tokenizer, its end mark included."""
        return len(self._pipeline.tokenizer(text, verbose=False).input_ids)

    def render(
        self, request: ClipRequest, source: Source, speed: Speed, go_on: Callable[[], None]
    ) -> Rendering:
        """All `request.frames` frames; raises OutOfMemory, DeviceLost, EngineFailed, or what `go_on` raises,
        which is called before every denoising step and every piece that is decoded."""
        try:
            return self._render(request, source, speed, go_on)
        except (torch.OutOfMemoryError, MemoryError) as error:
            torch.cuda.empty_cache()
            raise OutOfMemory(
                f"{request.frames} frames of {request.width}×{request.height} do not fit into memory"
            ) from error
        except torch.AcceleratorError as error:
            raise DeviceLost(f"the GPU failed: {error}") from error

    def _render(
        self, request: ClipRequest, source: Source, speed: Speed, go_on: Callable[[], None]
    ) -> Rendering:
        started = time.monotonic()
        # Not whether there is one: it may be left to others.
        on_gpu = self.plan.device.kind == "cuda"
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        ticks: list[float] = []  # when the first step began, and when each ended

        def before_step(*_: Any) -> None:
            go_on()
            if not ticks:
                ticks.append(time.monotonic())

        def on_step_end(
            _pipeline: Any, _step: int, _timestep: Any, tensors: dict[str, Any]
        ) -> dict[str, Any]:
            if on_gpu:
                torch.cuda.synchronize()  # else the steps are queued, and are neither timed nor stopped
            ticks.append(time.monotonic())
            return tensors

        with (
            _called_before(self._pipeline.transformer, before_step),
            _called_before(self._pipeline.vae.decoder, lambda *_: go_on()),
        ):
            try:
                latents = self._denoise(request, source, speed, on_step_end)
                frames = _to_rgb(self._decode(latents, request.frames))
            except BaseException:
                # A clip that is broken off leaves on the GPU what would have been moved out after its turn.
                self._pipeline.maybe_free_model_hooks()
                raise
        expected = (request.frames, request.height, request.width, 3)
        if frames.shape != expected:
            raise EngineFailed(f"the model made frames of shape {frames.shape}, not {expected}")
        return Rendering(
            frames,
            encode_seconds=ticks[0] - started,
            step_seconds=[end - begin for begin, end in pairwise(ticks)],
            decode_seconds=time.monotonic() - ticks[-1],
            peak_memory_bytes=_peak_memory_bytes(on_gpu=on_gpu),
        )

    def _denoise(
        self, request: ClipRequest, source: Source, speed: Speed, on_step_end: Callable[..., Any]
    ) -> Any:
        recipe = self._checkpoint.recipe
        guidance = recipe.guidance if request.guidance is None else request.guidance
        embeddings = {"prompt_embeds": self._embeddings[request.prompt]}
        if guidance > 1:
            embeddings["negative_prompt_embeds"] = self._embeddings[request.negative_prompt]
        steps = recipe.steps if request.steps is None else request.steps
        pipeline, inputs = self._start(request, source)
        # A video's own steps are the last ones of the schedule.
        own_steps = int(steps * inputs.get("strength", 1))
        with (
            adapted(pipeline, self.loras, request.loras),
            self._accelerator.at(speed, pipeline.scheduler, own_steps),
        ):
            return pipeline(
                **inputs,
                **embeddings,
                width=request.width,
                height=request.height,
                num_inference_steps=steps,
                guidance_scale=guidance,
                use_dynamic_cfg=recipe.dynamic_guidance,
                # On the CPU, so that a seed gives the same noise on every GPU.
                generator=torch.Generator("cpu").manual_seed(request.seed),
                output_type="latent",
                callback_on_step_end=on_step_end,
            ).frames

    def _encode(self, text: str) -> Any:
        tokens = self._checkpoint.limits.prompt_tokens
        with torch.no_grad():
            return self._pipeline.encode_prompt(
                text, do_classifier_free_guidance=False, max_sequence_length=tokens
            )[0]

    def _start(self, request: ClipRequest, source: Source) -> tuple[Any, dict[str, Any]]:
        """The pipeline for what the clip starts from, and its arguments for it."""
        if source.video is None:
            inputs: dict[str, Any] = {"num_frames": request.frames}
            return self._pipeline, inputs if source.image is None else inputs | {"image": source.image}
        # As the other pipelines do for CogVideoX1.5: more latents in front, so that they are a whole number
        # of its patches in time. This one asks for the frames to them.
        patch = self._pipeline.transformer.config.patch_size_t or 1
        missing = -self._latents(request.frames) % patch * self._pipeline.vae_scale_factor_temporal
        strength = STRENGTH if request.strength is None else request.strength
        video = source.video[:1] * missing + source.video
        # Not kept: it knows by itself where the model lies at the moment.
        pipeline = CogVideoXVideoToVideoPipeline(**self._pipeline.components)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline, {"video": video, "strength": strength}

    def _latents(self, frames: int) -> int:
        return int((frames - 1) // self._pipeline.vae_scale_factor_temporal + 1)

    def _decode(self, latents: Any, frames: int) -> Any:
        """The video (frames, 3, height, width) from 0 to 1; what `latents` has too many is in front."""
        pipeline = self._pipeline
        with torch.no_grad():
            video = decode_latents(pipeline, latents[:, latents.shape[1] - self._latents(frames) :])
        pipeline.maybe_free_model_hooks()
        return pipeline.video_processor.postprocess_video(video=video, output_type="pt")[0]


@contextmanager
def _called_before(module: Any, hook: Callable[..., None]) -> Iterator[None]:
    handle = module.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _peak_memory_bytes(*, on_gpu: bool) -> int:
    if on_gpu:
        return int(torch.cuda.max_memory_allocated())
    # In bytes on a Mac, in KiB elsewhere (getrusage(2)).
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _to_rgb(video: Any) -> NDArray[np.uint8]:
    """`video` is a tensor (frames, 3, height, width) from 0 to 1, of any float type."""
    if not torch.isfinite(video).all():
        raise EngineFailed("the model made values that are not numbers; try other steps or guidance")
    pixels = [(frame.float() * 255).round().to(torch.uint8).permute(1, 2, 0).cpu() for frame in video]
    rgb: NDArray[np.uint8] = torch.stack(pixels).numpy()
    return rgb


def _dtype(recipe: Recipe, device: str) -> Dtype:
    return "float32" if device == "cpu" else recipe.dtype


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
