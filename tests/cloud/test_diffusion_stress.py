"""The server under stress, over real connections: with a scripted engine, and with a real one."""

import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from containers.serving.app import MAX_BODY_BYTES
from tests.cloud.engine_server import Document, Server, running, scripted
from tests.cloud.servers import answers as is_there
from tests.cloud.servers import wait_until
from tests.contract import document
from tests.tiny_checkpoint import make_tiny_checkpoint

STEPS = {"do": "steps", "steps": 100_000}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with scripted(tmp_path) as server:
        server.until("ready")
        yield server


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_checkpoint(tmp_path_factory.mktemp("models") / "cogvideox-nano")


@pytest.fixture(scope="module")
def model_server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(model, tmp_path_factory.mktemp("logs") / "log") as server:
        server.until("ready")
        yield server


def in_background(server: Server, request: Document) -> "tuple[threading.Thread, list[httpx.Response]]":
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(server.invoke(request)))
    thread.start()
    server.until("busy")
    return thread, answers


def send(server: Server, request: Document) -> socket.socket:
    """Return a connection that has sent a request and has read nothing."""
    body = json.dumps(request).encode()
    url = httpx.URL(server.url)
    connection = socket.create_connection((url.host, url.port))
    head = f"POST /invocations HTTP/1.1\r\nHost: engine\r\nContent-Length: {len(body)}\r\n"
    connection.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
    return connection


def test_a_clip_whose_client_disconnected_ends_immediately(server: Server, tmp_path: Path) -> None:
    connection = send(server, STEPS)
    server.until("busy")
    connection.close()
    server.until("ready")
    steps = int((tmp_path / "steps").read_text())
    assert steps < STEPS["steps"]
    assert server.invoke({"do": "clip"}).status_code == 200
    assert int((tmp_path / "steps").read_text()) == steps
    events = [line["event"] for line in server.log_lines()]
    assert events.index("client gone") < events.index("clip refused")


def test_a_stopped_server_finishes_its_clip(server: Server, tmp_path: Path) -> None:
    rendering, answers = in_background(server, {"do": "wait"})
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not is_there(f"{server.url}/ping"))
    (tmp_path / "go").touch()
    rendering.join()
    assert answers[0].status_code == 200
    assert server.process.wait(60) == -signal.SIGTERM


@pytest.mark.parametrize("what", ["steps", "hang"])
def test_a_stopped_server_cancels_a_clip_after_its_grace_period(tmp_path: Path, what: str) -> None:
    with scripted(tmp_path, grace=1) as server:
        server.until("ready")
        rendering, answers = in_background(server, {"do": what, "steps": 100_000})
        engine = server.engine_pid()
        server.process.send_signal(signal.SIGTERM)
        rendering.join()
        assert answers[0].status_code == 503
        assert answers[0].json()["error"] == {
            "code": "not_ready",
            "param": None,
            "message": "the server is stopping",
        }
        assert server.process.wait(60) == -signal.SIGTERM
        assert not Path(f"/proc/{engine}").exists()


def test_a_server_can_be_stopped_while_loading(tmp_path: Path) -> None:
    (tmp_path / "loading").write_text("hang")
    with scripted(tmp_path) as server:
        wait_until(lambda: (tmp_path / "pid").exists())
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == -signal.SIGTERM


@pytest.mark.parametrize("doing", ["steps", "hang"])
def test_an_engine_does_not_outlive_a_killed_server(server: Server, doing: str) -> None:
    connection = send(server, {"do": doing, "steps": 100_000})
    server.until("busy")
    engine = server.engine_pid()
    server.process.kill()
    # Its new parent may be slow to collect its exit code: a zombie counts as ended.
    wait_until(lambda: _state(engine) in ("", "Z"))
    connection.close()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def test_bodies_over_the_limit_are_rejected(server: Server) -> None:
    answer = httpx.post(
        f"{server.url}/invocations",
        content=b" " * (MAX_BODY_BYTES + 1),
        headers={"Content-Type": "application/json"},
        timeout=60,
        trust_env=False,
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "invalid_request")


def test_a_large_request_to_a_busy_server_gets_busy(server: Server) -> None:
    connection = send(server, STEPS)
    server.until("busy")
    image = "A" * (MAX_BODY_BYTES // 2)
    refused = server.invoke({"do": "clip", "image": image})
    assert (refused.status_code, refused.json()) == (503, document("error.busy"))
    connection.close()


def test_a_client_that_reads_nothing_blocks_nobody(server: Server) -> None:
    # Larger than a connection's buffers.
    slow = send(server, {"do": "clip", "image": "A" * 16_000_000})
    slow.settimeout(60)
    slow.recv(1, socket.MSG_PEEK)  # its response has arrived and is unread
    assert server.invoke({"do": "clip"}).status_code == 200
    assert server.ping().json()["status"] == "ready"
    slow.close()


def test_one_of_twenty_concurrent_requests_is_rendered(model_server: Server) -> None:
    request = document("clip_request.text") | {"frames": 9, "steps": 20}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(model_server.invoke, [request] * 20))
    codes = [answer.status_code for answer in answers]
    assert sorted(codes) == [200] + [503] * 19
    assert all(answer.json() == document("error.busy") for answer in answers if answer.status_code == 503)


def test_a_cancelled_clip_s_leftovers_change_no_other_clip(model_server: Server) -> None:
    request = document("clip_request.text") | {"frames": 9, "steps": 4}
    clip = model_server.clip(request)
    connection = send(model_server, request | {"steps": 200, "frames": 49})
    model_server.until("busy")
    connection.close()
    model_server.until("ready")
    assert [line["event"] for line in model_server.log_lines()][-1] == "clip refused"
    assert model_server.clip(request) == clip


def test_a_killed_engine_is_reported_and_its_successor_renders_the_same_clips(model_server: Server) -> None:
    request = document("clip_request.text") | {"frames": 9}
    clip = model_server.clip(request)
    rendering, answers = in_background(model_server, request | {"steps": 200, "frames": 49})
    os.kill(model_server.engine_pid(), signal.SIGKILL)
    rendering.join()
    assert answers[0].status_code == 500
    assert answers[0].json()["error"]["code"] == "engine_failed"
    assert "SIGKILL" in answers[0].json()["error"]["message"]
    model_server.until("ready", "failed")
    (lost,) = [line for line in model_server.log_lines() if line["event"] == "engine lost"]
    assert "SIGKILL" in lost["reason"]
    assert model_server.clip(request) == clip


def test_a_stopped_server_cancels_its_clip_between_two_steps(model: Path, tmp_path: Path) -> None:
    with running(model, tmp_path / "log", grace=1) as server:
        server.until("ready")
        long = document("clip_request.text") | {"frames": 49, "steps": 200}
        rendering, answers = in_background(server, long)
        server.process.send_signal(signal.SIGTERM)
        rendering.join()
        assert answers[0].json()["error"]["code"] == "not_ready"
        # By the signal, not by a crash of the engine.
        assert server.process.wait(30) == -signal.SIGTERM
