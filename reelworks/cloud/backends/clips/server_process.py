"""An engine's server as a process on this machine, spoken to by SageMaker's container contract."""

import asyncio
import logging
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import httpx

from reelworks.cloud.processes.watched import start_watched

logger = logging.getLogger(__name__)

PING_EVERY_SECONDS = 0.2
RETRY_EVERY_SECONDS = 0.5
TAIL_BYTES = 2000


class ServerFailed(Exception):
    """The server could not be started, ended, or gave no answer in time; the message says why."""


class ServerProcess:
    """A running server. Not for use by two tasks at a time."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process = process
        self._log = log
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            timeout=None,  # noqa: S113  a render takes what it takes; the caller bounds it
            trust_env=False,  # a proxy is not for loopback
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
        """A server whose /ping answers 200. Raises ServerFailed, with nothing left running.

        `command` has `{port}` where the loopback port goes; `env` is added to this process's. `log` gets
        the server's output; the output of the run before is kept beside it as `*.1`.
        """
        port = _free_port()
        try:
            process = start_watched(
                [part.replace("{port}", str(port)) for part in command],
                log=log,
                cwd=cwd,
                env=_without_aws(os.environ) | dict(env),
            )
        except OSError as error:
            raise ServerFailed(f"The server could not be started: {error}") from error
        server = cls(process, port, log)
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
        logger.info("server started", extra={"pid": process.pid, "port": port, "log": str(log)})
        return server

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    async def invoke(self, body: bytes, headers: Mapping[str, str], seconds: float) -> httpx.Response:
        """The server's answer to POST /invocations, whatever its status; a 503 that says not_ready or
        busy is asked again. Raises ServerFailed, after which the server is to be stopped."""
        put_off = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    response = await self._http.post("/invocations", content=body, headers=dict(headers))
                    put_off = _put_off(response)
                    if put_off is None:
                        return response
                    await asyncio.sleep(RETRY_EVERY_SECONDS)
                    await self._until_ready()  # one that has failed is not going to be
        except TimeoutError:
            last = f"; the server kept answering {put_off!r}" if put_off else ""
            raise ServerFailed(f"The invocation timed out after {seconds:g} s{last}.") from None
        except httpx.TransportError as error:
            raise ServerFailed(await self._cause(error)) from error

    async def stop(self) -> None:
        """Ends the server and all it started: SIGTERM, then SIGKILL."""
        await self._http.aclose()
        assert self._process.stdin is not None  # noqa: S101  it was started with a pipe
        self._process.stdin.close()  # the watchdog does the rest
        code = await asyncio.to_thread(self._process.wait)
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
                raise ServerFailed(self._with_tail(f"The server can't serve: {health.get('reason')}"))
            await asyncio.sleep(PING_EVERY_SECONDS)
        reason = f"The server ended with exit code {self._process.returncode} while starting"
        raise ServerFailed(self._with_tail(reason))

    async def _cause(self, error: httpx.TransportError) -> str:
        """Why a connection broke: usually the process ended, which is seen a moment later."""
        try:
            code = await asyncio.to_thread(self._process.wait, 2)
        except subprocess.TimeoutExpired:
            return self._with_tail(f"The server broke off the connection ({type(error).__name__})")
        return self._with_tail(f"The server ended with exit code {code} during the invocation")

    def _with_tail(self, reason: str) -> str:
        tail = self._log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
        return f"{reason}. The end of its output:\n{tail}" if tail else f"{reason}; it printed nothing."


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _without_aws(env: Mapping[str, str]) -> dict[str, str]:
    """An engine has no business with AWS: it gets no credentials and no endpoint."""
    return {name: value for name, value in env.items() if not name.startswith("AWS_")}


def _put_off(response: httpx.Response) -> str | None:
    """The code of an answer that asks to come back later."""
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
