"""CheckClips: clips that warn are rendered once more, whatever is killed, and the better try is chosen."""

from typing import Any

import pytest

from lambdas.domain import keys
from lambdas.domain.film_plan import film_hash
from lambdas.domain.prices import AWS
from lambdas.domain.quality import ClipMeasures
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, ClipState, SecondTries
from lambdas.production.plans import store_plan
from lambdas.tasks import check_clips
from tests.cloud.pipeline.bench import TENANT, Bench
from tests.unit.test_quality_report import clip as good

BAD = good(0, black=((0.0, 2.5),))
ENGINE = "cogvideox-5b"


def film(bench: Bench, *measures: ClipMeasures, **changes: Any) -> Video:
    """Return a film whose clips, of 6 s each, are rendered for 0.5 USD each, and measure so."""
    request = {"seconds": 6 * len(measures), "on_warning": "retry_once"}
    video = bench.video(ENGINE, Stage.RENDERING, request=request, **changes)
    rendered(bench, video, dict(enumerate(measures)))
    return bench.now(video)


def rendered(bench: Bench, video: Video, measures: dict[int, ClipMeasures]) -> None:
    """Do what the engine does for these clips of the film."""
    for index, found in measures.items():
        key = keys.clip(TENANT, bench.plan(video).clips[index].key_hash)
        bench.outputs.put(key, b"a clip", "video/mp4", measures=found.stored())
        done = ClipProgress(seconds=6, state=ClipState.DONE, cost=0.5)
        bench.videos.update_entry(TENANT, video.id, "clips", index, done)


def check(bench: Bench, video: Video) -> list[int]:
    """Return the clips that are to be rendered again."""
    made = bench.answer(check_clips.handler, video)
    clips = [clip["index"] for scene in made["scenes"] for clip in scene["clips"]]
    assert made["check"] is bool(clips)
    assert made["assembler"] == "function"
    return clips


def test_nothing_is_rendered_again_if_nothing_warns(bench: Bench) -> None:
    video = film(bench, good(0), good(10))
    before = bench.plan(video)
    assert check(bench, video) == []
    assert bench.plan(video) == before
    assert bench.now(video).second_tries == SecondTries(kept=())
    assert bench.now(video).cost == 1.0


def test_a_clip_that_warns_is_rendered_once_more_and_the_better_try_is_kept(bench: Bench) -> None:
    video = film(bench, good(0), BAD, good(20))
    first = bench.plan(video)
    assert check(bench, video) == [1]
    waiting = bench.now(video)
    assert [clip.state for clip in waiting.clips] == [ClipState.DONE, ClipState.WAITING, ClipState.DONE]
    assert waiting.second_tries == SecondTries(clips=(1,), cost=0.5)
    assert waiting.cost == 1.5, "its first try is paid for"
    rendered(bench, video, {1: good(40)})
    assert check(bench, video) == []
    done = bench.now(video)
    assert done.second_tries == SecondTries(clips=(1,), kept=(1,), cost=0.5)
    assert done.cost == 2.0
    assert film_hash(bench.plan(video)) != film_hash(first)
    assert check(bench, video) == [], "as after a lost answer"
    assert bench.now(video).second_tries == done.second_tries


def test_a_second_try_that_warns_too_is_not_in_the_film(bench: Bench) -> None:
    video = film(bench, BAD)
    first = bench.plan(video)
    assert check(bench, video) == [0]
    rendered(bench, video, {0: BAD})
    assert check(bench, video) == []
    assert bench.now(video).second_tries == SecondTries(clips=(0,), kept=(), cost=0.5)
    assert film_hash(bench.plan(video)) == film_hash(first)


def test_a_step_that_is_repeated_goes_on_from_where_it_was(bench: Bench) -> None:
    video = film(bench, BAD, BAD)
    assert check(bench, video) == [0, 1]
    asked = bench.now(video)
    assert check(bench, video) == [0, 1]
    assert bench.now(video).second_tries == asked.second_tries
    rendered(bench, video, {0: good(0)})
    assert check(bench, video) == [1]
    assert bench.now(video).clips[0].state is ClipState.DONE


def test_the_next_attempt_finds_both_tries_and_chooses_without_rendering(bench: Bench) -> None:
    video = film(bench, BAD)
    first = bench.plan(video)
    assert check(bench, video) == [0]
    rendered(bench, video, {0: good(0)})
    killed = bench.videos.requeue(bench.now(video))
    assert killed
    assert (killed.second_tries, killed.spent) == (None, 1.0)
    for stage in (Stage.PLANNING, Stage.RENDERING):
        bench.videos.advance(TENANT, video.id, stage, clips=[ClipProgress(seconds=6)])
    store_plan(bench.outputs, first)  # as it is planned after an edit
    assert check(bench, video) == []
    found = bench.now(video)
    assert found.second_tries == SecondTries(clips=(0,), kept=(0,))
    assert found.spent_so_far == 1.0


@pytest.mark.parametrize(("room", "again"), [(0.1, []), (0.2, [0]), (0.4, [0, 1])])
def test_second_tries_stay_within_the_film_s_limit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, room: float, again: list[int]
) -> None:
    monkeypatch.setenv("REELWORKS_PRICES", AWS.with_instances({ENGINE: 2.80}).model_dump_json())
    video = film(bench, BAD, BAD, max_cost=1.0 + room)  # a clip costs 0.163 USD
    assert check(bench, video) == again
    found = bench.now(video).second_tries
    assert found
    left = 2 - len(again)
    assert found.note == (
        f"{left} more clips were not rendered again: max_cost is {1 + room:g} USD." if left else None
    )
