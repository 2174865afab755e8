"""The storyboard document: valid and invalid fields, and partial storyboards."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.errors import InvalidRequest
from lambdas.domain.storyboard import (
    LONGEST_NARRATION,
    MOST_SCENES,
    Narration,
    PartialStoryboard,
    Prompts,
    Scene,
    Storyboard,
    complete,
    parse_partial,
    parse_storyboard,
    seed_of,
)

PROMPTS = {"positive_prompt": "A bee on a flower."}
SCENE = {"narration": {"text": "A bee."}, "image": PROMPTS, "video": PROMPTS, "seconds": 4}


def board(**scene: Any) -> dict[str, Any]:
    return {"title": "Bees", "scenes": [SCENE, SCENE, SCENE | scene]}


def test_a_storyboard_survives_a_round_trip() -> None:
    read = parse_storyboard(board() | {"style": " Warm light. "})
    assert (read.title, read.style, len(read.scenes)) == ("Bees", "Warm light.", 3)
    assert read.scenes[0] == Scene(
        narration=Narration(text="A bee."),
        image=Prompts(positive_prompt="A bee on a flower."),
        video=Prompts(positive_prompt="A bee on a flower."),
        seconds=4,
    )
    assert parse_storyboard(read.model_dump(mode="json")) == read


TEXT = "text of 1 to 2,000 characters without control characters"
WRONG = [
    ({"video": {}}, "scenes[2].video.positive_prompt", f"is required: {TEXT}."),
    ({"video": None}, "scenes[2].video", "must be an object with the fields positive_prompt"),
    ({"image": {"positive_prompt": " "}}, "scenes[2].image.positive_prompt", f"must be {TEXT}; got ' '."),
    (
        {"image": {"positive_prompt": "x" * 2001}},
        "scenes[2].image.positive_prompt",
        "text of 2,001 characters.",
    ),
    ({"image": {"positive_prompt": "a\x00"}}, "scenes[2].image.positive_prompt", f"{TEXT}; got 'a\\x00'."),
    ({"image": {"positive_prompt": 3}}, "scenes[2].image.positive_prompt", "; got 3."),
    ({"image": {"prompt": "A bee"}}, "scenes[2].image.positive_prompt", "is required"),
    (
        {"image": PROMPTS | {"size": 1}},
        "scenes[2].image.size",
        "allowed: positive_prompt, negative_prompt, seed.",
    ),
    ({"narration": "A bee."}, "scenes[2].narration", "must be an object with the fields text, voice"),
    (
        {"narration": {"text": "a" * 3001}},
        "scenes[2].narration.text",
        f"1 to {LONGEST_NARRATION:,} characters",
    ),
    ({"narration": {"text": "a", "speed": 9}}, "scenes[2].narration.speed", "a number from 0.5 to 2; got 9."),
    (
        {"narration": {"text": "a", "language": "English"}},
        "scenes[2].narration.language",
        "for example en-US",
    ),
    ({"narration": {"text": "a", "voice": ""}}, "scenes[2].narration.voice", "example Joanna"),
    ({"seconds": 0}, "scenes[2].seconds", "a number of seconds above 0, at most 3,600; got 0."),
    ({"seconds": "4"}, "scenes[2].seconds", "; got '4'."),
    ({"seconds": True}, "scenes[2].seconds", "; got True."),
    ({"seconds": float("nan")}, "scenes[2].seconds", "; got nan."),
    (
        {"length": 4},
        "scenes[2].length",
        "is not a field; allowed: narration, image, video, seconds, continues, meets_next, first_frame, "
        "last_frame, focal_point, clip, clip_start, picture, zoom, title, lower_third.",
    ),
]


# In a partial storyboard no field is required, and null is the same as omitted.
WRONG_IN_PART = [case for case in WRONG if "is required" not in case[2] and case[0] != {"video": None}]


@pytest.mark.parametrize(
    ("parse", "scene", "path", "message"),
    [(parse_storyboard, *case) for case in WRONG] + [(parse_partial, *case) for case in WRONG_IN_PART],
)
def test_an_invalid_field_is_named_by_its_path_with_the_allowed_values(
    parse: Any, scene: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(board(**scene))
    assert caught.value.param == path
    assert caught.value.message.startswith(f"{path} ")
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"scenes": [SCENE]}, "title", "title is required: text of 1 to 200 characters"),
        ({"title": "Bees"}, "scenes", "scenes is required: a list of 1 to 50 scenes."),
        ({"title": "Bees", "scenes": []}, "scenes", "; got []."),
        ({"title": "Bees", "scenes": [SCENE] * (MOST_SCENES + 1)}, "scenes", "a list of 1 to 50 scenes"),
        ({"title": "Bees", "scenes": {"0": SCENE}}, "scenes", "a list of 1 to 50 scenes"),
        ({"title": "Bees", "scenes": [SCENE, "A bee"]}, "scenes[1]", "an object with the fields narration"),
        ("A bee", "storyboard", "storyboard must be an object with the fields title, style, scenes"),
        ({"title": "Bees", "scenes": [SCENE], "x" * 900: 1}, "x" * 100, "is not a field"),
    ],
)
def test_an_invalid_storyboard(value: Any, path: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_storyboard(value)
    assert caught.value.param == path
    assert message in caught.value.message


# --- partial storyboards

WRITTEN = parse_storyboard(board() | {"style": "Warm light."})


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"title": "My bees"},
        {"style": ""},
        {"scenes": [{}, {"narration": {"text": "Ma première abeille."}}]},
        {"scenes": [{"seconds": 2.5}, {"seconds": 7}, {"seconds": 1}]},
        {
            "scenes": [
                {},
                {},
                {"image": {"negative_prompt": "people"}, "video": {"positive_prompt": "It flies"}},
            ]
        },
        {"scenes": [{"narration": {"voice": "Amy", "speed": 1.2}}]},
    ],
)
def test_given_fields_are_kept_and_the_others_taken_from_the_model(part: dict[str, Any]) -> None:
    completed = complete(parse_partial(part), WRITTEN).model_dump()

    def check(done: Any, given: Any, written: Any) -> None:
        if isinstance(done, dict):
            for name, value in done.items():
                check(value, (given or {}).get(name), written[name])
        elif isinstance(done, list):
            for index, value in enumerate(done):
                check(value, given[index] if given and index < len(given) else None, written[index])
        else:
            assert done == (written if given is None else given)

    check(completed, part, WRITTEN.model_dump())


@given(st.integers(0, 3), st.booleans())
def test_a_complete_partial_storyboard_is_unchanged(scenes: int, titled: bool) -> None:
    mine = parse_storyboard(board(narration={"text": "Mine."}) | {"title": "Mine", "style": "Mine."})
    part = mine.model_dump()
    part["scenes"] = part["scenes"][:scenes]
    if not titled:
        part["title"] = None
    expected = WRITTEN.model_dump() | {"style": "Mine."} | ({"title": "Mine"} if titled else {})
    expected["scenes"] = part["scenes"] + expected["scenes"][scenes:]
    assert complete(parse_partial(part), WRITTEN) == parse_storyboard(expected)


def test_storyboards_that_cannot_be_completed() -> None:
    with pytest.raises(ValueError, match="4 scenes are given, 3 are written"):
        complete(parse_partial({"scenes": [{}] * 4}), WRITTEN)
    silent = parse_storyboard({"title": "Bees", "scenes": [{"image": PROMPTS, "video": PROMPTS}]})
    with pytest.raises(ValueError, match=r"scenes.0.narration.text"):
        complete(parse_partial({"scenes": [{"narration": {"voice": "Amy"}}]}), silent)
    assert complete(PartialStoryboard(), silent) == silent
    assert isinstance(silent, Storyboard)


# --- seeds


def seeds(*words: str) -> list[int]:
    prompts = [Prompts(positive_prompt=each) for each in words]
    return [seed_of(prompts, scene, 7) for scene in range(len(prompts))]


def test_a_scene_keeps_its_seed_if_others_are_added_moved_or_removed() -> None:
    bee, fox, owl = seeds("A bee", "A fox", "An owl")
    assert len({bee, fox, owl}) == 3
    assert seeds("A cat", "A bee", "A fox", "An owl")[1:] == [bee, fox, owl]
    assert seeds("An owl", "A fox") == [owl, fox]


def test_repeated_words_have_different_seeds() -> None:
    before = seeds("A bee", "A bee", "A bee")
    assert len(set(before)) == 3
    assert seeds("A cat", "A bee", "A bee")[2] == before[2]


def test_an_explicit_seed_is_kept() -> None:
    assert seed_of([Prompts(positive_prompt="A bee", seed=3)], 0, 7) == 3
    assert seed_of([Prompts(positive_prompt="A bee")], 0, 8) == seeds("A bee")[0] + 1
