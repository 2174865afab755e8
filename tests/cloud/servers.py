"""Real servers on loopback for the tests of this folder."""

import atexit
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send


@contextmanager
def serving(app: ASGIApp, **options: Any) -> Iterator[str]:
    """The URL of an ASGI app on a free port, served by a thread with its own event loop. `options`: of
    uvicorn."""
    where = {"host": "127.0.0.1", "port": 0, "log_level": "warning"}
    server = uvicorn.Server(uvicorn.Config(app, **(where | options)))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


class StandIn(Protocol):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    async def stop(self) -> None: ...


def stopping(stand_in: StandIn) -> Starlette:
    """The stand-in as an app of its own, stopped when the server stops."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await stand_in.stop()

    return Starlette(routes=[Mount("/", stand_in)], lifespan=lifespan)


_PLAIN = "ministack.app:app"
# Plain ones that nobody uses now, emptied, with the environment that each was started in.
_unused: list[tuple[str, dict[str, str]]] = []
_until_exit = ExitStack()
atexit.register(_until_exit.close)


@contextmanager
def local_aws(app: str = _PLAIN, port: int | None = None) -> Iterator[str]:
    """The URL of an empty ministack; S3, SNS and SQS need nothing else. `tests.cloud.function_aws:app` runs
    functions as the PC's cloud does. Without `port`, it has a free one.

    A start takes half a second of a processor: a worker's next test that needs a plain one gets the same.
    """
    if app != _PLAIN or port is not None:
        with _started_aws(app, port or free_port()) as url:
            yield url
        return
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    found = next((entry for entry in _unused if entry[1] == environment), None)
    if found:
        _unused.remove(found)
    else:
        found = _until_exit.enter_context(_started_aws(app, free_port())), environment
    yield found[0]
    with urllib.request.urlopen(urllib.request.Request(f"{found[0]}/_ministack/reset", method="POST")):
        _unused.append(found)


@contextmanager
def _started_aws(app: str, port: int) -> Iterator[str]:
    command = [sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1"]
    # Its functions' code and logs; a function may still write when the cloud has ended.
    with tempfile.TemporaryDirectory(prefix="aws-", ignore_cleanup_errors=True) as scratch:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--log-level", "warning"],
            env=os.environ | {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "TMPDIR": scratch},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: answers(url), seconds=120)
            yield url
        finally:
            process.terminate()
            process.wait()


# Below the ports that the system gives to whoever asks for any, and a thousand for each worker: a port that
# was free when it was looked for is free when it is used, and again after its server was killed.
_FIRST_PORT = 20_000 + 1_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw9").removeprefix("gw"))
_ports = itertools.count(os.getpid() * 37)  # so that two runs on a machine begin apart


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve requests by a handler of http.server, each in a thread. Yields the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    while True:
        port = _FIRST_PORT + next(_ports) % 1_000
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def wait_until(
    condition: Callable[[], object],
    missing: str | Callable[[], object] = "the condition did not come true in time",
    *,
    seconds: float = 60,
) -> None:
    """Wait until the condition is true. `missing` says what is not so after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(missing() if callable(missing) else missing)
        time.sleep(0.05)
