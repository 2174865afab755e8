"""Pictograms: found by words in many languages, drawn, and set on cards."""

import json
from itertools import combinations
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

from lambdas.animatic import clip, pictograms
from lambdas.animatic.clip import DraftClip
from lambdas.animatic.pictograms import LANGUAGES, kind, named, picture
from lambdas.animatic.words import read, read_shot
from lambdas.domain.brief import Brief
from lambdas.domain.sentences import sentences
from lambdas.domain.storyboard import Storyboard, seed_of
from lambdas.domain.storyboard_answers import accept_storyboard, scene_prompt
from lambdas.domain.storyboard_questions import storyboard_question
from lambdas.media.lettering import drawable
from reelworks.cloud.director.storyboards import fill


def first(text: str, language: str = "en-US") -> list[str]:
    return [names[0] for names in named(text, language)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A leather handbag for everyday use", ["handbag"]),
        ("How to file an expense report", ["receipt", "bar-chart"]),
        ("Open a bank account", ["bank"]),
        ("The team wins the cup", ["trophy"]),
        ("Wie eine Handtasche aus Leder entsteht", ["handbag"]),
        ("Neue Handtaschen mit Henkeln", ["handbag"]),
        ("Un sac à main en cuir", ["handbag"]),
        ("Pourquoi les chats ronronnent", ["cat"]),
        ("Cómo cuidar una planta en casa", ["potted-plant", "house"]),
        ("手作りの革のハンドバッグ", ["handbag"]),
        ("パンの焼き方", ["bread"]),
        ("蜜蜂如何回家", ["honeybee"]),
    ],
)
def test_words_name_pictograms_in_many_languages(text: str, expected: list[str]) -> None:
    assert first(text) == expected


def test_endings_and_articles_are_no_obstacle() -> None:
    assert first("كيف تجد النحلة طريقها", "ar-SA")[0] == "honeybee"
    assert first("Пчелы летят домой")[0] == "honeybee"


@pytest.mark.parametrize(
    "text",
    [
        "Training for being seen",  # no train, no bee
        "Watch and wait",
        "Black holes explained",
        "Trust me, and file it",  # "file" is a thread in French
        "国家",  # a state, although 家 is a house
        "",
        "🐝",
        "\x00\ufffd",
    ],
)
def test_words_of_another_meaning_name_none(text: str) -> None:
    assert not {"locomotive", "train", "honeybee", "watch", "house", "thread", "flag-in-hole"} & {
        *first(text)
    }


def test_every_language_names_only_pictograms_that_there_are() -> None:
    with ZipFile(pictograms.FILE) as archive:
        there = {
            name.removeprefix("pictures/") for name in archive.namelist() if name.startswith("pictures/")
        }
        assert {*json.loads(archive.read("kinds"))} == there
        for language in LANGUAGES:
            words = json.loads(archive.read(f"words/{language}"))
            assert len(words) > 300, language
            assert {name for names in words.values() for name in names.split()} <= there, language


@pytest.mark.parametrize("side", [4, 40, 320])
def test_a_pictogram_is_drawn_at_its_size(side: int) -> None:
    image = picture("handbag", side)
    assert (image.mode, image.size) == ("RGBA", (side, side))
    assert 0.2 < np.asarray(image.getchannel("A")).mean() / 255 < 0.95
    assert picture("handbag", side).tobytes() == image.tobytes()


def test_a_hole_stays_open() -> None:
    ring = np.asarray(picture("ring-buoy", 64).getchannel("A"))
    assert (ring[32, 32], ring[32, 6]) == (0, 255)


# --- scenes of films about anything

TOPICS = [
    "A leather handbag for everyday use", "How to file an expense report", "How a bee finds its way home",
    "The smartwatch that tracks your sleep", "Welcome to the team: your first day at work",
    "Preparing for a job interview", "Black holes explained", "Stock markets fall after rate decision",
    "Eine Reisekostenabrechnung einreichen", "手作りの革のハンドバッグ", "حقيبة جلدية للعمل",
]  # fmt: skip


def directed(topic: str) -> Storyboard:
    brief = Brief(topic=topic, scenes=4, seconds=28, narrate=False)
    question = storyboard_question(brief, 512)
    return accept_storyboard(fill("storyboard", question.message), brief, 512).storyboard


def draft(board: Storyboard, index: int, **fields: Any) -> DraftClip:
    scene = board.scenes[index].video
    values = {
        "prompt": scene_prompt(board, scene, 512), "title": sentences(scene.positive_prompt)[0],
        "width": 128, "height": 72, "frames": 56, "fps": 8, "index": 0, "count": 1, "first": 0,
        "scene_frames": 56, "seed": seed_of([one.video for one in board.scenes], index, 7),
    }  # fmt: skip
    return DraftClip.model_validate(values | fields)


def drawn(request: DraftClip) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the middle of the scene, in means of 8 × 8 pixels."""
    picture = clip._scene(request).picture(3.5)
    return picture.reshape(9, 8, 16, 8, 3).mean(axis=(1, 3)).astype(np.float32)


@pytest.mark.parametrize("topic", TOPICS)
def test_each_scene_shows_what_it_says_and_no_two_are_the_same(topic: str) -> None:
    board = directed(topic)
    requests = [draft(board, index) for index in range(1, 4)]
    for request in requests:
        look = read(request.title)
        assert look.place or look.pictures or drawable(request.title)
    scenes = [drawn(request) for request in requests]
    assert min(np.abs(one - other).mean() for one, other in combinations(scenes, 2)) > 3


def test_a_card_has_its_words_even_under_captions_but_not_in_a_continued_clip() -> None:
    board = directed("A leather handbag for everyday use")
    request = draft(board, 0, lettered=False, width=480, height=270)
    lettered = clip._scene(request).picture(0.0).astype(int)
    bare = clip._scene(request, marked=False).picture(0.0).astype(int)
    box = np.s_[50:200, :]
    assert (lettered[box].min(axis=2) > 235).sum() > 1000 + (bare[box].min(axis=2) > 235).sum()


def test_the_shot_and_the_camera_move_are_the_prompt_s() -> None:
    said = read_shot("A mug. A close view shows its rim. The camera draws back slowly. Warm light.")
    assert (said.view, said.camera) == ("A close view shows its rim.", "The camera draws back slowly.")
    assert (said.size, said.move) == ("close", "out")
    assert read_shot("A mug.").size is None


def test_kinds_are_unicode_s() -> None:
    assert (kind("honeybee"), kind("sailboat")) == ("animal-bug", "transport-water")
