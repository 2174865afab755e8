"""What is wrong with a deployment now: every check says what it found and what to do."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from cdk.settings import stack_name
from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import OpenVideo, Videos
from lambdas.domain import runbooks
from lambdas.domain.errors import ReelworksError, VideoNotFound
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from reelworks.deployment import Deployment, DeploymentError
from reelworks.operations.dead_letters import UNDELIVERED, DeadLetters
from reelworks.operations.engines import Engines
from reelworks.operations.failures import failures_since
from reelworks.operations.metrics import Metric, values
from reelworks.operations.records import open_videos

_RECENT = timedelta(minutes=15)
_FAILED_WITHIN = timedelta(hours=1)
_OPEN = 1_000  # films that are being made, looked at
_READERS = 8  # boto3 keeps ten connections


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"  # may be wrong
    WRONG = "wrong"
    UNKNOWN = "unknown"  # could not be checked


@dataclass(frozen=True)
class Check:
    name: str
    state: State
    found: str
    todo: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


_CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack")  # an endpoint's status, for a while

_Maker = Callable[[Deployment], Iterator[Check]]


def health(deployment: Deployment) -> list[Check]:
    """Return all checks. One that can't be made, for example for lack of a right, is unknown and stops no
    other."""

    def made(make: _Maker) -> list[Check]:
        return [*make(deployment)]

    with ThreadPoolExecutor(len(_CHECKS)) as checkers:
        results = [(name, checkers.submit(made, make)) for name, make in _CHECKS.items()]
    checks: list[Check] = []
    for name, result in results:
        try:
            checks += result.result()
        except (BotoCoreError, ClientError, DeploymentError, ReelworksError) as error:
            checks.append(Check(name, State.UNKNOWN, str(error), "Check your credentials and their rights."))
    return checks


def _alarms(deployment: Deployment) -> Iterator[Check]:
    # Only those of the operations stack, which are named after it. Others, of target tracking, are on
    # whenever an endpoint is idle.
    stack = stack_name(deployment.outputs["EndpointPrefix"], "Operations")
    pages = deployment.client("cloudwatch").get_paginator("describe_alarms")
    alarms = [
        alarm
        for page in pages.paginate(StateValue="ALARM", AlarmNamePrefix=f"{stack}-")
        for alarm in page.get("MetricAlarms", [])
    ]
    for alarm in alarms:
        yield Check("alarm", State.WRONG, alarm["AlarmName"], alarm.get("AlarmDescription", ""))
    if not alarms:
        yield Check("alarms", State.OK, "none is on")


def _dead_letters(deployment: Deployment) -> Iterator[Check]:
    for queue in DeadLetters(deployment).queues():
        name = f"dead letters {queue.name}"
        if queue.messages:
            yield Check(
                name,
                # Deliver gives up there on a receiver that was down for a day, mostly not our fault.
                State.WARNING if queue.name == UNDELIVERED else State.WRONG,
                f"{queue.messages} messages",
                f"Look at them with `reel ops redrive {queue.name} --dry-run`, then leave out --dry-run.",
            )
        else:
            yield Check(name, State.OK, "empty")


def _failures(deployment: Deployment) -> Iterator[Check]:
    failures = failures_since(deployment, datetime.now(UTC) - _FAILED_WITHIN)
    for code, step, films in failures.groups:
        failure = films[0].failure
        yield Check(
            "failed films",
            State.WARNING,
            f"{len(films)} within the hour at {step}: {code}: {failure.reason}",
            f"{failure.advice} See `reel ops failures --since 1h` and `reel ops trace {films[0].video_id}`.",
        )
    if not failures.films:
        yield Check("failed films", State.OK, "none within the hour")


def _open_films(deployment: Deployment) -> Iterator[Check]:
    outputs = deployment.outputs
    journal = Objects(deployment.client("s3"), outputs["OutputBucket"])
    videos = Videos(deployment.client("dynamodb"), outputs["VideosTable"], journal)
    with ThreadPoolExecutor(_READERS) as readers:
        read = readers.map(lambda open_: _record(videos, open_), islice(open_videos(videos), _OPEN))
        found = [video for video in read if video is not None]
    stages = Counter(video.stage for video in found)
    counts = ", ".join(f"{count} {stage}" for stage, count in stages.most_common())
    more = "at least " if len(found) == _OPEN else ""
    yield Check("open films", State.OK, f"{more}{counts}" if found else "none")
    for stage, patience, todo in (
        (
            Stage.QUEUED,
            runbooks.QUEUED,
            "See `reel logs --function Dispatch`: does it fail, or is it throttled?",
        ),
        (None, runbooks.STILL, "See `reel ops trace {id}`, and `reel engines status` if it waits for clips."),
    ):
        still = [video for video in found if _waits(video, stage) and _idle(video) > patience]
        if still:
            longest = max(still, key=_idle)
            yield Check(
                f"{stage or 'unfinished'} films",
                State.WRONG if stage else State.WARNING,
                f"{len(still)} without progress for more than {_text(patience)}; "
                f"{longest.id}, {longest.stage}, for {_text(_idle(longest))}",
                todo.format(id=longest.id),
            )


def _record(videos: Videos, open_: OpenVideo) -> Video | None:
    """Return a film's record, or None if it has ended meanwhile or is in review: the index may be behind."""
    try:
        video = videos.get(open_.tenant, open_.id)
    except VideoNotFound:
        return None
    return video if video.being_made else None


def _waits(video: Video, stage: Stage | None) -> bool:
    return video.stage is stage if stage else video.stage is not Stage.QUEUED


def _idle(video: Video) -> timedelta:
    """Return how long a film has made no progress."""
    return datetime.now(UTC) - datetime.fromtimestamp(video.progressed_ms / 1000, UTC)


def _text(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _functions(deployment: Deployment) -> Iterator[Check]:
    now = datetime.now(UTC)
    statistics = ("Errors", "Throttles")
    metrics = {
        f"{name} {statistic}": Metric("AWS/Lambda", statistic, (("FunctionName", physical),), "Sum")
        for name, physical in deployment.functions.items()
        for statistic in statistics
    }
    found = values(deployment.client("cloudwatch"), metrics, now - _RECENT, now, period=60)
    sums = {key: int(sum(one)) for key, one in found.items()}
    bad = [
        f"{name}: {count} {statistic.lower()}"
        for name in deployment.functions
        for statistic in statistics
        if (count := sums[f"{name} {statistic}"])
    ]
    within = f"within {_text(_RECENT)}"
    if bad:
        todo = "See `reel logs --function NAME`; for throttles, the account's Lambda concurrency."
        yield Check("functions", State.WARNING, f"{', '.join(bad)} {within}", todo)
    else:
        yield Check("functions", State.OK, f"no errors, no throttles {within}")


def _engines(deployment: Deployment) -> Iterator[Check]:
    for engine in Engines(deployment).states():
        name = f"engine {engine.name}"
        backlog = "an unknown backlog" if engine.backlog is None else f"{engine.backlog} clips"
        found = f"{engine.status}, {engine.instances} instances, {backlog}"
        logs = f"See `reel engines logs {engine.name}`."
        if engine.status != "InService":
            state = State.WARNING if engine.status in _CHANGING else State.WRONG
            yield Check(name, state, f"{found} {engine.reason}".strip(), logs)
        elif engine.most is not None and engine.backlog and not engine.instances:
            todo = "An instance takes minutes to start. If none comes, check your quota and AWS's capacity."
            yield Check(name, State.WARNING, found, todo)
        else:
            yield Check(name, State.OK, found)


def _upkeep(deployment: Deployment) -> Iterator[Check]:
    # Its log and not its metric: a PC's cloud counts no invocations by a schedule.
    minutes = int(_RECENT.total_seconds() // 60)
    lines = [*deployment.log_events(video_id=None, function="Upkeep", minutes=minutes)]
    if lines:
        yield Check(
            "upkeep", State.OK, f"ran at {datetime.fromtimestamp(lines[-1]['at_ms'] / 1000, UTC):%H:%M} UTC"
        )
    else:
        todo = "Lost events are not repaired. Check its rule and `reel logs --function Upkeep`."
        yield Check("upkeep", State.WRONG, f"did not run within {minutes} min", todo)


_CHECKS: dict[str, _Maker] = {
    "alarms": _alarms,
    "dead letters": _dead_letters,
    "open films": _open_films,
    "failed films": _failures,
    "engines": _engines,
    "functions": _functions,
    "upkeep": _upkeep,
}
