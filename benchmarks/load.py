"""Measure a PC's cloud under many creates of several tenants, from outside.

    python -m benchmarks.load [--tenants 150,25,25] [--engine animatic] [--minutes 60] [--home FOLDER]

Starts a cloud of its own (in a temporary home, on a free port). The first tenant sends all its creates at
once; when they are answered, the others send theirs. Meanwhile the last tenant lists its videos every 0.2 s.
Measures how long each tenant's films wait for their first clip and for their end, the processes and their
memory, the answers' times as the clients see them, and the state of `reel status`.
"""

import argparse
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Any

import httpx

from benchmarks.pc import Home, aws, run, watched

POLL_SECONDS = 0.2
FILMS: dict[str, dict[str, Any]] = {
    "animatic": {"prompt": "A lighthouse in fog", "size": "320x180", "fps": 12, "seconds": "1"},
    # Its clips wait in the engine's queue.
    "cogvideox-nano": {"prompt": "A red circle", "size": "256x256", "fps": 8, "seconds": "1", "steps": 1},
}
MEMORY_GOAL = 2e9
ANSWER_GOAL = 1.0


@dataclass
class Waits:
    """A tenant's films. Seconds count from the create; those of films that are not so far are missing."""

    creates: int
    films: dict[str, int] = field(default_factory=dict)  # by status; "open" when the minutes were over
    first_clip_seconds: list[float] = field(default_factory=list)  # until it started
    completed_seconds: list[float] = field(default_factory=list)


@dataclass
class Measured:
    tenants: list[Waits]
    engine: str
    cpus: int = os.cpu_count() or 1
    create_seconds: list[float] = field(default_factory=list)
    read_seconds: list[float] = field(default_factory=list)
    wrong_key_seconds: list[float] = field(default_factory=list)
    wrong_key_processes: int = 0
    all_films_seconds: float = 0.0
    failures: dict[str, int] = field(default_factory=dict)  # by code
    answers: dict[str, int] = field(default_factory=dict)  # by HTTP status
    timeouts: int = 0  # functions that ran out of time
    processes: int = 0  # the most at once, with the cloud's own and the voice
    memory_bytes: float = 0.0  # the most at once
    states: dict[str, int] = field(default_factory=dict)  # what `reel status` said


def measure(home: Home, engine: str, creates: Sequence[int], minutes: float) -> Measured:
    cloud = home.reel("up")
    measured = Measured([Waits(count) for count in creates], engine)
    keys = [home.reel("keys", "create", f"tenant-{number}")["api_key"] for number in range(len(creates))]
    base_url, ended = cloud["base_url"], threading.Event()
    with watched(home) as peak, ThreadPoolExecutor(4) as watchers:
        watching = [
            watchers.submit(_watch_status, home, measured, ended),
            watchers.submit(_watch_answers, base_url, keys[-1], measured, ended),
        ]
        try:
            _wrong_keys(home, base_url, measured)
            began = time.monotonic()
            film = {"model": engine, **FILMS[engine]}
            sent = [_create_all(base_url, keys[0], film, creates[0], measured)]
            # The cloud is busiest now: the other tenants' films begin behind all of the first's.
            with ThreadPoolExecutor(len(creates)) as others:
                pairs = zip(keys[1:], creates[1:], strict=True)
                later = [others.submit(_create_all, base_url, key, film, n, measured) for key, n in pairs]
                sent += [made.result() for made in later]
            _await_all(base_url, keys, sent, measured, until=began + minutes * 60)
            measured.all_films_seconds = time.monotonic() - began
        finally:
            ended.set()
        for task in watching:
            task.result()
    measured.processes, measured.memory_bytes = peak.processes, peak.memory_bytes
    measured.timeouts = _timeouts(cloud)
    return measured


def _client(base_url: str, key: str) -> httpx.Client:
    return httpx.Client(
        base_url=base_url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=300,
        limits=httpx.Limits(max_connections=None),
    )


def _create_all(
    base_url: str, key: str, film: dict[str, Any], creates: int, measured: Measured
) -> dict[str, float]:
    """Return when each video was sent, in seconds since the epoch."""
    with _client(base_url, key) as client, ThreadPoolExecutor(creates) as pool:

        def create(number: int) -> tuple[str, float] | None:
            sent, began = time.time(), time.monotonic()
            answer = client.post("/videos", json={**film, "prompt": f"{film['prompt']}, take {number}"})
            measured.create_seconds.append(time.monotonic() - began)
            _count(measured.answers, str(answer.status_code))
            return (str(answer.json()["id"]), sent) if answer.is_success else None

        return dict(created for created in pool.map(create, range(creates)) if created)


def _await_all(
    base_url: str, keys: Sequence[str], sent: Sequence[dict[str, float]], measured: Measured, *, until: float
) -> None:
    for key, videos in zip(keys, sent, strict=True):
        waiting = list(videos)
        with _client(base_url, key) as client:
            while waiting and time.monotonic() < until:  # one at a time, not to add to the load
                if client.get(f"/videos/{waiting[0]}").json()["status"] in ("completed", "failed"):
                    waiting.pop(0)
                else:
                    time.sleep(1)
    for key, videos, waits in zip(keys, sent, measured.tenants, strict=True):
        with _client(base_url, key) as client:
            for id_, at in videos.items():
                _note(client.get(f"/videos/{id_}").json(), at, waits, measured)


def _note(video: dict[str, Any], sent: float, waits: Waits, measured: Measured) -> None:
    ended = video["status"] in ("completed", "failed")
    _count(waits.films, video["status"] if ended else "open")
    if video["status"] == "failed":
        _count(measured.failures, str(video["error"]["code"]))
    started = [clip["started_ms"] for clip in video["clips"] if clip["started_ms"]]
    if started:
        waits.first_clip_seconds.append(min(started) / 1000 - sent)
    if video["status"] == "completed":
        waits.completed_seconds.append(video["completed_at"] - sent)  # to the second


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
    pids: dict[str, list[int]] = home.reel("status")["functions"]["pids"]
    return {pid for name, found in pids.items() if name.endswith("-Authorizer") for pid in found}


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


def _timeouts(cloud: dict[str, Any]) -> int:
    logs = aws(cloud, "logs")
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
    if len(seconds) < 2:
        return sum(seconds)
    return quantiles(seconds, n=100, method="inclusive")[percent - 1]


def _summary(seconds: Sequence[float], *percentiles: int) -> dict[str, float]:
    if not seconds:
        return {}
    found = {f"p{percent}": _percentile([*seconds], percent) for percent in percentiles}
    return {name: round(value, 3) for name, value in ({"p50": median(seconds)} | found).items()}


def document(measured: Measured) -> dict[str, Any]:
    """Return the measurements and the targets."""
    answers = {
        name: {**_summary(getattr(measured, name), 99), "max": round(max(getattr(measured, name)), 3)}
        for name in ("create_seconds", "read_seconds", "wrong_key_seconds")
    }
    tenants = [
        {
            "creates": waits.creates,
            "films": waits.films,
            "first_clip_seconds": _summary(waits.first_clip_seconds, 90, 99),
            "completed_seconds": _summary(waits.completed_seconds, 90, 99),
        }
        for waits in measured.tenants
    ]
    rest = {name: value for name, value in asdict(measured).items() if not isinstance(value, list)}
    large, *others = measured.tenants
    # Turn by turn, a small tenant's films wait for as many of each other tenant's, not for all of them.
    fair = all(
        waits.films.get("open", 0) <= large.films.get("open", 0)
        and (
            not large.completed_seconds
            or _percentile(waits.completed_seconds, 90) < _percentile(large.completed_seconds, 90)
        )
        for waits in others
    )
    targets = {
        "memory": measured.memory_bytes <= MEMORY_GOAL,
        "reads meanwhile, p99": answers["read_seconds"]["p99"] < ANSWER_GOAL,
        "no function ran out of time": measured.timeouts == 0,
        "no create and no film failed": not measured.failures and measured.answers.keys() == {"200"},
        "small tenants don't wait for all of the large one's films": fair,
        "50 wrong keys cost no more than the Authorizer's two processes": measured.wrong_key_processes
        <= 2,  # the Authorizer's places
        "never down": set(measured.states) <= {"up"},
    }
    return {**rest, **answers, "tenants": tenants, "targets": targets}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--tenants", default="150,25,25", metavar="N,N,…", help="creates of each tenant, the largest first"
    )
    parser.add_argument("--engine", choices=FILMS, default="animatic")
    parser.add_argument("--minutes", type=float, default=60, help="stop waiting for the films after so long")
    run(parser, _found)


def _found(home: Home, arguments: argparse.Namespace) -> dict[str, Any]:
    creates = [int(count) for count in arguments.tenants.split(",")]
    return document(measure(home, arguments.engine, creates, arguments.minutes))


if __name__ == "__main__":
    main()
