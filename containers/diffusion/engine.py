"""Turn a request's bytes into a clip's: parse, check, render, export; one log line per job."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.export import DEFAULT, Export, film_mp4, mp4
from containers.diffusion.family import Checkpoint
from containers.diffusion.film import RGB
from containers.diffusion.manifest import Snapshot
from containers.diffusion.messages import Clip
from containers.diffusion.metadata import MEDIA, clip_metadata
from containers.diffusion.metrics import metrics
from containers.diffusion.request import ClipRequest, check_request, check_tokens, parse_request
from containers.diffusion.source import Source, source_of
from containers.diffusion.speed import DOES, Speed
from containers.diffusion.weights import check_weights

logger = logging.getLogger(__name__)


class DiffusionEngine:
    """Engine for the checkpoint in `directory`, called `name` in logs and in the clips' metadata."""

    def __init__(
        self,
        directory: Path,
        name: str,
        device: str = "auto",
        speed: Speed = Speed.EXACT,
        export: Export = DEFAULT,
        compiled: bool | None = None,
    ) -> None:
        """`device` is cpu, cuda, or auto (cuda if available); `speed` applies to requests without one;
        if `compiled`, torch compiles the blocks for every speed but exact (None: only on a GPU)."""
        self._directory = directory
        self._name = name
        self._device = device
        self._speed = speed
        self._export = export
        self._compiled = compiled

    def load(self) -> None:
        """Load the checkpoint. Raises BadCheckpoint or OutOfMemory."""
        started = time.monotonic()
        # A link to the folder could be pointed elsewhere meanwhile.
        self._directory = self._directory.resolve()
        self._checked = Snapshot.of(self._directory)
        self._revision = check_weights(self._directory).identity
        self._checkpoint: Checkpoint = read_checkpoint(self._directory)
        # No network access, neither to check for newer files nor to report the download.
        os.environ["HF_HUB_OFFLINE"] = "1"
        # If it is installed (a PC's speech installs it), diffusers loads it needlessly, and it leaves files
        # in the home folder.
        sys.modules["onnxruntime"] = None  # type: ignore[assignment]
        # Imported here because torch takes seconds to import and /ping must answer at once.
        import torch

        from containers.diffusion.model import Model
        from containers.diffusion.tensors import check_tensors

        check_tensors(self._directory)
        if self._device == "auto":
            self._device = "cuda" if torch.cuda.is_available() else "cpu"
        if self._compiled is None:
            self._compiled = self._device == "cuda"
        self._model = Model.load(self._directory, self._checkpoint, self._device, compiled=self._compiled)
        if self._speed not in self._model.speeds:
            raise BadCheckpoint(
                f"the server's speed is {self._speed}, but {self._directory} offers "
                f"{', '.join(self._model.speeds)}; turbo needs a model with adapters for it, in 16 bits"
            )
        self._checked.require_unchanged()
        self._warm_up()
        self._load_seconds = time.monotonic() - started
        logger.info("model loaded", extra={**self.describe(), "load_seconds": round(self._load_seconds, 3)})

    def describe(self) -> dict[str, Any]:
        """Return the fields of /ping besides the status, once loaded."""
        return {
            "engine": self._checkpoint.family.name,
            "model": self._name,
            "device": self._device,
            "speed": self._speed,
            "speeds": {speed: DOES[speed] for speed in self._model.speeds},
            "memory": self._model.plan.document(),
        }

    def render(self, body: bytes, go_on: Callable[[], None]) -> Clip:
        """Render the clip for a JSON request.

        Raises InvalidRequest before any work, OutOfMemory, EngineFailed, or what `go_on` raises, which is
        called many times during rendering.
        """
        request = parse_request(body)
        speed = request.speed or self._speed
        check_request(
            request, self._checkpoint.limits, steps=self._checkpoint.recipe_at(speed).steps, speed=speed,
            speeds=self._model.speeds, loras=self._model.loras,
        )  # fmt: skip
        self._checkpoint.check(request)
        for param in ("prompt", "negative_prompt"):
            check_tokens(param, self._model.count_tokens(getattr(request, param)), self._checkpoint.limits)
        self._model.check(request, speed)
        rendering = self._model.render(request, source_of(request), speed, go_on)
        loaded = [self._model.loras[lora.name] for lora in request.loras]  # for this clip
        if speed is Speed.TURBO and self._model.turbo:
            loaded.append(self._model.turbo)
        if loaded:
            self._checked.require_unchanged(*(file for adapter in loaded for file in adapter.values()))
        started = time.monotonic()
        steps, computed = len(rendering.step_seconds), rendering.computed_steps
        metadata = clip_metadata(
            request,
            engine=self._checkpoint.family.name,
            model=self._name,
            revision=self._revision,
            speed=f"{speed}: {DOES[speed]}: {computed} of {steps}",
        )
        if request.film is None:
            clip = mp4(
                rendering.frames, request.fps, metadata, self._export,
                skip_frames=request.skip_frames, sound=rendering.sound,
            )  # fmt: skip
        else:
            clip = film_mp4(
                _checked(rendering.frames, go_on), request.film, metadata, self._export,
                rate=request.fps, skip_frames=request.skip_frames, sound=rendering.sound,
            )  # fmt: skip
        times = {
            "load_seconds": self._load_seconds,
            "encode_seconds": rendering.encode_seconds,
            "denoise_seconds": sum(rendering.step_seconds),
            "decode_seconds": rendering.decode_seconds,
            "mux_seconds": time.monotonic() - started,
        }
        logger.info(
            "clip rendered",
            extra=request.model_dump(exclude={"prompt", "negative_prompt"} | MEDIA)
            | {
                "with_image": request.image is not None,
                "with_last_image": request.last_image is not None,
                "with_video": request.video is not None,
                "speed": speed,
                "computed_steps": computed,
                "step_seconds": [round(seconds, 3) for seconds in rendering.step_seconds],
                "bytes": len(clip),
            }
            | metrics(
                {name: round(seconds, 3) for name, seconds in times.items()}
                | {"peak_memory_bytes": rendering.peak_memory_bytes},
                {"model": self._name},
            ),
        )
        # The only header that SageMaker passes on.
        said = f"speed={speed};steps={steps};computed_steps={computed}"
        return Clip(clip, {"X-Amzn-SageMaker-Custom-Attributes": said})

    def _warm_up(self) -> None:
        """Render a clip in one step, so that slow first runs and failures come before /ping reports ready."""
        limits = self._checkpoint.limits
        # Blocks are compiled for the length that most clips have.
        speed, frames = self._speed, limits.frame_step + 1
        if self._compiled:
            speed = Speed.BALANCED
            frames = min(self._checkpoint.recipe.frames, self._model.plan.demand.frames)
        size = limits.sizes.default
        request = ClipRequest(
            prompt="a bee", width=size[0], height=size[1], frames=frames, skip_frames=0,
            fps=limits.fps[0], seed=0, steps=1,
        )  # fmt: skip
        grey = Image.new("RGB", size, "grey")
        source = Source(
            image=grey if limits.image == "required" else None,
            last_image=grey if limits.last_image == "required" else None,
        )
        self._model.render(request, source, speed, lambda: None)


def _checked(frames: Iterable[RGB], go_on: Callable[[], None]) -> Iterator[RGB]:
    """Yield the frames, calling `go_on` before each: scaling and encoding a large film takes seconds."""
    for frame in frames:
        go_on()
        yield frame
