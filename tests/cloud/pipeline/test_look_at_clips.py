"""LookAtClips: a vision model is asked about each clip once, whatever is killed, and never fails a film."""

import base64
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from lambdas.domain import keys
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipProgress, ClipState
from lambdas.production.opinions import read_opinions
from lambdas.tasks import look_at_clips
from tests.cloud.pipeline.bench import TENANT, Bench, converse_answer
from tests.media.clips import clip

ENGINE = "cogvideox-5b"
LOOKED = converse_answer('{"score": 3, "reason": "No bee."}', by="seer")


@pytest.fixture(autouse=True)
def _a_quick_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELWORKS_TEXT_SECONDS", "5")


def film(bench: Bench, clips: int = 2, **fields: Any) -> Video:
    request = {"seconds": 6 * clips, "vision_check": True}
    video = bench.video(ENGINE, Stage.RENDERING, request=request, **fields)
    for planned in bench.plan(video).clips:
        bench.outputs.put(keys.clip(TENANT, planned.key_hash), clip(9, seed=planned.index), "video/mp4")
        done = ClipProgress(seconds=6, state=ClipState.DONE, cost=0.5)
        bench.videos.update_entry(TENANT, video.id, "clips", planned.index, done)
    return bench.now(video)


def look(bench: Bench, video: Video) -> bool:
    more = bench.answer(look_at_clips.handler, video)
    assert set(more) == {"more"}
    return bool(more["more"])


def scores(bench: Bench, video: Video) -> list[int | None]:
    return [one.score for one in read_opinions(TENANT, video.id, bench.outputs).values()]


def test_each_clip_is_shown_with_its_prompt_and_asked_about_once(bench: Bench) -> None:
    bench.answers.converse = (200, LOOKED)
    video = film(bench)
    assert look(bench, video) is False
    assert len(bench.answers.questions) == 2
    [message] = bench.answers.questions[0]["messages"]
    picture, text = message["content"]
    assert bench.plan(video).clips[0].prompt in text["text"]
    sheet = Image.open(BytesIO(base64.b64decode(picture["image"]["source"]["bytes"])))
    assert (sheet.format, sheet.size) == ("JPEG", (3 * 96, 64))
    assert scores(bench, video) == [3, 3]
    looked = bench.now(video).looked
    assert looked
    assert (looked.clips, looked.note) == (2, None)
    assert looked.cost
    assert bench.now(video).cost == pytest.approx(1 + looked.cost)
    assert bench.now(video).waits_for is None
    assert look(bench, video) is False, "as after a lost answer"
    assert len(bench.answers.questions) == 2
    assert bench.now(video).looked == looked


def test_it_stops_before_its_time_is_over_and_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.answers.converse = (200, LOOKED)
    monkeypatch.setenv("REELWORKS_TEXT_SECONDS", "10000")  # longer than any function may run
    video = film(bench, 3)
    assert [look(bench, video) for _ in range(3)] == [True, True, False]
    assert len(bench.answers.questions) == 3
    assert bench.now(video).looked.clips == 3  # type: ignore[union-attr]


def test_a_model_that_sees_nothing_leaves_the_film_as_it_is(bench: Bench) -> None:
    bench.answers.converse = (400, {"code": "ValidationException", "message": "it takes no pictures"})
    video = film(bench)
    assert look(bench, video) is False
    looked = bench.now(video).looked
    assert looked
    assert (looked.clips, looked.cost) == (0, 0)
    assert looked.note
    assert "it takes no pictures" in looked.note
    assert len(bench.answers.questions) == 1, "the next clip would get the same answer"


def test_nothing_is_asked_beyond_max_cost(bench: Bench) -> None:
    bench.answers.converse = (200, LOOKED)
    video = film(bench, max_cost=1.0)  # its two clips cost as much
    assert look(bench, video) is False
    looked = bench.now(video).looked
    assert looked
    assert (looked.clips, looked.note) == (0, "max_cost is 1 USD")
    assert not bench.answers.questions


def test_a_clip_that_can_t_be_read_is_left_to_assembly(bench: Bench) -> None:
    bench.answers.converse = (200, LOOKED)
    video = film(bench)
    broken = bench.plan(video).clips[0]
    bench.outputs.put(keys.clip(TENANT, broken.key_hash), b"no clip", "video/mp4")
    assert look(bench, video) is False
    assert scores(bench, video) == [None, 3]
