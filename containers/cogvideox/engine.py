"""One request from bytes to bytes: parse, check, render, export; one log line per job."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from containers.cogvideox.export import mp4
from containers.cogvideox.image import first_frame
from containers.cogvideox.limits import Limits, read_limits
from containers.cogvideox.metrics import metrics
from containers.cogvideox.request import ClipRequest, check_request, check_tokens, parse_request

logger = logging.getLogger(__name__)


class CogVideoXEngine:
    """The checkpoint in `directory`, called `name` in logs and in the clips' metadata."""

    def __init__(self, directory: Path, name: str, device: str = "auto") -> None:
        """`device` is cpu, cuda, or auto for cuda where there is one."""
        self._directory = directory
        self._name = name
        self._device = device

    def load(self) -> None:
        """Read the checkpoint; raises BadCheckpoint or OutOfMemory."""
        started = time.monotonic()
        self._limits: Limits = read_limits(self._directory)
        # No network: neither to look for newer files nor to count the download.
        os.environ["HF_HUB_OFFLINE"] = "1"
        # Here, since torch takes seconds to import and /ping must answer at once.
        import torch

        from containers.cogvideox.model import Model

        if self._device == "auto":
            self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = Model.load(self._directory, self._limits, self._device)
        self._load_seconds = time.monotonic() - started
        logger.info("model loaded", extra={**self.describe(), "load_seconds": round(self._load_seconds, 3)})

    def describe(self) -> dict[str, str]:
        """What /ping says beside the status."""
        return {"engine": "cogvideox", "model": self._name, "device": self._device}

    def render(self, body: bytes, go_on: Callable[[], None]) -> bytes:
        """The MP4 for a JSON request; raises InvalidRequest before any work, OutOfMemory, EngineFailed, or
        what `go_on` raises, which is called many times while the clip is rendered."""
        request = parse_request(body)
        check_request(request, self._limits)
        for param in ("prompt", "negative_prompt"):
            check_tokens(param, self._model.count_tokens(getattr(request, param)), self._limits)
        size = (request.width, request.height)
        image = None if request.image is None else first_frame(request.image, size)

        rendering = self._model.render(request, image, go_on)
        started = time.monotonic()
        clip = mp4(rendering.frames[request.skip_frames :], request.fps, self._metadata(request))
        times = {
            "load_seconds": self._load_seconds,
            "encode_seconds": rendering.encode_seconds,
            "denoise_seconds": sum(rendering.step_seconds),
            "decode_seconds": rendering.decode_seconds,
            "mux_seconds": time.monotonic() - started,
        }
        logger.info(
            "clip rendered",
            extra=request.model_dump(exclude={"prompt", "negative_prompt", "image"})
            | {
                "with_image": image is not None,
                "step_seconds": [round(seconds, 3) for seconds in rendering.step_seconds],
                "bytes": len(clip),
            }
            | metrics(
                {name: round(seconds, 3) for name, seconds in times.items()}
                | {"peak_memory_bytes": rendering.peak_memory_bytes},
                {"model": self._name},
            ),
        )
        return clip

    def _metadata(self, request: ClipRequest) -> dict[str, str]:
        return {
            "engine": "cogvideox",
            "model": self._name,
            "seed": str(request.seed),
            "prompt": request.prompt,
        }
