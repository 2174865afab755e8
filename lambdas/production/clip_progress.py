"""A clip's progress in the record, shared by the tasks that make clips."""

from typing import Any

from lambdas.adapters.events import Events
from lambdas.adapters.objects import Objects
from lambdas.adapters.shared_objects import artifacts
from lambdas.adapters.videos import Videos, now_ms
from lambdas.domain import keys, names
from lambdas.domain.documents import Document
from lambdas.domain.film_plan import Clip, FilmPlan
from lambdas.domain.video_parts import ClipProgress, ClipState
from lambdas.telemetry import count, logger, measure


class ClipMade(Document):
    """A clip task's result for the state machine."""

    clip: int
    reused: bool  # made before, for an earlier attempt or another video


def reused(videos: Videos, outputs: Objects, events: Events, plan: FilmPlan, clip: Clip) -> bool:
    """Return whether the clip was made before; if so, mark it done in the record and emit the event."""
    made = artifacts(outputs, plan.tenant, plan.video_id, videos)
    if not made.find(keys.clip(plan.tenant, clip.key_hash)):
        return False
    now = now_ms()
    done = _progress(plan, clip, ClipState.DONE, reused=True, cost=0.0, started_ms=now, finished_ms=now)
    _done(videos, events, plan, clip, done)
    logger.info("clip reused", extra={"key_hash": clip.key_hash})
    count(names.METRIC_CLIPS_REUSED)
    return True


def begun(videos: Videos, tenant: str, video_id: str, clip: int, *, seconds: float, started_ms: int) -> None:
    """Mark a clip as rendering. `seconds` is its length in the film. Raises VideoNotFound."""
    progress = ClipProgress(state=ClipState.RENDERING, seconds=seconds, started_ms=started_ms)
    videos.update_entry(tenant, video_id, "clips", clip, progress)


def finished(
    videos: Videos, events: Events, plan: FilmPlan, clip: Clip, *, started_ms: int, cost: float | None
) -> None:
    """Mark a clip done and emit the event. `cost` is that of whatever has worked on it, in USD."""
    finished_ms = now_ms()
    done = _progress(plan, clip, ClipState.DONE, cost=cost, started_ms=started_ms, finished_ms=finished_ms)
    _done(videos, events, plan, clip, done)
    logger.info("clip rendered", extra={"key_hash": clip.key_hash})
    count(names.METRIC_CLIPS_RENDERED)
    measure(names.METRIC_CLIP_SECONDS, (finished_ms - started_ms) / 1000, engine=plan.engine)


def _done(videos: Videos, events: Events, plan: FilmPlan, clip: Clip, done: ClipProgress) -> None:
    video = videos.outline(plan.tenant, plan.video_id)
    videos.write_part(video, "clips", clip.index, done)
    events.clip_completed(video, clip.index, done)


def _progress(plan: FilmPlan, clip: Clip, state: ClipState, **fields: Any) -> ClipProgress:
    return ClipProgress(state=state, seconds=plan.clip_seconds[clip.index], **fields)
