"""A clip's progress in the record, shared by the tasks that make clips."""

from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos, now_ms
from lambdas.domain import keys, names
from lambdas.domain.documents import Document
from lambdas.domain.film_plan import Clip, FilmPlan
from lambdas.domain.prices import of_time
from lambdas.domain.video_parts import ClipProgress, ClipState
from lambdas.telemetry import count, logger, measure


class ClipMade(Document):
    """A clip task's result for the state machine."""

    clip: int
    reused: bool  # made before, for an earlier attempt or another video


def reused(videos: Videos, outputs: Objects, plan: FilmPlan, clip: Clip) -> bool:
    """Return whether the clip was made before; if so, mark it done in the record."""
    if not outputs.exists(keys.clip(plan.tenant, clip.key_hash)):
        return False
    now = now_ms()
    _write(videos, plan, clip, ClipState.DONE, reused=True, cost=0.0, started_ms=now, finished_ms=now)
    logger.info("clip reused", extra={"key_hash": clip.key_hash})
    count(names.METRIC_CLIPS_REUSED)
    return True


def begun(videos: Videos, plan: FilmPlan, clip: Clip, started_ms: int) -> None:
    """Mark a clip as rendering."""
    _write(videos, plan, clip, ClipState.RENDERING, started_ms=started_ms)


def finished(
    videos: Videos, plan: FilmPlan, clip: Clip, started_ms: int, usd_per_second: float | None
) -> None:
    """Mark a clip done. `usd_per_second` is the price of whatever has worked on it since `started_ms`."""
    finished_ms = now_ms()
    cost = of_time(usd_per_second, started_ms, finished_ms)
    _write(videos, plan, clip, ClipState.DONE, cost=cost, started_ms=started_ms, finished_ms=finished_ms)
    logger.info("clip rendered", extra={"key_hash": clip.key_hash})
    count(names.METRIC_CLIPS_RENDERED)
    measure(names.METRIC_CLIP_SECONDS, (finished_ms - started_ms) / 1000, engine=plan.engine)


def _write(
    videos: Videos,
    plan: FilmPlan,
    clip: Clip,
    state: ClipState,
    *,
    started_ms: int,
    finished_ms: int | None = None,
    reused: bool = False,
    cost: float | None = None,
) -> None:
    progress = ClipProgress(
        state=state,
        seconds=plan.clip_seconds[clip.index],
        reused=reused,
        cost=cost,
        started_ms=started_ms,
        finished_ms=finished_ms,
    )
    videos.update_entry(plan.tenant, plan.video_id, "clips", clip.index, progress)
