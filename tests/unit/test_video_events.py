"""What happened to a video, as events in order."""

from lambdas.domain.stages import Stage
from lambdas.domain.video_events import video_events
from lambdas.domain.video_parts import (
    AssemblyProgress,
    ClipProgress,
    ClipState,
    FailedTry,
    Failure,
    PartProgress,
    StageEntry,
)
from tests.factories import a_video

LOST = Failure(step="RenderClip", clip=1, code="EngineFailed", reason="No memory.", advice="Wait.")


def at(*times: int, **failed: Failure) -> list[StageEntry]:
    """Return the stages of an attempt: queued, rendering, and completed, or failed with that failure."""
    last = Stage.FAILED if failed else Stage.COMPLETED
    stages = (Stage.QUEUED, Stage.RENDERING, last)
    entries = [StageEntry(stage=stage, at_ms=at_ms) for stage, at_ms in zip(stages, times, strict=False)]
    return [*entries[:2], *(one.model_copy(update=failed) for one in entries[2:])]


def test_a_film_s_events_are_in_order_with_scenes_times_and_costs() -> None:
    video = a_video(
        history=at(1_000, 3_000, 9_000),
        narrations=[
            PartProgress(
                scene=2,
                state=ClipState.DONE,
                by="Amy",
                cost=0.1,
                reused=True,
                started_ms=1_500,
                finished_ms=2_000,
            )
        ],
        clips=[
            ClipProgress(seconds=6, state=ClipState.DONE, cost=0.2, started_ms=3_500, finished_ms=5_000),
            ClipProgress(seconds=6, state=ClipState.RENDERING, started_ms=3_600),
            ClipProgress(seconds=6),
        ],
        assembly=AssemblyProgress(reused=False, cost=0.01, started_ms=7_000, finished_ms=8_500),
    )
    events = video_events(video, [], {0: 0, 1: 0, 2: 1})
    assert [event.type for event in events] == [
        "video.queued",
        "narration.started",
        "narration.completed",
        "video.rendering",
        "clip.started",
        "clip.started",
        "clip.completed",
        "assembly.started",
        "assembly.completed",
        "video.completed",
    ]
    assert {event.attempt for event in events} == {1}
    spoken, rendered, joined = events[2], events[6], events[8]
    assert (spoken.scene, spoken.by, spoken.reused, spoken.seconds, spoken.cost) == (2, "Amy", True, 0.5, 0.1)
    assert (rendered.scene, rendered.clip, rendered.by) == (0, 0, "animatic")
    assert (rendered.seconds, rendered.cost) == (1.5, 0.2)
    assert (joined.seconds, joined.cost, joined.reused) == (1.5, 0.01, False)


def test_failures_stay_when_a_film_is_retried() -> None:
    history = [*at(1_000, 2_000, 4_000, failure=LOST), *at(5_000, 6_000)]
    tries = [
        FailedTry(**LOST.model_dump(), at_ms=3_000),
        FailedTry(**LOST.model_dump(), at_ms=7_000),
        FailedTry(step="DrawStill", scene=3, code="StillRefused", reason="No.", advice="Ask.", at_ms=1_500),
        FailedTry(step="Narrate", scene=4, code="NarrationRefused", reason="No.", advice="Ask.", at_ms=5_500),
    ]
    events = video_events(a_video(attempt=2, history=history), tries, {1: 8})
    failed = [event for event in events if event.type.endswith("failed")]
    assert [(event.type, event.attempt, event.scene, event.clip) for event in failed] == [
        ("still.failed", 1, 3, None),
        ("clip.failed", 1, 8, 1),
        ("video.failed", 1, None, 1),
        ("narration.failed", 2, 4, None),
        ("clip.failed", 2, 8, 1),
    ]
    assert [(event.code, event.reason, event.advice) for event in failed[1:3]] == [
        ("EngineFailed", "No memory.", "Wait.")
    ] * 2


def test_attempts_are_counted_back_from_the_current_one() -> None:
    """A video that is created again after it was deleted begins with a later attempt."""
    events = video_events(a_video(attempt=5, history=[*at(1, 2, 3), *at(4, 5)]), [], {})
    assert [event.attempt for event in events] == [4, 4, 4, 5, 5]
    assert video_events(a_video(), [], {}) == []
