"""Engine that turns a request's bytes into a clip's through a ComfyUI server; one log line per clip."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Any, Literal

from containers.comfyui import VERSION, media
from containers.comfyui.client import ComfyUI, Finished, Refused, Saved, TooSlow, Unreachable
from containers.comfyui.request import LAST_IMAGE, check_request, scalars
from containers.comfyui.workflow import BadWorkflow, Slot, Workflow
from containers.diffusion.errors import (
    Broken,
    Busy,
    EngineError,
    EngineFailed,
    InvalidRequest,
    NotReady,
    OutOfMemory,
)
from containers.diffusion.messages import Clip
from containers.serving import clip_file
from containers.serving.clip_errors import logged
from containers.serving.clip_request import ClipRequest, parse_request
from containers.serving.out_of_memory import is_out_of_memory

# How often to poll for a finished prompt. ComfyUI also reports over a WebSocket, but only to clients
# listening at that moment, so /history must be polled anyway; and a clip takes minutes, on the same machine.
POLL_SECONDS = 0.5
# Time to cancel a prompt that no client waits for, before a stopping server gives up.
CANCEL_SECONDS = 5.0
# ComfyUI keeps a workflow's models in GPU memory, leaving no room for the models that write and draw the next
# film. A film's clips follow one another faster than this, so none of them reloads the models.
REST_SECONDS = 20.0
# Output keys under which nodes list the files they saved: SaveVideo and SaveWEBM, VideoHelperSuite, others.
SHOWN_UNDER = ("images", "gifs", "videos")
SOURCE = clip_file.Source(
    "the workflow", "Bind it in the workflow (docs/comfyui.md), or request what the workflow renders"
)
VIDEOS = (".mp4", ".m4v", ".mov", ".webm", ".mkv")
_PROBLEMS_SHOWN = 3

logger = logging.getLogger(__name__)


class Bridge:
    """Renders with the workflow in the file `workflow`.

    The file is read for every clip, so that it can be exported again while the server runs; with `revision`,
    only that revision is rendered. A clip that takes longer than `seconds` is abandoned; that includes the
    time it waits for other users of the ComfyUI server.
    """

    def __init__(self, comfyui: ComfyUI, workflow: Path, seconds: float, revision: str | None = None) -> None:
        self._comfyui = comfyui
        self._path = workflow
        self._seconds = seconds
        self._revision = revision
        self._rendering: asyncio.Task[Any] | None = None
        self._progress: str | None = None
        self._cancelling: set[asyncio.Task[None]] = set()
        self._resting: asyncio.Task[None] | None = None  # None until a prompt has been queued

    async def health(self) -> tuple[bool, dict[str, Any]]:
        about: dict[str, Any] = {"engine": "comfyui", "model": self._path.stem, "device": None}
        status: Literal["starting", "ready", "busy", "failed"]
        reason: str | None = None
        try:
            workflow = self._workflow()
            about |= {"workflow": workflow.revision, "takes": sorted(workflow.slots)}
            if self._rendering:
                # Not asked: ComfyUI may be loading a model, and then answers no requests.
                status, reason = "busy", self._progress
            else:
                stats = await self._comfyui.stats()
                about["device"] = stats.devices[0].name if stats.devices else None
                about["comfyui"] = stats.system.comfyui_version
                status = "ready"
        except TooSlow as error:
            status, reason = "starting", str(error)
        except Unreachable as error:
            status, reason = (
                "failed",
                f"{error}; start ComfyUI, or correct its URL (url of [comfyui])",
            )
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
            with logged(logger):
                return await self._render(body)
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
            raise EngineFailed(f"ComfyUI did not finish the clip within {self._seconds:g} s") from None
        except Unreachable as error:
            raise EngineFailed(f"{error}, while rendering a clip") from error
        finally:
            self._resting = asyncio.create_task(self._rest())
        rendered = time.monotonic()
        mp4 = await asyncio.to_thread(clip_file.clip, video, request, _metadata(request, workflow), SOURCE)
        logger.info(
            "clip rendered",
            extra=request.model_dump(
                exclude={"prompt", "negative_prompt", "image", "last_image", "video", "audio"}
            )
            | {
                "workflow": workflow.revision,
                "with_image": request.image is not None,
                "with_last_image": request.last_image is not None,
                "with_audio": request.audio is not None,
                "render_seconds": round(rendered - started, 3),
                "mux_seconds": round(time.monotonic() - rendered, 3),
                "bytes": len(mp4),
            },
        )
        # The only header that SageMaker passes on.
        return Clip(mp4, {"X-Amzn-SageMaker-Custom-Attributes": f"workflow={workflow.revision}"})

    def _workflow(self) -> Workflow:
        try:
            workflow = Workflow.read(self._path)
        except BadWorkflow as error:
            raise NotReady(str(error)) from error
        if self._revision not in (None, workflow.revision):
            raise NotReady(
                f"{self._path} has changed since it was read (revision now {workflow.revision}, expected "
                f"{self._revision}): run `reel up` again, or restore the workflow"
            )
        return workflow

    async def _queued(self, request: ClipRequest, workflow: Workflow) -> str:
        """Upload the request's files, queue the prompt in ComfyUI and return its id."""
        files = []
        for binding in ("image", LAST_IMAGE):
            if (data := getattr(request, binding)) is not None:
                size = (request.width, request.height)
                picture = await asyncio.to_thread(media.image_file, data, size, request.film)
                files.append((binding, picture))
        if request.audio is not None:
            files.append(("audio", await asyncio.to_thread(media.audio_file, request.audio)))
        values = scalars(request, workflow)
        try:
            for binding, file in files:
                values[binding] = await self._comfyui.upload(file)
            without = {LAST_IMAGE} & workflow.slots.keys() - values.keys()
            queueing = asyncio.create_task(self._comfyui.queue(workflow.filled(values, without=without)))
            try:
                return await asyncio.shield(queueing)
            except asyncio.CancelledError:
                self._cancel(await queueing)  # a prompt can't be cancelled without its id
                raise
        except Unreachable as error:
            raise NotReady(str(error)) from error
        except Refused as refusal:
            raise _refused(refusal, workflow) from refusal

    async def _finished(self, prompt_id: str) -> Finished:
        """Wait for the prompt and return its result. Cancel it if the wait ends early, for example because
        the client disconnects."""
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
            # Asked after the queue: a prompt that has left the queue is in the history by now.
            finished = await self._comfyui.finished(prompt_id)
        except TooSlow:
            return None  # it is computing; the clip's timeout limits this
        if finished is None:
            if ahead is None:
                raise EngineFailed("ComfyUI lost the clip: it was restarted, or its queue was cleared")
            progress = f"waiting behind {ahead} in ComfyUI's queue" if ahead else "rendering in ComfyUI"
            if progress != self._progress:
                logger.info("clip waits" if ahead else "clip started", extra={"ahead": ahead})
            self._progress = progress
        return finished

    async def _rest(self) -> None:
        await asyncio.sleep(REST_SECONDS)
        await self._free()

    async def _free(self) -> None:
        """Unload the models from the GPU; only log a warning if ComfyUI can't."""
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                await self._comfyui.free()
        except (TimeoutError, Unreachable, EngineError) as error:
            logger.warning("memory not freed", extra={"reason": str(error)})

    def _cancel(self, prompt_id: str) -> None:
        """Make ComfyUI cancel the prompt; `close` waits for that."""

        async def cancel() -> None:
            try:
                await self._comfyui.cancel(prompt_id)
            except (Unreachable, EngineError) as error:
                logger.warning("clip not cancelled", extra={"reason": str(error)})

        cancelling = asyncio.create_task(cancel())
        self._cancelling.add(cancelling)
        cancelling.add_done_callback(self._cancelling.discard)


def _refused(refusal: Refused, workflow: Workflow) -> InvalidRequest:
    """Return an error with the nodes and inputs that ComfyUI rejects, and the request's field if it is to
    blame."""
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
        f"ComfyUI rejected the workflow {workflow.name}: {said}" + (f"; and {more} more" if more > 0 else ""),
    )


def _video(finished: Finished, workflow: Workflow) -> Saved:
    """Return the file that is the clip; if there is none, raise the error that the prompt ended with."""
    if error := finished.message("execution_error"):
        node = workflow.describe(str(error.get("node_id")))
        kind, said = str(error.get("exception_type")), str(error.get("exception_message")).strip()
        failure = OutOfMemory if is_out_of_memory(kind, said) else Broken
        raise failure(f"{node}: {kind}: {said}")
    if interrupted := finished.message("execution_interrupted"):
        node = workflow.describe(str(interrupted.get("node_id")))
        raise EngineFailed(f"the clip was interrupted in ComfyUI, at {node}")
    if finished.status is not None and finished.status.status_str != "success":
        raise EngineFailed(f"ComfyUI ended the clip with status {finished.status.status_str!r}")
    saved = [
        (node, Saved.model_validate(shown))
        for node, output in finished.outputs.items()
        if workflow.video in (None, node)
        for kind in SHOWN_UNDER
        for shown in output.get(kind) or []
        if isinstance(shown, dict) and str(shown.get("filename", "")).lower().endswith(VIDEOS)
    ]
    # Previews of the same video are in the folder for temporary files.
    kept = [one for one in saved if one[1].type == "output"] or saved
    if not kept:
        who = f"{workflow.describe(workflow.video)} saved no" if workflow.video else "no node saved a"
        raise Broken(f"the workflow ran, but {who} video ({', '.join(VIDEOS)}); add a Save Video node")
    if len(kept) > 1:
        nodes = " and ".join(f"{workflow.describe(node)}: {file.filename}" for node, file in kept)
        raise Broken(
            f'the workflow saved several videos, {nodes}; title the one with the clip "reelworks: video"'
        )
    return kept[0][1]


def _metadata(request: ClipRequest, workflow: Workflow) -> dict[str, str]:
    """Return the clip's metadata, with the same keys as other engines' clips."""
    return {
        "engine": "comfyui",
        "engine_version": VERSION,
        "model": workflow.name,
        "model_revision": workflow.revision,
        "seed": str(request.seed),
        "prompt": request.prompt,
        "request": request.model_dump_json(exclude={"image", "last_image", "video", "audio"}),
    }
