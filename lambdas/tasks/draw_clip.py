"""Draws a clip here and now: the `animatic` engine."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos, now_ms
from lambdas.animatic.clip import DraftClip, draw_clip
from lambdas.domain import keys
from lambdas.settings import StoreSettings
from lambdas.tasks.clips import ClipMade, begun, finished, load_storyboard, require_open, reused
from lambdas.tasks.task import ClipTask, task
from lambdas.tasks.turn import turn


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = ClipTask.model_validate(event)
    settings = StoreSettings.from_env()
    made = draw(request, stores.videos(settings), stores.inputs(settings), stores.outputs(settings))
    return made.model_dump()


def draw(request: ClipTask, videos: Videos, inputs: Objects, outputs: Objects) -> ClipMade:
    """Raises ArtifactMissing, VideoClosed, VideoNotFound."""
    storyboard = load_storyboard(outputs, request.tenant, request.video_id)
    scene, clip = storyboard.clip(request.clip)
    if reused(videos, outputs, storyboard, clip):
        return ClipMade(clip=clip.index, reused=True)
    draft = DraftClip(
        prompt=clip.prompt,
        title=scene.text,
        width=storyboard.width,
        height=storyboard.height,
        frames=clip.film_frames,
        fps=storyboard.fps,
        seed=scene.clips[0].seed,  # one drawing for all clips of a scene
        index=clip.index - scene.clips[0].index,
        count=len(scene.clips),
        image=inputs.get(storyboard.image) if storyboard.image else None,
    )
    with turn():
        require_open(videos, storyboard)
        started_ms = now_ms()
        begun(videos, storyboard, clip, started_ms)
        drawn = draw_clip(draft)
    outputs.put(keys.clip(storyboard.tenant, clip.key_hash), drawn, "video/mp4")
    finished(videos, storyboard, clip, started_ms)
    return ClipMade(clip=clip.index, reused=False)
