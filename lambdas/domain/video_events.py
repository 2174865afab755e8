"""What happened to a video, in order: its stages, and what became of each narration, still and clip."""

from collections.abc import Iterable, Iterator, Mapping

from lambdas.domain.documents import Document
from lambdas.domain.shapes import Aspect
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, ClipState, FailedTry, PartProgress


class VideoEvent(Document):
    """One event. `attempt`: the video's attempt it belongs to. `cost`: USD. Times are milliseconds since the
    epoch, `seconds` how long what ended took."""

    type: str  # video.STAGE, or narration., still., clip. or assembly. with started, completed, failed
    at_ms: int
    attempt: int
    scene: int | None = None
    clip: int | None = None
    shape: Aspect | None = None
    reused: bool | None = None
    by: str | None = None
    seconds: float | None = None
    cost: float | None = None
    code: str | None = None
    reason: str | None = None
    advice: str | None = None


_FAILED_PART = {"Narrate": "narration", "DrawStill": "still"}


def video_events(video: Video, tries: Iterable[FailedTry], scenes: Mapping[int, int]) -> list[VideoEvent]:
    """Return the events, the oldest first. `tries`: the failed tries at its parts; `scenes`: the scene of
    each clip, as far as it is planned. Of earlier attempts only stages and failures are known."""
    found = [*_stages(video)]
    attempts = [(event.at_ms, event.attempt) for event in found if event.type == f"video.{Stage.QUEUED}"]
    for name, parts in (("narration", video.narrations), ("still", video.stills)):
        for part in parts:
            found += _part(video, name, part, scene=part.scene)
    for index, clip in enumerate(video.clips):
        found += _part(video, "clip", clip, scene=scenes.get(index), clip=index)
    if made := video.assembly:
        begun = VideoEvent(type="assembly.started", at_ms=made.started_ms, attempt=video.attempt)
        took = (made.finished_ms - made.started_ms) / 1000
        ended = {"type": "assembly.completed", "at_ms": made.finished_ms, "seconds": took}
        found += [begun, begun.model_copy(update={**ended, "reused": made.reused, "cost": made.cost})]
    for failed in tries:
        found.append(
            VideoEvent(
                type=f"{_FAILED_PART.get(failed.step, 'clip')}.failed",
                attempt=next((n for at, n in reversed(attempts) if at <= failed.at_ms), video.attempt),
                scene=scenes.get(failed.clip) if failed.clip is not None else failed.scene,
                **failed.model_dump(include={"at_ms", "clip", "code", "reason", "advice"}),
            )
        )
    return sorted(found, key=lambda event: event.at_ms)  # stable: of the same moment, in this order


def _stages(video: Video) -> Iterator[VideoEvent]:
    attempt = video.attempt - sum(entry.stage is Stage.QUEUED for entry in video.history[1:])
    for place, entry in enumerate(video.history):
        if place and entry.stage is Stage.QUEUED:
            attempt += 1
        failure = entry.failure
        yield VideoEvent(
            type=f"video.{entry.stage}",
            at_ms=entry.at_ms,
            attempt=attempt,
            **failure.model_dump(exclude={"step"}) if failure else {},
        )


def _part(
    video: Video, name: str, part: PartProgress | ClipProgress, *, scene: int | None, clip: int | None = None
) -> Iterator[VideoEvent]:
    if part.started_ms is None:
        return
    begun = VideoEvent(
        type=f"{name}.started", at_ms=part.started_ms, attempt=video.attempt, scene=scene, clip=clip
    )
    yield begun
    if part.state is ClipState.DONE and part.finished_ms is not None:
        yield begun.model_copy(
            update={
                "type": f"{name}.completed",
                "at_ms": part.finished_ms,
                "reused": part.reused,
                "by": part.by if isinstance(part, PartProgress) else video.request.engine,
                "seconds": (part.finished_ms - part.started_ms) / 1000,
                "cost": part.cost,
            }
        )
