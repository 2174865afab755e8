"""Measure a PC's cloud under many creates at once, from outside.

    python -m benchmarks.load [--creates 200] [--minutes 60] [--home FOLDER] [--json]

Starts a cloud of its own (in a temporary home, on a free port), sends all creates of one tenant at once, and
meanwhile has another tenant list its videos every 0.2 s and make a small film. Measures the processes and
their memory with psutil, the answers' times as the clients see them, and the state of `reel status`.

Memory is what the processes hold by themselves (USS), plus what they share, counted once for the largest:
adding their resident sizes would count shared libraries for each.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import boto3
import httpx
import psutil

from reelworks.cloud.credentials import read_credentials

ROOT = Path(__file__).parents[1]
POLL_SECONDS = 0.2
SAMPLE_SECONDS = 0.5
FILM = {"prompt": "A lighthouse in fog", "model": "animatic", "size": "320x180", "fps": 12, "seconds": "1"}
MEMORY_GOAL = 2e9
ANSWER_GOAL = 1.0


@dataclass
class Measured:
    creates: int
    cpus: int = os.cpu_count() or 1
    create_seconds: list[float] = field(default_factory=list)
    read_seconds: list[float] = field(default_factory=list)
    wrong_key_seconds: list[float] = field(default_factory=list)
    wrong_key_processes: int = 0
    other_film_seconds: float = 0.0
    all_films_seconds: float = 0.0
    films: dict[str, int] = field(default_factory=dict)  # by status; "open" when the minutes were over
    failures: dict[str, int] = field(default_factory=dict)  # by code
    answers: dict[str, int] = field(default_factory=dict)  # by HTTP status
    timeouts: int = 0  # functions that ran out of time
    processes: int = 0  # the most at once, with the cloud's own and the voice
    memory_bytes: float = 0.0  # the most at once
    states: dict[str, int] = field(default_factory=dict)  # what `reel status` said


class Home:
    """`reel` with a home folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def reel(self, *arguments: str) -> Any:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REELWORKS_")}
        result = subprocess.run(
            [sys.executable, "-m", "reelworks", *arguments, "--json"],
            cwd=self.folder,
            env={**environment, "REELWORKS_HOME": str(self.folder), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            check=True,
        )
        return json.loads(result.stdout)


def measure(home: Home, creates: int, minutes: float) -> Measured:
    cloud = home.reel("up")
    measured = Measured(creates)
    keys = [home.reel("keys", "create", tenant)["api_key"] for tenant in ("many", "other")]
    ended = threading.Event()
    with ThreadPoolExecutor(4) as watchers:
        watching = [
            watchers.submit(_watch_processes, home, measured, ended),
            watchers.submit(_watch_status, home, measured, ended),
            watchers.submit(_watch_answers, cloud["base_url"], keys[1], measured, ended),
        ]
        try:
            _wrong_keys(home, cloud["base_url"], measured)
            began = time.monotonic()
            ids = _create_all(cloud["base_url"], keys[0], creates, measured)
            # The cloud is busiest now: the other tenant's film begins behind all of the first's.
            measured.other_film_seconds = _make(cloud["base_url"], keys[1])
            _await_all(cloud["base_url"], keys[0], ids, measured, until=began + minutes * 60)
            measured.all_films_seconds = time.monotonic() - began
        finally:
            ended.set()
        for task in watching:
            task.result()
    measured.timeouts = _timeouts(cloud)
    return measured


def _client(base_url: str, key: str) -> httpx.Client:
    return httpx.Client(
        base_url=base_url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=300,
        limits=httpx.Limits(max_connections=None),
    )


def _create_all(base_url: str, key: str, creates: int, measured: Measured) -> list[str]:
    with _client(base_url, key) as client, ThreadPoolExecutor(creates) as pool:

        def create(number: int) -> str | None:
            began = time.monotonic()
            answer = client.post("/videos", json={**FILM, "prompt": f"{FILM['prompt']}, take {number}"})
            measured.create_seconds.append(time.monotonic() - began)
            _count(measured.answers, str(answer.status_code))
            return str(answer.json()["id"]) if answer.is_success else None

        return [created for created in pool.map(create, range(creates)) if created]


def _make(base_url: str, key: str) -> float:
    began = time.monotonic()
    with _client(base_url, key) as client:
        video = client.post("/videos", json=FILM).json()
        while video["status"] not in ("completed", "failed"):
            time.sleep(POLL_SECONDS)
            video = client.get(f"/videos/{video['id']}").json()
    if video["status"] == "failed":
        raise SystemExit(f"The other tenant's film failed: {video['error']}")
    return time.monotonic() - began


def _await_all(base_url: str, key: str, ids: list[str], measured: Measured, *, until: float) -> None:
    waiting = list(ids)
    with _client(base_url, key) as client:
        while waiting and time.monotonic() < until:  # one at a time, not to add to the load
            if client.get(f"/videos/{waiting[0]}").json()["status"] in ("completed", "failed"):
                waiting.pop(0)
            else:
                time.sleep(1)
        for video in (client.get(f"/videos/{id_}").json() for id_ in ids):
            _count(measured.films, video["status"] if video["status"] in ("completed", "failed") else "open")
            if video["status"] == "failed":
                _count(measured.failures, str(video["error"]["code"]))


def _wrong_keys(home: Home, base_url: str, measured: Measured) -> None:
    before = _authorizers(home)
    for number in range(50):
        with _client(base_url, f"rk-wrong-{number}") as client:
            began = time.monotonic()
            answer = client.get("/videos")
            measured.wrong_key_seconds.append(time.monotonic() - began)
            if answer.status_code != 401:
                raise SystemExit(f"A wrong key was answered with {answer.status_code}.")
    measured.wrong_key_processes = len(_authorizers(home) - before)


def _authorizers(home: Home) -> set[int]:
    found = set()
    for process in _processes(home):
        with suppress(psutil.Error):
            if "-Authorizer-" in " ".join(process.cmdline()):
                found.add(process.pid)
    return found


def _watch_answers(base_url: str, key: str, measured: Measured, ended: threading.Event) -> None:
    with _client(base_url, key) as client:
        while not ended.wait(POLL_SECONDS):
            began = time.monotonic()
            answer = client.get("/videos?limit=5")
            measured.read_seconds.append(time.monotonic() - began)
            _count(measured.answers, str(answer.status_code))


def _watch_status(home: Home, measured: Measured, ended: threading.Event) -> None:
    while not ended.wait(5):
        _count(measured.states, home.reel("status")["state"])


def _watch_processes(home: Home, measured: Measured, ended: threading.Event) -> None:
    while not ended.wait(SAMPLE_SECONDS):
        own, shared, count = 0, 0, 0
        for process in _processes(home):
            try:
                memory = process.memory_full_info()
            except psutil.Error:
                continue
            own, shared, count = own + memory.uss, max(shared, memory.rss - memory.uss), count + 1
        measured.processes = max(measured.processes, count)
        measured.memory_bytes = max(measured.memory_bytes, own + shared)


def _processes(home: Home) -> list[psutil.Process]:
    """Return the cloud's process and all that it started."""
    try:
        record = json.loads((home.folder / "cloud.json").read_text())
        cloud = psutil.Process(record["pid"])
        return [cloud, *cloud.children(recursive=True)]
    except (OSError, ValueError, psutil.Error):
        return []


def _timeouts(cloud: dict[str, Any]) -> int:
    credentials = read_credentials(Path(cloud["aws_credentials_file"]))
    logs = boto3.client(
        "logs",
        endpoint_url=cloud["aws_endpoint_url"],
        region_name=cloud["region"],
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
    )
    count = 0
    for name, group in cloud["outputs"].items():
        if name.startswith("Function"):
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{group}")
            for page in pages:
                count += sum("Task timed out" in event["message"] for event in page["events"])
    return count


def _count(counts: dict[str, int], key: str) -> None:
    counts[key] = counts.get(key, 0) + 1


def _percentile(seconds: list[float], percent: int) -> float:
    return quantiles(seconds, n=100)[percent - 1] if len(seconds) > 1 else sum(seconds)


def document(measured: Measured) -> dict[str, Any]:
    """Return the measurements and the targets."""
    summary = {
        f"{name}_{word}": round(value, 3)
        for name in ("create_seconds", "read_seconds", "wrong_key_seconds")
        for word, value in (
            ("p50", median(getattr(measured, name))),
            ("p99", _percentile(getattr(measured, name), 99)),
            ("max", max(getattr(measured, name))),
        )
    }
    rest = {name: value for name, value in asdict(measured).items() if not isinstance(value, list)}
    targets = {
        "memory": measured.memory_bytes <= MEMORY_GOAL,
        "reads meanwhile, p99": summary["read_seconds_p99"] < ANSWER_GOAL,
        "no function ran out of time": measured.timeouts == 0,
        "no create and no film failed": not measured.failures
        and measured.answers.keys() == {"200"}
        and sum(measured.films.values()) == measured.creates,
        "another tenant's film waits for none of the first's": measured.other_film_seconds
        < measured.all_films_seconds / 4,
        "50 wrong keys cost no more than the Authorizer's two processes": measured.wrong_key_processes
        <= 2,  # the Authorizer's places
        "never down": set(measured.states) <= {"up"},
    }
    return {**rest, **summary, "targets": targets}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--creates", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60, help="stop waiting for the films after so long")
    parser.add_argument("--home", type=Path, help="folder to use; it is kept (default: a temporary one)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cloud is stopped
    with tempfile.TemporaryDirectory() as temporary:
        home = Home(arguments.home or Path(temporary))
        home.folder.mkdir(exist_ok=True)
        try:
            found = document(measure(home, arguments.creates, arguments.minutes))
        finally:
            home.reel("down")
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        for name, value in found.items():
            print(f"{name}: {value}")
    raise SystemExit(0 if all(found["targets"].values()) else 1)


if __name__ == "__main__":
    main()
