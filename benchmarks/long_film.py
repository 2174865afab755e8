"""Measure the longest film on a PC's cloud from start to end: 1,000 clips.

    python -m benchmarks.long_film [--clips 1000] [--engine cogvideox-nano] [--kill] [--home FOLDER] [--json]

Starts a cloud of its own (in a temporary home, on a free port), has one film made of as many clips as given,
and decodes the delivered film. With --kill, the cloud is killed (SIGKILL) when half of the clips are made and
started again: the film must be finished with the clips that it had.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import av

from benchmarks.pc import Home, aws, run, watched
from lambdas.domain.engines import CATALOGUE
from reelworks.client import Client, Video

POLL_SECONDS = 10
# The smallest film, and the fewest steps: what is measured is the pipeline, not the engine.
FILM = {"prompt": "A small red circle moves to the right over a black background", "size": "256x256"}
FPS = 8
MEMORY_GOAL = 2e9
LARGEST_ANSWER = 6e6  # bytes: what Lambda returns to API Gateway


@dataclass
class Measured:
    engine: str
    clips: int
    cpus: int = os.cpu_count() or 1
    rendering_seconds: float = 0.0  # from the create until the last clip was made, downtime included
    film_seconds: float = 0.0  # until the film was completed
    killed_after_clips: int = 0
    reused_clips: int = 0
    attempts: int = 0
    answer_bytes: int = 0  # of GET /videos/{id}, when the film is completed
    manifest_bytes: int = 0
    input_bytes: int = 0  # of the largest state input of the execution
    tasks: int = 0  # calls of the last attempt's steps
    failed_tasks: int = 0  # of them
    film_bytes: int = 0
    frames: int = 0  # decoded from the film
    expected_frames: int = 0
    processes: int = 0
    memory_bytes: float = 0.0


def measure(home: Home, engine: str, clips: int, *, kill: bool) -> Measured:
    measured = Measured(engine, clips)
    cloud = home.reel("up")
    seconds = clips * CATALOGUE[engine].longest_clip
    measured.expected_frames = seconds * FPS
    steps = {} if CATALOGUE[engine].draft else {"steps": 1}
    with watched(home) as peak, Client(cloud["base_url"], cloud["api_key"]) as client:
        began = time.monotonic()
        id_ = client.submit(
            FILM["prompt"], model=engine, seconds=seconds, size=FILM["size"], fps=FPS, seed=1, **steps
        ).id
        if kill:
            measured.killed_after_clips = _await(client, id_, lambda made: made >= clips // 2)
            os.kill(home.pid(), signal.SIGKILL)
            cloud = home.reel("up")
        _await(client, id_, lambda made: made == clips)
        measured.rendering_seconds = time.monotonic() - began
        video = _await_end(client, id_)
        measured.film_seconds = time.monotonic() - began
        _look_at_film(client, home, id_, measured)
    measured.processes, measured.memory_bytes = peak.processes, peak.memory_bytes
    measured.attempts = video.attempt
    measured.reused_clips = sum(clip.reused for clip in video.clips)
    measured.answer_bytes = len(json.dumps(video.to_dict()))
    _look_at_execution(cloud, measured)
    return measured


def _await(client: Client, id_: str, reached: Any) -> int:
    """Return the number of clips made when it has been reached."""
    while True:
        video = client.status(id_)
        made = sum(clip.state == "done" for clip in video.clips)
        print(f"{time.strftime('%H:%M:%S')} {video.stage}: {made} clips", file=sys.stderr, flush=True)
        if reached(made):
            return made
        if video.status == "failed":
            raise SystemExit(f"The film failed: {video.error}")
        time.sleep(POLL_SECONDS)


def _await_end(client: Client, id_: str) -> Video:
    while (video := client.status(id_)).status not in ("completed", "failed"):
        time.sleep(POLL_SECONDS)
    if video.status == "failed":
        raise SystemExit(f"The film failed: {video.error}")
    return video


def _look_at_film(client: Client, home: Home, id_: str, measured: Measured) -> None:
    film, manifest = home.folder / "film.mp4", home.folder / "manifest.json"
    client.download(id_, film)
    client.download(id_, manifest, variant="manifest")
    measured.film_bytes, measured.manifest_bytes = film.stat().st_size, manifest.stat().st_size
    with av.open(str(film)) as container:
        measured.frames = sum(1 for _ in container.decode(video=0))


def _look_at_execution(cloud: dict[str, Any], measured: Measured) -> None:
    """Count the calls of the last attempt's tasks and measure its states' inputs.

    A PC's history has fewer events than AWS's, which tests/unit/test_history.py computes.
    """
    states = aws(cloud, "stepfunctions")
    [machine] = states.list_state_machines()["stateMachines"]
    executions = states.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]
    last = max(executions, key=lambda one: one["startDate"])["executionArn"]
    events: Counter[str] = Counter()
    for page in states.get_paginator("get_execution_history").paginate(executionArn=last):
        for event in page["events"]:
            events[event["type"]] += 1
            entered = event.get("stateEnteredEventDetails", {}).get("input", "")
            measured.input_bytes = max(measured.input_bytes, len(entered))
    measured.tasks, measured.failed_tasks = events["TaskScheduled"], events["TaskFailed"]


def document(measured: Measured) -> dict[str, Any]:
    """Return the measurements and the targets."""
    targets = {
        "every frame is in the film": measured.frames == measured.expected_frames,
        "memory": measured.memory_bytes <= MEMORY_GOAL,
        "the answer about the video fits": measured.answer_bytes <= LARGEST_ANSWER,
        "a state's input fits": measured.input_bytes <= 256 * 1024,
        "clips made before the kill are kept": measured.reused_clips >= measured.killed_after_clips,
    }
    return {**asdict(measured), "targets": targets}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--engine", choices=["cogvideox-nano", "animatic"], default="cogvideox-nano")
    parser.add_argument("--kill", action="store_true", help="kill the cloud when half of the clips are made")
    run(
        parser,
        lambda home, given: document(measure(home, given.engine, given.clips, kill=given.kill)),
    )


if __name__ == "__main__":
    main()
