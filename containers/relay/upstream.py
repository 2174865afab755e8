"""The server that the relay runs itself: a command, in a container of its own."""

import asyncio
import logging
import os
import signal
from collections.abc import Sequence

from containers.diffusion.errors import EngineFailed

# SageMaker kills a container after 30 s.
_END_SECONDS = 10.0

logger = logging.getLogger(__name__)


class Upstream:
    """Use it within one event loop. Its output is the relay's."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        # A group of its own, so that its workers end with it.
        self._process = await asyncio.create_subprocess_exec(*self._command, start_new_session=True)
        logger.info("server started", extra={"pid": self._process.pid})

    def check(self) -> None:
        """Raise EngineFailed if it has ended."""
        if self._process and self._process.returncode is not None:
            raise EngineFailed(
                f"the server exited with code {self._process.returncode}; its last lines are in the log"
            )

    async def restart(self) -> None:
        """Start it anew. What it renders is lost, and so is whatever state it was in."""
        await self.stop()
        await self.start()

    async def stop(self) -> None:
        if self._process is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, how)
            except ProcessLookupError:
                break
            try:
                await asyncio.wait_for(self._process.wait(), _END_SECONDS)
            except TimeoutError:
                continue
        await self._process.wait()
        logger.info("server stopped", extra={"exit_code": self._process.returncode})
