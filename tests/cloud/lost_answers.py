"""A proxy in front of a local AWS that passes every call on and loses the answers that a test chooses."""

import http.client
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Literal
from urllib.parse import urlsplit

import pytest
from botocore.retries.standard import ExponentialBackoff

from lambdas.adapters.clients import client, stills_client, writing_client
from tests.cloud.deployment import Deployment, deployed

How = Literal["closed", "cut", "500"]  # the connection: before the answer, within it; or an error instead


@dataclass(frozen=True)
class Call:
    """One try of a call: its operation, such as `PutItem` or `PUT /bucket/key`, and its number, from 1."""

    operation: str
    attempt: int
    body: bytes


@dataclass
class Losses:
    """What to lose. `lost` lists the operations whose answer was lost, in order."""

    chosen: Callable[[Call], bool] = lambda call: False
    how: How = "closed"
    lost: list[str] = field(default_factory=list)

    def first_answers(self, *operations: str) -> None:
        """Lose the answer to the first try of each call of these operations (regular expressions)."""
        self.lost.clear()
        self.chosen = lambda call: (
            call.attempt == 1 and any(re.fullmatch(one, call.operation) for one in operations)
        )

    def none(self) -> None:
        self.chosen = lambda call: False


@contextmanager
def losing_answers(url: str) -> Iterator[tuple[str, Losses]]:
    """The URL of a proxy for the AWS at `url`, and what it loses: nothing yet."""
    losses = Losses()
    host, port = urlsplit(url).hostname, urlsplit(url).port

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            behind = http.client.HTTPConnection(str(host), port, timeout=60)
            behind.request(self.command, self.path, body, dict(self.headers))
            answer = behind.getresponse()
            content = answer.read()
            behind.close()
            call = Call(_operation(self), _attempt(self), body)
            if not losses.chosen(call):
                self._answer(answer.status, answer.getheaders(), content, len(content))
                return
            losses.lost.append(call.operation)
            match losses.how:
                case "closed":
                    self._hang_up()
                case "cut":
                    self._answer(answer.status, answer.getheaders(), content[:3], max(len(content), 9))
                    self._hang_up()
                case "500":
                    self._answer(500, [], b"", 0)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815  http.server's names

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, length: int) -> None:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            if self.command == "HEAD":  # the length of what a GET would return
                length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
            self.send_header("content-length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def _hang_up(self) -> None:
            self.close_connection = True
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", losses
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _operation(handler: BaseHTTPRequestHandler) -> str:
    target = handler.headers.get("x-amz-target")
    return target.rpartition(".")[2] if target else f"{handler.command} {handler.path}"


def _attempt(handler: BaseHTTPRequestHandler) -> int:
    """The number of the try, which boto3 sends in its own header."""
    found = re.search(r"attempt=(\d+)", handler.headers.get("amz-sdk-request", ""))
    return int(found[1]) if found else 1


@contextmanager
def deployed_losing_answers() -> Iterator[tuple[Deployment, Losses]]:
    """A local AWS whose clients the adapters use through the proxy."""
    with (
        deployed() as deployment,
        losing_answers(deployment.url) as (url, losses),
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("AWS_ENDPOINT_URL", url)
        # boto3 waits up to a second before it sends a call again; nothing here depends on that.
        environment.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
        for made in (client, writing_client, stills_client):
            made.cache_clear()
        yield deployment, losses
