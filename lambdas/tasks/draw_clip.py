"""Make a clip in this function: an `animatic` drawing, a card, or footage converted to the film's format."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clip_budget import ClipBudget
from lambdas.adapters.events import Events
from lambdas.adapters.objects import Objects
from lambdas.adapters.shared_objects import artifacts
from lambdas.adapters.videos import Videos, now_ms
from lambdas.animatic.clip import DraftClip, draw_clip, last_picture
from lambdas.domain import keys
from lambdas.domain.film_plan import Clip, FilmPlan, Scene
from lambdas.domain.prices import Prices, of_time
from lambdas.media.quality import measure_clip
from lambdas.production.clip_inputs import first_picture, own_clip
from lambdas.production.clip_progress import ClipMade, begun, finished, reused
from lambdas.production.cost_limit import check_clip
from lambdas.production.failed_tries import noted
from lambdas.production.plans import load_plan
from lambdas.production.task_token import ClipTask, require_open, task
from lambdas.settings import ClipEventsSettings


@task
@noted
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = ClipTask.model_validate(event)
    settings = ClipEventsSettings.from_env()
    made = draw(
        request,
        settings.price_list,
        int(context.memory_limit_in_mb),
        stores.videos(settings),
        stores.clip_budget(settings),
        stores.inputs(settings),
        stores.outputs(settings),
        stores.events(settings),
    )
    return made.model_dump()


def draw(
    request: ClipTask,
    prices: Prices,
    memory_mb: int,
    videos: Videos,
    budget: ClipBudget,
    inputs: Objects,
    outputs: Objects,
    events: Events,
) -> ClipMade:
    """Draw or convert a clip. `memory_mb` is this function's memory.

    Raises ArtifactMissing, MaxCostReached, VideoClosed, VideoNotFound.
    """
    plan = load_plan(outputs, request.tenant, request.video_id)
    scene, clip = plan.clip(request.clip)
    if reused(videos, outputs, events, plan, clip):
        return ClipMade(clip=clip.index, reused=True)
    video = require_open(videos, plan.tenant, plan.video_id)
    check_clip(video, plan, clip, prices, videos, budget)
    started_ms = now_ms()
    seconds = plan.clip_seconds[clip.index]
    begun(videos, plan.tenant, plan.video_id, clip.index, seconds=seconds, started_ms=started_ms)
    made = own_clip(plan, clip, inputs, outputs)
    if made is None:
        made = draw_clip(_draft(plan, scene, clip, _begins_with(plan, scene, inputs, outputs)))
    stored = artifacts(outputs, plan.tenant, plan.video_id, videos)
    measures = measure_clip(made).stored()
    stored.put(keys.clip(plan.tenant, clip.key_hash), made, "video/mp4", measures=measures)
    cost = of_time(prices.function_second(memory_mb), started_ms, now_ms())
    finished(videos, events, plan, clip, started_ms=started_ms, cost=cost)
    return ClipMade(clip=clip.index, reused=False)


def _begins_with(plan: FilmPlan, scene: Scene, inputs: Objects, outputs: Objects) -> bytes | None:
    """Return the picture that the scene starts from. The last picture of another draft is redrawn without its
    title, which would otherwise show through under this scene's own."""
    before = scene.clips[0].starts_from
    if before is None or (found := plan.clip(before))[1].is_own:
        return first_picture(plan, scene, inputs, outputs)
    return last_picture(_draft(plan, *found, _begins_with(plan, found[0], inputs, outputs)))


def _draft(plan: FilmPlan, scene: Scene, clip: Clip, image: bytes | None) -> DraftClip:
    starts, last = plan.starts, scene.clips[-1]
    begins = starts[scene.clips[0].index]
    return DraftClip(
        prompt=scene.clips[0].prompt,  # one drawing for all clips of a scene, as is the seed
        title=scene.text,
        language=plan.language,
        lettered=plan.is_lettered(scene),
        width=plan.width,
        height=plan.height,
        frames=clip.film_frames,
        fps=plan.fps,
        framing=plan.fit if plan.draft_for else None,
        rendered=plan.rendered_size if plan.draft_for else None,
        seed=scene.clips[0].seed,
        index=clip.index - scene.clips[0].index,
        count=len(scene.clips),
        first=starts[clip.index] - begins,
        scene_frames=starts[last.index] + last.film_frames - begins,
        image=image,
    )
