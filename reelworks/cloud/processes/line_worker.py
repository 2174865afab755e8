"""A program that keeps a model loaded and answers each line of input with one line of output."""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from reelworks.cloud.processes.output_end import useful_end

_LONGEST_LINE = 1 << 20
_TAIL_LINES = 100


class WorkerFailed(Exception):
    """The program could not be started, exited, or did not answer in time; the message says why. `passing`:
    another try may succeed, because it was killed or took too long."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class LineWorker:
    """Start the program with the first line; stop it after `idle_seconds` without one.

    The program reads lines from its standard input and exits when that closes, so it can't outlive this
    process. Everything it writes to stdout or stderr is log output, except lines for which `is_answer` is
    true.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        is_answer: Callable[[str], bool],
        idle_seconds: float,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._command = command
        self._is_answer = is_answer
        self._idle_seconds = idle_seconds
        self._env = dict(env or {})
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    async def ask(self, line: str, seconds: float) -> str:
        """Return the answer to a line; one call at a time. Raises WorkerFailed after stopping the program."""
        async with self._turn:
            if self._idle:
                self._idle.cancel()
            try:
                async with asyncio.timeout(seconds):
                    answer = await self._answer(line)
            except TimeoutError:
                await self._end()
                raise WorkerFailed(
                    f"{self._command[0]} did not answer within {seconds:g} s.", passing=True
                ) from None
            except BaseException:
                await self._end()
                raise
            self._idle = asyncio.get_running_loop().call_later(self._idle_seconds, self._rest)
            return answer

    async def stop(self) -> None:
        async with self._turn:
            if self._idle:
                self._idle.cancel()
            await self._end()

    async def _answer(self, line: str) -> str:
        process = self._process or await self._start()
        assert process.stdin  # noqa: S101  it was started with pipes
        assert process.stdout  # noqa: S101
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        with suppress(ConnectionError):  # it has exited: its last output is read below
            process.stdin.write(line.encode() + b"\n")
            await process.stdin.drain()
        while said := await process.stdout.readline():
            text = said.decode(errors="replace").rstrip()
            if self._is_answer(text):
                return text
            tail.append(text)
        code = await process.wait()
        end = useful_end("\n".join(tail))
        # Below zero: a signal, for example the kernel's when memory runs out.
        raise WorkerFailed(f"It exited with code {code}. The end of its output:\n{end}", passing=code < 0)

    async def _start(self) -> asyncio.subprocess.Process:
        # It does not need AWS, so it gets no credentials and no endpoint.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=inherited | {"PYTHONUTF8": "1"} | self._env,
                limit=_LONGEST_LINE,
                start_new_session=True,  # Ctrl-C in the terminal goes to the cloud, which then stops us
            )
        except OSError as error:
            raise WorkerFailed(f"It could not be started: {error}") from error
        return self._process

    def _rest(self) -> None:
        self._ending = asyncio.create_task(self.stop())

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
