"""Have clips that warn rendered once more, then choose the better tries (on_warning=retry_once).

The state machine comes here when the film's clips are made, and again when the second tries are.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clients import AT_ONCE
from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos
from lambdas.domain import keys
from lambdas.domain.assembler import seconds_to_assemble
from lambdas.domain.errors import ArtifactMissing
from lambdas.domain.estimate import assembly_cost, planned_clip_cost
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.opinions import Opinions
from lambdas.domain.prices import Prices, total
from lambdas.domain.quality import ClipMeasures
from lambdas.domain.second_tries import (
    MOST,
    choose,
    is_second,
    to_try_again,
    undecided,
    with_second_tries,
)
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, ClipState, SecondTries
from lambdas.production.clips_to_make import ClipsToMake, clips_to_make
from lambdas.production.measures import clip_measures
from lambdas.production.opinions import read_opinions
from lambdas.production.plans import load_plan, store_plan
from lambdas.production.task_token import VideoTask, require_open, task
from lambdas.settings import PricedSettings
from lambdas.telemetry import logger


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = VideoTask.model_validate(event)
    settings = PricedSettings.from_env()
    made = check_clips(
        request.tenant,
        request.video_id,
        stores.videos(settings),
        stores.outputs(settings),
        settings.price_list,
    )
    return made.model_dump(mode="json")


def check_clips(tenant: str, video_id: str, videos: Videos, outputs: Objects, prices: Prices) -> ClipsToMake:
    """Return the second tries that are to be made; none if they are made, and chosen, or nothing warns.

    The plan is stored before the record, and says what was decided: whoever repeats this goes on from there.
    A second try that was made before, for an earlier attempt, is found. Raises ArtifactMissing, VideoClosed,
    VideoNotFound.
    """
    video = require_open(videos, tenant, video_id)
    plan = load_plan(outputs, tenant, video_id)
    opinions = read_opinions(tenant, video_id, outputs)
    note: str | None = None
    if not undecided(plan):
        again, note = _to_try_again(videos.get(tenant, video_id), plan, opinions, outputs, prices)
        plan = with_second_tries(plan, again)
        store_plan(outputs, plan)
    tries = undecided(plan)
    missing = {clip.index for clip in tries if not outputs.exists(keys.clip(tenant, clip.key_hash))}
    if missing:
        _begin(videos, plan, missing, note)
        logger.info("clips tried again", extra={"clips": sorted(missing)})
        return clips_to_make(plan, video.shapes, look=video.request.vision_check, check=True, only=missing)
    if tries:
        plan = choose(plan, _measures(plan, outputs), _first_measures(plan, outputs), opinions)
        store_plan(outputs, plan)
    _end(videos, plan, note)
    return clips_to_make(plan, video.shapes, check=False, only=())


def _to_try_again(
    video: Video, plan: FilmPlan, opinions: Opinions, outputs: Objects, prices: Prices
) -> tuple[set[int], str | None]:
    """Return the clips to render again, and why clips that warn are not among them. A second try never makes
    a film fail: it stays within the film's `max_cost`."""
    room = float("inf")
    if video.max_cost is not None:
        joining = assembly_cost(prices, seconds_to_assemble(plan, video.shapes)) or 0.0
        room = video.max_cost - video.spent_so_far - joining
    again: set[int] = set()
    left: dict[str, int] = {}
    for unit in to_try_again(plan, _measures(plan, outputs), opinions):
        cost = sum(planned_clip_cost(plan, clip, prices) or 0.0 for clip in unit)
        if len(again) + len(unit) > MOST:
            why = f"a film has at most {MOST} second tries"
        elif cost > room:
            why = f"max_cost is {video.max_cost:g} USD"
        else:
            again |= {clip.index for clip in unit}
            room -= cost
            continue
        left[why] = left.get(why, 0) + len(unit)
    notes = [f"{count} more clips were not rendered again: {why}." for why, count in left.items()]
    return again, " ".join(notes) or None


def _begin(videos: Videos, plan: FilmPlan, missing: set[int], note: str | None) -> None:
    """Have the record say that the clips are rendered again, and what their first tries cost. It says so
    already if this is repeated."""
    tries = tuple(clip.index for clip in undecided(plan))
    while (video := videos.get(plan.tenant, plan.video_id)).second_tries is None:
        firsts = [video.clips[index] for index in sorted(missing)]
        cost = total([first.cost for first in firsts if first.state is ClipState.DONE])
        clips = [
            ClipProgress(seconds=clip.seconds) if index in missing else clip
            for index, clip in enumerate(video.clips)
        ]
        second_tries = SecondTries(clips=tries, cost=cost, note=note)
        if videos.advance_from(video, Stage.RENDERING, clips=clips, second_tries=second_tries):
            return


def _end(videos: Videos, plan: FilmPlan, note: str | None) -> None:
    tried = [clip for clip in plan.clips if clip.other_try is not None]
    while True:
        video = videos.get(plan.tenant, plan.video_id)
        begun = video.second_tries or SecondTries(note=note)
        chosen = begun.model_copy(
            update={
                "clips": tuple(clip.index for clip in tried),
                "kept": tuple(clip.index for clip in tried if is_second(clip)),
            }
        )
        if videos.advance_from(video, Stage.RENDERING, second_tries=chosen):
            return


def _measures(plan: FilmPlan, outputs: Objects) -> list[ClipMeasures | None]:
    """Return what is stored of the plan's clips. Raises ArtifactMissing."""
    with ThreadPoolExecutor(AT_ONCE) as readers:
        return list(readers.map(lambda clip: _measured(plan, clip.key_hash, outputs), plan.clips))


def _first_measures(plan: FilmPlan, outputs: Objects) -> dict[int, ClipMeasures]:
    """Return what is stored of the first tries, by clip; nothing of one that has expired."""
    found: dict[int, ClipMeasures] = {}
    for clip in undecided(plan):
        try:
            measures = _measured(plan, clip.other_try.key_hash, outputs) if clip.other_try else None
        except ArtifactMissing:
            continue
        if measures is not None:
            found[clip.index] = measures
    return found


def _measured(plan: FilmPlan, key_hash: str, outputs: Objects) -> ClipMeasures | None:
    return clip_measures(outputs.source(keys.clip(plan.tenant, key_hash)))
