"""Draw stills with a workflow on a ComfyUI server."""

import asyncio
from contextlib import suppress
from pathlib import Path

from containers.comfyui.client import ComfyUI, Finished, Refused, Saved, TooSlow, Unreachable, Upload
from containers.comfyui.workflow import BadWorkflow, Workflow
from containers.diffusion.errors import EngineFailed
from reelworks.cloud.backends.image.interface import LONGEST_DRAWING_SECONDS, Order, model_failed
from reelworks.cloud.errors import ServiceError

_IMAGE = "image"  # the node for a reference; a workflow without it takes none
_LOOK_EVERY_SECONDS = 0.25
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")


class ComfyWorkflow:
    """A workflow on a ComfyUI server, with node titles as in the video workflows (docs/comfyui.md)."""

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
            raise model_failed(f"The stills' workflow can't be used: {error}") from error
        except Refused as error:
            problems = [str(one) for wrong in error.node_errors.values() for one in wrong.errors]
            said = "; ".join([str(error), *problems])
            raise model_failed(f"ComfyUI at {self._comfyui.url} refused {self._path}: {said}") from error
        except TooSlow as error:
            raise ServiceError(503, "ServiceUnavailableException", str(error)) from error
        except Unreachable as error:  # it does not start by itself
            raise model_failed(f"{error}; start ComfyUI, or correct url of [comfyui]") from error
        except EngineFailed as error:
            raise model_failed(str(error)) from error
        finally:
            self._at_work -= 1
            if not self._at_work:
                with suppress(Unreachable, EngineFailed):  # the still exists; a failure to free is ignored
                    await self._comfyui.free()

    async def free(self) -> None:
        """Do nothing: the server is freed after the last still."""

    async def stop(self) -> None:
        await self._comfyui.close()

    async def _drawn(self, order: Order) -> bytes:
        workflow = Workflow.read(self._path)
        values = {name: value for name, value in order.words().items() if name in workflow.slots}
        if order.reference is not None and _IMAGE in workflow.slots:
            values[_IMAGE] = await self._comfyui.upload(Upload("reference.png", order.reference, "image/png"))
        prompt_id = await self._comfyui.queue(workflow.filled(values))
        try:
            async with asyncio.timeout(LONGEST_DRAWING_SECONDS):
                while (finished := await self._look(prompt_id)) is None:
                    await asyncio.sleep(_LOOK_EVERY_SECONDS)
        except TimeoutError:
            await self._comfyui.cancel(prompt_id)
            message = f"ComfyUI at {self._comfyui.url} drew no still within {LONGEST_DRAWING_SECONDS:g} s."
            raise ServiceError(408, "ModelTimeoutException", message) from None
        return await self._comfyui.file(_picture(finished, workflow))

    async def _look(self, prompt_id: str) -> Finished | None:
        ahead = await self._comfyui.ahead(prompt_id)
        # After the queue: a prompt that has left the queue is in the history by now.
        finished = await self._comfyui.finished(prompt_id)
        if finished is None and ahead is None:
            raise EngineFailed(f"ComfyUI at {self._comfyui.url} lost the still: it was restarted or cleared")
        return finished


def _picture(finished: Finished, workflow: Workflow) -> Saved:
    """Return the saved image, else a previewed one. Raises EngineFailed with the prompt's error if there is
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
        raise EngineFailed(f"The workflow {workflow.name} returned no image: it needs a Save Image node.")
    return min(pictures, key=lambda picture: picture.type != "output")
