"""Answers that repeat the question's own words instead of following them."""

import copy
from typing import Any

import pytest

from lambdas.domain.brief import Brief
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.storyboard_answers import (
    AnswerRejected,
    accept_changes,
    accept_scene,
    accept_storyboard,
)
from lambdas.domain.storyboard_questions import storyboard_schema

BUDGET = 226
FILM: dict[str, Any] = {
    "title": "The Life of a Bee",
    "style": "Warm morning light, soft colours, a painted look.",
    "scenes": [
        {
            "narration": {"text": "A honey bee leaves the hive at dawn."},
            "image": {
                "positive_prompt": "A honey bee sits on the edge of a wooden hive in the morning.",
                "negative_prompt": "people, text",
            },
            "video": {
                "positive_prompt": "A honey bee lifts off the wooden hive and the camera follows it.",
                "negative_prompt": "",
            },
        }
    ],
}
BRIEF = Brief(topic="The life of a honey bee", scenes=1)


def changed(path: str, text: str) -> dict[str, Any]:
    film = copy.deepcopy(FILM)
    *parents, last = path.split(".")
    place: Any = film if len(parents) == 0 else film["scenes"][0]
    for name in parents[1:]:
        place = place[name]
    place[last] = text
    return film


def descriptions(schema: Any) -> list[str]:
    if not isinstance(schema, dict):
        return []
    own = [schema["description"]] if isinstance(schema.get("description"), str) else []
    return own + [one for part in schema.values() for one in descriptions(part)]


TEXTS = (
    "title",
    "style",
    "scene.narration.text",
    "scene.image.positive_prompt",
    "scene.image.negative_prompt",
    "scene.video.positive_prompt",
    "scene.video.negative_prompt",
)
DESCRIPTIONS = sorted(set(descriptions(storyboard_schema(scenes=1, narrate=True))))


def test_the_film_itself_is_accepted() -> None:
    assert accept_storyboard(FILM, BRIEF, BUDGET).storyboard.title == FILM["title"]


ECHOES = (
    *DESCRIPTIONS,
    "string",
    "String.",
    "<string>",
    "[title]",
    "{style}",
    "...",
    "text",
    "null",
    "positive_prompt",
    "Your title here",
    "Lorem ipsum dolor sit amet",
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit",
    "type: string",
    "string | null",
    "string (required)",
    "Insert the narration here.",
    "Title goes here",
    "Placeholder text",
    "maxLength: 200",
    "TODO: write",
    "As described above.",
    "???",
    "%s",
    "What must not be seen: at most 15 English words, separated by commas",
    "at most 15 English words, separated by commas.",
)


@pytest.mark.parametrize("path", TEXTS)
def test_an_echo_is_a_problem_of_its_field(path: str) -> None:
    where = path.replace("scene.", "scenes[0].")
    for echo in ECHOES:
        assert f"{where} repeats the instruction instead of following it" in rejection(path, echo), echo


def rejection(path: str, text: str) -> str:
    """Return why a film is rejected with this text in its place; nothing if it is accepted."""
    try:
        accept_storyboard(changed(path, text), BRIEF, BUDGET)
    except AnswerRejected as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("title", "A Title Fight"),
        ("title", "Strings Attached: a Bee"),
        ("title", "Here Be Bees"),
        ("style", "A style of its own, as in an old film"),
        ("scene.narration.text", "See the bees above the hive."),
        ("scene.image.negative_prompt", "n/a"),
        ("scene.image.negative_prompt", "text, words"),
        ("style", "The looks of an old postcard; the bee is the same in every picture."),
        ("scene.narration.text", "A bee says at most two words: yes and no."),
        ("scene.narration.text", "In an English sentence a bee is only a noun."),
        ("scene.image.negative_prompt", "none"),
        ("scene.image.negative_prompt", "blurry, text, watermark, low quality"),
        ("scene.video.negative_prompt", "cuts, text"),
    ],
)
def test_texts_that_only_remind_of_it_are_accepted(path: str, text: str) -> None:
    assert accept_storyboard(changed(path, text), BRIEF, BUDGET)


def test_the_client_s_own_words_may_be_filmed() -> None:
    brief = Brief(topic="A string", scenes=1, narrate=False)
    film = changed("title", "String")
    film["scenes"][0]["image"]["positive_prompt"] = "A red string lies on a wooden table in the morning."
    assert accept_storyboard(film, brief, BUDGET).storyboard.title == "String"


def test_what_the_client_has_given_is_not_checked() -> None:
    given = {"title": "string", "scenes": [{"image": {"negative_prompt": "text"}}]}
    brief = Brief.model_validate({"topic": BRIEF.topic, "scenes": 1, "given": given})
    film = changed("scene.image.negative_prompt", "string")
    film["title"] = "string"
    assert accept_storyboard(film, brief, BUDGET).storyboard.title == "string"


def test_a_rewritten_scene_and_changes_are_checked_too() -> None:
    storyboard = Storyboard.model_validate(FILM)
    scene = changed("scene.image.negative_prompt", DESCRIPTIONS[-1])["scenes"][0]
    with pytest.raises(AnswerRejected, match=r"scenes\[0\]\.image\.negative_prompt repeats the instruction"):
        accept_scene(scene, storyboard, 0, "darker", ["narration", "image", "video"], "en-US", BUDGET)
    changes = {"title": "string", "style": "", "scenes": [{"number": 1, **scene}]}
    with pytest.raises(AnswerRejected, match="title repeats the instruction"):
        accept_changes(changes, storyboard, "darker", "en-US", BUDGET)
