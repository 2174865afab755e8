"""Which page of docs/runbooks/ helps, and its link: for alarms, `reel ops health` and GET /v1/operations."""

from datetime import timedelta

from lambdas.domain.errors import Fault
from lambdas.domain.failures import fault_of
from lambdas.domain.stages import Stage
from lambdas.domain.video_parts import Failure

INDEX = "index"  # where whoever knows nothing begins
SPEND = "spend"
QUEUED = timedelta(minutes=15)  # a film may wait so long for its execution to start
STILL = timedelta(hours=1)  # longer than a step takes; a clip that waits so long is worth a look
CLIP_WAITS = timedelta(hours=3)
WITHOUT_INSTANCE = timedelta(minutes=30)  # waking an endpoint takes about ten minutes

_OF_FAULTS = {
    Fault.PIPELINE: "pipeline-failures",
    Fault.ENGINE: "engine-failures",
    Fault.USER: "failed-film",
}


def link(folder: str, page: str) -> str:
    """`folder`: the setting `runbooks`; `page`: a page's name, without `.md`."""
    return f"{folder}/{page}.md"


def of_failure(failed: Failure) -> str:
    return _OF_FAULTS[fault_of(failed)]


def of_open_film(stage: Stage, still: timedelta) -> str | None:
    """Return the page for a film that has made no progress for so long; None if that is usual."""
    if stage is Stage.QUEUED:
        return "requests-wait" if still > QUEUED else None
    if still <= STILL:
        return None
    return "clips-wait" if stage is Stage.RENDERING else INDEX


def of_waiting_clips(waits: timedelta, instances: int | None) -> str | None:
    """Return the page for an engine whose oldest clip waits so long; None if that is usual."""
    if instances == 0 and waits > WITHOUT_INSTANCE:
        return "engine-without-instance"
    return "clips-wait" if waits > CLIP_WAITS else None
