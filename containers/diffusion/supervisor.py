"""Supervise the engine process: start it, hand it one clip at a time, restart it when lost.

starting → ready ⇄ busy; back to starting whenever the process ends; failed if it cannot be made to serve.
"""

import asyncio
import json
import logging
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal, Self

from containers.diffusion.errors import Busy, EngineFailed, NotReady, of_document
from containers.diffusion.messages import HEADER, Clip, Kind, packed
from containers.diffusion.metrics import metrics

Status = Literal["starting", "ready", "busy", "failed"]

# A process that ends while loading (for example, killed by the kernel for its memory) is not restarted for
# ever.
LOADING_ATTEMPTS = 3
# Pause between two starts, for the GPU to release the memory of a killed process.
PAUSE_SECONDS = 1.0
# How long a process that has closed its socket may take to exit.
EXIT_SECONDS = 5.0
# How long an abandoned clip may take to stop before its process is killed and the model reloaded. A clip
# stops between two steps, the longest of which takes 132 s (CogVideoX1.5-5B, 161 frames, 463 PFLOP in 50
# steps, on an A10G at its peak).
STOP_SECONDS = 300.0

logger = logging.getLogger(__name__)


class Supervisor:
    """Keeps an engine process running. Lives in one event loop, so needs no locks."""

    def __init__(
        self, command: Sequence[str], description: dict[str, Any], *, stop_seconds: float = STOP_SECONDS
    ) -> None:
        """`command` runs worker.serve; `description` is for /ping until the engine sends its own."""
        self.status: Status = "starting"
        self.reason: str | None = None
        self.description = description
        self._command = command
        self._stop_seconds = stop_seconds
        self._process: _Process | None = None
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def serving(self) -> bool:
        """Whether the model is loaded; SageMaker then expects 200 from /ping, also while a clip renders."""
        return self.status in ("ready", "busy")

    async def run(self) -> None:
        """Keep an engine process running; return when further attempts are pointless."""
        attempts = 0
        while self.status != "failed":
            try:
                attempts = 0 if await self._serve_until_lost() else attempts + 1
            except OSError as error:  # for example, no memory for a process
                self.reason = f"the engine process cannot be started: {error}"
                attempts += 1
            if self.status == "starting":
                lost = metrics({"lost_count": 1}, {"model": self.description["model"]})
                logger.error("engine lost", extra={"reason": self.reason, "attempts": attempts} | lost)
            if attempts == LOADING_ATTEMPTS:
                self.status = "failed"
            await asyncio.sleep(PAUSE_SECONDS)

    async def close(self) -> None:
        """Kill the engine process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            await self._process.ended()

    def check(self) -> None:
        """Raise Busy or NotReady unless a clip would be accepted now."""
        if self.status == "busy":
            raise Busy("a clip is being rendered; this server renders one at a time")
        if self.status != "ready":
            raise NotReady(self.reason or "the model is still loading")

    async def render(self, body: bytes) -> Clip:
        """Render the clip for a request. Raises EngineError.

        Cancelling it stops the clip; the server stays busy until the clip has stopped.
        """
        self.check()
        self.status = "busy"
        process = self._process
        assert process is not None  # noqa: S101  set while the status is ready
        job = asyncio.create_task(self._job(process, body))
        try:
            kind, answer = await asyncio.shield(job)
        except asyncio.CancelledError:
            stopping = asyncio.create_task(self._stop(process, job))
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)
            raise
        if kind is Kind.CLIP:
            return Clip.of(answer)
        if kind is None:
            raise EngineFailed(answer.decode())
        refusal = json.loads(answer)
        raise of_document(refusal["status"], refusal["document"])

    async def _serve_until_lost(self) -> bool:
        """Run one process until it ends; return whether it became ready."""
        self._process = process = await _Process.start(self._command)
        kind, body = await process.receive()
        if kind is Kind.FAILED:
            self.status, self.reason = "failed", body.decode()
            return False
        if kind is Kind.READY:
            self.description = json.loads(body)
            self.status, self.reason = "ready", None
        self._lost(process, await process.ended())
        return kind is Kind.READY

    async def _job(self, process: "_Process", body: bytes) -> tuple[Kind | None, bytes]:
        """Return the engine's answer; if its process ended, None and what happened."""
        await process.send(Kind.RENDER, body)
        kind, answer = await process.receive()
        if kind is Kind.CLIP or kind is Kind.ERROR:
            if self._process is process and self.status == "busy":  # else it ended after its answer
                self.status = "ready"
            return kind, answer
        reason = await process.ended(kill_after=EXIT_SECONDS)
        self._lost(process, reason)
        return kind, answer or f"{reason} while rendering the clip".encode()

    async def _stop(self, process: "_Process", job: "asyncio.Task[Any]") -> None:
        if job.done():
            return  # the next clip may have started, and must not be stopped
        await process.send(Kind.STOP)
        await asyncio.wait({job}, timeout=self._stop_seconds)
        if not job.done():
            logger.error("engine does not stop", extra={"seconds": self._stop_seconds})
            process.kill()

    def _lost(self, process: "_Process", reason: str) -> None:
        if self._process is process:  # else the next one is already running
            self.status, self.reason = "starting", reason


class _Process:
    """A running engine process, and the socket to it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer

    @classmethod
    async def start(cls, command: Sequence[str]) -> Self:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(*command, stdin=theirs.fileno())
            except OSError:
                ours.close()
                raise
        return cls(process, *await asyncio.open_unix_connection(sock=ours))

    async def send(self, kind: Kind, body: bytes = b"") -> None:
        with suppress(OSError):  # the process ended, which `receive` reports
            self._writer.write(packed(kind, body))
            await self._writer.drain()

    async def receive(self) -> tuple[Kind | None, bytes]:
        """Return the next message; None if no more will come."""
        try:
            kind, length = HEADER.unpack(await self._reader.readexactly(HEADER.size))
            return Kind(kind), await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError):
            return None, b""

    def kill(self) -> None:
        with suppress(ProcessLookupError):  # already ended
            self._process.kill()

    async def ended(self, kill_after: float | None = None) -> str:
        """Wait for the process to end, and return how it ended; kill it after `kill_after` seconds."""
        try:
            async with asyncio.timeout(kill_after):
                code = await self._process.wait()
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        self._writer.close()
        if code >= 0:
            return f"the engine process ended with exit code {code}"
        how = signal.Signals(-code).name
        if how == "SIGKILL":
            how += " (which the kernel sends when memory runs out)"
        return f"the engine process was killed by {how}"
