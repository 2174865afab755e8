"""What the tasks that make a scene's narration and still share: a part's place in the record."""

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
    """What the state machine is told of a narration or still."""

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
) -> PartMade:
    """Has `make` store the artifact, noted with who made it, and say who and for how many USD, unless it is
    there. The record tells of both, if it still waits for them: by now the storyboard may have been edited
    and a new attempt begun, whose film must not have a part made of the former words."""
    place = [part.scene for part in getattr(video, parts)].index(task.scene)
    reused = outputs.exists(artifact)
    progress = PartProgress(
        scene=task.scene, state=ClipState.RENDERING, reused=reused, artifact=artifact, started_ms=now_ms()
    )
    videos.update_entry(task.tenant, task.video_id, parts, place, progress)
    by, cost = (outputs.made_by(artifact), 0.0) if reused else make()
    done = {"state": ClipState.DONE, "by": by, "cost": cost, "finished_ms": now_ms()}
    videos.update_entry(
        task.tenant, task.video_id, parts, place, progress.model_copy(update=done), over=progress
    )
    logger.info("part made", extra={"part": parts, "scene": task.scene, "reused": reused})
    return PartMade(scene=task.scene, reused=reused)
