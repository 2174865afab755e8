"""Webhooks end to end: managed and verified by OpenAI's newest client, taken by the receiver in the docs."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI
from standardwebhooks import Webhook

from tests.cloud.servers import answering, free_port, wait_until
from tests.films.conftest import REPOSITORY, Cloud

# OpenAI's client says so of its own service.
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")

EVERYTHING = ["video.completed", "video.failed", "video.review", "clip.completed"]


class Receiver:
    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []  # path, headers, body
        self.refuses = 0  # so many requests more

    def events(self, path: str) -> list[dict[str, Any]]:
        return [json.loads(body) for asked, _, body in self.requests if asked == path]


@pytest.fixture
def receiver() -> Iterator[tuple[str, Receiver]]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.requests.append((self.path, headers, body))
            made.refuses -= 1
            self.send_response(503 if made.refuses >= 0 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with answering(Handler) as url:
        yield url, made


@pytest.fixture(scope="module")
def api(cloud: Cloud) -> Iterator[OpenAI]:
    key = cloud.json("keys", "create", "webhooks")["api_key"]
    with closing(OpenAI(base_url=cloud.status["base_url"], api_key=key)) as client:
        yield client


def test_events_of_a_film_reach_endpoint_and_request(
    api: OpenAI, receiver: tuple[str, Receiver], cloud: Cloud
) -> None:
    url, to = receiver
    endpoint = api.webhooks.create(url=f"{url}/all", name="all", event_types=EVERYTHING)  # type: ignore[arg-type]
    own = api.webhooks.rotate_secret("default")
    tested = api.webhooks.test(endpoint.id, event_type="video.completed")
    assert (tested.status_code, tested.success) == (204, True)
    [sample] = to.events("/all")
    assert sample["type"] == "video.completed"
    to.requests.clear()
    to.refuses = 1
    video = api.videos.create(
        prompt="",
        model="animatic",
        size="320x240",  # type: ignore[arg-type]
        extra_body={"topic": "Kites", "scenes": 1, "narrate": False, "review": "storyboard", "fps": 8}
        | {"webhook_url": f"{url}/one"},
    )
    wait_until(lambda: len({event["id"] for event in to.events("/all")}) >= 1, seconds=120)
    waits = to.events("/all")[0]
    assert (waits["type"], waits["data"]["id"], waits["data"]["gate"]) == (
        "video.review",
        video.id,
        "storyboard",
    )
    api.post(f"/videos/{video.id}/approve", cast_to=object)
    finished = api.videos.poll(video.id)
    assert finished.status == "completed", finished
    clips = len(finished.clips)  # type: ignore[attr-defined]

    def arrived() -> bool:
        ids = {event["id"] for event in to.events("/all")}
        own_ids = {event["id"] for event in to.events("/one")}
        # One was refused once, and came again.
        return len(ids) == clips + 2 and len(own_ids) == 2 and len(to.requests) == clips + 5

    wait_until(arrived, seconds=120)
    assert {event["type"] for event in to.events("/one")} == {"video.review", "video.completed"}
    told = {event["data"]["clip"] for event in to.events("/all") if event["type"] == "clip.completed"}
    assert told == set(range(clips))
    for path, headers, body in to.requests:
        secret = endpoint.signing_secret if path == "/all" else own.signing_secret
        event = OpenAI(api_key="x", webhook_secret=secret).webhooks.unwrap(body, headers)
        assert event.id == headers["webhook-id"]
        assert event.data.id == video.id
        assert Webhook(secret).verify(body, headers)["id"] == event.id

    def log() -> list[dict[str, Any]]:
        found: Any = api.get(f"/webhook_endpoints/{endpoint.id}/deliveries", cast_to=object)
        return list(found["data"])

    wait_until(lambda: {one["state"] for one in log()} == {"delivered"})
    latest, before = log()[0], len(to.requests)
    api.post(f"/webhook_endpoints/{endpoint.id}/deliveries/{latest['id']}/redeliver", cast_to=object)
    wait_until(lambda: len(to.requests) > before)
    assert to.requests[-1][1]["webhook-id"] == latest["event"]["id"]
    api.webhooks.delete(endpoint.id)


def tour(kind: str) -> list[str]:
    """Return the examples of docs/api.md on webhooks, in a language."""
    page = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
    section = re.search(r"^## Webhooks\n(.*?)^## ", page, re.DOTALL | re.MULTILINE)
    assert section
    return re.findall(rf"^```{kind}\n(.*?)^```", section[1], re.DOTALL | re.MULTILINE)


@contextmanager
def running(program: str, secret: str, output: Path) -> Iterator[None]:
    with output.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", program],
            env={"PATH": os.environ["PATH"], "OPENAI_API_KEY": "x", "OPENAI_WEBHOOK_SECRET": secret},
            stdout=written,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def test_the_tour_of_the_docs_runs(api: OpenAI, cloud: Cloud, tmp_path: Path) -> None:
    port, output = str(free_port()), tmp_path / "received.txt"
    [receiver], (rotate, create) = tour("python"), tour("sh")

    def shell(program: str) -> dict[str, Any]:
        program = program.replace("8000", port)
        if "webhook_url" in program:  # a small film
            program = program.replace("-F prompt", "-F model=animatic -F seconds=1 -F size=320x240 -F prompt")
        variables = {"BASE": cloud.status["base_url"], "KEY": api.api_key, "PATH": os.environ["PATH"]}
        done = subprocess.run(
            ["bash", "-ec", program], env=variables, capture_output=True, text=True, check=True
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    with running(receiver.replace("8000", port), shell(rotate)["signing_secret"], output):
        video = shell(create)["id"]
        wait_until(lambda: f"video.completed {video}" in output.read_text(), seconds=120)
