from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from lambdas.adapters.clients import stills_client
from lambdas.adapters.stills import REGION, Still, Stills
from lambdas.domain.prices import FREE
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.domain.video_parts import ClipState, PartProgress
from lambdas.production.scene_parts import SceneTask
from lambdas.tasks import draw_still, write_storyboard
from tests.cloud.pipeline.bench import TENANT, Bench, a_brief, a_scene

STILLS = f"artifacts/{TENANT}/stills/"
SMALL = {"width": 96, "height": 64, "fps": 8, "seed": 7}


def run(bench: Bench, video: Video, scene: int = 0) -> Any:
    return bench.answer(draw_still.handler, video, scene=scene)


def written(bench: Bench, *scenes: dict[str, Any], **request: Any) -> Video:
    brief = a_brief(*(scenes or (a_scene(),)))
    video = bench.video("animatic", request={"brief": brief, "stills": {}, **SMALL, **request})
    bench.answer(write_storyboard.handler, video)
    return video


@pytest.fixture(autouse=True)
def _nothing_was_drawn(bench: Bench) -> None:
    """Each test finds only its own pictures."""
    bench.outputs.delete_all(STILLS)


def test_a_scene_s_first_picture_has_the_film_s_size(bench: Bench) -> None:
    image = {"positive_prompt": "A bee sleeps in a bell flower.", "negative_prompt": "people"}
    video = written(bench, a_scene(), a_scene(image=image))
    assert run(bench, video, scene=1) == {"scene": 1, "reused": False}
    [asked] = bench.answers.drawn
    assert asked["model"] == "stability.stable-image-core-v1:1"
    assert asked["prompt"] == "A bee sleeps in a bell flower. Warm light."
    assert (asked["negative_prompt"], asked["aspect_ratio"]) == ("people", "3:2")
    waiting, done = bench.now(video).stills
    assert (waiting.state, done.state, done.reused) == (ClipState.WAITING, ClipState.DONE, False)
    assert done.by == "stability.stable-image-core-v1:1"
    with Image.open(BytesIO(bench.outputs.get(str(done.artifact)))) as picture:
        assert (picture.format, picture.size) == ("PNG", (96, 64))


def test_quality_selects_the_model_and_the_model_is_reported(bench: Bench) -> None:
    bench.answers.picture["answered_by"] = "comfyui flux"
    video = written(bench, stills={"quality": "premium"})
    run(bench, video)
    assert bench.answers.drawn[0]["model"] == "stability.stable-image-ultra-v1:1"
    still = bench.now(video).stills[0]
    assert (still.by, still.cost) == ("comfyui flux", 0.14)


def test_the_same_request_twice_is_drawn_once(bench: Bench) -> None:
    first, again = written(bench), written(bench)
    run(bench, first)
    assert run(bench, again) == {"scene": 0, "reused": True}
    assert len(bench.answers.drawn) == 1
    one, other = bench.now(first).stills[0], bench.now(again).stills[0]
    assert (one.cost, other.cost) == (0.04, 0.0)
    assert one.artifact == other.artifact
    assert (other.state, other.reused, other.by) == (ClipState.DONE, True, one.by)
    assert one.by


def test_a_duplicate_delivery_draws_once(bench: Bench) -> None:
    video = written(bench)
    run(bench, video)
    drawn = bench.now(video).stills[0].artifact
    run(bench, video)
    assert len(bench.answers.drawn) == 1
    assert bench.now(video).stills[0].artifact == drawn


def test_a_change_to_any_input_of_a_still_redraws_it(bench: Bench) -> None:
    run(bench, written(bench))
    others = [
        written(bench, a_scene(seen="A wasp on a flower.")),
        written(bench, seed=8),
        written(bench, width=64),
        written(bench, stills={"quality": "premium"}),
    ]
    for video in others:
        assert run(bench, video)["reused"] is False
    assert len(bench.answers.drawn) == 5


def test_two_scenes_of_the_same_words_are_two_pictures(bench: Bench) -> None:
    video = written(bench, a_scene(), a_scene())
    for scene in range(2):
        run(bench, video, scene)
    first, second = bench.answers.drawn
    assert first["seed"] != second["seed"]


def test_a_throttled_picture_is_retried(bench: Bench) -> None:
    bench.answers.refusals = [(429, "ThrottlingException", "Too many requests")]
    assert run(bench, written(bench)) == {"scene": 0, "reused": False}
    assert len(bench.answers.drawn) == 2


def test_a_rejection_by_the_model_is_reported_in_its_words(bench: Bench) -> None:
    bench.answers.refusals = [(400, "ValidationException", "the prompt is too long")]
    video = written(bench)
    error, cause = run(bench, video)
    assert error == "StillRefused"
    assert "the prompt is too long" in cause["errorMessage"]
    assert bench.now(video).stills[0].state is ClipState.RENDERING
    [failed] = bench.videos.failed_tries(TENANT, video.id)
    assert (failed.step, failed.scene, failed.code) == ("DrawStill", 0, "StillRefused")
    assert "the prompt is too long" in failed.reason
    assert bench.deployment.keys("output", STILLS) == set()


@pytest.mark.parametrize(
    ("answer", "said", "advice"),
    [
        ({"finish_reasons": ["Filter reason: prompt"]}, "Filter reason: prompt", "the model's filter"),
        ({"images": ["R0lGODlh"]}, "no picture", "image prompt"),
    ],
)
def test_an_answer_without_a_picture_is_rejected_and_not_stored(
    bench: Bench, answer: dict[str, Any], said: str, advice: str
) -> None:
    bench.answers.picture |= answer
    error, cause = run(bench, written(bench))
    assert error == "StillRefused"
    assert said in cause["errorMessage"]
    assert advice in cause["advice"]
    assert bench.deployment.keys("output", STILLS) == set()


def test_nothing_is_drawn_for_a_video_that_has_ended(bench: Bench) -> None:
    cancelled = written(bench)
    bench.videos.advance(TENANT, cancelled.id, Stage.CANCELLED)
    assert run(bench, cancelled)[0] == "VideoClosed"
    deleted = written(bench)
    bench.videos.delete(TENANT, deleted.id)
    assert run(bench, deleted)[0] == "VideoNotFound"
    assert bench.answers.drawn == []


def test_a_still_of_an_ended_attempt_is_not_used_in_the_edited_film(bench: Bench) -> None:
    """The user ends the attempt while the still is drawn, edits the storyboard and starts another attempt."""
    video = written(bench)
    begun_anew = [PartProgress(scene=0)]

    class Slow(Stills):
        def draw(self, **wanted: Any) -> Still:
            bench.videos.advance(TENANT, video.id, Stage.PREPARING, stills=begun_anew)
            return super().draw(**wanted)

    task = SceneTask(tenant=TENANT, video_id=video.id, scene=0)
    stills = Slow(stills_client(REGION))
    draw_still.draw_still(task, FREE, bench.videos, bench.inputs, bench.outputs, stills)
    assert bench.now(video).stills == begun_anew
