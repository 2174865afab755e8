"""Draw stills with a text-to-image model in a folder, using diffusers. It takes no reference."""

import json
import sys
import tempfile
from pathlib import Path

from reelworks.cloud.backends.image import diffusers_program
from reelworks.cloud.backends.image.interface import LONGEST_DRAWING_SECONDS, Order, model_failed
from reelworks.cloud.processes.line_worker import LineWorker, WorkerFailed

# The video engine needs the memory next, and the scenes' stills are requested all at once.
_IDLE_SECONDS = 5.0


class Diffusers:
    """A text-to-image model in a folder saved by diffusers, run in its own process."""

    def __init__(self, model: Path, *, steps: int | None, guidance: float | None) -> None:
        self._model = model
        self._options = {"steps": steps, "guidance": guidance}
        self._worker = LineWorker(
            [sys.executable, "-P", "-m", diffusers_program.__name__, str(self._model)],
            is_answer=lambda line: line.startswith(diffusers_program.ANSWER),
            idle_seconds=_IDLE_SECONDS,
            env={"HF_HUB_OFFLINE": "1"},
        )

    @property
    def name(self) -> str:
        return f"diffusers {self._model.name}"

    async def draw(self, order: Order) -> bytes:
        if not (self._model / "model_index.json").is_file():
            raise model_failed(f"{self._model} is not a diffusers model: model_index.json is missing.")
        with tempfile.TemporaryDirectory(prefix="still-") as folder:
            file = Path(folder) / "still.png"
            line = json.dumps(order.words() | self._options | {"file": str(file)})
            try:
                answer = await self._worker.ask(line, LONGEST_DRAWING_SECONDS)
            except WorkerFailed as error:
                raise model_failed(f"The image model {self._model} failed. {error}") from error
            if problem := json.loads(answer.removeprefix(diffusers_program.ANSWER)).get("error"):
                raise model_failed(f"The image model {self._model} failed: {problem}")
            return file.read_bytes()

    async def free(self) -> None:
        await self._worker.stop()  # the next still starts it again

    async def stop(self) -> None:
        await self._worker.stop()
