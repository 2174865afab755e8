"""The timeline of one video: its record, the functions' log lines, its executions and clips, dead letters
about it, and what its engine logged meanwhile."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code
from lambdas.adapters.executions import Machine
from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos
from lambdas.domain.engines import CATALOGUE, Renderer
from lambdas.domain.video import Video, execution_name
from lambdas.domain.video_parts import ClipProgress, PartProgress
from reelworks.deployment import Deployment, DeploymentError
from reelworks.operations.dead_letters import DeadLetters
from reelworks.operations.engine_logs import engine_log_events
from reelworks.operations.records import open_videos

_MARGIN_MS = 60_000  # clocks differ, and a function logs a little before and after it changes the record
_FAILED = ("Failed", "TimedOut", "Aborted")  # endings of an event's type


@dataclass(frozen=True)
class Event:
    """`source`: record, clip, execution, queue, a function's name or an engine's."""

    at_ms: int
    source: str
    message: str | dict[str, Any]  # a dict: the JSON that a function or an engine logged

    def document(self) -> dict[str, Any]:
        return asdict(self)


def trace(deployment: Deployment, video_id: str, *, tenant: str | None = None) -> list[Event]:
    """Return everything that is known about a video, oldest first.

    Raises DeploymentError if there is no such video. Without `tenant`, the tenant is found by the video's
    execution or, while it waits for that, among the videos that are being made.
    """
    video = _video(deployment, video_id, tenant)
    events = [
        *_record(video),
        *_parts(video),
        *_executions(deployment, video),
        *_dead_letters(deployment, video),
        *_engine(deployment, video),
    ]
    minutes = (_now_ms() - video.created_ms + _MARGIN_MS) // 60_000 + 1
    events += [
        Event(line["at_ms"], line["function"], line["message"])
        for line in deployment.log_events(video_id=video.id, function=None, minutes=minutes)
    ]
    return sorted(events, key=lambda event: event.at_ms)


def _video(deployment: Deployment, video_id: str, tenant: str | None) -> Video:
    outputs = deployment.outputs
    journal = Objects(deployment.client("s3"), outputs["OutputBucket"])
    videos = Videos(deployment.client("dynamodb"), outputs["VideosTable"], journal)
    tenant = tenant or _tenant(deployment, videos, video_id)
    if tenant is None:
        raise DeploymentError(
            f"no open video and no execution is named {video_id!r}; name its tenant with --tenant"
        )
    return videos.get(tenant, video_id)


def _tenant(deployment: Deployment, videos: Videos, video_id: str) -> str | None:
    document = _execution(deployment, video_id)
    if document is not None:
        return str(json.loads(document["input"])["tenant"])
    return next((video.tenant for video in open_videos(videos) if video.id == video_id), None)


# --- the record


def _record(video: Video) -> Iterator[Event]:
    request = video.request
    yield Event(
        video.created_ms,
        "record",
        f"requested by tenant {video.tenant}: {request.seconds} s, {request.engine}",
    )
    for entry in video.history:
        yield Event(entry.at_ms, "record", str(entry.stage))
    if video.failure is not None:
        failure = video.failure
        yield Event(
            video.history[-1].at_ms,
            "record",
            f"{failure.step}: {failure.code}: {failure.reason} {failure.advice}",
        )


def _parts(video: Video) -> Iterator[Event]:
    named: list[tuple[str, ClipProgress | PartProgress]] = [
        *((f"narration {part.scene + 1}", part) for part in video.narrations),
        *((f"still {part.scene + 1}", part) for part in video.stills),
        *((f"clip {number}", clip) for number, clip in enumerate(video.clips, 1)),
    ]
    for name, part in named:
        if part.started_ms is not None and not part.reused:
            yield Event(part.started_ms, "record", f"{name} requested")
        if part.finished_ms is not None:
            yield Event(part.finished_ms, "record", f"{name} {'reused' if part.reused else 'made'}")


# --- the executions


def _execution_arn(deployment: Deployment, name: str) -> str:
    return Machine(None, deployment.outputs["StateMachineArn"]).execution_arn(name)


def _execution(deployment: Deployment, name: str) -> dict[str, Any] | None:
    states = deployment.client("stepfunctions")
    try:
        found: dict[str, Any] = states.describe_execution(executionArn=_execution_arn(deployment, name))
    except ClientError as error:
        if error_code(error) == "ExecutionDoesNotExist":
            return None
        raise
    return found


def _executions(deployment: Deployment, video: Video) -> Iterator[Event]:
    for attempt in range(1, video.attempt + 1):
        name = execution_name(video.id, attempt)
        if _execution(deployment, name) is not None:
            yield from _steps(deployment, name)


def _steps(deployment: Deployment, execution: str) -> Iterator[Event]:
    """Yield the states that the execution entered and what failed in them."""
    pages = (
        deployment.client("stepfunctions")
        .get_paginator("get_execution_history")
        .paginate(executionArn=_execution_arn(deployment, execution), includeExecutionData=False)
    )
    states: dict[int, str] = {}  # the state that each event belongs to, by the event's id
    for page in pages:
        for event in page["events"]:
            kind: str = event["type"]
            entered = event.get("stateEnteredEventDetails")
            state = entered["name"] if entered else states.get(event.get("previousEventId", 0), "")
            states[event["id"]] = state
            at_ms = int(event["timestamp"].timestamp() * 1000)
            if kind.startswith("Execution"):
                yield Event(
                    at_ms, "execution", f"{execution} {kind.removeprefix('Execution').lower()}{_why(event)}"
                )
            elif entered:
                yield Event(at_ms, "execution", f"{state} entered")
            elif kind.endswith(_FAILED):
                yield Event(at_ms, "execution", f"{state} {kind}{_why(event)}")


def _why(event: dict[str, Any]) -> str:
    details: dict[str, Any] = next(
        (value for key, value in event.items() if key.endswith("EventDetails")), {}
    )
    told = ": ".join(str(details[name]) for name in ("error", "cause") if details.get(name))
    return f": {told}" if told else ""


# --- dead letters, and the engine


def _dead_letters(deployment: Deployment, video: Video) -> Iterator[Event]:
    letters = DeadLetters(deployment)
    about = {video.id, video.source.key if video.source else video.id}
    for queue in letters.queues():
        for message in letters.peek(queue) if queue.messages else ():
            if message.letter.about in about:
                told = f"dead letter in {queue.name}"
                yield Event(
                    message.sent_ms, "queue", f"{told}: {message.letter.error or 'received too often'}"
                )


def _engine(deployment: Deployment, video: Video) -> Iterator[Event]:
    """Yield what the engine logged while it had this video's clips; other videos' clips may be among them,
    because a line of an engine names none."""
    if CATALOGUE[video.request.engine].renderer is not Renderer.ENDPOINT:
        return
    spans = [
        (clip.started_ms, clip.finished_ms or _now_ms())
        for clip in video.clips
        if clip.started_ms is not None and not clip.reused
    ]
    if not spans:
        return
    start, end = min(start for start, _ in spans), max(end for _, end in spans)
    for line in engine_log_events(deployment, video.request.engine, start, end + _MARGIN_MS):
        if any(begun <= line["at_ms"] <= ended + _MARGIN_MS for begun, ended in spans):
            yield Event(line["at_ms"], line["engine"], line["message"])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
