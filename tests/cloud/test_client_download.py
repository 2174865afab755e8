"""A client's downloads from a real server that breaks off."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from reelworks import Client
from tests.cloud.servers import serving, wait_until

FILM = bytes(range(256)) * 4_000
HALF = len(FILM) // 2


class Storage:
    """Serves a film with ranges; `stalls` after half of it, until the client is gone."""

    def __init__(self) -> None:
        self.stalls = False
        self.breaks = 0
        self.ranges: list[str | None] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        asked = request.headers.get("range")
        self.ranges.append(asked)
        assert "authorization" not in request.headers
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        headers = [(b"etag", b'"a"'), (b"content-length", str(len(FILM) - start).encode())]
        if asked:
            headers.append((b"content-range", f"bytes {start}-{len(FILM) - 1}/{len(FILM)}".encode()))
        await send({"type": "http.response.start", "status": 206 if asked else 200, "headers": headers})
        if self.stalls or self.breaks:
            end = start + (len(FILM) - start) // 2
            await send({"type": "http.response.body", "body": FILM[start:end], "more_body": True})
            if self.breaks:
                self.breaks -= 1
                raise ConnectionResetError  # uvicorn closes the connection
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await send({"type": "http.response.body", "body": FILM[start:]})


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def url(storage: Storage) -> Iterator[str]:
    async def content(request: Request) -> Response:
        await asyncio.sleep(0)
        assert request.headers["authorization"] == "Bearer rk-x"
        return RedirectResponse(request.url_for("film"), 302)

    app = Starlette(routes=[Route("/v1/videos/v/content", content), Route("/film", storage, name="film")])
    with serving(app, log_config=None) as url:
        yield f"{url}/v1"


def test_a_download_goes_on_after_its_process_was_killed(storage: Storage, url: str, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    program = "import sys; from pathlib import Path; from reelworks import Client\n"
    program += "Client(sys.argv[1], 'rk-x').download('v', Path(sys.argv[2]))"
    storage.stalls = True
    with subprocess.Popen([sys.executable, "-c", program, url, str(film)]) as process:
        wait_until(lambda: [one.stat().st_size for one in tmp_path.glob(".*.part")] == [HALF])
        process.kill()
    assert not film.exists()
    storage.stalls = False
    with Client(url, "rk-x") as client:
        assert client.download("v", film) == len(FILM)
    assert film.read_bytes() == FILM
    assert storage.ranges == [None, f"bytes={HALF}-"]
    assert [one.name for one in tmp_path.iterdir()] == ["film.mp4"]


def test_a_download_goes_on_after_the_connection_broke(storage: Storage, url: str, tmp_path: Path) -> None:
    storage.breaks = 1
    with Client(url, "rk-x") as client:
        client.download("v", tmp_path / "film.mp4")
    assert (tmp_path / "film.mp4").read_bytes() == FILM
    assert storage.ranges[0] is None
    assert len(storage.ranges) == 2
    assert storage.ranges[1]
