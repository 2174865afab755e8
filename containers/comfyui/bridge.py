"""The engine: one request from bytes to bytes through a ComfyUI server; one log line per clip."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any, Literal

from containers.cogvideox.errors import (
    Busy,
    EngineError,
    EngineFailed,
    InvalidRequest,
    NotReady,
    OutOfMemory,
)
from containers.cogvideox.messages import Clip
from containers.comfyui import VERSION, media, result
from containers.comfyui.client import ComfyUI, Finished, Refused, Saved, TooSlow, Unreachable
from containers.comfyui.request import ClipRequest, check_request, parse_request, scalars
from containers.comfyui.workflow import BadWorkflow, Slot, Workflow

# Asked this often whether a prompt is done. ComfyUI also tells by a WebSocket, but only who listens when it
# happens, so /history has to be asked in any case; and a clip takes minutes, on the same machine.
POLL_SECONDS = 0.5
# For a prompt to be taken back when nobody waits for it, before a server that ends gives up.
CANCEL_SECONDS = 5.0
# ComfyUI keeps a workflow's models in the GPU's memory, where what writes and draws the next film then finds
# no room. A film's clips follow one another faster than this, so that none of them loads the models anew.
REST_SECONDS = 20.0
# Where nodes show the files that they saved: SaveVideo and SaveWEBM, VideoHelperSuite, others.
SHOWN_UNDER = ("images", "gifs", "videos")
VIDEOS = (".mp4", ".m4v", ".mov", ".webm", ".mkv")
_PROBLEMS_SHOWN = 3

logger = logging.getLogger(__name__)


class Bridge:
    """Renders by the workflow in the file `workflow`, which is read for every clip, so that it can be
    exported anew while the server runs, unless `revision` says by which alone. A clip that takes longer than
    `seconds` is given up, the time that it waits for other users of the ComfyUI server included."""

    def __init__(self, comfyui: ComfyUI, workflow: Path, seconds: float, revision: str | None = None) -> None:
        self._comfyui = comfyui
        self._path = workflow
        self._seconds = seconds
        self._revision = revision
        self._rendering: asyncio.Task[Any] | None = None
        self._progress: str | None = None
        self._cancelling: set[asyncio.Task[None]] = set()
        self._resting: asyncio.Task[None] | None = None  # since a prompt was in ComfyUI's queue

    async def health(self) -> tuple[bool, dict[str, Any]]:
        about: dict[str, Any] = {"engine": "comfyui", "model": self._path.stem, "device": None}
        status: Literal["starting", "ready", "busy", "failed"]
        reason: str | None = None
        try:
            workflow = self._workflow()
            about |= {"workflow": workflow.revision, "takes": sorted(workflow.slots)}
            if self._rendering:
                # It may be loading a model, and then answers nobody.
                status, reason = "busy", self._progress
            else:
                stats = await self._comfyui.stats()
                about["device"] = stats.devices[0].name if stats.devices else None
                about["comfyui"] = stats.system.comfyui_version
                status = "ready"
        except TooSlow as error:
            status, reason = "starting", str(error)
        except Unreachable as error:
            status, reason = "failed", f"{error}; start ComfyUI, or say where it is by --comfyui"
        except EngineError as error:
            status, reason = "failed", str(error)
        return status in ("ready", "busy"), {"status": status, "reason": reason} | about

    def check(self) -> None:
        if self._rendering:
            raise Busy("a clip is being rendered; this server renders one at a time")

    async def render(self, body: bytes) -> Clip:
        self.check()
        self._rendering = asyncio.current_task()
        try:
            return await self._render(body)
        except (InvalidRequest, NotReady) as refusal:
            logger.info("clip refused", extra={"param": refusal.param, "reason": str(refusal)})
            raise
        except EngineError as failure:
            logger.error("clip failed", extra={"code": failure.code, "reason": str(failure)})
            raise
        except Exception as fault:
            logger.exception("clip failed", extra={"code": EngineFailed.code})
            raise EngineFailed(f"{type(fault).__name__}: {fault}") from fault
        finally:
            self._rendering = self._progress = None

    async def close(self) -> None:
        if self._rendering:
            self._rendering.cancel()
            await asyncio.wait({self._rendering})
        if self._cancelling:
            await asyncio.wait(self._cancelling, timeout=CANCEL_SECONDS)
        if self._resting and not self._resting.done():
            self._resting.cancel()
            await self._free()
        await self._comfyui.close()

    async def _render(self, body: bytes) -> Clip:
        started = time.monotonic()
        request, workflow = parse_request(body), self._workflow()
        check_request(request, workflow)
        prompt_id = await self._queued(request, workflow)
        if self._resting:
            self._resting.cancel()
        try:
            async with asyncio.timeout(self._seconds):
                finished = await self._finished(prompt_id)
            video = await self._comfyui.file(_video(finished, workflow))
        except TimeoutError:
            raise EngineFailed(f"ComfyUI has not finished the clip within {self._seconds:g} s") from None
        except Unreachable as error:
            raise EngineFailed(f"{error}, in the middle of a clip") from error
        finally:
            self._resting = asyncio.create_task(self._rest())
        rendered = time.monotonic()
        mp4 = await asyncio.to_thread(result.clip, video, request, _metadata(request, workflow))
        logger.info(
            "clip rendered",
            extra=request.model_dump(exclude={"prompt", "negative_prompt", "image", "video", "audio"})
            | {
                "workflow": workflow.revision,
                "with_image": request.image is not None,
                "with_audio": request.audio is not None,
                "render_seconds": round(rendered - started, 3),
                "mux_seconds": round(time.monotonic() - rendered, 3),
                "bytes": len(mp4),
            },
        )
        # The one header that SageMaker passes on.
        return Clip(mp4, {"X-Amzn-SageMaker-Custom-Attributes": f"workflow={workflow.revision}"})

    def _workflow(self) -> Workflow:
        try:
            workflow = Workflow.read(self._path)
        except BadWorkflow as error:
            raise NotReady(str(error)) from error
        if self._revision not in (None, workflow.revision):
            raise NotReady(
                f"{self._path} was changed since what it takes was looked up: run `reel up` again, or put "
                f"the workflow back (now {workflow.revision}, looked up {self._revision})"
            )
        return workflow

    async def _queued(self, request: ClipRequest, workflow: Workflow) -> str:
        """The prompt's id, once its files are uploaded and it is in ComfyUI's queue."""
        files = []
        if request.image is not None:
            size = (request.width, request.height)
            files.append(("image", await asyncio.to_thread(media.image_file, request.image, size)))
        if request.audio is not None:
            files.append(("audio", await asyncio.to_thread(media.audio_file, request.audio)))
        values = scalars(request, workflow)
        try:
            for binding, file in files:
                values[binding] = await self._comfyui.upload(file)
            queueing = asyncio.create_task(self._comfyui.queue(workflow.filled(values)))
            try:
                return await asyncio.shield(queueing)
            except asyncio.CancelledError:
                self._cancel(await queueing)  # what is not known can't be taken back
                raise
        except Unreachable as error:
            raise NotReady(str(error)) from error
        except Refused as refusal:
            raise _refused(refusal, workflow) from refusal

    async def _finished(self, prompt_id: str) -> Finished:
        """What the prompt came to. Whatever ends the waiting before, the client's going too, cancels it."""
        try:
            while (finished := await self._look(prompt_id)) is None:
                await asyncio.sleep(POLL_SECONDS)
        except BaseException:
            self._cancel(prompt_id)
            raise
        return finished

    async def _look(self, prompt_id: str) -> Finished | None:
        try:
            ahead = await self._comfyui.ahead(prompt_id)
            # After the queue: a prompt that was not there any more is in the history by now.
            finished = await self._comfyui.finished(prompt_id)
        except TooSlow:
            return None  # it computes; the time for the clip bounds this
        if finished is None:
            if ahead is None:
                raise EngineFailed("ComfyUI has lost the clip: it was restarted, or its queue was cleared")
            progress = f"waits behind {ahead} in ComfyUI's queue" if ahead else "ComfyUI renders it"
            if progress != self._progress:
                logger.info("clip waits" if ahead else "clip started", extra={"ahead": ahead})
            self._progress = progress
        return finished

    async def _rest(self) -> None:
        await asyncio.sleep(REST_SECONDS)
        await self._free()

    async def _free(self) -> None:
        """Have the models leave the GPU; a ComfyUI that can't is let be."""
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                await self._comfyui.free()
        except (TimeoutError, Unreachable, EngineError) as error:
            logger.warning("memory not freed", extra={"reason": str(error)})

    def _cancel(self, prompt_id: str) -> None:
        """Have ComfyUI give the prompt up; `close` waits for that."""

        async def cancel() -> None:
            try:
                await self._comfyui.cancel(prompt_id)
            except (Unreachable, EngineError) as error:
                logger.warning("clip not cancelled", extra={"reason": str(error)})

        cancelling = asyncio.create_task(cancel())
        self._cancelling.add(cancelling)
        cancelling.add_done_callback(self._cancelling.discard)


def _refused(refusal: Refused, workflow: Workflow) -> InvalidRequest:
    """Names the nodes and inputs that ComfyUI does not take, and the request's field where it is to blame."""
    param, problems = None, []
    for node, wrong in refusal.node_errors.items():
        for complaint in wrong.errors:
            name = complaint.extra_info.input_name
            where = workflow.describe(node) + (f", input {name}" if name else "")
            problems.append(f"{where}: {complaint}")
            param = param or (workflow.binding_of(Slot(node, name)) if name else None)
    more = len(problems) - _PROBLEMS_SHOWN
    said = "; ".join(problems[:_PROBLEMS_SHOWN]) or str(refusal)
    return InvalidRequest(
        param,
        f"ComfyUI refuses the workflow {workflow.name}: {said}" + (f"; and {more} more" if more > 0 else ""),
    )


def _video(finished: Finished, workflow: Workflow) -> Saved:
    """The file that is the clip; raises what the prompt ended with where there is none."""
    if error := finished.message("execution_error"):
        node = workflow.describe(str(error.get("node_id")))
        kind, said = str(error.get("exception_type")), str(error.get("exception_message")).strip()
        # torch.OutOfMemoryError, and torch.cuda.OutOfMemoryError of older versions
        failure = OutOfMemory if kind.endswith("OutOfMemoryError") else EngineFailed
        raise failure(f"{node}: {kind}: {said}")
    if interrupted := finished.message("execution_interrupted"):
        node = workflow.describe(str(interrupted.get("node_id")))
        raise EngineFailed(f"the clip was interrupted in ComfyUI, at {node}")
    if finished.status is not None and finished.status.status_str != "success":
        raise EngineFailed(f"ComfyUI ended the clip with the status {finished.status.status_str!r}")
    saved = [
        (node, Saved.model_validate(shown))
        for node, output in finished.outputs.items()
        if workflow.video in (None, node)
        for kind in SHOWN_UNDER
        for shown in output.get(kind) or []
        if isinstance(shown, dict) and str(shown.get("filename", "")).lower().endswith(VIDEOS)
    ]
    # A preview of the same is in the folder for temporary files.
    kept = [one for one in saved if one[1].type == "output"] or saved
    if not kept:
        who = f"{workflow.describe(workflow.video)} saved no" if workflow.video else "no node saved a"
        raise EngineFailed(f"the workflow has run, but {who} video ({', '.join(VIDEOS)})")
    if len(kept) > 1:
        nodes = " and ".join(f"{workflow.describe(node)}: {file.filename}" for node, file in kept)
        raise EngineFailed(
            f'the workflow saves several videos, {nodes}: title the node whose is the clip "reelworks: video"'
        )
    return kept[0][1]


def _metadata(request: ClipRequest, workflow: Workflow) -> dict[str, str]:
    """What the clip says of itself, with the keys of the other engines' clips."""
    return {
        "engine": "comfyui",
        "engine_version": VERSION,
        "model": workflow.name,
        "model_revision": workflow.revision,
        "seed": str(request.seed),
        "prompt": request.prompt,
        "request": request.model_dump_json(exclude={"image", "video", "audio"}),
    }
