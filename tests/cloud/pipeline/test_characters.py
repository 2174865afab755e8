"""A film's characters: described by a text model that sees them, written about, drawn and filmed."""

from base64 import b64decode
from io import BytesIO
from typing import Any

import pytest
from PIL import Image as Picture

from lambdas.domain import keys
from lambdas.domain.characters import Image, character_id
from lambdas.domain.video import Video
from lambdas.tasks import draw_clip, draw_still, plan, render_clip, write_storyboard
from tests.cloud.deployment import png
from tests.cloud.pipeline.bench import (
    ANSWER_COST,
    TENANT,
    Bench,
    a_brief,
    a_scene,
    converse_answer,
    tool_answer,
)

SMALL = {"width": 96, "height": 64, "fps": 8, "seed": 7}
FOX = "A small red fox with a green scarf."


def a_role(bench: Bench, name: str = "Mossy", description: str = "", *, seed: int = 1) -> dict[str, Any]:
    image = Image(key=f"uploads/{TENANT}/{name}-{seed}.png", sha256=f"{name}{seed}", width=320, height=180)
    bench.inputs.put(image.key, png(seed), "image/png")
    id_ = character_id(TENANT, name)
    return {"id": id_, "name": name, "description": description, "image": image.model_dump()}


def a_film(bench: Bench, *roles: dict[str, Any], engine: str = "animatic", **request: Any) -> Video:
    given = {"prompt": "Mossy runs", "seconds": 2, **SMALL, "characters": roles, **request}
    return bench.video(engine, request=given, cast=roles)


@pytest.fixture(autouse=True)
def _nothing_was_described(bench: Bench) -> None:
    """Each test finds only its own descriptions."""
    bench.inputs.delete_all(keys.DESCRIPTIONS_PREFIX)


def test_a_model_that_sees_describes_a_character_once_for_all_films(bench: Bench) -> None:
    bench.answers.converse = (200, converse_answer(FOX, by="a model"))
    video = a_film(bench, a_role(bench))
    bench.answer(write_storyboard.handler, video)
    [asked] = bench.answers.questions
    shown, said = asked["messages"][0]["content"]
    assert shown["image"]["format"] == "jpeg"
    assert b64decode(shown["image"]["source"]["bytes"]) == png(1)
    assert "<name>Mossy</name>" in said["text"]
    [one] = bench.now(video).cast
    assert (one.looks, one.described and one.described.by) == (FOX, "a model")
    assert bench.now(video).cost == ANSWER_COST
    bench.answer(plan.handler, video)
    [planned] = bench.plan(video).scenes
    assert planned.clips[0].prompt == f"Mossy: {FOX} Mossy runs"
    assert bench.now(video).cast[0].scenes == (0,)

    another = a_film(bench, a_role(bench))
    bench.answer(write_storyboard.handler, another)
    [same] = bench.now(another).cast
    assert (same.looks, same.described and same.described.cost) == (FOX, 0)
    assert len(bench.answers.questions) == 1


def test_a_user_s_own_description_needs_no_model(bench: Bench) -> None:
    video = a_film(bench, a_role(bench, description="a grey wolf"))
    bench.answer(write_storyboard.handler, video)
    assert bench.answers.questions == []
    bench.answer(plan.handler, video)
    assert bench.plan(video).clips[0].prompt == "Mossy: a grey wolf. Mossy runs"


def test_where_no_model_sees_the_name_alone_is_used_and_the_record_says_so(bench: Bench) -> None:
    error = {"code": "ValidationException", "message": "The rule-based director can't see pictures"}
    bench.answers.converse = (400, error)
    video = a_film(bench, a_role(bench))
    bench.answer(write_storyboard.handler, video)
    [one] = bench.now(video).cast
    assert one.looks == ""
    assert one.described
    assert one.described.note
    assert "Mossy could not be described, so prompts have the name alone" in one.described.note
    assert "can't see pictures. Send a description" in one.described.note
    bench.answer(plan.handler, video)
    assert bench.plan(video).clips[0].prompt == "Mossy runs"
    # The next film asks again.
    bench.answers.converse = (200, converse_answer(FOX))
    another = a_film(bench, a_role(bench))
    bench.answer(write_storyboard.handler, another)
    assert bench.now(another).cast[0].looks == FOX


def test_the_text_model_that_writes_the_film_knows_its_characters(bench: Bench) -> None:
    scenes = [a_scene("Hi.", "Mossy sleeps in a den."), a_scene("Ho.", "Snow falls on a hill.")]
    board = {"title": "Mossy", "style": "Warm light.", "scenes": scenes}
    bench.answers.converse = (200, tool_answer(board))
    brief = {"topic": "Mossy in the snow", "scenes": 2}
    video = a_film(bench, a_role(bench, description="a grey wolf"), brief=brief)
    bench.answer(write_storyboard.handler, video)
    [asked] = bench.answers.questions
    assert '<characters>[{"name": "Mossy", "looks": "a grey wolf"}]</characters>' in str(asked["messages"])
    video = bench.prepare(video)
    bench.answer(plan.handler, video)
    first, second = bench.plan(video).scenes
    assert first.clips[0].prompt == "Mossy: a grey wolf. Mossy sleeps in a den. Warm light."
    assert second.clips[0].prompt == "Snow falls on a hill. Warm light."
    assert [one.name for one in first.characters] == ["Mossy"]
    assert second.characters == ()
    assert bench.now(video).cast[0].scenes == (0,)


def test_a_premium_still_is_drawn_from_the_character_s_picture(bench: Bench) -> None:
    def drawn(quality: str, seen: str, role: dict[str, Any]) -> dict[str, Any]:
        brief = a_brief(a_scene(seen=seen))
        video = a_film(bench, role, brief=brief, stills={"quality": quality})
        bench.answer(write_storyboard.handler, video)
        bench.answer(draw_still.handler, video, scene=0)
        return bench.answers.drawn[-1]

    role = a_role(bench, description="a grey wolf")
    asked = drawn("premium", "A den. Mossy sleeps.", role)
    assert asked["model"].startswith("stability.stable-image-ultra")
    assert asked["prompt"] == "Mossy: a grey wolf. A den. Mossy sleeps. Warm light."
    assert (asked["strength"], "mode" in asked, "aspect_ratio" in asked) == (0.7, False, False)
    with Picture.open(BytesIO(b64decode(asked["image"]))) as picture:
        assert picture.size == (1280, 832)  # the film's shape
    assert "image" not in drawn("premium", "A hill.", role)
    assert "image" not in drawn("standard", "Mossy sleeps on a hill.", role)
    # Another picture is another still; the same is not drawn twice.
    before = len(bench.answers.drawn)
    drawn("premium", "A den. Mossy sleeps.", role)
    assert len(bench.answers.drawn) == before
    drawn("premium", "A den. Mossy sleeps.", a_role(bench, description="a grey wolf", seed=2))
    assert len(bench.answers.drawn) == before + 1


def test_a_draft_that_begins_with_a_character_shows_its_picture(bench: Bench) -> None:
    clips = []
    for seed in (1, 2):
        video = a_film(bench, a_role(bench, description="a grey wolf", seed=seed))
        bench.answer(write_storyboard.handler, video)
        bench.answer(plan.handler, video)
        bench.answer(draw_clip.handler, video, clip=0)
        clips.append(bench.outputs.get(keys.clip(TENANT, bench.plan(video).clips[0].key_hash)))
    assert clips[0] != clips[1]


def test_an_engine_gets_the_character_s_picture_as_first_frame(bench: Bench) -> None:
    role = a_role(bench, description="a grey wolf")
    size = {"width": 720, "height": 480, "seconds": 6}
    video = a_film(bench, role, engine="cogvideox-5b-i2v", prompt="A den. Mossy runs", **size)
    bench.answer(write_storyboard.handler, video)
    bench.answer(plan.handler, video)
    task = bench.task()
    task.call(render_clip.handler, video, clip=0, retry=0)
    [inference] = bench.inferences.of_video(video.id)
    request = bench.inputs.get(inference.request)
    assert b'"image":"' in request.replace(b'": "', b'":"')
