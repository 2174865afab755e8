"""Checkpoint in memory: text and images in, frames and sound out. Only this file, adapters.py, placement.py,
acceleration.py, tensors.py and the families know diffusers."""

import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers.utils import logging as diffusers_logging
from numpy.typing import NDArray
from transformers.utils import logging as transformers_logging

from containers.diffusion.acceleration import Accelerator
from containers.diffusion.adapters import Applied, adapted, check_adapter
from containers.diffusion.embeddings import EmbeddingCache
from containers.diffusion.errors import BadCheckpoint, DeviceLost, EngineFailed, InvalidRequest, OutOfMemory
from containers.diffusion.family import Checkpoint, Decoded, Demand, Dtype, Job, Part, Stage
from containers.diffusion.loras import Adapter, find_loras, find_turbo
from containers.diffusion.memory import ModelSizes, Placement, Plan, plan
from containers.diffusion.placement import place, read_device, whole_or_tiled
from containers.diffusion.request import ClipRequest
from containers.diffusion.sound import Sound
from containers.diffusion.source import Source
from containers.diffusion.speed import SKIPPING, Speed, computed_steps

logger = logging.getLogger(__name__)

NARROW = 256  # channels of a transformer that is fastest on one thread of a CPU


@dataclass(frozen=True)
class Rendering:
    """A rendered clip: `frames` is RGB of shape (frames, height, width, 3); times are in seconds."""

    frames: NDArray[np.uint8]
    sound: Sound | None
    encode_seconds: float
    step_seconds: list[float]
    """Seconds of each denoising step."""
    computed_steps: int
    """How many of the steps were computed."""
    decode_seconds: float
    peak_memory_bytes: int
    """Peak memory: on a GPU for this clip, on a CPU for the process since it started."""


class Model:
    """A loaded checkpoint on one device; not thread-safe."""

    def __init__(
        self,
        pipeline: Any,
        checkpoint: Checkpoint,
        loras: Mapping[str, Adapter],
        turbo: Adapter | None,
        accelerators: Mapping[str, Accelerator],
        plan: Plan,
    ) -> None:
        """`accelerators` are those of the parts that denoise."""
        self.loras = loras
        """Names and files of the adapters."""
        self.turbo = turbo
        """Files of the adapter of Speed.TURBO."""
        self.plan = plan
        self._accelerators = accelerators
        self._pipeline = pipeline
        self._checkpoint = checkpoint
        self._parts = _parts(pipeline, checkpoint)
        self.embeddings = EmbeddingCache(self._encode, checkpoint.kept_texts)
        """Encoded texts of this and earlier clips."""

    @classmethod
    def load(cls, directory: Path, checkpoint: Checkpoint, device: str, *, compiled: bool = False) -> "Model":
        """Load the safetensors to where they fit on `device` (cpu, cuda). See `of` for `compiled`.

        Raises BadCheckpoint or OutOfMemory.
        """
        use_our_logging()
        sizes = ModelSizes.read(directory, dtype_on(device, checkpoint))
        denoising = [name for name, weights in sizes.weights.items() if weights.stage is Stage.DENOISE]
        loras, turbo = find_loras(directory, denoising), find_turbo(directory, denoising)
        planned = plan(sizes, read_device(device), checkpoint.limits, guided=checkpoint.recipe.guidance > 1)
        logger.info("placement planned", extra=planned.document())
        try:
            pipeline = read_pipeline(directory, checkpoint, device)
            return cls.of(pipeline, checkpoint, planned, loras=loras, turbo=turbo, compiled=compiled)
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemory(f"the model does not fit into the memory of {device}") from error
        except Exception as error:  # a corrupt file can make the loaders raise anything
            raise BadCheckpoint(f"the checkpoint in {directory} cannot be loaded: {error}") from error

    @classmethod
    def of(
        cls,
        pipeline: Any,
        checkpoint: Checkpoint,
        planned: Plan,
        *,
        loras: Mapping[str, Adapter],
        turbo: Adapter | None,
        compiled: bool,
    ) -> "Model":
        """Place diffusers' pipeline, just made, as planned, and return it as a model.

        If `compiled`, torch compiles the transformer's blocks for every speed but exact, provided that they
        stay on the device unchanged: a compiled block would be neither fetched nor cast from 8 to 16 bits.
        Raises torch.OutOfMemoryError.
        """
        device = planned.device.kind
        if device == "cpu" and planned.model.work.channels <= NARROW:
            torch.set_num_threads(1)
        parts = _parts(pipeline, checkpoint)
        tiles = checkpoint.family.tiles(*checkpoint.limits.sizes.largest)
        place(pipeline, parts, planned.option, device, tiles)
        pipeline.set_progress_bar_config(disable=True)
        for name, files in {**loras, **({"turbo": turbo} if turbo else {})}.items():
            check_adapter(pipeline, name, files)
        checkpoint.prepare(pipeline)
        stays = planned.option.placement is Placement.RESIDENT and not planned.option.fp8
        accelerators = {}
        for name, part in parts.items():
            if part.stage is Stage.DENOISE:
                model = getattr(pipeline, name)
                blocks = getattr(model, part.blocks or "", ())
                accelerators[name] = Accelerator(model, blocks, compiled=compiled and stays)
        return cls(pipeline, checkpoint, loras, turbo, accelerators, planned)

    @property
    def speeds(self) -> tuple[Speed, ...]:
        """The speeds that a request may choose."""
        turbo = self.turbo is not None and not self.plan.option.fp8
        return tuple(speed for speed in self._checkpoint.speeds if speed is not Speed.TURBO or turbo)

    def check(self, request: ClipRequest, speed: Speed) -> None:
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
        recipe = self._checkpoint.recipe_at(speed)
        guidance = recipe.guidance if request.guidance is None else request.guidance
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

        with ExitStack() as hooks:
            for name, part in self._parts.items():
                model = getattr(self._pipeline, name)
                if part.stage is Stage.DENOISE:
                    hooks.enter_context(_called_before(model, before_step))
                elif part.stage is Stage.DECODE:
                    # A VAE calls its decoder piece by piece.
                    decoder = getattr(model, "decoder", model)
                    hooks.enter_context(_called_before(decoder, lambda *_: go_on()))
            try:
                output, computed = self._denoise(request, source, speed, on_step_end)
                decoded = self._decode(output, request)
                frames = _to_rgb(decoded.video)
                if decoded.sound and not np.isfinite(decoded.sound.samples).all():
                    raise EngineFailed("the model returned sound with NaN or infinite values")
            except BaseException:
                # An aborted clip leaves components on the GPU that would have moved out after their turn.
                self._pipeline.maybe_free_model_hooks()
                raise
        expected = (request.frames, request.height, request.width, 3)
        if frames.shape != expected:
            raise EngineFailed(f"the model returned frames of shape {frames.shape}; expected {expected}")
        return Rendering(
            frames,
            decoded.sound,
            encode_seconds=ticks[0] - started,
            step_seconds=[end - begin for begin, end in pairwise(ticks)],
            computed_steps=computed,
            decode_seconds=time.monotonic() - ticks[-1],
            peak_memory_bytes=_peak_memory_bytes(on_gpu=on_gpu),
        )

    def _denoise(
        self, request: ClipRequest, source: Source, speed: Speed, on_step_end: Callable[..., Any]
    ) -> tuple[Any, int]:
        """Return the pipeline's output, and how many of the steps were computed."""
        recipe = self._checkpoint.recipe_at(speed)
        guidance = recipe.guidance if request.guidance is None else request.guidance
        job = Job(
            request,
            source,
            speed,
            steps=recipe.steps if request.steps is None else request.steps,
            guidance=guidance,
            prompt=self.embeddings[request.prompt],
            negative=self.embeddings[request.negative_prompt] if guidance > 1 else None,
        )
        adapters = [Applied(lora.name, self.loras[lora.name], lora.scale) for lora in request.loras]
        if speed is Speed.TURBO:
            assert self.turbo is not None  # noqa: S101  else the speed is not offered
            adapters.append(Applied("turbo", self.turbo))
        call = self._checkpoint.call(self._pipeline, job)
        with ExitStack() as undo:
            # Its parts are those of the call's pipeline.
            undo.enter_context(adapted(self._pipeline, self._parts, adapters))
            for name, steps in call.steps.items():
                cache = self._checkpoint.cache(call.pipeline, speed, steps) if speed in SKIPPING else None
                undo.enter_context(self._accelerators[name].at(speed, cache))
            output = call.pipeline(
                **call.arguments,
                # On the CPU, so that a seed gives the same noise on every GPU.
                generator=torch.Generator("cpu").manual_seed(request.seed),
                output_type="latent",
                callback_on_step_end=on_step_end,
            )
        return output, sum(computed_steps(speed, steps) for steps in call.steps.values())

    def _encode(self, text: str) -> Any:
        with torch.no_grad():
            return self._checkpoint.encode(self._pipeline, text)

    def _decode(self, output: Any, request: ClipRequest) -> Decoded:
        pipeline, checkpoint = self._pipeline, self._checkpoint
        tiles = checkpoint.family.tiles(request.width, request.height)
        with torch.no_grad():
            decoded = whole_or_tiled(
                pipeline.vae, tiles, lambda: checkpoint.decode(pipeline, output, request)
            )
        pipeline.maybe_free_model_hooks()
        return decoded


def dtype_on(device: str, checkpoint: Checkpoint) -> Dtype:
    """Return the type in which the checkpoint computes on `device` (cpu, cuda)."""
    return "float32" if device == "cpu" else checkpoint.recipe.dtype


def read_pipeline(directory: Path, checkpoint: Checkpoint, device: str) -> Any:
    """Return diffusers' pipeline with the weights in `directory`, in main memory."""
    return getattr(diffusers, checkpoint.pipeline).from_pretrained(
        directory,
        dtype=_dtypes(checkpoint.family.parts, dtype_on(device, checkpoint), device),
        use_safetensors=True,
        local_files_only=True,
        **{name: None for name, part in checkpoint.family.parts.items() if not part.loaded},
    )


def _parts(pipeline: Any, checkpoint: Checkpoint) -> dict[str, Part]:
    """Return the parts with weights that the pipeline has."""
    return {
        name: part
        for name, part in checkpoint.family.parts.items()
        if part.stage is not None and getattr(pipeline, name, None) is not None
    }


def _dtypes(parts: Mapping[str, Part], dtype: Dtype, device: str) -> dict[str, torch.dtype]:
    """Return the type of each part that has its own, and of the others ("default")."""
    own = {name: part.dtype for name, part in parts.items() if part.dtype and device != "cpu"}
    return {name: getattr(torch, kind) for name, kind in {"default": dtype, **own}.items()}


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


def use_our_logging() -> None:
    for library in (diffusers_logging, transformers_logging):
        library.disable_default_handler()
        library.enable_propagation()
        library.disable_progress_bar()
