"""The relay as the PC's cloud starts it, in front of a server with /v1/videos on a socket."""

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest

from reelworks.cloud.home import Home
from reelworks.cloud.settings import Settings
from reelworks.doctor.relays import relays
from tests.cloud.engine_server import Server, started
from tests.cloud.servers import free_port, serving, wait_until
from tests.contract import document
from tests.videos_server import VideosServer

KEY = "sk-of-the-server"


@contextmanager
def relay(url: str, log: Path, *options: str) -> Iterator[Server]:
    command = ["-m", "containers.relay", "--url", url, "--model", VideosServer.model, "--name", "wan"]
    with started([*command, *options], log, {"RELAY_API_KEY": KEY}) as server:
        yield server


@pytest.fixture
def videos() -> VideosServer:
    return VideosServer(key=KEY)


def test_clips_with_sound_and_images(videos: VideosServer, tmp_path: Path) -> None:
    with serving(videos.app) as url, relay(url, tmp_path / "log", "--sound") as server:
        assert server.ping().json()["status"] == "ready"
        assert b"mp4a" in server.clip(document("clip_request.text"))
        assert server.clip(document("clip_request.image"))[4:8] == b"ftyp"
        events = [line["event"] for line in server.log_lines()]
        assert events[-1] == "clip rendered"
        assert not any("HTTP Request" in event for event in events)
    assert KEY not in (tmp_path / "log").read_text()
    assert videos.jobs == {}, "its jobs are deleted when it stops"


def test_a_disconnecting_client_cancels_its_clip(videos: VideosServer, tmp_path: Path) -> None:
    videos.hold = True
    with serving(videos.app) as url, relay(url, tmp_path / "log") as server:
        with closing(HTTPConnection(server.url.removeprefix("http://"))) as connection:
            body = json.dumps(document("clip_request.text"))
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            wait_until(lambda: bool(videos.jobs))
        wait_until(lambda: len(videos.deleted) == 1)
        videos.hold = False
        assert server.clip(document("clip_request.text"))


def test_a_stopped_relay_cancels_its_clip(videos: VideosServer, tmp_path: Path) -> None:
    videos.hold = True
    with serving(videos.app) as url, relay(url, tmp_path / "log") as server:
        answers: list[httpx.Response] = []
        client = threading.Thread(target=lambda: answers.append(server.invoke(document("clip_request.text"))))
        client.start()
        wait_until(lambda: bool(videos.jobs))
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(60) in (0, -signal.SIGTERM)
        client.join(60)
        assert [answer.json()["error"]["code"] for answer in answers] == ["not_ready"]
        assert len(videos.deleted) == 1


def test_a_server_of_the_relay_s_own_is_restarted_if_a_job_hangs_and_ends_with_the_relay(
    tmp_path: Path,
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    state = tmp_path / "held"  # a server that starts while it is there lets jobs hang
    state.touch()
    start = f"{sys.executable} -m tests.videos_server {port} {state}"
    with relay(url, tmp_path / "log", "--start", start, "--patience", "1", "--down", "60") as server:
        answers: list[httpx.Response] = []
        client = threading.Thread(target=lambda: answers.append(server.invoke(document("clip_request.text"))))
        client.start()
        wait_until(lambda: "job started" in [line["event"] for line in server.log_lines()])
        state.unlink()
        client.join(60)
        [hung] = answers
        assert hung.status_code == 500
        assert "It was restarted" in hung.json()["error"]["message"]
        assert server.clip(document("clip_request.text"))
        pids = [line["pid"] for line in server.log_lines() if line["event"] == "server started"]
        assert len(set(pids)) == 2
        os.kill(pids[-1], signal.SIGKILL)
        server.until("failed")
        assert "exited with code -9" in server.ping().json()["reason"]
    with pytest.raises(ProcessLookupError):
        os.kill(pids[-1], 0)


def test_the_doctor_looks_at_the_server_itself(videos: VideosServer, tmp_path: Path) -> None:
    home = Home(tmp_path)
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n")
    with serving(videos.app) as url:

        def found(model: str = VideosServer.model, address: str = url) -> tuple[bool, str, str]:
            home.settings.write_text(
                f'[engines.wan]\nvideos_url = "{address}"\nmodel = "{model}"\nsizes = ["96x64"]\nfps = [8]\n'
                f'api_key_file = "{key}"\n'
            )
            [finding] = relays(Settings.load(home, {}))
            assert finding.what == "Engine wan"
            return finding.ok, finding.found, finding.todo

        assert found() == (True, f"{VideosServer.model} at {url}", "")
        ok, said, todo = found("Wan-AI/another")
        assert (ok, todo) == (False, "set model of [engines.wan] to one of these")
        assert said == f"the server at {url} serves {VideosServer.model}"
        key.write_text("another\n")
        ok, said, _ = found()
        assert not ok
        assert "does not accept the key" in said
        ok, said, todo = found(address=f"http://127.0.0.1:{free_port()}")
        assert not ok
        assert "start the server, or correct videos_url" in todo
