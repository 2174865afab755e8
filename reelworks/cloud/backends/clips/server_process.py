"""An engine's server as a process on this machine, called through SageMaker's container contract."""

import asyncio
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import httpx

from reelworks.cloud.processes.output_end import useful_end
from reelworks.cloud.processes.watched import start_watched

logger = logging.getLogger(__name__)

PING_EVERY_SECONDS = 0.2
RETRY_EVERY_SECONDS = 0.5
TAIL_BYTES = 50_000
LONGEST_SOCKET = 103  # bytes of a path on macOS (sys/un.h); Linux allows 107
_SIGNALLED = 128


class ServerFailed(Exception):
    """The server could not be started, exited, or did not answer in time; the message says why."""


class ServerBroken(ServerFailed):
    """The server can't serve until someone repairs it: another start would fail in the same way."""


class ServerProcess:
    """A running server. Only one task at a time may use it."""

    def __init__(self, process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
        self._process = process
        self._socket = socket
        self._log = log
        self._http = httpx.AsyncClient(
            base_url="http://engine",
            transport=httpx.AsyncHTTPTransport(uds=str(socket)),
            timeout=None,  # noqa: S113  the duration of a render is unknown; the caller limits it
        )

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path | None,
        env: Mapping[str, str],
        startup_seconds: float,
    ) -> Self:
        """Start a server; wait until its /ping returns 200. Raises ServerFailed, with nothing left running.

        In `command`, `{socket}` is replaced by the Unix socket to listen on, in a folder that only this user
        can open: the machine's other users could call a loopback port, fill it with connections, or take it
        before the server does. `env` is added to this process's environment. The server's output goes to
        `log`; the previous run's output is kept as `*.1`.
        """
        socket = _new_socket()
        try:
            process = start_watched(
                [part.replace("{socket}", str(socket)) for part in command],
                log=log,
                cwd=cwd,
                env=_without_aws(os.environ) | dict(env),
            )
        except OSError as error:
            shutil.rmtree(socket.parent, ignore_errors=True)
            raise ServerFailed(f"The server could not be started: {error}") from error
        server = cls(process, socket, log)
        try:
            async with asyncio.timeout(startup_seconds):
                await server._until_ready()
        except TimeoutError:
            await server.stop()
            raise ServerFailed(
                server._with_tail(f"The server was not ready within {startup_seconds:g} s")
            ) from None
        except BaseException:
            await server.stop()
            raise
        logger.info("server started", extra={"pid": process.pid, "log": str(log)})
        return server

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    async def invoke(self, body: bytes, headers: Mapping[str, str], seconds: float) -> httpx.Response:
        """Return the server's response to POST /invocations, with any status; a 503 with not_ready or busy is
        retried. Raises ServerFailed, after which the caller must stop the server."""
        put_off = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    response = await self._http.post("/invocations", content=body, headers=dict(headers))
                    put_off = _put_off(response)
                    if put_off is None:
                        return response
                    await asyncio.sleep(RETRY_EVERY_SECONDS)
                    await self._until_ready()  # raises if the server has failed
        except TimeoutError:
            last = f"; the server kept answering {put_off!r}" if put_off else ""
            raise ServerFailed(f"The invocation timed out after {seconds:g} s{last}.") from None
        except httpx.TransportError as error:
            raise ServerFailed(await self._cause(error)) from error

    async def stop(self) -> None:
        """Stop the server and all its children: SIGTERM, then SIGKILL."""
        assert self._process.stdin is not None  # noqa: S101  it was started with a pipe
        self._process.stdin.close()  # the watchdog does the rest, even if nobody waits for it any more
        await self._http.aclose()
        code = await asyncio.to_thread(self._process.wait)
        shutil.rmtree(self._socket.parent, ignore_errors=True)
        logger.info("server stopped", extra={"pid": self._process.pid, "exit_code": code})

    async def _until_ready(self) -> None:
        while self.running:
            try:
                ping = await self._http.get("/ping", timeout=5)
            except httpx.TransportError:
                ping = None  # not listening yet
            if ping is not None and ping.status_code == httpx.codes.OK:
                return
            if ping is not None and (health := _json_object(ping)).get("status") == "failed":
                raise ServerBroken(f"The server can't serve: {health.get('reason')}")
            await asyncio.sleep(PING_EVERY_SECONDS)
        code = self._process.returncode
        reason = self._with_tail(f"The server exited with code {code} while starting")
        # Below zero: a signal, for example the kernel's when memory runs out. The watchdog adds 128 to it.
        raise ServerBroken(reason) if code is not None and 0 < code < _SIGNALLED else ServerFailed(reason)

    async def _cause(self, error: httpx.TransportError) -> str:
        """Return why a connection broke: usually the process exited, which shows a moment later."""
        try:
            code = await asyncio.to_thread(self._process.wait, 2)
        except subprocess.TimeoutExpired:
            return self._with_tail(f"The server closed the connection ({type(error).__name__})")
        return self._with_tail(f"The server exited with code {code} during the invocation")

    def _with_tail(self, reason: str) -> str:
        tail = useful_end(self._log.read_bytes()[-TAIL_BYTES:].decode(errors="replace"))
        return f"{reason}. The end of its output:\n{tail}" if tail else f"{reason}; it printed nothing."


def _new_socket() -> Path:
    """Return the path of a socket to make, alone in a new folder that only this user can open. It is in the
    system's temporary folder if the usual one has too long a name."""
    folder = tempfile.mkdtemp(prefix="engine-")
    if len(os.fsencode(folder)) + len("/http") > LONGEST_SOCKET:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="engine-", dir="/tmp")
    return Path(folder, "http")


def _without_aws(env: Mapping[str, str]) -> dict[str, str]:
    """Remove the AWS variables: an engine does not need AWS, so it gets no credentials and no endpoint."""
    return {name: value for name, value in env.items() if not name.startswith("AWS_")}


def _put_off(response: httpx.Response) -> str | None:
    """Return the error code of a response that asks the caller to retry; None for any other response."""
    if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
        return None
    error = _json_object(response).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if code in ("not_ready", "busy") else None


def _json_object(response: httpx.Response) -> dict[str, object]:
    try:
        value = response.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
