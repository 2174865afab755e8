from typing import Any

import pytest

from lambdas.domain.video import ClipState, Enhancement, Stage, Video
from lambdas.tasks import plan
from tests.cloud.deployment import Context
from tests.cloud.pipeline.bench import TENANT, Bench, converse_answer

PARAGRAPH = (
    "A honey bee settles on a white daisy in a summer meadow and gathers pollen from its yellow heart. "
    "The camera glides closer through soft golden light. Then the bee lifts off and drifts out of the frame."
)
ENHANCE = {"enhance": True}


def run(bench: Bench, video: Video) -> Any:
    """What the task answers."""
    task = bench.task()
    plan.handler({"token": task.token, "tenant": TENANT, "video_id": video.id}, Context())
    return task.answer()


def test_a_video_is_planned_into_clips(bench: Bench) -> None:
    video = bench.video()
    clips = [{"index": index, "renderer": "endpoint"} for index in range(2)]
    assert run(bench, video) == {
        "tenant": TENANT,
        "video_id": video.id,
        "scenes": [{"index": 0, "concurrency": plan.SIDE_BY_SIDE, "clips": clips}],
        "assembler": "function",
    }
    planned = bench.now(video)
    assert [entry.stage for entry in planned.history] == [Stage.PLANNING, Stage.RENDERING]
    assert [(clip.state, clip.seconds) for clip in planned.clips] == [(ClipState.WAITING, 1)] * 2
    assert planned.enhancement is None
    assert bench.answers.questions == []
    assert [clip.seed for clip in bench.plan(video).clips] == [video.seed, video.seed + 1]


def test_clips_that_start_from_the_one_before_are_made_one_by_one(bench: Bench) -> None:
    image = {"key": "uploads/acme/x.png", "sha256": "0" * 64, "width": 96, "height": 64}
    video = bench.video("cogvideox-nano-i2v", request={"image": image})
    [scene] = run(bench, video)["scenes"]
    assert scene["concurrency"] == 1


def test_the_text_model_s_paragraph_becomes_the_clips_prompts(bench: Bench) -> None:
    bench.answers.converse = (200, converse_answer(PARAGRAPH, by="qwen3"))
    video = bench.video(request=ENHANCE)
    run(bench, video)
    assert bench.now(video).enhancement == Enhancement(prompt=PARAGRAPH, by="qwen3")
    prompts = [clip.prompt for clip in bench.plan(video).clips]
    assert all(prompt.startswith("A honey bee settles on a white daisy") for prompt in prompts)
    assert "lifts off" not in prompts[0]
    assert "lifts off" in prompts[1]
    [question] = bench.answers.questions
    assert "A bee on a flower" in question["messages"][0]["content"][0]["text"]


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        ((200, converse_answer("")), "nothing"),
        ((200, converse_answer("I can't help with that.", "guardrail_intervened")), "filter"),
        (
            (403, {"code": "AccessDeniedException", "message": "no access to the model"}),
            "no access to the model",
        ),
        ((503, {"code": "ServiceUnavailableException", "message": "try later"}), "try later"),
    ],
)
def test_without_a_useful_answer_the_original_prompt_is_filmed_and_the_record_says_why(
    bench: Bench, answer: tuple[int, dict[str, Any]], note: str
) -> None:
    bench.answers.converse = answer
    video = bench.video(request=ENHANCE)
    run(bench, video)
    planned = bench.now(video)
    assert planned.stage is Stage.RENDERING
    assert planned.enhancement
    assert (planned.enhancement.prompt, planned.enhancement.by) == ("A bee on a flower", None)
    assert note in (planned.enhancement.note or "")
    assert len(bench.answers.questions) == (2 if answer[0] == 503 else 1)


def test_a_later_attempt_makes_the_same_clips_and_asks_no_model(bench: Bench) -> None:
    bench.answers.converse = (200, converse_answer(PARAGRAPH))
    video = bench.video(request=ENHANCE)
    first = run(bench, video)
    before = bench.plan(video)
    requeued = bench.videos.requeue(bench.now(video))
    assert requeued
    bench.answers.converse = (200, converse_answer(PARAGRAPH.replace("daisy", "tulip")))
    assert run(bench, video) == first
    assert bench.plan(video) == before
    assert len(bench.answers.questions) == 1
    assert bench.now(video).stage is Stage.RENDERING


def test_a_crash_after_the_model_s_answer_does_not_ask_it_again(bench: Bench) -> None:
    video = bench.video(request=ENHANCE)
    enhancement = Enhancement(prompt=PARAGRAPH, by="director")
    bench.videos.advance(TENANT, video.id, Stage.PLANNING, enhancement=enhancement)
    run(bench, video)
    assert bench.answers.questions == []
    assert "white daisy" in bench.plan(video).clips[0].prompt


def test_a_crash_after_the_record_gives_the_same_plan(bench: Bench) -> None:
    video = bench.video()
    assert run(bench, video) == run(bench, video)
    assert bench.now(video).stage is Stage.RENDERING


def test_a_cancelled_video_is_not_planned(bench: Bench) -> None:
    video = bench.video(stage=Stage.CANCELLED)
    error, cause = run(bench, video)
    assert (error, cause["errorType"]) == ("VideoClosed", "VideoClosed")
    assert bench.now(video).stage is Stage.CANCELLED


def test_a_deleted_video_is_not_planned(bench: Bench) -> None:
    video = bench.video()
    bench.videos.delete(TENANT, video.id)
    assert run(bench, video)[0] == "VideoNotFound"


def test_a_fault_of_ours_is_answered_and_raised(bench: Bench) -> None:
    task = bench.task()
    with pytest.raises(ValueError, match="video_id"):
        plan.handler({"token": task.token, "tenant": TENANT}, Context())
    assert task.answer()[0] == "ValidationError"
