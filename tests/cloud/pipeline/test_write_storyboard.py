from typing import Any

import pytest

from lambdas.adapters.storyboards import Storyboards
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import ClipState, PartProgress, Stage, Video, Writer
from lambdas.tasks import write_storyboard
from tests.cloud.pipeline.bench import (
    ANSWER_COST,
    TENANT,
    Bench,
    a_brief,
    a_scene,
    converse_answer,
    tool_answer,
)

BRIEF = {"topic": "The life of a honey bee", "scenes": 2}
SEEN = "A honey bee with dusty golden fur rests on a white daisy in a sunny meadow."
ANSWER = {
    "title": "A bee's day",
    "style": "Warm macro photography with soft light.",
    "scenes": [
        {
            "narration": {"text": "A bee visits a thousand flowers on a good day."},
            "image": {"positive_prompt": SEEN, "negative_prompt": "people"},
            "video": {"positive_prompt": SEEN, "negative_prompt": "cuts"},
        }
    ]
    * 2,
}


def run(bench: Bench, video: Video) -> Any:
    return bench.answer(write_storyboard.handler, video)


def briefed(bench: Bench, brief: dict[str, Any], **request: Any) -> Video:
    return bench.video("animatic", request={"brief": brief, **request})


def storyboard(bench: Bench, video: Video) -> Storyboard:
    return Storyboards(bench.outputs).get(bench.now(video))


def test_a_film_of_one_prompt_has_nothing_to_prepare(bench: Bench) -> None:
    video = bench.video()
    assert run(bench, video) == {"tenant": TENANT, "video_id": video.id, "scenes": []}
    assert bench.now(video).stage is Stage.PLANNING
    assert bench.now(video).storyboard is None


def test_the_model_s_storyboard_is_kept_and_the_record_says_who_wrote_it(bench: Bench) -> None:
    bench.answers.converse = (200, tool_answer(ANSWER, by="qwen3"))
    video = briefed(bench, BRIEF)
    scenes = [{"index": index, "narrate": True, "still": False} for index in range(2)]
    assert run(bench, video) == {"tenant": TENANT, "video_id": video.id, "scenes": scenes}
    assert storyboard(bench, video) == Storyboard.model_validate(ANSWER)
    written = bench.now(video)
    assert [entry.stage for entry in written.history] == [Stage.PLANNING, Stage.PREPARING]
    assert written.writer == Writer(by="qwen3", cost=ANSWER_COST)
    assert written.narrations == [PartProgress(scene=index) for index in range(2)]
    assert written.stills == []
    [question] = bench.answers.questions
    assert "The life of a honey bee" in question["messages"][0]["content"][0]["text"]


def test_a_whole_storyboard_is_asked_of_nobody(bench: Bench) -> None:
    brief = a_brief(a_scene("A bee."), a_scene())
    video = briefed(bench, brief)
    assert [scene["narrate"] for scene in run(bench, video)["scenes"]] == [True, False]
    assert storyboard(bench, video) == Storyboard.model_validate(brief["given"])
    assert bench.now(video).writer == Writer(by=None, cost=0.0)
    assert bench.answers.questions == []


def test_the_scenes_of_a_whole_storyboard_share_the_film_s_length(bench: Bench) -> None:
    video = briefed(bench, a_brief(a_scene(), a_scene(seconds=3), a_scene(), seconds=10))
    run(bench, video)
    assert [scene.seconds for scene in storyboard(bench, video).scenes] == [3.5, 3, 3.5]


def test_only_a_first_scene_that_has_no_image_gets_a_still(bench: Bench) -> None:
    image = {"key": "uploads/acme/x.png", "sha256": "0" * 64, "width": 96, "height": 64}
    brief = a_brief(a_scene(), a_scene())
    plain = briefed(bench, brief, stills={})
    assert [scene["still"] for scene in run(bench, plain)["scenes"]] == [True, True]
    assert bench.now(plain).stills == [PartProgress(scene=index) for index in range(2)]
    given = briefed(bench, brief, stills={}, image=image)
    assert [scene["still"] for scene in run(bench, given)["scenes"]] == [False, True]


def test_a_later_attempt_finds_the_storyboard_and_begins_its_parts_anew(bench: Bench) -> None:
    bench.answers.converse = (200, tool_answer(ANSWER))
    video = briefed(bench, BRIEF)
    first = run(bench, video)
    before = bench.now(video).writer
    make_narration(bench, video)
    assert bench.videos.requeue(bench.now(video))
    bench.answers.converse = (200, tool_answer(ANSWER | {"title": "Another film on bees"}))
    assert run(bench, video) == first
    assert storyboard(bench, video).title == "A bee's day"
    assert len(bench.answers.questions) == 1
    assert bench.now(video).narrations == [PartProgress(scene=index) for index in range(2)]
    assert bench.now(video).writer == before


def make_narration(bench: Bench, video: Video) -> PartProgress:
    made = PartProgress(scene=0, state=ClipState.DONE, artifact="artifacts/acme/narrations/1.json")
    bench.videos.update_entry(TENANT, video.id, "narrations", 0, made)
    return made


def test_a_try_whose_answer_was_lost_is_repeated_and_takes_nothing_back(bench: Bench) -> None:
    video = briefed(bench, a_brief(a_scene("A bee."), a_scene("Two.")))
    first = run(bench, video)
    made = make_narration(bench, video)
    assert run(bench, video) == first
    assert bench.now(video).stage is Stage.PREPARING
    assert bench.now(video).narrations == [made, PartProgress(scene=1)]


def test_a_crash_between_record_and_storyboard_asks_again(bench: Bench) -> None:
    bench.answers.converse = (200, tool_answer(ANSWER, by="qwen3"))
    video = briefed(bench, BRIEF)
    bench.videos.advance(TENANT, video.id, Stage.PLANNING, writer=Writer(by="another"))
    run(bench, video)
    assert bench.now(video).writer == Writer(by="qwen3", cost=ANSWER_COST)
    assert len(bench.answers.questions) == 1


@pytest.mark.parametrize(
    ("answer", "error", "advice", "asked"),
    [
        (
            (429, {"code": "ThrottlingException", "message": "slow down"}),
            "TextModelUnavailable",
            "give the storyboard",
            1,
        ),
        ((200, converse_answer("Sorry.")), "StoryboardRejected", "give the storyboard", 2),
        ((200, converse_answer("", "guardrail_intervened")), "StoryboardRejected", "Change the topic", 1),
    ],
)
def test_without_a_storyboard_the_task_says_why_and_may_be_tried_again(
    bench: Bench, answer: tuple[int, dict[str, Any]], error: str, advice: str, asked: int
) -> None:
    bench.answers.converse = answer
    video = briefed(bench, BRIEF)
    failed, cause = run(bench, video)
    assert failed == error
    assert advice in cause["advice"]
    assert len(bench.answers.questions) == asked
    assert bench.now(video).stage is Stage.PLANNING
    assert bench.now(video).storyboard is None
    bench.answers.converse = (200, tool_answer(ANSWER))
    assert len(run(bench, video)["scenes"]) == 2


def test_no_storyboard_is_written_for_a_video_that_has_ended(bench: Bench) -> None:
    cancelled = briefed(bench, BRIEF)
    bench.videos.advance(TENANT, cancelled.id, Stage.CANCELLED)
    assert run(bench, cancelled)[0] == "VideoClosed"
    deleted = briefed(bench, BRIEF)
    bench.videos.delete(TENANT, deleted.id)
    assert run(bench, deleted)[0] == "VideoNotFound"
    assert bench.answers.questions == []
