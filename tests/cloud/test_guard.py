import asyncio
import http.client
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import pytest

from reelworks.cloud.lifecycle.cloud_status import Status
from reelworks.cloud.server.guard import Guard, is_admin

PORT = 4566
HOST = f"127.0.0.1:{PORT}"

Headers = Iterable[tuple[str, str]]


async def _open_to_all(scope: Any, receive: Any, send: Any) -> None:
    """An app that responds like ministack: any origin may read."""
    headers = [(b"Access-Control-Allow-Origin", b"*"), (b"access-control-max-age", b"9"), (b"x-mine", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"inside"})


def ask(
    path: str = "/", headers: Headers = (("host", HOST),), method: str = "GET", client: Any = ("127.0.0.1", 5)
) -> list[Any]:
    """Return the messages that the guarded app sends."""
    sent: list[Any] = []

    async def run() -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        scope = {"type": "http", "method": method, "path": path, "headers": raw, "client": client}
        await Guard(_open_to_all, PORT)(scope, receive, send)

    asyncio.run(run())
    return sent


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}", f"[::1]:{PORT}", f"LocalHost:{PORT}"])
def test_own_host_passes(host: str) -> None:
    assert ask(headers=[("host", host)])[0]["status"] == 200


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["evil.example"],
        [f"evil.example:{PORT}"],  # a name rebound to 127.0.0.1
        ["127.0.0.1"],
        ["127.0.0.1:80"],
        [f"127.0.0.1:{PORT}.evil.example"],
        [f"localhost.evil.example:{PORT}"],
        [f"bucket.localhost:{PORT}"],
        [f"0.0.0.0:{PORT}"],
        [f"192.168.1.2:{PORT}"],
        [HOST, HOST],
        [HOST, "evil.example"],
    ],
)
def test_other_hosts_are_rejected(hosts: list[str]) -> None:
    assert ask(headers=[("host", host) for host in hosts])[0]["status"] == 403


@pytest.mark.parametrize("origin", [f"http://{HOST}", f"http://localhost:{PORT}", f"http://[::1]:{PORT}"])
def test_own_origin_passes(origin: str) -> None:
    assert ask(headers=[("host", origin.removeprefix("http://")), ("origin", origin)])[0]["status"] == 200


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://evil.example",
        f"https://{HOST}",
        "http://127.0.0.1",
        "http://localhost:3000",
        f"http://localhost:{PORT}",  # of who listens there at [::1]
        f"http://[::1]:{PORT}",
        f"http://{HOST}.evil.example",
        f"http://{HOST}, https://evil.example",
    ],
)
def test_other_origins_are_rejected_and_get_no_cors_header(origin: str, method: str) -> None:
    preflight = [
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-amz-target"),
    ]
    start = ask(headers=[("host", HOST), ("origin", origin), *preflight], method=method)[0]
    assert start["status"] == 403
    assert not any(name.lower().startswith(b"access-control-") for name, _ in start["headers"])


def test_cors_headers_of_the_app_are_removed_and_others_kept() -> None:
    assert ask()[0]["headers"] == [(b"x-mine", b"1")]


@pytest.mark.parametrize(
    ("site", "status"),
    [("none", 200), ("same-origin", 200), ("same-site", 403), ("cross-site", 403), ("Cross-Site", 403)],
)
def test_fetches_from_other_sites_are_rejected(site: str, status: int) -> None:
    assert ask(headers=[("host", HOST), ("sec-fetch-site", site)])[0]["status"] == status


@pytest.mark.parametrize(
    ("client", "status"),
    [
        (("127.0.0.1", 5), 200),
        (("127.9.9.9", 5), 200),
        (("::1", 5), 200),
        (("192.168.1.2", 5), 403),
        (("fe80::1", 5), 403),
        (("", 0), 403),
        (None, 403),
    ],
)
def test_callers_on_other_machines_are_rejected(client: Any, status: int) -> None:
    assert ask(client=client)[0]["status"] == status


ADMIN_PATHS = [
    "/_ministack/reset",
    "/_ministack",
    "/_localstack/health",
    "//_ministack/reset",
    "/_MiniStack/reset",
    "/%5fministack/reset",
    "/%255Fministack/reset",
    "/%25255fministack/reset",
    "/./_ministack/reset",
    "/x/../_ministack/reset",
    "/x/%2e%2e/_ministack/reset",
    "/../_ministack/reset",
    "/\\_ministack/reset",
    "/%5c_ministack/reset",
    "/_ministack;a=b/reset",
    "/ _ministack/reset",
    "/%2f_ministack%2freset",
]


@pytest.mark.parametrize("path", ADMIN_PATHS)
def test_admin_routes_do_not_exist(path: str) -> None:
    assert ask(path)[0]["status"] == 404


@pytest.mark.parametrize(
    "path", ["/", "", "/bucket/_ministack/x", "/_ministacks", "/_aws/execute-api/a/b", "/v1/videos"]
)
def test_other_paths_are_not_admin_routes(path: str) -> None:
    assert not is_admin(path)


def test_websockets_are_rejected() -> None:
    sent: list[Any] = []

    async def run() -> None:
        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "websocket",
            "path": "/",
            "headers": [(b"host", HOST.encode())],
            "client": ("127.0.0.1", 5),
        }
        await Guard(_open_to_all, PORT)(scope, receive, send)

    asyncio.run(run())
    assert sent == [{"type": "websocket.close", "code": 1008}]


# --- the running cloud


def request(
    cloud: Status, path: str, headers: Headers = (), method: str = "GET", host: str | None = None
) -> http.client.HTTPResponse:
    """Send the path as written; http.client does not change it."""
    assert cloud.aws_endpoint_url
    port = urlsplit(cloud.aws_endpoint_url).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True)
        for name, value in [("Host", host or f"127.0.0.1:{port}"), *headers]:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        return response
    finally:
        connection.close()


def test_the_cloud_answers_its_own_address(cloud: Status) -> None:
    assert request(cloud, "/v1/videos").status == 200


def test_the_cloud_refuses_another_host(cloud: Status) -> None:
    assert request(cloud, "/v1/videos", host="evil.example").status == 403


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_the_cloud_refuses_another_origin(cloud: Status, origin: str, method: str) -> None:
    headers = [("Origin", origin), ("Access-Control-Request-Method", "POST"), ("Content-Length", "0")]
    response = request(cloud, "/v1/videos", headers, method)
    assert response.status == 403
    assert not any(name.lower().startswith("access-control-") for name in response.headers)


def test_the_cloud_ignores_forwarded_addresses(cloud: Status) -> None:
    assert (
        request(
            cloud, "/v1/videos", [("X-Forwarded-For", "192.168.1.2"), ("X-Forwarded-Proto", "https")]
        ).status
        == 200
    )


@pytest.mark.parametrize("path", [path for path in ADMIN_PATHS if " " not in path])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_cloud_hides_admin_routes(cloud: Status, path: str, method: str) -> None:
    assert request(cloud, path, [("Content-Length", "0")], method).status == 404


def test_the_cloud_refuses_a_websocket(cloud: Status) -> None:
    upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("Origin", "https://evil.example"),
    ]
    assert request(cloud, "/", upgrade).status == 403


def other_addresses() -> list[str]:
    """Return 127.0.0.2, which only a listener on all addresses has, and the machine's network address."""
    addresses = ["127.0.0.2"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only selects the address that would be used
            addresses.append(probe.getsockname()[0])
        except OSError:
            pass  # no network
    return addresses


@pytest.mark.parametrize("address", other_addresses())
def test_the_cloud_does_not_listen_to_the_network(cloud: Status, address: str) -> None:
    assert cloud.aws_endpoint_url
    with pytest.raises(OSError):  # refused; macOS, which has no 127.0.0.2, times out
        socket.create_connection((address, urlsplit(cloud.aws_endpoint_url).port or 0), timeout=5)
