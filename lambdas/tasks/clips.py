"""What the tasks that make clips share: the storyboard, and a clip's place in the record."""

from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos, now_ms
from lambdas.domain import keys, names
from lambdas.domain.errors import ArtifactMissing, VideoClosed
from lambdas.domain.storyboard import Clip, Storyboard
from lambdas.domain.video import ClipProgress, ClipState, Document
from lambdas.telemetry import count, logger


class ClipMade(Document):
    """What the state machine is told of a clip."""

    clip: int
    reused: bool  # made before, for an earlier attempt or another video


def find_storyboard(outputs: Objects, tenant: str, video_id: str) -> Storyboard | None:
    try:
        return load_storyboard(outputs, tenant, video_id)
    except ArtifactMissing:
        return None


def load_storyboard(outputs: Objects, tenant: str, video_id: str) -> Storyboard:
    """Raises ArtifactMissing."""
    return Storyboard.model_validate_json(outputs.get(keys.storyboard(tenant, video_id)))


def store_storyboard(outputs: Objects, storyboard: Storyboard) -> None:
    key = keys.storyboard(storyboard.tenant, storyboard.video_id)
    outputs.put(key, storyboard.model_dump_json().encode(), "application/json")


def reused(videos: Videos, outputs: Objects, storyboard: Storyboard, clip: Clip) -> bool:
    """Whether the clip was made before; the record then shows it as done."""
    if not outputs.exists(keys.clip(storyboard.tenant, clip.key_hash)):
        return False
    now = now_ms()
    _write(videos, storyboard, clip, ClipState.DONE, reused=True, started_ms=now, finished_ms=now)
    logger.info("clip reused", extra={"key_hash": clip.key_hash})
    count(names.METRIC_CLIPS_REUSED)
    return True


def begun(videos: Videos, storyboard: Storyboard, clip: Clip, started_ms: int) -> None:
    _write(videos, storyboard, clip, ClipState.RENDERING, started_ms=started_ms)


def finished(videos: Videos, storyboard: Storyboard, clip: Clip, started_ms: int) -> None:
    _write(videos, storyboard, clip, ClipState.DONE, started_ms=started_ms, finished_ms=now_ms())
    logger.info("clip rendered", extra={"key_hash": clip.key_hash})
    count(names.METRIC_CLIPS_RENDERED)


def _write(
    videos: Videos,
    storyboard: Storyboard,
    clip: Clip,
    state: ClipState,
    *,
    started_ms: int,
    finished_ms: int | None = None,
    reused: bool = False,
) -> None:
    progress = ClipProgress(
        state=state,
        seconds=clip.film_frames / storyboard.fps,
        reused=reused,
        started_ms=started_ms,
        finished_ms=finished_ms,
    )
    videos.update_clip(storyboard.tenant, storyboard.video_id, clip.index, progress)


def require_open(videos: Videos, storyboard: Storyboard) -> None:
    """Raises VideoClosed, so that nothing is rendered for a video that was cancelled; VideoNotFound."""
    video = videos.get(storyboard.tenant, storyboard.video_id)
    if video.closed:
        raise VideoClosed(f"video {video.id} is {video.stage}")
