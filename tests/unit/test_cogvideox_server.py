"""The server around engines that do one thing each; the real engine is in tests/cloud/."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable

import httpx
import pytest

from containers.cogvideox.errors import BadCheckpoint, DeviceLost, InvalidRequest, OutOfMemory
from containers.cogvideox.server import MAX_BODY_BYTES, create_app
from tests.contract import document


class Engine:
    """An engine that loads and renders when it is let."""

    def __init__(self, load_error: Exception | None = None, render_error: Exception | None = None) -> None:
        self.may_load, self.may_render = threading.Event(), threading.Event()
        self._load_error, self._render_error = load_error, render_error

    def load(self) -> None:
        assert self.may_load.wait(10)
        if self._load_error:
            raise self._load_error

    def describe(self) -> dict[str, str]:
        return {"engine": "cogvideox", "model": "cogvideox-nano", "device": "cpu"}

    def render(self, body: bytes) -> bytes:
        assert self.may_render.wait(10)
        if self._render_error:
            raise self._render_error
        return b"an MP4 of " + body


def with_client(engine: Engine, test: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        app = create_app(engine)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
                await test(client)

    asyncio.run(run())


async def invoke(client: httpx.AsyncClient, body: bytes = b"{}") -> httpx.Response:
    return await client.post("/invocations", content=body, headers={"Content-Type": "application/json"})


async def until(client: httpx.AsyncClient, *statuses: str) -> httpx.Response:
    for _ in range(1000):
        ping = await client.get("/ping")
        if ping.json()["status"] in statuses:
            return ping
        await asyncio.sleep(0.01)
    raise AssertionError(f"never one of {statuses}")


def loaded(render_error: Exception | None = None) -> Engine:
    engine = Engine(render_error=render_error)
    engine.may_load.set()
    engine.may_render.set()
    return engine


def test_ping_tells_starting_ready_busy_and_ready_again() -> None:
    engine = Engine()

    async def test(client: httpx.AsyncClient) -> None:
        starting = await client.get("/ping")
        assert starting.status_code == 503
        assert starting.json() == document("ping.starting") | {"device": "cpu"}
        too_early = await invoke(client)
        assert (too_early.status_code, too_early.json()) == (503, document("error.not_ready"))
        engine.may_load.set()
        ready = await until(client, "ready")
        assert (ready.status_code, ready.json()) == (200, document("ping.ready"))

        first = asyncio.create_task(invoke(client, b'{"seed": 1}'))
        busy = await until(client, "busy")
        assert (busy.status_code, busy.json()) == (200, document("ping.busy"))
        second = await invoke(client)
        assert (second.status_code, second.json()) == (503, document("error.busy"))

        engine.may_render.set()
        clip = await first
        assert (clip.status_code, clip.content) == (200, b'an MP4 of {"seed": 1}')
        assert clip.headers["content-type"] == "video/mp4"
        assert (await client.get("/ping")).json() == document("ping.ready")

    with_client(engine, test)


def test_ping_tells_why_loading_failed_and_so_does_every_request() -> None:
    reason = document("ping.failed")["reason"]
    engine = Engine(load_error=BadCheckpoint(reason.removeprefix("BadCheckpoint: ")))
    engine.may_load.set()

    async def test(client: httpx.AsyncClient) -> None:
        failed = await until(client, "failed")
        assert (failed.status_code, failed.json()["reason"]) == (503, reason)
        refused = await invoke(client)
        assert refused.status_code == 503
        assert refused.json()["error"] == {"code": "not_ready", "param": None, "message": reason}

    with_client(engine, test)


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (
            InvalidRequest("frames", document("error.invalid_request")["error"]["message"]),
            400,
            "invalid_request",
        ),
        (OutOfMemory("49 frames of 720×480 do not fit into memory"), 507, "out_of_memory"),
        (RuntimeError("the weights are broken"), 500, "engine_failed"),
    ],
)
def test_an_error_is_answered_and_the_next_request_is_taken(error: Exception, status: int, name: str) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await until(client, "ready")
        for _ in range(2):
            answer = await invoke(client)
            assert (answer.status_code, answer.json()) == (status, document(f"error.{name}"))
        assert (await client.get("/ping")).status_code == 200

    with_client(loaded(error), test)


def test_a_lost_gpu_fails_the_server_so_that_it_is_replaced() -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await until(client, "ready")
        assert (await invoke(client)).json()["error"]["code"] == "engine_failed"
        ping = await client.get("/ping")
        assert (ping.status_code, ping.json()["status"]) == (503, "failed")
        assert ping.json()["reason"] == "CUDA error: an illegal memory access"
        assert (await invoke(client)).json()["error"]["code"] == "not_ready"

    with_client(loaded(DeviceLost("CUDA error: an illegal memory access")), test)


def test_a_body_over_the_limit_is_refused_before_it_is_rendered() -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await until(client, "ready")
        answer = await invoke(client, bytes(MAX_BODY_BYTES + 1))
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "invalid_request"

    with_client(loaded(), test)


def test_only_json_is_taken() -> None:
    async def test(client: httpx.AsyncClient) -> None:
        await until(client, "ready")
        answer = await client.post("/invocations", content=b"{}", headers={"Content-Type": "text/plain"})
        assert (answer.status_code, answer.json()["error"]["param"]) == (415, "Content-Type")

    with_client(loaded(), test)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/invocations", 405), ("GET", "/docs", 404)]
)
def test_other_routes_are_refused_in_the_contract_s_shape(method: str, path: str, status: int) -> None:
    async def test(client: httpx.AsyncClient) -> None:
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"].keys() == document("error.invalid_request")["error"].keys()

    with_client(loaded(), test)


def test_logs_tell_of_refusals_and_failures(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "containers.cogvideox")

    async def test(client: httpx.AsyncClient) -> None:
        await until(client, "ready")
        await invoke(client, json.dumps({"image": "SECRET"}).encode())

    with_client(loaded(RuntimeError("broken")), test)
    assert [record.message for record in caplog.records] == ["clip failed"]
    assert "SECRET" not in caplog.text
