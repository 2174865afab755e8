"""The relay between its client and a /v1/videos server; tests/cloud/ tests it as a process."""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image
from starlette.responses import JSONResponse, PlainTextResponse, Response

from containers.relay import client as client_module
from containers.relay import relay as relay_module
from containers.relay.client import Videos
from containers.relay.form import Kind
from containers.relay.options import parse
from containers.relay.relay import Relay, Target
from containers.serving.app import create_app
from tests.contract import document
from tests.videos_server import VideosServer

WAN = "Wan-AI/Wan2.2-TI2V-5B-Diffusers"
Document = dict[str, Any]


class Drip(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for byte in self._body:
            yield bytes([byte])
            await asyncio.sleep(0.05)


class Line(httpx.AsyncBaseTransport):
    """Forwards to the server; `cut` requests, by method, find nobody. Answers of paths with `drips` in them
    come byte by byte."""

    def __init__(self, server: VideosServer) -> None:
        self.cut: list[str] = []
        self.calls: list[str] = []
        self.drips: str | None = None
        self.late: str | None = None  # answers to this method take a while
        self._line = httpx.ASGITransport(server.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        if request.method in self.cut:
            self.cut.remove(request.method)
            raise httpx.ConnectError("connection refused", request=request)
        answer = await self._line.handle_async_request(request)
        if request.method == self.late:
            await asyncio.sleep(0.2)
        if self.drips is None or self.drips not in request.url.path:
            return answer
        return httpx.Response(answer.status_code, headers=answer.headers, stream=Drip(await answer.aread()))


class Bench:
    """A relay, a client of it, and the server behind it."""

    def __init__(self, server: VideosServer, line: Line, client: httpx.AsyncClient) -> None:
        self.server = server
        self.line = line
        self._client = client

    async def ping(self) -> httpx.Response:
        return await self._client.get("/ping")

    async def ask(self, kind: str = "text", **changed: Any) -> httpx.Response:
        return await self._client.post("/invocations", json=document(f"clip_request.{kind}") | changed)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.005)


Test = Callable[[Bench], Awaitable[None]]
Run = Callable[..., None]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(relay_module, "FIRST_POLL_SECONDS", 0.005)
    monkeypatch.setattr(relay_module, "DOWN_POLL_SECONDS", 0.005)

    def run(
        test: Test,
        server: VideosServer | None = None,
        *,
        key: str | None = None,
        key_file: Path | None = None,
        **target: Any,
    ) -> None:
        settings = {"name": "wan", "kind": Kind.VLLM_OMNI, "model": WAN, "seconds": 60, "down_seconds": 0.5}
        asyncio.run(_with_server(test, server or VideosServer(), Target(**settings | target), key, key_file))

    return run


async def _with_server(
    test: Test, server: VideosServer, target: Target, key: str | None, key_file: Path | None
) -> None:
    line = Line(server)
    videos = Videos("http://videos:8000/v1/", key, key_file, transport=line)
    app = create_app(Relay(videos, target))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=60) as client:
            await test(Bench(server, line, client))


def error_of(answer: httpx.Response) -> tuple[int, str, str | None, str]:
    error = answer.json()["error"]
    assert error.keys() == document("error.invalid_request")["error"].keys()
    return answer.status_code, error["code"], error["param"], error["message"]


def look(clip: bytes) -> tuple[int, int, int, float, list[str]]:
    """Return its width, height, decoded frames, rate and tracks."""
    with av.open(io.BytesIO(clip)) as container:
        video = container.streams.video[0]
        tracks = [stream.type for stream in container.streams]
        frames = list(container.decode(video=0))
        assert video.average_rate is not None
        return video.width, video.height, len(frames), float(video.average_rate), tracks


# --- what is sent, and what comes of it


def test_a_clip_is_asked_for_as_a_form_and_decodes(run: Run) -> None:
    async def test(bench: Bench) -> None:
        answer = await bench.ask()
        assert answer.status_code == 200, answer.text
        assert look(answer.content) == (96, 64, 17, 8.0, ["video"])
        [order] = bench.server.orders
        assert order == {
            "prompt": document("clip_request.text")["prompt"],
            "model": WAN,
            "size": "96x64",
            "negative_prompt": "snow",
            "num_frames": 17,
            "fps": 8,
            "seed": 7,
            "num_inference_steps": 2,
        }
        with av.open(io.BytesIO(answer.content)) as container:
            assert (container.metadata["engine"], container.metadata["model"]) == ("relay", WAN)
            assert container.metadata["seed"] == "7"

    run(test)


def test_an_image_is_a_file_of_the_requested_size_and_a_film_is_made_of_the_clip(run: Run) -> None:
    film = {"width": 128, "height": 128, "fps": 24, "frames": 24, "fit": "cover", "fps_mode": "repeat"}

    async def test(bench: Bench) -> None:
        answer = await bench.ask("image", film=film)
        assert answer.status_code == 200, answer.text
        assert look(answer.content)[:4] == (128, 128, 24, 24.0)
        [image] = bench.server.images
        assert Image.open(io.BytesIO(image)).size == (96, 64)

    run(test)


def test_sglang_gets_json_without_a_file_and_its_model_is_read(run: Run) -> None:
    async def test(bench: Bench) -> None:
        assert (await bench.ask()).status_code == 200
        assert (await bench.ask("image")).status_code == 200
        assert [call for call in bench.line.calls if call.endswith("/models")][:2] == [
            "GET /v1/models",
            "GET /models",
        ]
        assert bench.server.orders[0]["num_frames"] == 17
        assert len(bench.server.images) == 1

    run(test, VideosServer(kind="sglang"), kind=Kind.SGLANG)


def test_a_server_of_whole_seconds_gives_the_frames_that_are_needed(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.server.gives = {"fps": 8, "length": 24}
        answer = await bench.ask(negative_prompt="", steps=None, skip_frames=1)
        assert answer.status_code == 200, answer.text
        assert look(answer.content)[:4] == (96, 64, 16, 8.0)
        [order] = bench.server.orders
        assert order == {
            "prompt": document("clip_request.text")["prompt"],
            "model": WAN,
            "size": "96x64",
            "seconds": "3",
        }
        refused = await bench.ask(negative_prompt="")
        assert error_of(refused)[:3] == (400, "invalid_request", "steps")

    run(test, kind=Kind.OPENAI)


def test_sound_is_asked_for_and_kept(run: Run) -> None:
    async def test(bench: Bench) -> None:
        answer = await bench.ask(skip_frames=1)
        assert look(answer.content)[4] == ["video", "audio"]
        assert bench.server.orders[0]["generate_sound"] == "true"
        assert json.loads(bench.server.orders[0]["extra_params"]) == {"flow_shift": 5}

    run(test, sound=True, extra={"extra_params": {"flow_shift": 5}})


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"audio": "UklGRg=="}, "audio"),
        ({"video": "AAAA"}, "video"),
        ({"loras": [{"name": "a"}]}, "loras"),
        ({"speed": "fast"}, "speed"),
        ({"image": "AAAA"}, "image"),
        ({"prompt": " "}, "prompt"),
        ({"width": 95}, "width"),
        ({"frames": 0}, "frames"),
    ],
)
def test_what_no_server_takes_is_refused_before_it_is_asked(run: Run, changed: Document, param: str) -> None:
    async def test(bench: Bench) -> None:
        assert error_of(await bench.ask(**changed))[:3] == (400, "invalid_request", param)
        assert bench.line.calls == []

    run(test)


# --- what the server refuses, and how it fails


def test_a_refused_field_is_named_as_the_request_names_it(run: Run) -> None:
    async def test(bench: Bench) -> None:
        detail = [{"type": "bounds", "loc": ["body", "num_inference_steps"], "msg": "Input should be 4"}]
        bench.server.answers["POST /v1/videos"] = JSONResponse({"detail": detail}, status_code=422)
        status, code, param, message = error_of(await bench.ask())
        assert (status, code, param) == (400, "invalid_request", "steps")
        assert "num_inference_steps: Input should be 4" in message
        error = {"message": "size is odd", "type": "BadRequestError", "param": "size", "code": 400}
        bench.server.answers["POST /v1/videos"] = JSONResponse({"error": error}, status_code=400)
        assert error_of(await bench.ask())[:3] == (400, "invalid_request", "width")

    run(test)


@pytest.mark.parametrize("kind", ["vllm-omni", "sglang"])
def test_a_wrong_model_is_named_with_the_one_that_is_served(run: Run, kind: str) -> None:
    # Older versions accept any name and render with what they have.
    server = VideosServer(kind=kind, model="Lightricks/LTX-2", checks_model=False)

    async def test(bench: Bench) -> None:
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (500, "broken")
        assert f"serves Lightricks/LTX-2, and not {WAN}; correct model of [engines.wan]" in message
        assert bench.server.orders == []
        ping = await bench.ping()
        assert (ping.status_code, ping.json()["status"]) == (503, "failed")

    run(test, server, kind=Kind(kind))


def test_a_server_that_lists_no_models_is_asked_and_its_mismatch_is_a_setting_s_fault(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.server.answers["GET /v1/models"] = JSONResponse({}, status_code=404)
        assert (await bench.ping()).json()["status"] == "ready"
        assert (await bench.ask()).status_code == 200
        bench.server.model = "another"
        status, code, _, message = error_of(await bench.ask(seed=8))
        assert (status, code) == (500, "broken")
        assert "Model mismatch" in message

    run(test)


def test_an_out_of_memory_that_leaves_the_job_in_progress_is_given_up(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.server.hold = True
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (500, "engine_failed")
        assert "in progress for 0.05 s without progress" in message
        assert "patience_seconds of [engines.wan]" in message
        await bench.until(lambda: len(bench.server.deleted) == 1)
        # Asked again once the server was restarted, it is made.
        bench.server.hold = False
        bench.server.restart()
        assert (await bench.ask()).status_code == 200
        assert len(bench.server.orders) == 2

    run(test, patience_seconds=0.05)


def test_progress_is_no_standstill(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.server.hold = True
        answer = asyncio.create_task(bench.ask())
        await bench.until(lambda: bool(bench.server.jobs))
        [job] = bench.server.jobs.values()
        for _ in range(10):
            await asyncio.sleep(0.12)
            job["progress"] += 1
        bench.server.hold = False
        assert (await answer).status_code == 200

    run(test, patience_seconds=1)


def test_a_reported_out_of_memory_is_one(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.server.fail = {"code": 500, "message": "CUDA out of memory. Tried to allocate 20.00 GiB"}
        assert error_of(await bench.ask())[:2] == (507, "out_of_memory")
        bench.server.fail = {"code": 500, "message": "torch.OutOfMemoryError: tried to allocate 20 GiB"}
        assert error_of(await bench.ask())[:2] == (507, "out_of_memory")
        bench.server.fail = {"code": 400, "message": "num_frames must be 4N+1"}
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (400, "invalid_request")
        assert "num_frames must be 4N+1" in message
        bench.server.fail = None
        assert (await bench.ask()).status_code == 200, "a failed job is not remembered"

    run(test)


def test_a_job_that_a_restart_lost_is_asked_for_once_more(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.server.restarts = 1
        assert (await bench.ask()).status_code == 200
        assert len(bench.server.orders) == 2
        bench.server.restarts = 9
        status, code, _, message = error_of(await bench.ask(seed=8))
        assert (status, code) == (500, "engine_failed")
        assert "lost the clip 2 times" in message
        assert len(bench.server.orders) == 4

    run(test)


def test_a_server_that_is_away_for_a_moment_is_waited_for(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.line.cut = ["GET", "GET", "POST"]
        assert (await bench.ask()).status_code == 200
        assert len(bench.server.orders) == 1

    run(test, down_seconds=10)


def test_a_server_that_stays_away_is_reported_with_the_remedy(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.line.cut = ["GET"] * 10_000
        ping = await bench.ping()
        assert (ping.status_code, ping.json()["status"]) == (503, "starting")
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (500, "engine_failed")
        assert "http://videos:8000 can't be reached: connection refused; tried for 0.1 s" in message
        assert "Start the server, or correct videos_url of [engines.wan]" in message
        ping = await bench.ping()
        assert ping.json()["status"] == "failed"
        assert "videos_url" in ping.json()["reason"]
        bench.line.cut = []
        assert (await bench.ping()).json()["status"] == "ready"

    run(test, down_seconds=0.1)


def test_a_busy_server_is_asked_again(run: Run) -> None:
    async def test(bench: Bench) -> None:
        busy = JSONResponse({"error": {"message": "queue is full"}}, status_code=429)
        bench.server.answers["POST /v1/videos"] = busy
        answer = asyncio.create_task(bench.ask())
        await bench.until(lambda: bench.line.calls.count("POST /v1/videos") > 2)
        bench.server.answers.clear()
        assert (await answer).status_code == 200

    run(test, down_seconds=10)


def test_a_lost_answer_starts_no_second_job(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.server.lose_answers = 1
        assert (await bench.ask()).status_code == 200
        assert len(bench.server.orders) == 1, "it was found in the list"

    run(test)


def test_without_a_list_that_says_so_a_lost_answer_is_asked_again_with_the_same_idempotency_key(
    run: Run,
) -> None:
    async def test(bench: Bench) -> None:
        bench.server.lose_answers = 1
        assert (await bench.ask()).status_code == 200
        keys = [headers["idempotency-key"] for headers in bench.server.headers]
        assert len(keys) == 2
        assert len(set(keys)) == 1

    run(test, VideosServer(kind="sglang"), kind=Kind.SGLANG)


def test_the_same_request_again_picks_up_its_job(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.server.hold = True
        answer = asyncio.create_task(bench.ask())
        await bench.until(lambda: bench.line.calls.count("GET /v1/models") > 0 and bool(bench.server.jobs))
        bench.line.cut = ["GET"] * 10_000
        assert error_of(await answer)[1] == "engine_failed"
        bench.line.cut = []
        bench.server.hold = False
        assert (await bench.ask()).status_code == 200
        # Its answer may be lost, too.
        assert (await bench.ask()).status_code == 200
        assert len(bench.server.orders) == 1
        assert (await bench.ask(seed=8)).status_code == 200
        assert len(bench.server.orders) == 2

    run(test, down_seconds=0.05)


def test_a_client_that_goes_away_while_its_job_starts_leaves_none_behind() -> None:
    server = VideosServer()

    async def test() -> None:
        line = Line(server)
        relay = Relay(
            Videos("http://videos", transport=line), Target(name="wan", kind=Kind.VLLM_OMNI, model=WAN)
        )
        body = json.dumps(document("clip_request.text")).encode()
        rendering = asyncio.create_task(relay.render(body))
        line.late = "POST"
        while not server.jobs:
            await asyncio.sleep(0)
        rendering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rendering
        await relay.close()

    asyncio.run(test())
    assert len(server.orders) == len(server.deleted) == 1


def test_jobs_are_deleted_on_the_server_when_they_are_forgotten(run: Run) -> None:
    server = VideosServer()

    async def test(bench: Bench) -> None:
        for seed in range(6):
            assert (await bench.ask(seed=seed)).status_code == 200
        await bench.until(lambda: len(server.deleted) == 2)

    run(test, server)
    assert len(server.deleted) == 6, "and the rest when the relay stops"
    assert server.jobs == {}


@pytest.mark.parametrize(
    ("route", "answer"),
    [
        ("POST /v1/videos", PlainTextResponse("<html>hello</html>")),
        ("POST /v1/videos", JSONResponse({"id": "../../secrets", "status": "queued"})),
        ("POST /v1/videos", JSONResponse([1])),
        ("POST /v1/videos", JSONResponse({"detail": "boom"}, status_code=500)),
        ("GET /v1/videos/{id}", JSONResponse({"id": 7})),
        ("GET /v1/videos/{id}", Response(b"\xff\xfe")),
        ("GET /v1/videos/{id}", JSONResponse({"id": "a", "status": "cancelled"})),
        ("GET /v1/models", JSONResponse({"data": "none"})),
    ],
)
def test_nonsense_is_a_failure(run: Run, route: str, answer: Response) -> None:
    async def test(bench: Bench) -> None:
        bench.server.answers[route] = answer
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (500, "engine_failed")
        assert message

    run(test)


@pytest.mark.parametrize(
    ("gives", "content", "said"),
    [
        ({"width": 64}, None, "the size of the server of engine wan's video must be 96x64; got 64x64"),
        ({"length": 16}, None, "the length .* must be 17; got 16 frames"),
        ({"fps": 16}, None, "the rate .* must be 8; got 16"),
        ({}, b"", "must be MP4"),
        ({}, b"\0\0\0\x18ftypmp42 and no video", "can't be decoded"),
    ],
)
def test_a_wrong_video_is_reported(run: Run, gives: Document, content: bytes | None, said: str) -> None:
    async def test(bench: Bench) -> None:
        bench.server.gives, bench.server.content = gives, content
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (500, "broken")
        with pytest.raises(AssertionError, match=said):
            raise AssertionError(message)
        assert "docs/relay.md" in message or not gives
        # What is wrong is not kept for the next try.
        await bench.until(lambda: len(bench.server.deleted) == 1)
        bench.server.gives, bench.server.content = {}, None
        assert (await bench.ask()).status_code == 200

    run(test)


def test_a_server_without_videos_is_reported(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.server.answers["POST /v1/videos"] = JSONResponse({"detail": "Not Found"}, status_code=404)
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (500, "broken")
        assert "has no POST /v1/videos" in message

    run(test)


# --- keys


def test_a_key_is_sent_but_not_to_another_host_and_not_logged(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "key"
    file.write_text("sk-of-a-file\n")

    async def test(bench: Bench) -> None:
        assert (await bench.ask()).status_code == 200
        assert bench.server.authorized_downloads == [None]
        file.write_text("another\n")
        status, code, _, message = error_of(await bench.ask(seed=8))
        assert (status, code) == (500, "broken")
        assert "does not accept the key" in message
        bench.server.key = "another"
        assert (await bench.ask(seed=8)).status_code == 200
        file.write_text("sk-ü\n")
        assert "characters that an HTTP header can't have" in error_of(await bench.ask())[3]
        file.unlink()
        assert "key's file can't be read" in error_of(await bench.ask())[3]
        bench.server.key = "sk-of-a-file"

    run(test, VideosServer(key="sk-of-a-file", redirects=True), key_file=file)
    run(lambda bench: _rendered(bench), VideosServer(key="sk-1"), key="sk-1")
    assert "sk-" not in caplog.text
    assert not any("sk-" in str(record.__dict__) for record in caplog.records if record.name != "asyncio")


async def _rendered(bench: Bench) -> None:
    assert (await bench.ask()).status_code == 200


# --- time


def test_a_clip_takes_no_longer_than_it_may(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.server.hold = True
        assert "did not finish the clip within 0.1 s" in error_of(await bench.ask())[3]
        await bench.until(lambda: len(bench.server.deleted) == 1)

    run(test, seconds=0.1)


@pytest.mark.parametrize(("path", "known"), [("/v1/models", 0), ("video_gen_", 1), ("/content", 1)])
def test_answers_that_come_byte_by_byte_are_given_up(
    run: Run, monkeypatch: pytest.MonkeyPatch, path: str, known: int
) -> None:
    monkeypatch.setattr(client_module, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(client_module, "DOWNLOAD_SECONDS", 0.3)

    async def test(bench: Bench) -> None:
        bench.line.drips = path
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (500, "engine_failed")
        assert "within 0.3 s" in message
        assert len(bench.server.jobs) == known, "it is kept, as what it makes may still be fetched"
        bench.line.drips = None
        assert (await bench.ask()).status_code == 200
        assert len(bench.server.orders) == 1

    run(test, down_seconds=0.1)


def test_one_clip_at_a_time(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.server.hold = True
        first = asyncio.create_task(bench.ask())
        await bench.until(lambda: bool(bench.server.jobs))
        assert error_of(await bench.ask(seed=8))[:2] == (503, "busy")
        async with asyncio.timeout(30):
            while "in progress at" not in str((ping := (await bench.ping()).json())["reason"]):
                await asyncio.sleep(0.005)
        assert ping["status"] == "busy"
        bench.server.hold = False
        assert (await first).status_code == 200

    run(test)


def test_options_come_from_the_command_line_or_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    options = parse(["--model", WAN, "--extra", '{"flow_shift": 5}', "--start", "vllm serve 'a b'", "serve"])
    assert (options.url, options.kind, options.extra) == (
        "http://127.0.0.1:8000",
        Kind.VLLM_OMNI,
        {"flow_shift": 5},
    )
    assert options.start == ["vllm", "serve", "a b"]
    monkeypatch.setenv("RELAY_MODEL", "m")
    monkeypatch.setenv("RELAY_KIND", "sglang")
    monkeypatch.setenv("RELAY_PATIENCE", "7")
    options = parse([])
    assert (options.model, options.kind, options.patience) == ("m", Kind.SGLANG, 7)
    monkeypatch.delenv("RELAY_MODEL")
    for wrong in (["--model", "m", "--extra", "[]"], ["--model", "m", "--kind", "x"], []):
        with pytest.raises(SystemExit):
            parse(wrong)
