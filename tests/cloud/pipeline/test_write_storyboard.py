from typing import Any

import pytest

from lambdas.adapters.clients import client
from lambdas.adapters.objects import Objects
from lambdas.adapters.storyboards import Storyboards
from lambdas.adapters.text_model import TextModel, ToolAnswer
from lambdas.domain.brand import parse_brand
from lambdas.domain.errors import VideoClosed
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import Video, unchanged_parts
from lambdas.domain.video_parts import ClipState, Decision, Part, PartProgress, Review, Rewrite, Writer
from lambdas.domain.video_request import Gate
from lambdas.production.task_token import VideoTask
from lambdas.tasks import write_storyboard
from tests.cloud.pipeline.bench import (
    ANSWER_COST,
    PRICES,
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


def due(told: Any, what: str = "narrate") -> list[int]:
    """Return the scenes that need this part."""
    return [scene["index"] for scene in told["scenes"] if scene[what]]


def briefed(bench: Bench, brief: dict[str, Any], **request: Any) -> Video:
    return bench.video("animatic", request={"brief": brief, **request})


def test_a_brand_s_intro_and_outro_stand_around_what_was_written(bench: Bench) -> None:
    bench.answers.converse = (200, tool_answer(ANSWER))
    brand = parse_brand({"intro": {"title": {"text": "Bee Club"}}, "outro": {"title": {"text": "Bye"}}})
    video = briefed(bench, BRIEF, brand=brand.model_dump(mode="json"))
    told = run(bench, video)
    scenes = storyboard(bench, video).scenes
    assert [scene.title.text if scene.title else None for scene in scenes] == ["Bee Club", None, None, "Bye"]
    assert due(told) == [1, 2]
    [question] = bench.answers.questions
    assert "storyboard of 2 scenes" in question["messages"][0]["content"][0]["text"]


def storyboard(bench: Bench, video: Video) -> Storyboard:
    return Storyboards(bench.outputs).get(bench.now(video))


def test_a_film_of_one_prompt_has_nothing_to_prepare(bench: Bench) -> None:
    video = bench.video()
    assert run(bench, video) == {"tenant": TENANT, "video_id": video.id, "scenes": [], "review": []}
    assert bench.now(video).stage is Stage.PLANNING
    assert bench.now(video).storyboard is None


def test_the_model_s_storyboard_is_stored_with_its_author(bench: Bench) -> None:
    bench.answers.converse = (200, tool_answer(ANSWER, by="qwen3"))
    video = briefed(bench, BRIEF)
    scenes = [{"index": index, "narrate": True, "still": False} for index in range(2)]
    told = {"tenant": TENANT, "video_id": video.id, "scenes": scenes, "review": []}
    assert run(bench, video) == told
    assert storyboard(bench, video) == Storyboard.model_validate(ANSWER)
    written = bench.now(video)
    assert [entry.stage for entry in written.history] == [Stage.PLANNING, Stage.PREPARING]
    assert written.writer == Writer(by="qwen3", cost=ANSWER_COST)
    assert written.narrations == [PartProgress(scene=index) for index in range(2)]
    assert written.stills == []
    [question] = bench.answers.questions
    assert "The life of a honey bee" in question["messages"][0]["content"][0]["text"]


def test_a_complete_storyboard_needs_no_model(bench: Bench) -> None:
    brief = a_brief(a_scene("A bee."), a_scene())
    video = briefed(bench, brief)
    assert due(run(bench, video)) == [0]
    assert storyboard(bench, video) == Storyboard.model_validate(brief["given"])
    assert bench.now(video).writer == Writer(by=None, cost=0.0)
    assert bench.answers.questions == []


def test_scenes_of_a_complete_storyboard_share_the_film_s_length(bench: Bench) -> None:
    video = briefed(bench, a_brief(a_scene(), a_scene(seconds=3), a_scene(), seconds=10))
    run(bench, video)
    assert [scene.seconds for scene in storyboard(bench, video).scenes] == [3.5, 3, 3.5]


def test_only_a_first_scene_that_has_no_image_gets_a_still(bench: Bench) -> None:
    image = {"key": "uploads/acme/x.png", "sha256": "0" * 64, "width": 96, "height": 64}
    brief = a_brief(a_scene(), a_scene())
    plain = briefed(bench, brief, stills={})
    assert due(run(bench, plain), "still") == [0, 1]
    assert bench.now(plain).stills == [PartProgress(scene=index) for index in range(2)]
    given = briefed(bench, brief, stills={}, image=image)
    assert due(run(bench, given), "still") == [1]
    assert bench.now(given).stills == [PartProgress(scene=1)]


@pytest.mark.parametrize("text", ["🎉", "…", "***", "<br>"])
def test_a_narration_without_words_leaves_its_scene_silent(bench: Bench, text: str) -> None:
    brief = a_brief(a_scene("A bee wakes."), a_scene(text))
    video = bench.video("animatic", request={"brief": brief})
    scenes = bench.answer(write_storyboard.handler, video)["scenes"]
    assert [scene["index"] for scene in scenes] == [0]
    assert [part.scene for part in bench.now(video).narrations] == [0]


def test_the_record_lists_only_existing_narrations(bench: Bench) -> None:
    video = briefed(bench, a_brief(a_scene(), a_scene("A bee."), a_scene()))
    run(bench, video)
    assert bench.now(video).narrations == [PartProgress(scene=1)]


def test_a_later_attempt_reuses_the_storyboard_and_resets_its_parts(bench: Bench) -> None:
    bench.answers.converse = (200, tool_answer(ANSWER))
    video = briefed(bench, BRIEF)
    first = run(bench, video)
    assert bench.now(video).writer == Writer(by="director", cost=ANSWER_COST)
    make_narration(bench, video)
    assert bench.videos.requeue(bench.now(video))
    bench.answers.converse = (200, tool_answer(ANSWER | {"title": "Another film on bees"}))
    assert run(bench, video) == first
    assert storyboard(bench, video).title == "A bee's day"
    assert len(bench.answers.questions) == 1
    assert bench.now(video).narrations == [PartProgress(scene=index) for index in range(2)]
    assert bench.now(video).writer == Writer(by="director", cost=0.0)


def make_narration(bench: Bench, video: Video) -> PartProgress:
    made = PartProgress(scene=0, state=ClipState.DONE, artifact="artifacts/acme/narrations/1.json")
    bench.videos.update_entry(TENANT, video.id, "narrations", 0, made)
    return made


def test_a_try_whose_answer_was_lost_is_repeated_and_undoes_nothing(bench: Bench) -> None:
    video = briefed(bench, a_brief(a_scene("A bee."), a_scene("Two.")))
    assert due(run(bench, video)) == [0, 1]
    made = make_narration(bench, video)
    assert due(run(bench, video)) == [1]
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
            "send your own storyboard",
            1,
        ),
        ((200, converse_answer("Sorry.")), "StoryboardRejected", "send your own storyboard", 2),
        ((200, converse_answer("", "guardrail_intervened")), "StoryboardRejected", "Change the topic", 1),
    ],
)
def test_without_a_storyboard_the_task_says_why_and_can_be_retried(
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


# --- gates


def at_gate(bench: Bench, video: Video, gate: Gate, **changes: Any) -> Video:
    """Leave the record as the review does: planning after a change, preparing after an approval."""
    review = Review(gate=gate, until_ms=1)
    bench.videos.advance(TENANT, video.id, Stage.REVIEWING, review=review)
    decision = Decision.CHANGED if changes else Decision.APPROVED
    decided = {"review": review.model_copy(update={"decision": decision}), **changes}
    if not changes:
        decided["approved"] = (*bench.now(video).approved, gate)
    stage = Stage.PLANNING if changes else Stage.PREPARING
    return bench.videos.advance(TENANT, video.id, stage, **decided)


def test_a_film_stays_in_planning_until_its_storyboard_is_approved(bench: Bench) -> None:
    video = briefed(bench, a_brief(a_scene("A bee."), a_scene()), review=["storyboard", "previews"])
    assert run(bench, video)["review"] == ["storyboard", "previews"]
    assert bench.now(video).stage is Stage.PLANNING
    at_gate(bench, video, Gate.STORYBOARD)
    assert run(bench, video)["review"] == ["previews"]
    prepared = bench.now(video)
    assert (prepared.stage, prepared.review) == (Stage.PREPARING, None)
    make_narration(bench, video)
    assert run(bench, video)["review"] == ["previews"]  # its answer was lost
    assert bench.now(video).narrations[0].state is ClipState.DONE
    at_gate(bench, video, Gate.PREVIEWS)
    assert bench.now(video).gates == []


def test_a_storyboard_edited_at_its_gate_is_the_one_prepared(bench: Bench) -> None:
    video = briefed(bench, a_brief(a_scene("A bee.")), review=["storyboard"])
    run(bench, video)
    edited = Storyboard.model_validate(a_brief(a_scene(), a_scene("One."), a_scene("Two."))["given"])
    kept = Storyboards(bench.outputs).put(video, edited)
    bench.videos.advance(TENANT, video.id, Stage.PLANNING, storyboard=kept)
    at_gate(bench, video, Gate.STORYBOARD)
    assert due(run(bench, video)) == [1, 2]
    assert bench.now(video).narrations == [PartProgress(scene=1), PartProgress(scene=2)]
    assert bench.answers.questions == []


def test_only_changed_parts_are_regenerated_at_the_previews_gate(bench: Bench) -> None:
    """Earlier costs stay in the attempt's cost."""
    video = briefed(bench, a_brief(a_scene("A bee."), a_scene("Two.")), review=["previews"])
    run(bench, video)
    made = make_narration(bench, video)
    before = storyboard(bench, video)
    edited = Storyboard.model_validate(a_brief(a_scene("A bee."), a_scene("A wasp."))["given"])
    kept = Storyboards(bench.outputs).put(video, edited)
    parts = unchanged_parts(bench.now(video), before, edited)
    at_gate(bench, video, Gate.PREVIEWS, storyboard=kept, **parts)
    told = run(bench, video)
    assert (told["review"], due(told)) == (["previews"], [1])
    changed = bench.now(video)
    assert (changed.stage, changed.review) == (Stage.PREPARING, None)
    assert changed.narrations == [made, PartProgress(scene=1)]


def test_text_rewritten_at_the_previews_gate_is_spoken_again(bench: Bench) -> None:
    video = briefed(bench, a_brief(a_scene("A bee."), a_scene("Two.")), review=["previews"])
    run(bench, video)
    make_narration(bench, video)
    at_gate(bench, video, Gate.PREVIEWS, rewrite=Rewrite(scene=0, part=Part.VOICE, note="At night"))
    bench.answers.converse = (200, tool_answer(ANEW))
    assert due(run(bench, video)) == [0, 1]
    assert bench.now(video).narrations[0] == PartProgress(scene=0)


def test_a_late_try_does_not_end_a_later_one_s_wait(bench: Bench) -> None:
    video = briefed(bench, a_brief(a_scene("A bee.")), review=["storyboard"])
    wait = Review(gate=Gate.STORYBOARD, until_ms=1)

    class Late(Objects):
        """The later try ends while it reads the storyboard."""

        def get(self, key: str) -> bytes:
            if "/storyboards/" in key:
                bench.videos.advance(TENANT, video.id, Stage.REVIEWING, review=wait)
            return super().get(key)

    run(bench, video)
    outputs = Late(client("s3"), bench.outputs.bucket)
    request = VideoTask(tenant=TENANT, video_id=video.id)
    model = TextModel(client("bedrock-runtime"), "m", PRICES)
    with pytest.raises(VideoClosed):
        write_storyboard.write_storyboard(request, bench.videos, bench.inputs, outputs, model)
    assert bench.now(video).review == wait


# --- rewriting a part

ANEW = {
    "narration": {"text": "At night the bee sleeps in its hive."},
    "image": {"positive_prompt": "A honey bee sleeps in a dark hive.", "negative_prompt": "sun"},
    "video": {"positive_prompt": "A honey bee sleeps while the camera moves in.", "negative_prompt": "cuts"},
}
CHANGED = {Part.TEXT: set(ANEW), Part.VOICE: {"narration"}, Part.STILL: {"image"}}


def wished(bench: Bench, part: Part, gate: Gate = Gate.STORYBOARD) -> Video:
    """Return a video at a gate whose user asked to regenerate a part of its second scene."""
    own = a_scene("A bee flies from flower to flower.", SEEN, seconds=6.5)
    own["narration"] |= {"voice": "Amy", "speed": 0.9}
    own["image"] = {**own["image"], "seed": 7}
    video = briefed(bench, a_brief(a_scene("One."), own), review=[gate])
    run(bench, video)
    rewrite = Rewrite(scene=1, part=part, note="At night")
    return at_gate(bench, video, gate, rewrite=rewrite)


@pytest.mark.parametrize("part", Part)
def test_only_the_requested_part_is_rewritten(bench: Bench, part: Part) -> None:
    video = wished(bench, part)
    before = storyboard(bench, video).model_dump()
    bench.answers.converse = (200, tool_answer(ANEW, by="qwen3"))  # of all parts, whichever was requested
    assert run(bench, video)["review"] == ["storyboard"]
    after = storyboard(bench, video).model_dump()
    [question] = bench.answers.questions
    asked = question["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]
    assert set(asked["properties"]) == set(asked["required"]) == CHANGED[part]
    assert "At night" in question["messages"][0]["content"][0]["text"]
    expected = before["scenes"][1]
    for field in CHANGED[part]:
        expected[field] |= ANEW[field]
    assert after == before
    written = bench.now(video)
    assert (written.rewrite, written.stage) == (None, Stage.PLANNING)
    assert written.writer
    assert (written.writer.by, written.writer.note) == ("qwen3", None)
    run(bench, video)  # its answer was lost
    assert len(bench.answers.questions) == 1


def test_a_part_that_cannot_be_written_keeps_the_storyboard_and_says_why(bench: Bench) -> None:
    video = wished(bench, Part.VOICE, Gate.PREVIEWS)
    bench.answers.converse = (200, converse_answer("Sorry."))
    told = run(bench, video)
    assert (len(told["scenes"]), told["review"]) == (2, ["previews"])
    after = bench.now(video)
    assert (after.storyboard, after.rewrite, after.stage) == (video.storyboard, None, Stage.PREPARING)
    assert after.writer
    assert after.writer.by is None  # it is the user's still
    assert str(after.writer.note).startswith("scenes[1] could not be rewritten: Text model")


def test_an_unavailable_text_model_keeps_the_request_for_the_next_attempt(bench: Bench) -> None:
    video = wished(bench, Part.TEXT)
    bench.answers.converse = (429, {"code": "ThrottlingException", "message": "slow down"})
    assert run(bench, video)[0] == "TextModelUnavailable"
    assert bench.now(video).rewrite == video.rewrite
    assert bench.videos.requeue(bench.now(video))
    bench.answers.converse = (200, tool_answer(ANEW))
    assert run(bench, video)["review"] == ["storyboard"]
    assert "At night" in str(storyboard(bench, video).scenes[1].narration)


def test_a_lost_attempt_s_text_does_not_replace_an_edit(bench: Bench) -> None:
    """The user ends the attempt while the text model writes, and starts another."""
    video = briefed(bench, BRIEF)

    class Slow(TextModel):
        def fill(self, **question: Any) -> ToolAnswer:
            bench.videos.advance(TENANT, video.id, Stage.CANCELLED)
            assert bench.videos.requeue(bench.now(video))
            bench.videos.advance(TENANT, video.id, Stage.PLANNING)
            return super().fill(**question)

    bench.answers.converse = (200, tool_answer(ANSWER))
    request = VideoTask(tenant=TENANT, video_id=video.id)
    model = Slow(client("bedrock-runtime"), "m", PRICES)
    with pytest.raises(VideoClosed):
        write_storyboard.write_storyboard(request, bench.videos, bench.inputs, bench.outputs, model)
    assert bench.now(video).storyboard is None
