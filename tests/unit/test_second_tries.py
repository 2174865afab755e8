"""Second tries: which clips are rendered again, and which try is in the film."""

from typing import Any

import pytest

from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.planning import make_plan
from lambdas.domain.quality import ClipMeasures
from lambdas.domain.second_tries import choose, is_second, to_try_again, undecided, with_second_tries
from tests.factories import a_request, a_shot, a_video
from tests.unit.test_quality_report import clip as good


def bad(seed: int, warnings: int = 1) -> ClipMeasures:
    """Return the measures of a clip with one or two warnings."""
    return good(seed, black=((0.0, 2.5),), flashes=9 if warnings == 2 else 0)


def a_film(*seconds: int, engine: str = "cogvideox-2b", **shots: Any) -> FilmPlan:
    """Return a plan with a scene of so many seconds each; its engine's clips last up to 6 s."""
    video = a_video(request=a_request(engine=engine, fps=8, seconds=sum(seconds)))
    scenes = [a_shot(f"A bee {n}", frames=8 * length, **shots) for n, length in enumerate(seconds)]
    return make_plan(video, CATALOGUE[engine], "A film", scenes)


def units(plan: FilmPlan, *measures: ClipMeasures | None) -> list[list[int]]:
    return [[clip.index for clip in unit] for unit in to_try_again(plan, measures)]


def test_each_clip_that_warns_is_tried_again_by_itself() -> None:
    plan = a_film(12, 6)
    assert units(plan, good(0), good(10), good(20)) == []
    assert units(plan, bad(0), bad(10), good(20)) == [[0], [1]]
    assert units(plan, None, good(10), bad(20)) == [[2]], "what was not measured does not warn"


def test_clips_that_start_from_one_that_warns_are_tried_again_with_it() -> None:
    plan = a_film(18, 6, engine="cogvideox-5b-i2v")
    assert units(plan, good(0), bad(10), good(20), good(30)) == [[1, 2]]
    assert units(plan, bad(0), bad(10), good(20), bad(30)) == [[0, 1, 2], [3]]


def test_a_scene_s_draft_is_one_drawing() -> None:
    plan = a_film(12, 6, engine="animatic")
    assert units(plan, good(0), bad(10), good(20)) == [[0, 1]]


def test_a_second_try_has_another_seed_and_an_address_of_its_own() -> None:
    plan = a_film(18, engine="cogvideox-5b-i2v")
    again = with_second_tries(plan, {1, 2})
    assert again.clips[0] == plan.clips[0]
    for before, after in zip(plan.clips[1:], again.clips[1:], strict=True):
        assert after.other_try
        assert (after.other_try.seed, after.other_try.key_hash) == (before.seed, before.key_hash)
        assert after.seed not in [clip.seed for clip in plan.clips]
        assert is_second(after)
        assert not is_second(before)
    assert with_second_tries(plan, {1, 2}) == again, "the same each time, so that it is found"
    # The last clip follows from the one before: from another, it would be another.
    assert with_second_tries(plan, {2}).clips[2].key_hash != again.clips[2].key_hash


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [(1, 0, [1]), (1, 1, []), (1, 2, []), (2, 1, [1])],
)
def test_the_second_try_is_in_the_film_if_it_has_fewer_warnings(
    first: int, second: int, kept: list[int]
) -> None:
    made = {0: good(40), 1: bad(40, 1), 2: bad(40, 2)}
    plan = a_film(6, 6)
    chosen = choose(with_second_tries(plan, {1}), [good(0), made[second]], {1: made[first]})
    assert [clip.index for clip in chosen.clips if is_second(clip)] == kept
    assert undecided(chosen) == []
    if not kept:
        assert chosen.clips[1].key_hash == plan.clips[1].key_hash
    still_warns = [good(0), bad(10)]
    assert units(chosen, *still_warns) == [], "never a third time"


def test_clips_that_belong_together_are_chosen_together() -> None:
    again = with_second_tries(a_film(12, engine="cogvideox-5b-i2v"), {0, 1})
    better = choose(again, [good(0), bad(10)], {0: bad(20), 1: bad(30)})
    assert [is_second(clip) for clip in better.clips] == [True, True]
    no_better = choose(again, [good(0), bad(10, 2)], {0: bad(20), 1: bad(30)})
    assert [is_second(clip) for clip in no_better.clips] == [False, False]


def test_the_second_try_stays_if_the_first_is_gone() -> None:
    chosen = choose(with_second_tries(a_film(6), {0}), [bad(0, 2)], {})
    assert is_second(chosen.clips[0])
