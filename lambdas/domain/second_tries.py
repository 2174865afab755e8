"""Second tries (`on_warning=retry_once`): clips that warn are rendered once more from another seed, and the
better try is in the film (docs/decisions/0078-what-a-warning-does.md).

A plan has a second try in the clip's place, and the first beside it as `other_try`, until one is chosen. A
second try has an address of its own, so a clip is never rendered a third time, whatever is killed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from lambdas.domain.documents import fingerprint
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import Clip, FilmPlan, Try
from lambdas.domain.opinions import NO_OPINIONS, Opinions
from lambdas.domain.quality import ClipMeasures, warnings_by_clip

MOST = 50
"""Clips of a film that are rendered again: an execution's history has room for so many more
(docs/decisions/0041-a-film-of-1000-clips.md). If more warn, the cause is not their seed."""
_SEEDS_AWAY = 1_000_003  # beyond the seeds of all other clips of the film

Measures = Sequence[ClipMeasures | None]


def to_try_again(plan: FilmPlan, measures: Measures, opinions: Opinions = NO_OPINIONS) -> list[list[Clip]]:
    """Return the clips that warn and were tried once, in units: one is rendered, and chosen, as a whole.

    A clip that starts from another's last frame must be rendered again with it. All clips of a scene's draft
    are one drawing.
    """
    tried = {clip.index for clip in plan.clips if clip.other_try is not None}
    return _units(plan, warnings_by_clip(plan, measures, opinions).keys() - tried)


def with_second_tries(plan: FilmPlan, again: Collection[int]) -> FilmPlan:
    """Return the plan with second tries in place of the clips of these indexes."""
    made: dict[int, Clip] = {}

    def second(clip: Clip) -> Clip:
        if clip.index not in again:
            return clip
        seed = _second_seed(clip.seed)
        before = None if clip.starts_from is None else made.get(clip.starts_from)
        determines = {"again": clip.key_hash, "seed": seed}
        made[clip.index] = clip.model_copy(
            update={
                "seed": seed,
                "key_hash": fingerprint(determines | ({"first_frame": before.key_hash} if before else {})),
                "other_try": Try(seed=clip.seed, key_hash=clip.key_hash),
                "chosen": False,
            }
        )
        return made[clip.index]

    return _changed(plan, second)


def undecided(plan: FilmPlan) -> list[Clip]:
    """Return the second tries that were not chosen or rejected yet."""
    return [clip for clip in plan.clips if clip.other_try is not None and not clip.chosen]


def is_second(clip: Clip) -> bool:
    """Return whether the clip is the second of two tries."""
    return clip.other_try is not None and clip.seed == _second_seed(clip.other_try.seed)


def choose(
    plan: FilmPlan,
    measures: Measures,
    firsts: Mapping[int, ClipMeasures],
    opinions: Opinions = NO_OPINIONS,
) -> FilmPlan:
    """Return the plan with the better of both tries: the second if its unit has fewer warnings, or a first
    try is gone. `measures`: of the plan's clips, `firsts`: of the first tries, by clip."""
    open_ = {clip.index for clip in undecided(plan)}
    before = _changed(plan, lambda clip: _swapped(clip) if clip.index in open_ else clip)
    measured_before = [firsts.get(clip.index, measures[clip.index]) for clip in plan.clips]
    first = warnings_by_clip(before, measured_before, opinions)
    second = warnings_by_clip(plan, measures, opinions)
    rejected: set[int] = set()
    for unit in _units(plan, open_):
        indexes = [clip.index for clip in unit]
        worse = sum(second[index] for index in indexes) >= sum(first[index] for index in indexes)
        if worse and all(index in firsts for index in indexes):
            rejected.update(indexes)

    def chosen(clip: Clip) -> Clip:
        if clip.index not in open_:
            return clip
        return (_swapped(clip) if clip.index in rejected else clip).model_copy(update={"chosen": True})

    return _changed(plan, chosen)


def _second_seed(seed: int) -> int:
    return (seed + _SEEDS_AWAY) % 2**63


def _units(plan: FilmPlan, some: Collection[int]) -> list[list[Clip]]:
    draft = CATALOGUE[plan.engine].draft
    units: list[list[Clip]] = []
    for scene in plan.scenes:
        rendered = [clip for clip in scene.clips if not clip.is_own]
        drawn = draft and any(clip.index in some for clip in rendered)
        for clip in rendered:
            unit = units[-1] if units else []
            follows = clip.starts_from is not None and any(one.index == clip.starts_from for one in unit)
            if follows or (drawn and any(one in rendered for one in unit)):
                unit.append(clip)
            elif drawn or clip.index in some:
                units.append([clip])
    return units


def _swapped(clip: Clip) -> Clip:
    """Return the other try of a clip."""
    other = clip.other_try
    assert other is not None  # noqa: S101 - an undecided clip has two
    own = Try(seed=clip.seed, key_hash=clip.key_hash)
    return clip.model_copy(update={"seed": other.seed, "key_hash": other.key_hash, "other_try": own})


def _changed(plan: FilmPlan, change: Callable[[Clip], Clip]) -> FilmPlan:
    scenes = [
        scene.model_copy(update={"clips": [change(clip) for clip in scene.clips]}) for scene in plan.scenes
    ]
    return plan.model_copy(update={"scenes": scenes})
