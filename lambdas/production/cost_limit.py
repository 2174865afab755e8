"""Stop a film before it costs more than its `max_cost`: once it is planned, and before each of its clips."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from lambdas.adapters.clients import AT_ONCE
from lambdas.adapters.clip_budget import ClipBudget
from lambdas.adapters.objects import Objects
from lambdas.adapters.transactions import tries
from lambdas.adapters.videos import Videos
from lambdas.domain import keys
from lambdas.domain.assembler import seconds_to_assemble
from lambdas.domain.errors import MaxCostReached
from lambdas.domain.estimate import assembly_cost, planned_clip_cost
from lambdas.domain.film_plan import Clip, FilmPlan
from lambdas.domain.prices import Prices
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState


def check_plan(video: Video, plan: FilmPlan, prices: Prices, outputs: Objects) -> None:
    """Raise MaxCostReached if the film can't be finished within its limit. Clips that exist cost nothing."""
    if video.max_cost is None:
        return
    joining = _known([assembly_cost(prices, seconds_to_assemble(plan, video.shapes))])

    def needs(clips: Iterable[Clip]) -> float:
        return _known(planned_clip_cost(plan, clip, prices) for clip in clips)

    if video.spent_so_far + needs(plan.clips) + joining <= video.max_cost:
        return
    with ThreadPoolExecutor(AT_ONCE) as readers:
        there = readers.map(lambda clip: outputs.exists(keys.clip(plan.tenant, clip.key_hash)), plan.clips)
    missing = [clip for clip, exists in zip(plan.clips, there, strict=True) if not exists]
    left = needs(missing) + joining
    if video.spent_so_far + left > video.max_cost:
        raise MaxCostReached(
            f"max_cost is {video.max_cost:g} USD and {video.spent_so_far:.4f} USD are spent; the film's "
            f"{len(missing):,} clips and its assembly would cost an estimated {left:.4f} USD more"
        )


def check_clip(
    video: Video, plan: FilmPlan, clip: Clip, prices: Prices, videos: Videos, budget: ClipBudget
) -> None:
    """Let a clip begin: raise MaxCostReached if what is spent, what the clips in flight may cost and this
    clip exceed the film's limit. `video` may be an outline. A clip that was let begin stays so."""
    if video.max_cost is None:
        return
    cost = planned_clip_cost(plan, clip, prices)
    if not cost:
        return
    for _ in tries("hold cost of clip"):
        held = budget.held(video)
        if clip.index in held.clips:
            return
        current = videos.get(video.tenant, video.id)
        done = {index for index, one in enumerate(current.clips) if one.state is ClipState.DONE}
        flying = float(sum(usd for index, usd in held.clips.items() if index not in done))
        limit = current.max_cost
        if limit is not None and current.spent_so_far + flying + cost > limit:
            raise MaxCostReached(
                f"max_cost is {limit:g} USD: {current.spent_so_far:.4f} USD are spent, clips in flight may "
                f"cost {flying:.4f} USD and this one {cost:.4f} USD"
            )
        if budget.hold(video, clip.index, cost, held):
            return


def _known(costs: Iterable[float | None]) -> float:
    return sum(cost for cost in costs if cost is not None)
