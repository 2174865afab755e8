"""Turn a request's bytes into a clip's: parse, check, render, export; one log line per job."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from containers.cogvideox.catalogue import Checkpoint, read_checkpoint
from containers.cogvideox.export import DEFAULT, Export, film_mp4, mp4
from containers.cogvideox.film import RGB
from containers.cogvideox.manifest import Snapshot
from containers.cogvideox.messages import Clip
from containers.cogvideox.metadata import clip_metadata
from containers.cogvideox.metrics import metrics
from containers.cogvideox.request import ClipRequest, check_request, check_tokens, parse_request
from containers.cogvideox.source import Source, source_of
from containers.cogvideox.speed import DOES, Speed, computed_steps
from containers.cogvideox.weights import check_weights

logger = logging.getLogger(__name__)


class CogVideoXEngine:
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
        self._memory: dict[str, Any] | None = None  # until it has been planned

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

        from containers.cogvideox.model import Model
        from containers.cogvideox.tensors import check_tensors

        check_tensors(self._directory)
        if self._device == "auto":
            self._device = "cuda" if torch.cuda.is_available() else "cpu"
        if self._compiled is None:
            self._compiled = self._device == "cuda"
        self._model = Model.load(self._directory, self._checkpoint, self._device, compiled=self._compiled)
        self._checked.require_unchanged()
        self._memory = self._model.plan.document()
        self._warm_up()
        self._load_seconds = time.monotonic() - started
        logger.info("model loaded", extra={**self.describe(), "load_seconds": round(self._load_seconds, 3)})

    def describe(self) -> dict[str, Any]:
        """Return the fields of /ping besides the status."""
        return {
            "engine": "cogvideox",
            "model": self._name,
            "device": self._device,
            "speed": self._speed,
            "speeds": {speed: DOES[speed] for speed in Speed},
            "memory": self._memory,
        }

    def render(self, body: bytes, go_on: Callable[[], None]) -> Clip:
        """Render the clip for a JSON request.

        Raises InvalidRequest before any work, OutOfMemory, EngineFailed, or what `go_on` raises, which is
        called many times during rendering.
        """
        request = parse_request(body)
        check_request(request, self._checkpoint, self._model.loras)
        for param in ("prompt", "negative_prompt"):
            check_tokens(param, self._model.count_tokens(getattr(request, param)), self._checkpoint.limits)
        self._model.check(request)
        speed = request.speed or self._speed
        rendering = self._model.render(request, source_of(request), speed, go_on)
        if request.loras:  # loaded for this clip
            self._checked.require_unchanged(*(self._model.loras[lora.name] for lora in request.loras))
        started = time.monotonic()
        steps = len(rendering.step_seconds)
        computed = computed_steps(speed, steps)
        metadata = clip_metadata(
            request,
            model=self._name,
            revision=self._revision,
            speed=f"{speed}: {DOES[speed]}: {computed} of {steps}",
        )
        if request.film is None:
            clip = mp4(rendering.frames[request.skip_frames :], request.fps, metadata, self._export)
        else:
            clip = film_mp4(
                _checked(rendering.frames, go_on), request.film, metadata, self._export,
                rate=request.fps, skip_frames=request.skip_frames,
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
            extra=request.model_dump(exclude={"prompt", "negative_prompt", "image", "video"})
            | {
                "with_image": request.image is not None,
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
        size = (limits.width, limits.height)
        request = ClipRequest(
            prompt="a bee", width=size[0], height=size[1], frames=frames, skip_frames=0,
            fps=limits.fps, seed=0, steps=1,
        )  # fmt: skip
        image = Image.new("RGB", size, "grey") if limits.takes_image else None
        self._model.render(request, Source(image=image), speed, lambda: None)


def _checked(frames: Iterable[RGB], go_on: Callable[[], None]) -> Iterator[RGB]:
    """Yield the frames, calling `go_on` before each: scaling and encoding a large film takes seconds."""
    for frame in frames:
        go_on()
        yield frame
