"""A part's progress in the record, shared by the tasks that make narrations and stills."""

from collections.abc import Callable
from typing import Literal

from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos, now_ms
from lambdas.domain.documents import Document
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState, PartProgress
from lambdas.production.task_token import VideoTask
from lambdas.telemetry import logger

Parts = Literal["narrations", "stills"]


class SceneTask(VideoTask):
    scene: int  # index in the storyboard, from 0


class PartMade(Document):
    """A narration or still task's result for the state machine."""

    scene: int
    reused: bool


def make_part(
    video: Video,
    task: SceneTask,
    parts: Parts,
    artifact: str,
    videos: Videos,
    outputs: Objects,
    make: Callable[[], tuple[str, float | None]],
    *,
    reused: bool,
) -> PartMade:
    """Call `make` unless the artifact is `reused`. `make` stores the artifact with its maker and returns that
    maker and the cost in USD. Both are recorded only if the record still waits for this part: the storyboard
    may have been edited and a new attempt started, whose film must not get a part made from the old words."""
    place = [part.scene for part in getattr(video, parts)].index(task.scene)
    progress = PartProgress(
        scene=task.scene, state=ClipState.RENDERING, reused=reused, artifact=artifact, started_ms=now_ms()
    )
    videos.write_part(video, parts, place, progress)
    by, cost = (outputs.made_by(artifact), 0.0) if reused else make()
    done = {"state": ClipState.DONE, "by": by, "cost": cost, "finished_ms": now_ms()}
    videos.write_part(video, parts, place, progress.model_copy(update=done), over=progress)
    logger.info("part made", extra={"part": parts, "scene": task.scene, "reused": reused})
    return PartMade(scene=task.scene, reused=reused)
