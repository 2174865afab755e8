"""The server around a scripted engine; the real engine is tested in tests/cloud/."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from containers.diffusion import supervisor
from containers.diffusion.log import JsonFormatter
from containers.diffusion.server import create_app
from containers.diffusion.supervisor import LOADING_ATTEMPTS, Supervisor
from containers.serving import app as serving
from containers.serving.app import MAX_BODY_BYTES
from lambdas.media.mp4.work_box import without_work_box
from tests.contract import document

REPOSITORY = Path(__file__).parents[2]


class Bench:
    """A server with a scripted engine, and a client for it."""

    def __init__(self, folder: Path, supervisor: Supervisor, client: httpx.AsyncClient) -> None:
        self.supervisor = supervisor
        self._folder = folder
        self._client = client

    async def ping(self) -> httpx.Response:
        return await self._client.get("/ping")

    async def post(self, body: bytes, **headers: str) -> httpx.Response:
        headers = {"Content-Type": "application/json"} | headers
        return await self._client.post("/invocations", content=body, headers=headers)

    async def do(self, what: str, **more: Any) -> httpx.Response:
        return await self.post(json.dumps({"do": what} | more).encode())

    async def request(self, method: str, path: str) -> httpx.Response:
        return await self._client.request(method, path)

    async def until(self, *statuses: str) -> httpx.Response:
        async with asyncio.timeout(30):
            while (ping := await self.ping()).json()["status"] not in statuses:
                await asyncio.sleep(0.01)
        return ping

    @property
    def starts(self) -> int:
        return int((self._folder / "starts").read_text())

    @property
    def engine_pid(self) -> int:
        return int((self._folder / "pid").read_text())

    @property
    def steps(self) -> int:
        return int((self._folder / "steps").read_text())

    async def until_steps(self) -> None:
        while not (self._folder / "steps").exists():
            await asyncio.sleep(0.01)

    def go(self) -> None:
        (self._folder / "go").touch()


Test = Callable[[Bench], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(supervisor, "PAUSE_SECONDS", 0.0)

    def run(test: Test, *, loading: str = "ready", stop_seconds: float = 60) -> None:
        (tmp_path / "loading").write_text(loading)
        asyncio.run(_with_server(tmp_path, test, stop_seconds))

    return run


async def _with_server(folder: Path, test: Test, stop_seconds: float) -> None:
    supervised = Supervisor(
        [sys.executable, "-m", "tests.scripted_engine", str(folder)],
        {"engine": "cogvideox", "model": "cogvideox-nano", "device": "auto"},
        stop_seconds=stop_seconds,
    )
    app = create_app(supervised)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
            await test(Bench(folder, supervised, client))


def test_ping_reports_starting_ready_busy_and_ready_again(run: Callable[..., None]) -> None:
    async def test(bench: Bench) -> None:
        starting = await bench.ping()
        assert (starting.status_code, starting.json()) == (503, document("ping.starting"))
        too_early = await bench.do("clip")
        assert (too_early.status_code, too_early.json()) == (503, document("error.not_ready"))
        bench.go()
        ready = await bench.until("ready")
        assert (ready.status_code, ready.json()) == (200, document("ping.ready"))

        first = asyncio.create_task(bench.do("steps", steps=100))
        busy = await bench.until("busy")
        assert (busy.status_code, busy.json()) == (200, document("ping.busy"))
        second = await bench.do("clip")
        assert (second.status_code, second.json()) == (503, document("error.busy"))
        clip = await first
        made, seconds = without_work_box(clip.content)
        assert (clip.status_code, made) == (200, b'an MP4 of {"do": "steps", "steps": 100}')
        assert seconds is not None
        assert 0 < seconds < 60
        assert clip.headers["x-said"] == "of it"
        assert clip.headers["content-type"] == "video/mp4"
        assert (await bench.ping()).json() == document("ping.ready")

    run(test, loading="wait")


def test_one_of_twenty_concurrent_requests_is_rendered(run: Callable[..., None]) -> None:
    async def test(bench: Bench) -> None:
        await bench.until("ready")
        answers = await asyncio.gather(*(bench.do("steps", steps=20) for _ in range(20)))
        assert sorted(answer.status_code for answer in answers) == [200] + [503] * 19
        assert {answer.json()["error"]["code"] for answer in answers if answer.status_code == 503} == {"busy"}
        assert bench.steps == 20
        assert (await bench.do("clip")).status_code == 200

    run(test)


def test_ping_and_every_request_report_why_loading_failed(run: Callable[..., None]) -> None:
    async def test(bench: Bench) -> None:
        failed = await bench.until("failed")
        assert (failed.status_code, failed.json()) == (503, document("ping.failed"))
        refused = await bench.do("clip")
        assert refused.status_code == 503
        reason = document("ping.failed")["reason"]
        assert refused.json()["error"] == {"code": "not_ready", "param": None, "message": reason}
        assert bench.starts == 1, "the same files would fail again"

    run(test, loading="BadCheckpoint")


@pytest.mark.parametrize(
    ("what", "status", "name"),
    [
        ("InvalidRequest", 400, "invalid_request"),
        ("OutOfMemory", 507, "out_of_memory"),
        ("the weights are broken", 500, "engine_failed"),
    ],
)
def test_an_error_is_returned_and_the_next_request_accepted(
    run: Callable[..., None], what: str, status: int, name: str
) -> None:
    async def test(bench: Bench) -> None:
        await bench.until("ready")
        for _ in range(2):
            answer = await bench.do(what)
            assert (answer.status_code, answer.json()) == (status, document(f"error.{name}"))
        assert (await bench.ping()).status_code == 200
        assert bench.starts == 1

    run(test)


@pytest.mark.parametrize(
    ("what", "told", "how"),
    [
        ("DeviceLost", "the GPU failed: CUDA error: an illegal memory access", "ended with exit code 0"),
        (
            "die",
            "the engine process was killed by SIGKILL (which the kernel sends when memory runs out) "
            "while rendering the clip",
            "killed by SIGKILL",
        ),
        (
            "exit",
            "the engine process ended with exit code 3 while rendering the clip",
            "ended with exit code 3",
        ),
    ],
)
def test_a_lost_engine_is_reported_and_restarted(
    run: Callable[..., None], what: str, told: str, how: str
) -> None:
    async def test(bench: Bench) -> None:
        await bench.until("ready")
        answer = await bench.do(what)
        assert answer.status_code == 500
        assert answer.json()["error"] == {"code": "engine_failed", "param": None, "message": told}
        starting = await bench.ping()
        assert (starting.status_code, starting.json()["status"]) == (503, "starting")
        assert how in starting.json()["reason"]
        refused = await bench.do("clip")
        assert refused.json()["error"]["code"] == "not_ready"
        bench.go()
        assert (await bench.until("ready")).json() == document("ping.ready")
        assert (await bench.do("clip")).status_code == 200
        assert bench.starts == 2

    run(test, loading="ready\nwait")


def test_an_engine_lost_while_idle_is_noticed_without_a_request(
    run: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    async def test(bench: Bench) -> None:
        await bench.until("ready")
        os.kill(bench.engine_pid, signal.SIGKILL)
        assert "SIGKILL" in (await bench.until("starting")).json()["reason"]
        bench.go()
        await bench.until("ready")

    run(test, loading="ready\nwait")
    (lost,) = [record for record in caplog.records if record.message == "engine lost"]
    line = json.loads(JsonFormatter().format(lost))
    assert (line["lost_count"], line["model"]) == (1, "cogvideox-nano")
    assert line["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "lost_count", "Unit": "Count"}]


def test_an_engine_that_always_dies_while_loading_is_given_up(run: Callable[..., None]) -> None:
    async def test(bench: Bench) -> None:
        failed = await bench.until("failed")
        assert failed.status_code == 503
        assert "SIGKILL" in failed.json()["reason"]
        assert bench.starts == LOADING_ATTEMPTS

    run(test, loading="die")


def test_an_engine_that_cannot_be_started_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "PAUSE_SECONDS", 0.0)
    supervised = Supervisor(["/no/such/program"], {"model": "cogvideox-nano"})
    asyncio.run(supervised.run())
    assert supervised.status == "failed"
    assert "/no/such/program" in (supervised.reason or "")


def test_one_death_while_loading_is_retried(run: Callable[..., None]) -> None:
    async def test(bench: Bench) -> None:
        await bench.until("ready")
        assert bench.starts == 2

    run(test, loading="die\nready")


def test_a_clip_whose_client_disconnected_stops_at_its_next_step(run: Callable[..., None]) -> None:
    async def test(bench: Bench) -> None:
        await bench.until("ready")
        client = asyncio.create_task(bench.do("steps", steps=100_000))
        await bench.until_steps()
        client.cancel()
        await bench.until("ready")
        made = bench.steps
        assert made < 100_000
        assert (await bench.do("clip")).status_code == 200
        assert bench.steps == made
        assert bench.starts == 1

    run(test)


def test_a_late_stop_does_not_stop_the_next_clip(run: Callable[..., None]) -> None:
    async def test(bench: Bench) -> None:
        await bench.until("ready")
        supervisor = bench.supervisor
        first = asyncio.create_task(supervisor.render(b'{"do": "clip"}'))
        for status in ("ready", "busy"):
            while supervisor.status == status:
                await asyncio.sleep(0)
        # The engine is done and the client has no response yet: now it disconnects, and another connects.
        second = asyncio.create_task(supervisor.render(b'{"do": "steps", "steps": 3}'))
        first.cancel()
        assert (await second).mp4.startswith(b"an MP4 of ")

    run(test)


def test_an_engine_that_does_not_stop_is_replaced(run: Callable[..., None]) -> None:
    async def test(bench: Bench) -> None:
        await bench.until("ready")
        client = asyncio.create_task(bench.do("hang"))
        await bench.until("busy")
        client.cancel()
        assert (await bench.do("clip")).json() == document("error.busy")
        await bench.until("ready")
        assert bench.starts == 2

    run(test, stop_seconds=0.1)


def test_a_body_over_the_limit_is_rejected_before_rendering(run: Callable[..., None]) -> None:
    async def test(bench: Bench) -> None:
        await bench.until("ready")
        answer = await bench.post(bytes(MAX_BODY_BYTES + 1))
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "invalid_request"

    run(test)


def test_a_slow_client_is_rejected_and_blocks_nobody(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "BODY_SECONDS", 0.2)

    async def test(bench: Bench) -> None:
        await bench.until("ready")

        async def slowly() -> Any:
            yield b'{"do": '
            await asyncio.sleep(60)

        slow = asyncio.create_task(bench.post(slowly()))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        assert (await bench.do("clip")).status_code == 200
        answer = await slow
        assert (answer.status_code, answer.json()["error"]["code"]) == (408, "invalid_request")

    run(test)


def test_only_json_is_accepted(run: Callable[..., None]) -> None:
    async def test(bench: Bench) -> None:
        await bench.until("ready")
        answer = await bench.post(b"{}", **{"Content-Type": "text/plain"})
        assert (answer.status_code, answer.json()["error"]["param"]) == (415, "Content-Type")

    run(test)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/invocations", 405), ("GET", "/docs", 404)]
)
def test_errors_of_other_routes_have_the_contract_s_shape(
    run: Callable[..., None], method: str, path: str, status: int
) -> None:
    async def test(bench: Bench) -> None:
        answer = await bench.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"].keys() == document("error.invalid_request")["error"].keys()

    run(test)


def test_logs_contain_failures_but_no_prompts(
    run: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    async def test(bench: Bench) -> None:
        await bench.until("ready")
        await bench.do("broken", image="SECRET")

    run(test)
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["clip failed"]
    assert "SECRET" not in json.dumps(lines)
