"""CogVideoX checkpoint in memory: text and images in, frames out. Only this file, adapters.py and
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

NARROW = 256  # channels of a transformer that is fastest on one thread of a CPU


@dataclass(frozen=True)
class Rendering:
    """A rendered clip: `frames` is RGB of shape (frames, height, width, 3); times are in seconds."""

    frames: NDArray[np.uint8]
    encode_seconds: float
    step_seconds: list[float]
    """Seconds of each denoising step."""
    decode_seconds: float
    peak_memory_bytes: int
    """Peak memory: on a GPU for this clip, on a CPU for the process since it started."""


class Model:
    """A loaded checkpoint on one device; not thread-safe."""

    def __init__(
        self,
        pipeline: Any,
        checkpoint: Checkpoint,
        loras: dict[str, Path],
        accelerator: Accelerator,
        plan: Plan,
    ) -> None:
        self.loras = loras
        """Names and files of the adapters."""
        self.plan = plan
        self._accelerator = accelerator
        self._pipeline = pipeline
        self._checkpoint = checkpoint
        self._embeddings = EmbeddingCache(self._encode)

    @classmethod
    def load(cls, directory: Path, checkpoint: Checkpoint, device: str, *, compiled: bool = False) -> "Model":
        """Load the safetensors to where they fit on `device` (cpu, cuda).

        If `compiled`, torch compiles the transformer's blocks for every speed but exact, provided that they
        stay on the device unchanged: a compiled block would be neither fetched nor cast from 8 to 16 bits.
        Raises BadCheckpoint or OutOfMemory.
        """
        _use_our_logging()
        limits, recipe = checkpoint.limits, checkpoint.recipe
        loras = find_loras(directory)
        dtype = _dtype(recipe, device)
        planned = plan(ModelSizes.read(directory, dtype), read_device(device), limits)
        logger.info("placement planned", extra=planned.document())
        if device == "cpu" and planned.model.channels <= NARROW:
            torch.set_num_threads(1)
        pipeline_class = CogVideoXImageToVideoPipeline if limits.takes_image else CogVideoXPipeline
        try:
            pipeline = pipeline_class.from_pretrained(
                directory, dtype=getattr(torch, dtype), use_safetensors=True, local_files_only=True
            )
            place(pipeline, planned.option, device, (limits.width, limits.height))
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemory(f"the model does not fit into the memory of {device}") from error
        except Exception as error:  # a corrupt file can make the loaders raise anything
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
        """Raise InvalidRequest unless the clip fits into the device's memory and the model's placement
        supports its adapters."""
        if request.loras and self.plan.option.fp8:
            # PEFT gives an adapter the type of its layer, and computes in that type: 8 bits round the
            # adapter, and PyTorch cannot multiply them.
            raise InvalidRequest(
                "loras",
                "loras must be empty: to fit into memory, the model is stored in 8 bits, which does not "
                "support adapters; use a machine with more main memory",
            )
        guidance = self._checkpoint.recipe.guidance if request.guidance is None else request.guidance
        demand = Demand(request.width, request.height, request.frames, guided=guidance > 1)
        self.plan.check(demand, self._checkpoint.limits)

    def count_tokens(self, text: str) -> int:
        """Return the number of tokens in `text` by the checkpoint's tokenizer, including the end token."""
        return len(self._pipeline.tokenizer(text, verbose=False).input_ids)

    def render(
        self, request: ClipRequest, source: Source, speed: Speed, go_on: Callable[[], None]
    ) -> Rendering:
        """Render all `request.frames` frames.

        Raises OutOfMemory, DeviceLost, EngineFailed, or what `go_on` raises, which is called before every
        denoising step and every decoded piece.
        """
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
        # Not whether a GPU exists: it may be left to others.
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
                torch.cuda.synchronize()  # otherwise steps are only queued, and neither timed nor stopped
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
                # An aborted clip leaves components on the GPU that would have moved out after their turn.
                self._pipeline.maybe_free_model_hooks()
                raise
        expected = (request.frames, request.height, request.width, 3)
        if frames.shape != expected:
            raise EngineFailed(f"the model returned frames of shape {frames.shape}; expected {expected}")
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
        # Video to video runs only the last steps of the schedule.
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
        """Return the pipeline for what the clip starts from, and its arguments."""
        if source.video is None:
            inputs: dict[str, Any] = {"num_frames": request.frames}
            return self._pipeline, inputs if source.image is None else inputs | {"image": source.image}
        # As the other pipelines do for CogVideoX1.5: pad latents in front to a whole number of its patches in
        # time. This pipeline needs the frames for them.
        patch = self._pipeline.transformer.config.patch_size_t or 1
        missing = -self._latents(request.frames) % patch * self._pipeline.vae_scale_factor_temporal
        strength = STRENGTH if request.strength is None else request.strength
        video = source.video[:1] * missing + source.video
        # Not cached: it detects where the model is at the moment.
        pipeline = CogVideoXVideoToVideoPipeline(**self._pipeline.components)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline, {"video": video, "strength": strength}

    def _latents(self, frames: int) -> int:
        return int((frames - 1) // self._pipeline.vae_scale_factor_temporal + 1)

    def _decode(self, latents: Any, frames: int) -> Any:
        """Return the video (frames, 3, height, width) from 0 to 1; surplus `latents` are in front."""
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
    # Bytes on macOS, KiB elsewhere (getrusage(2)).
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _to_rgb(video: Any) -> NDArray[np.uint8]:
    """Convert `video`, a tensor (frames, 3, height, width) from 0 to 1 of any float type, to RGB frames."""
    if not torch.isfinite(video).all():
        raise EngineFailed("the model returned NaN or infinite values; try other steps or guidance")
    pixels = [(frame.float() * 255).round().to(torch.uint8).permute(1, 2, 0).cpu() for frame in video]
    rgb: NDArray[np.uint8] = torch.stack(pixels).numpy()
    return rgb


def _dtype(recipe: Recipe, device: str) -> Dtype:
    return "float32" if device == "cpu" else recipe.dtype


def _make_rotary_table_square(transformer: Any) -> None:
    # CogVideoX1.5 crops its rotary table to the clip's size, and diffusers makes the table as large as the
    # landscape size in the configuration: portrait fails (zai-org/CogVideo#758). A table's values do not
    # depend on its size, so a larger one changes nothing else.
    side = max(transformer.config.sample_width, transformer.config.sample_height)
    transformer.register_to_config(sample_width=side, sample_height=side)


def _use_our_logging() -> None:
    for library in (diffusers_logging, transformers_logging):
        library.disable_default_handler()
        library.enable_propagation()
        library.disable_progress_bar()
