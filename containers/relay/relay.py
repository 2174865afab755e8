"""Engine that turns a request's bytes into a clip's through a /v1/videos server; one log line per clip."""

import asyncio
import contextlib
import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar

from containers.diffusion.errors import (
    Broken,
    Busy,
    EngineError,
    EngineFailed,
    InvalidRequest,
    OutOfMemory,
)
from containers.diffusion.messages import Clip
from containers.relay import VERSION
from containers.relay.client import PING_SECONDS, Error, Gone, Job, Refused, Unreachable, Videos
from containers.relay.form import Kind, Order, blamed, order
from containers.relay.upstream import Upstream
from containers.serving import clip_file
from containers.serving.clip_errors import logged
from containers.serving.clip_request import ClipRequest, parse_request
from containers.serving.out_of_memory import is_out_of_memory

# How often to ask for a job: soon at first, for models of few steps, then ever less.
FIRST_POLL_SECONDS = 0.5
LONGEST_POLL_SECONDS = 5.0
_SLOWER = 1.25
# How often to try again while nothing answers.
DOWN_POLL_SECONDS = 1.0
CANCEL_SECONDS = 5.0
# A job whose server was restarted is asked for once more: a server that dies of a clip would die of it again.
TRIES = 2
# Jobs that are remembered, with what they made on the server, for a request that is sent again.
REMEMBERED = 4
_WAITING = ("queued", "in_progress")

logger = logging.getLogger(__name__)
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Target:
    """What the relay asks for, and how long it waits."""

    name: str
    """The engine's, for messages."""
    kind: Kind
    model: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    sound: bool = False
    seconds: float = 3600
    """For a clip, including its time in the server's queue."""
    patience_seconds: float = 1800
    """How long a job in progress may report the same progress."""
    down_seconds: float = 30
    """How long the server may not answer."""

    def setting(self, key: str) -> str:
        return f"{key} of [engines.{self.name}]"


class Relay:
    def __init__(self, videos: Videos, target: Target, upstream: Upstream | None = None) -> None:
        """`upstream`: the server, if the relay runs it itself."""
        self._videos = videos
        self._target = target
        self._upstream = upstream
        self._rendering: asyncio.Task[Any] | None = None
        self._progress: str | None = None
        self._down_since: float | None = None
        self._jobs: OrderedDict[str, str] = OrderedDict()  # by what was asked for
        self._deleting: set[asyncio.Task[None]] = set()
        self._source = clip_file.Source(
            f"the server of engine {target.name}",
            f"Set what it renders: sizes, fps and frame_step of [engines.{target.name}] (docs/relay.md)",
        )

    # --- the engine's contract

    async def health(self) -> tuple[bool, dict[str, Any]]:
        about = {"engine": "relay", "model": self._target.model, "device": None, "url": self._videos.url}
        status: Literal["starting", "ready", "busy", "failed"] = "ready"
        reason: str | None = None
        try:
            if self._upstream:
                self._upstream.check()
            if self._rendering:
                status, reason = "busy", self._progress
            else:
                await self._check_model(PING_SECONDS)
                self._down_since = None
        except Unreachable as error:
            since = self._down_since = self._down_since or time.monotonic()
            patient = self._upstream is not None or time.monotonic() - since < self._target.down_seconds
            status, reason = ("starting", str(error)) if patient else ("failed", str(self._down(error)))
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
        for job in self._jobs.values():
            self._delete(job)
        if self._deleting:
            await asyncio.wait(self._deleting, timeout=CANCEL_SECONDS)
        await self._videos.close()
        if self._upstream:
            await self._upstream.stop()

    # --- a clip

    async def _render(self, body: bytes) -> Clip:
        started = time.monotonic()
        target = self._target
        request = parse_request(body)
        ordered = await asyncio.to_thread(
            order, request, target.kind, target.model, target.extra, sound=target.sound
        )
        asked = _digest(ordered)
        try:
            async with asyncio.timeout(target.seconds):
                video = await self._made(ordered, asked)
        except TimeoutError:
            raise EngineFailed(
                f"the server at {self._videos.url} did not finish the clip within {target.seconds:g} s"
            ) from None
        except Unreachable as error:
            raise self._down(error) from error
        rendered = time.monotonic()
        try:
            mp4 = await asyncio.to_thread(
                clip_file.clip, video, ordered.clip, self._metadata(request), self._source, exact=True
            )
        except Broken:
            self._forget(asked)
            raise
        logger.info(
            "clip rendered",
            extra=request.model_dump(exclude={"prompt", "negative_prompt", "image", "video", "audio"})
            | {
                "model": target.model,
                "with_image": request.image is not None,
                "render_seconds": round(rendered - started, 3),
                "mux_seconds": round(time.monotonic() - rendered, 3),
                "bytes": len(mp4),
            },
        )
        return Clip(mp4, {})

    async def _made(self, ordered: Order, asked: str) -> bytes:
        """Return the video, from a job that was asked for before if there is one."""
        await self._patiently(self._check_model)
        for _ in range(TRIES):
            job = self._jobs.get(asked) or await self._started(ordered, asked)
            try:
                await self._finished(job)
                video = await self._patiently(partial(self._videos.video, job))
            except Gone:
                logger.warning("job lost", extra={"job": job})
                self._jobs.pop(asked, None)
            except BaseException as error:
                # One that nobody waits for is cancelled; one that may still become a video is kept.
                if not isinstance(error, Unreachable):
                    self._forget(asked)
                raise
            else:
                return video
        raise EngineFailed(
            f"the server at {self._videos.url} lost the clip {TRIES} times: it does not know its own job. "
            "It was restarted, or it crashes while it renders; read its log"
        )

    async def _check_model(self, seconds: float | None = None) -> None:
        """Raise Broken unless the server serves the model. Some servers accept any name and render with what
        they have. One that lists no models is not checked."""
        served = await self._videos.served(seconds)
        if served is not None and self._target.model not in served:
            raise Broken(
                f"the server at {self._videos.url} serves {', '.join(served) or 'no model'}, and not "
                f"{self._target.model}; correct {self._target.setting('model')}, or start it with that model"
            )

    async def _started(self, ordered: Order, asked: str) -> str:
        """Start a job and return its id. Raises InvalidRequest or Broken if the server refuses it."""
        try:
            job = await self._start(ordered, asked)
        except Refused as refusal:
            raise self._refused(refusal) from refusal
        self._jobs[asked] = job.id
        while len(self._jobs) > REMEMBERED:
            _, oldest = self._jobs.popitem(last=False)
            self._delete(oldest)
        logger.info("job started", extra={"job": job.id})
        return job.id

    async def _start(self, ordered: Order, asked: str) -> Job:
        """Start a job. If its answer is lost, look for it before asking again."""
        # Another try within the relay is another job, for a server that knows the header.
        once = f"{asked}-{time.time_ns()}"
        before = time.time()
        known = set(self._jobs.values())

        async def start() -> Job:
            starting = asyncio.create_task(self._videos.start(ordered, once))
            try:
                return await asyncio.shield(starting)
            except asyncio.CancelledError:
                # A job can't be deleted without its id.
                self._later(self._delete_when_started(starting))
                raise
            except Unreachable:
                found = await self._job_of(ordered, before, known)
                if found is None:
                    raise
                logger.warning("job found", extra={"job": found.id})
                return found

        return await self._patiently(start)

    async def _job_of(self, ordered: Order, since: float, known: set[str]) -> Job | None:
        """Return the job that was started since then with that prompt and size, if the server lists one."""
        ours = ordered.fields["prompt"], ordered.fields["size"]
        for job in await self._videos.jobs():
            new = job.created_at is not None and job.created_at >= int(since)
            if new and job.id not in known and (job.prompt, job.size) == ours:
                return job
        return None

    async def _finished(self, job_id: str) -> None:
        """Wait for the job. Raises Gone, or the error that it ended with."""
        wait = FIRST_POLL_SECONDS
        moved, last = time.monotonic(), None
        while True:
            job, after = await self._patiently(lambda: self._videos.job(job_id))
            if job.status == "completed":
                return
            if job.status not in _WAITING:
                raise self._failed(job)
            state = (job.status, job.progress)
            if state != last:
                moved, last = time.monotonic(), state
                done = f", {job.progress:g} %" if job.progress else ""
                self._progress = f"{job.status.replace('_', ' ')} at {self._videos.url}{done}"
                logger.info("job", extra={"job": job.id, "state": job.status, "progress": job.progress})
            elif job.status == "in_progress" and time.monotonic() - moved > self._target.patience_seconds:
                raise await self._stuck()
            await asyncio.sleep(min(after or wait, LONGEST_POLL_SECONDS))
            wait = min(wait * _SLOWER, LONGEST_POLL_SECONDS)

    async def _stuck(self) -> EngineError:
        """Return why a job is given up, and restart the server if it is the relay's own."""
        patience = self._target.patience_seconds
        reason = (
            f"the server at {self._videos.url} answers, but its job has been in progress for {patience:g} s "
            "without progress. vLLM-Omni's stay so if the GPU runs out of memory"
        )
        if self._upstream:
            await self._upstream.restart()
            return EngineFailed(f"{reason}. It was restarted")
        return EngineFailed(
            f"{reason}: look into its log, restart it, and use a smaller size. If its clips take longer, "
            f"raise {self._target.setting('patience_seconds')}"
        )

    async def _patiently(self, call: Callable[[], Awaitable[_Result]]) -> _Result:
        """Return what the call returns, tried again while the server does not answer."""
        until: float | None = None
        while True:
            if self._upstream:
                self._upstream.check()
            try:
                return await call()
            except Unreachable as error:
                until = until or time.monotonic() + self._target.down_seconds
                if time.monotonic() > until:
                    raise
                logger.warning("server does not answer", extra={"reason": str(error)})
            await asyncio.sleep(DOWN_POLL_SECONDS)

    # --- errors

    def _down(self, error: Unreachable) -> EngineFailed:
        return EngineFailed(
            f"{error}; tried for {self._target.down_seconds:g} s. Start the server, or correct "
            f"{self._target.setting('videos_url')}"
        )

    def _refused(self, refusal: Refused) -> EngineError:
        said = f"the server at {self._videos.url} does not accept the request: {refusal}"
        if refusal.field == "model" or "model mismatch" in str(refusal).lower():
            return Broken(f"{said}; correct {self._target.setting('model')}")
        return InvalidRequest(blamed(self._target.kind, refusal.field), said)

    def _failed(self, job: Job) -> EngineError:
        """Return the error of a job that ended without a video."""
        error = job.error or Error()
        said = error.message or f"it ended with status {job.status!r} and gives no reason"
        message = f"the server at {self._videos.url} failed: {said}"
        if is_out_of_memory(said.partition(":")[0], said):
            return OutOfMemory(message)
        # vLLM-Omni gives an HTTP status.
        return InvalidRequest(None, message) if str(error.code) in ("400", "422") else EngineFailed(message)

    # --- jobs that nobody waits for

    def _forget(self, asked: str) -> None:
        if (job := self._jobs.pop(asked, None)) is not None:
            self._delete(job)

    def _delete(self, job: str) -> None:
        self._later(self._deleted(job))

    async def _deleted(self, job: str) -> None:
        try:
            await self._videos.delete(job)
        except (Unreachable, EngineError) as error:
            logger.warning("job not deleted", extra={"job": job, "reason": str(error)})

    async def _delete_when_started(self, starting: asyncio.Task[Job]) -> None:
        with contextlib.suppress(Unreachable, Refused, EngineError):
            await self._deleted((await starting).id)

    def _later(self, work: Any) -> None:
        """Do it beside; `close` waits for it."""
        task = asyncio.create_task(work)
        self._deleting.add(task)
        task.add_done_callback(self._deleting.discard)

    def _metadata(self, request: ClipRequest) -> dict[str, str]:
        """Return the clip's metadata, with the same keys as other engines' clips."""
        return {
            "engine": "relay",
            "engine_version": VERSION,
            "model": self._target.model,
            "seed": str(request.seed),
            "prompt": request.prompt,
            "request": request.model_dump_json(exclude={"image", "video", "audio"}),
        }


def _digest(ordered: Order) -> str:
    """Return what tells an order from others: all that is sent."""
    fields = json.dumps(dict(ordered.fields), sort_keys=True).encode()
    return hashlib.sha256(fields + b"\0" + (ordered.image or b"")).hexdigest()
