"""A killed cloud or function loses no video and makes nothing twice."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cloud.servers import wait_until
from tests.films.conftest import Cloud
from tests.films.looking import look_at
from tests.films.requests import Api, board, finish, wait_for


def test_a_kill_in_the_middle_loses_no_video_and_no_finished_clip(cloud: Cloud, tmp_path: Path) -> None:
    client = cloud.client()
    base_url = cloud.status["base_url"]
    videos = [
        client.submit(f"A river in spring, take {take}", seconds="13", size="640x360", fps=12).id
        for take in range(2)
    ]
    wait_for(client, videos[0], lambda v: any(clip["state"] == "done" for clip in v.get("clips") or []))
    os.kill(cloud.pid(), signal.SIGKILL)
    wait_until(lambda: cloud.reel("status").stdout.strip() == "down")
    cloud.reel("up")
    assert cloud.status["base_url"] == base_url, "clients go on with the address they have"
    for video_id in videos:
        finish(client, video_id)
        client.download(video_id, tmp_path / "film.mp4")
        film = look_at(tmp_path / "film.mp4")
        assert len(film.frames) == 13 * 12
        assert film.duration == 13
    assert any(clip.reused for clip in client.status(videos[0]).clips), "clips made before the kill are kept"


def test_a_kill_loses_no_request_no_review_and_no_cancellation(cloud: Cloud) -> None:
    client = cloud.client()
    reviewed = Api(cloud, "patients")
    waiting = reviewed.create(storyboard=board("bee"), review=["storyboard"])
    reviewed.waits(waiting, "storyboard")
    cancelled = client.submit("A long walk", seconds="60", size="640x360").id
    wait_for(client, cancelled, lambda v: v["stage"] == "rendering")
    answer = client.cancel(cancelled)
    assert answer.status == "failed"
    assert answer.error
    assert answer.error.code == "cancelled"
    accepted = client.submit("A door opens", seconds="1", size="320x180").id
    os.kill(cloud.pid(), signal.SIGKILL)  # right after the answer
    cloud.reel("up")
    finish(client, accepted)
    assert reviewed.waits(waiting, "storyboard")["attempt"] == 2
    reviewed.call("POST", f"/{waiting}/approve")
    finish(reviewed.client, waiting)
    assert client.status(cancelled).stage == "cancelled", "it stays so while upkeep resumes the others"


@pytest.mark.parametrize("function", ["DrawClip", "Narrate", "Assemble"])
def test_a_killed_function_is_tried_again_at_once(cloud: Cloud, function: str) -> None:
    """A state that waits for a token would otherwise wait for fifteen minutes."""
    client = cloud.client()
    parts = board(f"fox that {function} met", f"owl that {function} met")  # nothing is made already
    video = client.submit(storyboard=parts, size="640x360", fps=12).id
    killed = kill_once(cloud, function, until=lambda: client.status(video).status in ("completed", "failed"))
    assert killed, f"{function} was never seen at work"
    finish(client, video, seconds=120)


def kill_once(cloud: Cloud, function: str, until: Callable[[], bool]) -> bool:
    """Kill the function's process as soon as the cloud reports that it works."""
    while not until():  # which is asked seldom: it takes longer than some functions work
        for _ in range(50):
            report = functions(cloud)
            for name in report["running"]:
                if name.endswith(f"-{function}") and (pids := report["pids"].get(name)):
                    for pid in pids:
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                    return True
            time.sleep(0.02)
    return False


def functions(cloud: Cloud) -> dict[str, Any]:
    report: dict[str, Any] = httpx.get(f"{cloud.status['aws_endpoint_url']}/_reelworks", timeout=30).json()
    return dict(report["functions"])
