"""What draws in the place of Bedrock's image models: ComfyUI, a diffusers model, or the animatic's artwork.

Every backend raises ServiceError with the code that Bedrock has for the case.
"""

import asyncio
import json
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from containers.cogvideox.errors import EngineFailed
from containers.comfyui.client import ComfyUI, Finished, Refused, Saved, Unreachable
from containers.comfyui.workflow import BadWorkflow, Workflow
from lambdas.animatic.still import draw_still
from reelworks.cloud import diffusers_program
from reelworks.cloud.settings import Stills
from reelworks.cloud.wire import ServiceError
from reelworks.cloud.workers import Worker, WorkerFailed

LONGEST_DRAWING_SECONDS = 280.0  # within what the functions wait for an answer
_LOOK_EVERY_SECONDS = 0.25
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
# The video engine needs the memory next; the scenes' stills are asked for all at once.
_IDLE_SECONDS = 5.0


@dataclass(frozen=True)
class Order:
    """A picture to be drawn; sizes in pixels."""

    prompt: str
    negative_prompt: str
    width: int
    height: int
    seed: int


class StillBackend(Protocol):
    @property
    def name(self) -> str:
        """For the record: who drew."""

    async def draw(self, order: Order) -> bytes:
        """An image file; it may have another size than was asked for."""

    async def free(self) -> None:
        """Has the model leave the GPU."""

    async def stop(self) -> None: ...


class Card:
    """The animatic's artwork."""

    name = "drawn card"

    async def draw(self, order: Order) -> bytes:
        return await asyncio.to_thread(
            draw_still, order.prompt, width=order.width, height=order.height, seed=order.seed
        )

    async def free(self) -> None:
        """It holds nothing."""

    async def stop(self) -> None:
        """It holds nothing."""


class Diffusers:
    """A text-to-image model in a folder, as diffusers saves one, in a process of its own."""

    def __init__(self, settings: Stills) -> None:
        assert settings.model  # noqa: S101  the settings have it, or a workflow
        self._model = settings.model
        self._options = {"steps": settings.steps, "guidance": settings.guidance}
        self._worker = Worker(
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
            raise _broken(f"{self._model} is no diffusers model: it has no model_index.json.")
        with tempfile.TemporaryDirectory(prefix="still-") as folder:
            file = Path(folder) / "still.png"
            line = json.dumps(asdict(order) | self._options | {"file": str(file)})
            try:
                answer = await self._worker.ask(line, LONGEST_DRAWING_SECONDS)
            except WorkerFailed as error:
                raise _broken(f"The image model {self._model} failed. {error}") from error
            if problem := json.loads(answer.removeprefix(diffusers_program.ANSWER)).get("error"):
                raise _broken(f"The image model {self._model} failed: {problem}")
            return file.read_bytes()

    async def free(self) -> None:
        await self._worker.stop()  # the next still starts it anew

    async def stop(self) -> None:
        await self._worker.stop()


class ComfyStills:
    """A workflow on a ComfyUI server, titled as the video workflows are (docs/comfyui.md)."""

    def __init__(self, url: str, workflow: Path) -> None:
        self._comfyui = ComfyUI(url)
        self._path = workflow
        self._at_work = 0

    @property
    def name(self) -> str:
        return f"comfyui {self._path.stem}"

    async def draw(self, order: Order) -> bytes:
        self._at_work += 1
        try:
            return await self._drawn(order)
        except BadWorkflow as error:
            raise _broken(f"The stills' workflow can't be used: {error}") from error
        except Refused as error:
            problems = [str(one) for wrong in error.node_errors.values() for one in wrong.errors]
            said = "; ".join([str(error), *problems])
            raise _broken(f"ComfyUI at {self._comfyui.url} refuses {self._path}: {said}") from error
        except Unreachable as error:
            raise ServiceError(503, "ServiceUnavailableException", str(error)) from error
        except EngineFailed as error:
            raise _broken(str(error)) from error
        finally:
            self._at_work -= 1
            if not self._at_work:
                with suppress(Unreachable, EngineFailed):  # the still is there; a server that can't is let be
                    await self._comfyui.free()

    async def free(self) -> None:
        """It is told so after the last still."""

    async def stop(self) -> None:
        await self._comfyui.close()

    async def _drawn(self, order: Order) -> bytes:
        workflow = Workflow.read(self._path)
        values = {name: value for name, value in asdict(order).items() if name in workflow.slots}
        prompt_id = await self._comfyui.queue(workflow.filled(values))
        try:
            async with asyncio.timeout(LONGEST_DRAWING_SECONDS):
                while (finished := await self._look(prompt_id)) is None:
                    await asyncio.sleep(_LOOK_EVERY_SECONDS)
        except TimeoutError:
            await self._comfyui.cancel(prompt_id)
            message = f"ComfyUI at {self._comfyui.url} did not draw within {LONGEST_DRAWING_SECONDS:g} s."
            raise ServiceError(408, "ModelTimeoutException", message) from None
        return await self._comfyui.file(_picture(finished, workflow))

    async def _look(self, prompt_id: str) -> Finished | None:
        ahead = await self._comfyui.ahead(prompt_id)
        # After the queue: a prompt that was not there any more is in the history by now.
        finished = await self._comfyui.finished(prompt_id)
        if finished is None and ahead is None:
            raise EngineFailed(
                f"ComfyUI at {self._comfyui.url} has lost the still: it was restarted, or cleared"
            )
        return finished


def _picture(finished: Finished, workflow: Workflow) -> Saved:
    """The picture that was saved, else one that is shown; raises what the prompt ended with where there is
    none."""
    if error := finished.message("execution_error"):
        said = f"{error.get('exception_type')}: {str(error.get('exception_message')).strip()}"
        raise EngineFailed(f"ComfyUI failed at {workflow.describe(str(error.get('node_id')))}: {said}")
    if finished.message("execution_interrupted"):
        raise EngineFailed("The still was interrupted in ComfyUI.")
    pictures = [
        Saved.model_validate(shown)
        for output in finished.outputs.values()
        for shown in output.get("images") or []
        if isinstance(shown, dict) and str(shown.get("filename", "")).lower().endswith(_PICTURES)
    ]
    if not pictures:
        raise EngineFailed(f"The workflow {workflow.name} made no picture: it needs a Save Image node.")
    return min(pictures, key=lambda picture: picture.type != "output")


def _broken(message: str) -> ServiceError:
    """424, which no client tries again."""
    return ServiceError(424, "ModelErrorException", message)
