"""A film with a `max_cost` ends before it costs more: when it is planned, and before each clip."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambdas.domain import keys
from lambdas.domain.prices import AWS
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, ClipState
from lambdas.tasks import draw_clip, plan, render_clip
from tests.cloud.pipeline.bench import TENANT, Bench

ENGINE = "cogvideox-5b"
CLIP = 209 * 2.80 / 3600  # USD
JOINING = 0.001  # more than its assembly costs


@pytest.fixture(autouse=True)
def prices(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWORKS_PRICES", AWS.with_instances({ENGINE: 2.80}).model_dump_json())


def film(bench: Bench, max_cost: float | None, stage: Stage = Stage.QUEUED, **changes: Any) -> Video:
    return bench.video(ENGINE, stage, request={"seconds": 24}, max_cost=max_cost, **changes)


def begin(bench: Bench, video: Video, clip: int) -> str:
    """Try to begin a clip. Return why it is refused."""
    answer = bench.answer(render_clip.handler, video, clip=clip, retry=0, token="nobody's")
    return "" if answer is None else str(answer[1]["errorMessage"])


def done(bench: Bench, video: Video, clip: int, cost: float) -> None:
    progress = ClipProgress(seconds=6, state=ClipState.DONE, cost=cost)
    bench.videos.update_entry(TENANT, video.id, "clips", clip, progress)


# --- once it is planned


def test_a_plan_within_the_limit_is_filmed(bench: Bench) -> None:
    video = film(bench, 4 * CLIP + JOINING)
    assert len(bench.answer(plan.handler, video)["scenes"][0]["clips"]) == 4
    assert bench.now(video).stage is Stage.RENDERING


def test_a_plan_above_the_limit_ends_before_any_clip(bench: Bench) -> None:
    video = film(bench, 4 * CLIP - 0.01)
    error, cause = bench.answer(plan.handler, video)
    assert error == "MaxCostReached"
    assert "its 4 clips" in cause["errorMessage"].replace("the film's", "its")
    assert "retry?max_cost=" in cause["advice"]
    assert bench.now(video).clips == []


def test_what_is_spent_counts_and_clips_that_exist_cost_nothing(bench: Bench) -> None:
    spent = film(bench, 4 * CLIP + JOINING, spent=0.05)
    assert bench.answer(plan.handler, spent)[0] == "MaxCostReached"
    for index in range(3):
        bench.put_clip(bench.plan(spent), index, b"made before")
    assert "scenes" in bench.answer(plan.handler, spent)


# --- before each clip


def test_no_clip_begins_that_would_exceed_the_limit(bench: Bench) -> None:
    video = film(bench, 2.5 * CLIP, Stage.RENDERING)
    assert begin(bench, video, 0) == ""
    assert begin(bench, video, 1) == ""
    reason = begin(bench, video, 2)
    assert "clips in flight may cost 0.3251 USD and this one 0.1626 USD" in reason
    assert begin(bench, video, 1) == "", "a clip that was let begin may begin again"
    # A clip counts what it has cost once it is done: less or more than was estimated.
    done(bench, video, 0, 0.01)
    assert begin(bench, video, 2) == ""
    done(bench, video, 1, 3 * CLIP)
    assert f"{0.01 + 3 * CLIP:.4f} USD are spent" in begin(bench, video, 3)
    assert [call.clip for call in bench.inferences.of_video(video.id)] == [0, 1, 2]


def test_of_clips_that_begin_at_once_no_more_begin_than_the_limit_allows(bench: Bench) -> None:
    video = film(bench, 2.5 * CLIP, Stage.RENDERING)
    with ThreadPoolExecutor(4) as tasks:
        reasons = list(tasks.map(lambda clip: begin(bench, video, clip), range(4)))
    assert reasons.count("") == 2
    assert len(bench.inferences.of_video(video.id)) == 2


def test_a_clip_that_exists_is_reused_above_the_limit(bench: Bench) -> None:
    video = film(bench, 0.001, Stage.RENDERING)
    bench.put_clip(bench.plan(video), 0, b"made before")
    assert bench.answer(render_clip.handler, video, clip=0, retry=0, token="nobody's")["reused"]


def test_a_draft_has_its_limit_too(bench: Bench) -> None:
    small = {"width": 64, "height": 64, "seconds": 12}
    video = bench.video("animatic", Stage.RENDERING, request=small, max_cost=1e-5)
    assert bench.answer(draw_clip.handler, video, clip=0)[0] == "MaxCostReached"
    assert not bench.outputs.exists(keys.clip(TENANT, bench.plan(video).clips[0].key_hash))
    free = bench.video("animatic", Stage.RENDERING, request=small, max_cost=1)
    assert bench.answer(draw_clip.handler, free, clip=0) == {"clip": 0, "reused": False}


def test_a_retry_counts_what_was_spent_before_and_may_raise_the_limit(bench: Bench) -> None:
    video = film(bench, 1.5 * CLIP, Stage.RENDERING)
    assert begin(bench, video, 0) == ""
    done(bench, video, 0, CLIP)
    assert "0.1626 USD are spent" in begin(bench, video, 1)
    bench.videos.advance(TENANT, video.id, Stage.FAILED)
    again = bench.videos.requeue(bench.now(video), max_cost=2.2 * CLIP)
    assert again is not None
    assert again.spent == pytest.approx(CLIP)
    again = bench.videos.advance(TENANT, video.id, Stage.PLANNING)
    waiting = [ClipProgress(seconds=6)] * 4
    bench.videos.advance(TENANT, video.id, Stage.RENDERING, clips=waiting)
    assert begin(bench, video, 1) == ""
    assert "0.1626 USD are spent" in begin(bench, video, 2)
    assert bench.now(video).spent_so_far == pytest.approx(CLIP)


def test_a_film_without_a_limit_is_not_counted(bench: Bench) -> None:
    video = film(bench, None, Stage.RENDERING)
    assert begin(bench, video, 0) == ""
    assert bench.now(video).max_cost is None
