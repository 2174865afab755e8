"""The bridge as the PC's cloud starts it, in front of a ComfyUI server on a socket."""

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
import uvicorn

from reelworks.cloud.backends.clips.server_process import ServerFailed, ServerProcess
from tests.cloud.engine_server import Server, started
from tests.cloud.servers import serving, wait_until
from tests.comfyui_server import ComfyUIServer
from tests.contract import document

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY / "docs" / "comfyui" / "text-to-video.json"
SPEECH = REPOSITORY / "docs" / "comfyui" / "speech-to-video.json"


@contextmanager
def bridge(url: str, log: Path, workflow: Path = SAMPLE) -> Iterator[Server]:
    with started(
        ["-m", "containers.comfyui", "--workflow", str(workflow), "--comfyui", url], log, {}
    ) as server:
        yield server


@pytest.fixture
def comfyui() -> ComfyUIServer:
    return ComfyUIServer()


def test_clips_with_and_without_sound(comfyui: ComfyUIServer, tmp_path: Path) -> None:
    with serving(comfyui.app) as url:
        with bridge(url, tmp_path / "log") as server:
            assert server.ping().json()["status"] == "ready"
            assert server.clip(document("clip_request.text"))[4:8] == b"ftyp"
        with bridge(url, tmp_path / "log2", SPEECH) as server:
            assert b"mp4a" in server.clip(document("clip_request.audio"))
            assert [line["event"] for line in server.log_lines()][-1] == "clip rendered"


def test_a_disconnecting_client_cancels_its_clip(comfyui: ComfyUIServer, tmp_path: Path) -> None:
    comfyui.hold = True
    with serving(comfyui.app) as url, bridge(url, tmp_path / "log") as server:
        with closing(HTTPConnection(server.url.removeprefix("http://"))) as connection:
            body = json.dumps(document("clip_request.text"))
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            wait_until(lambda: bool(comfyui.running))
        wait_until(lambda: not comfyui.running and not comfyui.pending)
        assert comfyui.calls == ["prompt", "cancel"]
        comfyui.hold = False
        assert server.clip(document("clip_request.text"))


def test_a_stopped_bridge_cancels_its_clip(comfyui: ComfyUIServer, tmp_path: Path) -> None:
    comfyui.hold = True
    with serving(comfyui.app) as url, bridge(url, tmp_path / "log") as server:
        answers: list[httpx.Response] = []
        client = threading.Thread(target=lambda: answers.append(server.invoke(document("clip_request.text"))))
        client.start()
        wait_until(lambda: bool(comfyui.running))
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(60) in (0, -signal.SIGTERM)
        client.join(60)
        assert [answer.json()["error"]["code"] for answer in answers] == ["not_ready"]
        assert comfyui.calls == ["prompt", "cancel", "free"]
        wait_until(lambda: not comfyui.running)


def test_a_comfyui_that_dies_during_a_clip_is_reported(comfyui: ComfyUIServer, tmp_path: Path) -> None:
    comfyui.hold = True
    dying = uvicorn.Server(
        uvicorn.Config(
            comfyui.app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=0
        )
    )
    thread = threading.Thread(target=dying.run)
    thread.start()
    wait_until(lambda: dying.started)
    url = f"http://127.0.0.1:{dying.servers[0].sockets[0].getsockname()[1]}"
    with bridge(url, tmp_path / "log") as server:
        answers: list[httpx.Response] = []
        client = threading.Thread(target=lambda: answers.append(server.invoke(document("clip_request.text"))))
        client.start()
        wait_until(lambda: bool(comfyui.running))
        dying.should_exit = True
        thread.join()
        client.join(30)
        (answer,) = answers
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (500, "engine_failed")
        assert f"ComfyUI at {url} can't be reached" in error["message"]
        assert error["message"].endswith(", while rendering a clip")
        ping = server.ping()
        assert (ping.status_code, ping.json()["status"]) == (503, "failed")
        refused = server.invoke(document("clip_request.text"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "not_ready")


async def start(url: str, log: Path) -> ServerProcess:
    """Start it as the PC's cloud does."""
    return await ServerProcess.start(
        (
            *(sys.executable, "-m", "containers.comfyui", "--workflow", str(SAMPLE)),
            *("--comfyui", url, "--socket", "{socket}"),
        ),
        log=log,
        cwd=REPOSITORY,
        env={},
        startup_seconds=60,
    )


def test_without_comfyui_the_error_comes_at_once_with_advice(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1"  # a port where nothing listens
    with pytest.raises(ServerFailed, match=f"ComfyUI at {url} can't be reached: .*; start ComfyUI"):
        asyncio.run(start(url, tmp_path / "log"))


def test_a_comfyui_that_stopped_since_the_last_clip_is_reported_at_once(
    comfyui: ComfyUIServer, tmp_path: Path
) -> None:
    async def test(stack: ExitStack) -> None:
        url = stack.enter_context(serving(comfyui.app))
        server = await start(url, tmp_path / "log")
        try:
            body = json.dumps(document("clip_request.text")).encode()
            headers = {"content-type": "application/json"}
            assert (await server.invoke(body, headers, 60)).status_code == 200
            stack.close()
            with pytest.raises(ServerFailed, match=f"can't serve: ComfyUI at {url} can't be reached"):
                await server.invoke(body, headers, 60)
        finally:
            await server.stop()

    with ExitStack() as stack:
        asyncio.run(test(stack))
