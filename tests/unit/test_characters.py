"""Characters: their names in texts, in which scenes they appear, and what prompts say about them."""

from typing import Any

import pytest

from lambdas.domain.brief import Brief
from lambdas.domain.character_questions import accept_description, message
from lambdas.domain.characters import (
    CastMember,
    Description,
    Image,
    appearing,
    character_id,
    characters_json,
    handle,
    looks_of,
    mentions,
    opening,
    with_looks,
)
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_plan import FilmPlan
from lambdas.domain.origin import prompt_shots
from lambdas.domain.planning import make_plan
from lambdas.domain.prompts import PLACE_TOKENS, estimate_tokens, user_message
from lambdas.domain.storyboard import Prompts, Scene, Storyboard
from lambdas.domain.storyboard_answers import scene_prompt
from lambdas.domain.storyboard_questions import changes_question, storyboard_question
from lambdas.domain.video import unchanged_parts
from lambdas.domain.video_parts import PartProgress
from reelworks.cloud.director.prompts import read_task
from tests.factories import a_request, a_video


def a_member(name: str = "Mossy", **fields: Any) -> CastMember:
    picture = Image(key=f"uploads/acme/{name}.jpg", sha256=f"{name}-picture", width=64, height=48)
    given = {"description": f"a small fox that is {name}'s size", "image": picture, **fields}
    return CastMember(id=character_id("acme", name), name=name, **given)


MOSSY, BIRD = a_member(), a_member("Bird")


# --- names


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Mossy", "mossy"),
        ("Mossy  the Fox!", "mossy-the-fox"),
        ("Dr. Ångström", "dr-ångström"),
        ("R2_D2", "r2-d2"),
        ("किताब", "किताब"),
        ("ＭＯＳＳＹ", "mossy"),
        ("🦊", ""),
    ],
)
def test_a_handle(name: str, said: str) -> None:
    assert handle(name) == said
    assert handle(said) == said


def test_names_that_look_alike_are_one_character_of_one_tenant() -> None:
    assert character_id("acme", "Mossy the Fox") == character_id("acme", "mossy-the-fox")
    assert character_id("acme", "Mossy") != character_id("other", "Mossy")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@Mossy runs", ["Mossy"]),
        ("Look: (@mossy-the_fox), @bird.", ["mossy-the_fox", "bird"]),
        ("@Mossy's den, then @Mossy- and a dash", ["Mossy", "Mossy"]),
        ("@किताब है", ["किताब"]),
        ("meet @ noon, write to fox@example.com or example.com/@fox", []),
        ("@@ @- @_", []),
    ],
)
def test_mentions(text: str, found: list[str]) -> None:
    assert [name for _, _, name in mentions(text)] == found
    assert all(text[start:end] == f"@{name}" for start, end, name in mentions(text))


# --- scenes


def test_who_appears_in_a_scene_is_who_is_named_in_it_in_that_order() -> None:
    texts = ["Bird wakes Mossy.", "Mossy's den.", "Mossyland, a bird, no one else."]
    assert appearing([MOSSY, BIRD], texts) == [[BIRD, MOSSY], [MOSSY], []]


def test_a_character_of_the_whole_film_that_no_scene_names_is_in_all() -> None:
    everywhere = a_member(everywhere=True)
    assert appearing([everywhere, BIRD], ["Bird wakes.", "A den."]) == [[BIRD, everywhere], [everywhere]]
    assert appearing([everywhere], ["Mossy wakes.", "A den."]) == [[everywhere], []]


def test_a_scene_begins_with_the_first_that_its_first_sentence_names() -> None:
    cast = [MOSSY, BIRD]
    assert opening(cast, "Under Bird sits Mossy. They wait.") == BIRD
    assert opening(cast, "A den in the snow. Mossy comes home.") is None
    assert opening(cast, "A den in the snow. Mossy comes home.", needed=True) == MOSSY
    assert opening(cast, "walks through the snow") == MOSSY
    assert opening([], "Mossy", needed=True) is None


# --- prompts


def test_a_prompt_begins_with_the_looks_of_its_characters() -> None:
    prompt = with_looks("Mossy runs.", [MOSSY], 226)
    assert prompt == "Mossy: a small fox that is Mossy's size. Mossy runs."
    assert with_looks("Mossy runs.", [a_member(description="")], 226) == "Mossy runs."
    assert with_looks("A bee.", [], 226) == "A bee."


def test_looks_and_prompt_stay_within_the_budget() -> None:
    words = " ".join(["a small red fox with a green woollen scarf,"] * 40)
    cast = [a_member(f"Fox{index}", description=words) for index in range(10)]
    storyboard = a_storyboard(" ".join(["Fox0 runs through deep white snow."] * 30), style=words)
    for budget in (96, 200, 226, 512):
        assert estimate_tokens(looks_of(cast, budget)) <= budget // 3 + 1
        assert "Fox0: a small red fox" in looks_of(cast, budget)
        for prompt in (
            with_looks("Snow falls. " * 200, cast, budget),
            scene_prompt(storyboard, storyboard.scenes[0].video, budget, cast),
        ):
            assert prompt.startswith("Fox0: a small red fox")
            assert estimate_tokens(prompt) <= budget - (PLACE_TOKENS if budget > 96 else 0)


def test_the_text_model_is_told_of_the_characters() -> None:
    told = characters_json([MOSSY])
    asked = user_message("Mossy runs", 60, characters=told)
    assert f"<characters>{told}</characters>" in asked
    assert read_task(asked).prompt == "Mossy runs"  # the director still finds its own
    assert read_task(asked).words == 60
    assert "characters" not in user_message("A bee", 60, characters=characters_json([]))
    storyboard = a_storyboard("Mossy runs.")
    for question in (
        storyboard_question(Brief(topic="Mossy", scenes=1), 226, told),
        changes_question(storyboard, "Let it rain", "en", 226, told),
    ):
        assert f"<characters>{told}</characters>" in question.message


# --- plans


def a_storyboard(*prompts: str, style: str = "") -> Storyboard:
    scenes = [
        Scene(image=Prompts(positive_prompt=one), video=Prompts(positive_prompt=one)) for one in prompts
    ]
    return Storyboard(title="Foxes", style=style, scenes=scenes)


def planned(*cast: CastMember, engine: str = "animatic", **fields: Any) -> FilmPlan:
    video = a_video(request=a_request(engine=engine, seconds=6, **fields), cast=cast)
    return make_plan(video, CATALOGUE[engine], "Foxes", prompt_shots(video, CATALOGUE[engine], None))


def test_a_film_of_a_prompt_starts_from_the_picture_of_the_character_it_begins_with() -> None:
    (scene,) = planned(MOSSY, prompt="Mossy runs").scenes
    assert scene.picture == MOSSY.image.key
    assert scene.characters == (MOSSY.appearance,)
    assert scene.clips[0].prompt.startswith("Mossy: a small fox")
    (scene,) = planned(MOSSY, prompt="A den. Mossy runs").scenes
    assert scene.picture is None
    image = Image(key="uploads/acme/own.png", sha256="own", width=64, height=48)
    assert planned(MOSSY, prompt="Mossy runs", image=image).scenes[0].picture is None
    assert planned(MOSSY, prompt="Mossy runs", engine="cogvideox-2b").scenes[0].picture is None
    assert planned(MOSSY, prompt="A den. Mossy", engine="cogvideox-5b-i2v").scenes[0].picture is not None


def test_another_description_or_picture_makes_another_clip() -> None:
    other = Image(key="uploads/acme/other.jpg", sha256="other", width=64, height=48)
    seen = Description(text="a grey wolf", by="a model")
    clips = {
        planned(one, prompt="Mossy runs").clips[0].key_hash
        for one in (
            MOSSY,
            a_member(description="a grey wolf"),
            a_member(image=other),
            a_member(description="", described=seen),
        )
    }
    assert len(clips) == 3  # what the user says and what a model saw are the same words
    nobody = planned(prompt="A bee").clips[0].key_hash
    assert planned(MOSSY, prompt="A bee").clips[0].key_hash == nobody


def test_only_stills_of_scenes_with_a_changed_character_are_drawn_anew() -> None:
    storyboard = a_storyboard("Mossy runs.", "Bird flies.")
    video = a_video(cast=(MOSSY, BIRD), stills=[PartProgress(scene=0), PartProgress(scene=1)])
    changed = (a_member(description="a grey wolf"), BIRD)
    kept = unchanged_parts(video, storyboard, storyboard, changed)["stills"]
    assert [part.scene for part in kept] == [1]
    assert len(unchanged_parts(video, storyboard, storyboard)["stills"]) == 2


# --- descriptions


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("A small red fox with a green scarf.", "A small red fox with a green scarf."),
        ("<think>It is a fox.</think>\n**A small red fox\nwith a scarf.**", "A small red fox with a scarf."),
        ("Mossy is a small red fox.", "a small red fox."),
    ],
)
def test_a_description(answer: str, text: str) -> None:
    assert accept_description(answer, "end_turn", "Mossy") == (text, None)


@pytest.mark.parametrize(
    ("answer", "stop", "why"),
    [
        ("", "end_turn", "empty answer"),
        ("I'm sorry, I can't see any picture.", "end_turn", "refused"),
        ("A fox", "guardrail_intervened", "content filter"),
    ],
)
def test_an_answer_that_describes_nothing(answer: str, stop: str, why: str) -> None:
    text, problem = accept_description(answer, stop, "Mossy")
    assert text == ""
    assert problem is not None
    assert why in problem


def test_a_long_description_is_cut_at_a_sentence() -> None:
    text, _ = accept_description("A fox with a scarf. " * 50, "max_tokens", "Mossy")
    assert text.endswith(".")
    assert estimate_tokens(text) <= 100


def test_a_name_can_t_leave_its_place_in_the_question() -> None:
    assert message("</name>x") == "Describe this character.\n<name>‹/name›x</name>"
