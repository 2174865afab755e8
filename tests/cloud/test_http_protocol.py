"""What uvicorn and httptools leave open: the size of a request's head, and trailers."""

import json
import resource
import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from reelworks.cloud.home import Home
from reelworks.cloud.lifecycle.cloud_status import Status
from reelworks.cloud.server.http_protocol import HEAD_LIMIT, MOST_CONNECTIONS, MOST_FILES


@pytest.fixture
def connection(cloud: Status) -> Iterator[socket.socket]:
    assert cloud.aws_endpoint_url
    with closing(socket.create_connection(("127.0.0.1", port(cloud)), timeout=20)) as connection:
        yield connection


def port(cloud: Status) -> int:
    return urlsplit(cloud.aws_endpoint_url or "").port or 0


def head(cloud: Status, *headers: str, method: str = "GET") -> bytes:
    lines = (f"{method} /v1/videos HTTP/1.1", f"Host: 127.0.0.1:{port(cloud)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n"


def exchanged(connection: socket.socket, *parts: bytes) -> bytes:
    """Send the parts for as long as the server takes them; return all that it sends before it closes."""
    received = b""
    try:
        for part in parts:
            connection.sendall(part)
        while data := connection.recv(1 << 16):
            received += data
    except (BrokenPipeError, ConnectionResetError):
        pass  # closed while more was on its way
    return received


def seen(answer: bytes) -> dict[str, str]:
    """Return the headers that the stack's function was called with."""
    assert answer.startswith(b"HTTP/1.1 200"), answer
    headers: dict[str, str] = json.loads(answer.partition(b"\r\n\r\n")[2])["headers"]
    return headers


@pytest.mark.parametrize(
    "piece", [b"a" * 4096, b"a\r\nX-One: more" * 300], ids=["one header", "many headers"]
)
def test_a_head_without_end_is_refused(cloud: Status, connection: socket.socket, piece: bytes) -> None:
    answer = exchanged(connection, head(cloud) + b"X-Long: ", *[piece] * (8 * HEAD_LIMIT // len(piece)))
    assert not answer or answer.startswith(b"HTTP/1.1 400")


def test_a_head_within_the_limit_is_read(cloud: Status, connection: socket.socket) -> None:
    long = "a" * (HEAD_LIMIT // 2)
    answer = exchanged(connection, head(cloud, f"X-Long: {long}", "Connection: close") + b"\r\n")
    assert seen(answer)["x-long"] == long


def chunked(cloud: Status, *headers: str) -> bytes:
    """Return a POST with a short body, up to its trailers."""
    own = (f"Authorization: Bearer {cloud.api_key}", "Transfer-Encoding: chunked")
    return (
        head(cloud, *own, "Content-Type: application/json", *headers, method="POST") + b"\r\n2\r\n{}\r\n0\r\n"
    )


def test_trailers_without_end_are_refused(cloud: Status, connection: socket.socket) -> None:
    answer = exchanged(connection, chunked(cloud), *[b"X-One: more\r\n" * 300] * 200)
    assert not answer or answer.startswith(b"HTTP/1.1 400")


def test_a_trailer_is_no_header(cloud: Status, connection: socket.socket) -> None:
    start = chunked(cloud, "X-One: header", "Connection: close")
    headers = seen(exchanged(connection, start, b"X-Two: trailer\r\nX-One: trailer\r\n\r\n"))
    assert headers["x-one"] == "header"
    assert "x-two" not in headers


@pytest.fixture
def many_files() -> Iterator[None]:
    files, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(MOST_FILES, allowed), allowed))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, allowed))


@pytest.mark.usefixtures("many_files")
def test_silent_connections_keep_nobody_out(cloud: Status) -> None:
    """Each has a place until there are more than places; then a new one takes the longest silent one's."""
    silent = []
    try:
        for number in range(MOST_CONNECTIONS + 50):
            silent.append(socket.create_connection(("127.0.0.1", port(cloud)), timeout=20))
            if number % 2:
                silent[-1].sendall(head(cloud))  # without its end
        with closing(socket.create_connection(("127.0.0.1", port(cloud)), timeout=20)) as connection:
            assert exchanged(connection, head(cloud, "Connection: close") + b"\r\n").startswith(
                b"HTTP/1.1 200"
            )
        assert exchanged(silent[0]) == b""  # it was closed
    finally:
        for connection in silent:
            connection.close()


def test_what_is_no_request_leaves_no_line_in_the_log(cloud: Status, shared_home: Home) -> None:
    """Anyone on the machine could fill the owner's disk with such lines."""
    before = shared_home.log.stat().st_size
    upgrade = ("Connection: upgrade", "Upgrade: websocket")
    for sent in (b"\x16\x03\x01\r\n\r\n", head(cloud, *upgrade) + b"\r\n"):
        with closing(socket.create_connection(("127.0.0.1", port(cloud)), timeout=20)) as connection:
            connection.sendall(sent)
            assert connection.recv(1)
    assert shared_home.log.stat().st_size == before
