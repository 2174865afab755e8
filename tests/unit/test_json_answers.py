"""Finding the JSON object in what a text model says around it."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambdas.domain.json_answers import object_in, without_thoughts

SCHEMA = {"type": "object", "required": ["title", "scenes"]}
FILM = {"title": "Bees", "scenes": [{"image": "A bee {on} a [daisy]."}]}
TEXT = json.dumps(FILM)
PRETTY = json.dumps(FILM, indent=2)


@pytest.mark.parametrize(
    "answer",
    [
        TEXT,
        f"```json\n{PRETTY}\n```",
        f"```\n{TEXT}\n```",
        f"~~~json\n{TEXT}\n~~~",
        f"```json\n{TEXT}",  # the closing fence was a stop sequence
        f"Here is the storyboard:\n\n```json\n{PRETTY}\n```\n\nLet me know if you need changes!",
        f"Here is your storyboard: {TEXT}",
        f"Sure! For the topic {{bees}} and [x]: {TEXT} I hope this helps.",
        f"<think>The user wants {{a film}}.</think>\n{TEXT}",
        f'<think>\n{{"title": "Draft", "scenes": []}}\nNo, better:</think>\n\n{TEXT}',
        f'I draft {{"title": "Draft", "scenes": []}} first.\n</think>\n{TEXT}',  # the template opened it
        f"<thinking>Hm.</thinking><reflection>Good.</reflection>{TEXT}",
        f"[THINK]Hm {{[/THINK]{TEXT}",
        f"<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>{TEXT}<|return|>",
        f"[{TEXT}]",
        f"[\n{PRETTY}\n]",
        TEXT[:-1] + ",}",
        TEXT.replace("}]", "},]"),
        f"```json\n[{TEXT[:-1]},}},]\n```",
        json.dumps({"storyboard": FILM}),
        json.dumps({"name": "storyboard", "arguments": FILM}),
        json.dumps({"name": "storyboard", "arguments": TEXT}),
        json.dumps([{"type": "tool_use", "input": FILM}]),
        json.dumps({"tool_calls": [{"function": {"name": "storyboard", "arguments": TEXT}}]}),
        f"```javascript\nconst storyboard = {TEXT};\n```",
        f"<tool_call>\n{TEXT}\n</tool_call>",
        f"<answer>{TEXT}</answer></s>",
        f"好的，这是分镜脚本：\n```JSON\r\n{TEXT}\r\n```",
        repr(FILM),
        json.dumps(TEXT),
        TEXT.replace('"', "'").replace("'A bee", '"A bee').replace(".'", '."'),
        TEXT.replace('"title": "Bees",', '"title": "Bees", // the title\n'),
        TEXT.replace('"Bees", ', '"Bees" '),
        "\ufeff" + TEXT,
    ],
)
def test_an_answer_is_unwrapped(answer: str) -> None:
    assert object_in(answer, SCHEMA) == FILM


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"First line\nand second\tline."', "First line\nand second\tline."),
        ('"He said "hello" and left."', 'He said "hello" and left.'),
        ('"Says \\"hi\\", \\u00e9."', 'Says "hi", é.'),
        ('"它说：“你好”。"', "它说：“你好”。"),
    ],
)
@pytest.mark.parametrize("comma", ["", ","])
def test_texts_stay_as_they_are_written(written: str, read: str, comma: str) -> None:
    answer = f'{{"title": {written}, "scenes": [1]{comma}}}'
    assert object_in(answer, SCHEMA) == {"title": read, "scenes": [1]}


def test_json_may_speak_of_tags() -> None:
    film = {"title": "It says <think> on the sign.", "scenes": []}
    assert object_in(json.dumps(film), SCHEMA) == film


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I can't write that.",
        "null",
        "[]",
        "3",
        '["Bees"]',
        TEXT[: len(TEXT) // 2],
        TEXT[:-1],
        TEXT[:-2],
        TEXT[:-3],
        f"```json\n{TEXT[:-3]}\n```",
        f"<think>{TEXT}</think>",
        f"<think>{TEXT}",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a": ' + "1" * 10_000 + "}}}",
    ],
)
def test_nothing_is_made_up(answer: str) -> None:
    """Least of all the end of an answer that was cut off."""
    assert object_in(answer, SCHEMA) is None


def test_an_object_of_another_form_is_given_to_be_checked() -> None:
    assert object_in('Here: {"titel": "Bees"}', SCHEMA) == {"titel": "Bees"}
    assert object_in('{"a": 1}', {"type": "object", "properties": {}}) == {"a": 1}


def test_of_several_objects_the_last_that_fits_counts() -> None:
    assert object_in(f'{{"title": "Draft", "scenes": []}}\nBetter:\n{TEXT}\n{{"note": 1}}', SCHEMA) == FILM


def test_thoughts_are_removed_from_any_text() -> None:
    assert without_thoughts("<Think>Hm</Think> A bee.") == "A bee."
    assert without_thoughts("A bee.") == "A bee."
    assert without_thoughts("<think>never ends") == ""


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
films = st.fixed_dictionaries({"title": texts, "scenes": st.lists(st.fixed_dictionaries({"image": texts}))})


@given(films, st.sampled_from(["{}", "```json\n{}\n```", "Here it is:\n{}", "[{}]"]), st.booleans())
def test_whatever_is_written_is_read_as_it_is(film: dict[str, Any], around: str, ascii_only: bool) -> None:
    answer = around.replace("{}", json.dumps(film, ensure_ascii=ascii_only))
    found = object_in(answer, SCHEMA)
    # Text that looks like a thought or a token of the model is removed around broken JSON only.
    assert found == film or (found is None and "<" in str(film))


@given(films, st.integers(1, 40))
@example({"title": "}", "scenes": []}, 2)
def test_a_cut_answer_is_never_completed(film: dict[str, Any], cut: int) -> None:
    text = json.dumps(film)
    assert object_in(text[: max(0, len(text) - cut)], SCHEMA) is None
