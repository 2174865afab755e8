"""The fields of a request: texts and JSON values alike."""

import json
from typing import Any

import pytest

from lambdas.domain.engines import Speed
from lambdas.domain.errors import InvalidRequest
from lambdas.intake.fields import ALLOWED, Fields, parse


def test_the_texts_of_a_form_are_read_as_json_values_are() -> None:
    texts = {"seconds": "18", "fps": "8", "enhance": "false", "seed": "7", "steps": "20", "guidance": "6.5"}
    values = {"seconds": 18, "fps": 8, "enhance": False, "seed": 7, "steps": 20, "guidance": 6.5}
    assert parse({"prompt": "x"} | texts) == parse({"prompt": "x"} | values)


def test_null_is_a_field_not_given() -> None:
    assert parse({"prompt": "x", "seconds": None, "seed": None}) == parse({"prompt": "x"})


@pytest.mark.parametrize("prompt", ["x", "x" * 2000, "Käfer 🐝\n\tin two lines", f" {'x' * 2000} "])
def test_prompts_that_are_taken(prompt: str) -> None:
    assert parse({"prompt": prompt}).prompt == prompt.strip()


@pytest.mark.parametrize(
    ("field", "lowest", "highest"),
    [("seconds", 1, 3600), ("seed", 0, 2**63 - 1), ("steps", 1, 200), ("guidance", 1, 20)],
)
def test_bounds(field: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        assert getattr(parse({"prompt": "x", field: value}), field) == value
    for value in (lowest - 1, highest + 1):
        with pytest.raises(InvalidRequest, match=f"{lowest} to ({highest}|{highest:,})"):
            parse({"prompt": "x", field: value})


@pytest.mark.parametrize(
    ("field", "wrong", "allowed"),
    [
        ("transition", "dissolve", "one of none, crossfade, fade, wipe"),
        ("transition", "", "one of none"),
        ("transition_seconds", 0.09, "from 0.1 to 1"),
        ("transition_seconds", 1.1, "from 0.1 to 1"),
        ("transition_seconds", "nan", "from 0.1 to 1"),
        ("transition_seconds", True, "from 0.1 to 1"),
        ("even_out", "maybe", "true or false"),
        ("fragmented", 7, "true or false"),
    ],
)
def test_an_assembly_that_can_t_be_asked_for(field: str, wrong: Any, allowed: str) -> None:
    with pytest.raises(InvalidRequest, match=allowed) as refused:
        parse({"prompt": "x", field: wrong})
    assert refused.value.param == field


def test_an_assembly_in_the_texts_of_a_form() -> None:
    texts = {"transition": "fade", "transition_seconds": "0.25", "even_out": "true", "fragmented": "1"}
    values = {"transition": "fade", "transition_seconds": 0.25, "even_out": True, "fragmented": True}
    assert parse({"prompt": "x"} | texts) == parse({"prompt": "x"} | values)


def test_adapters_are_a_list_or_its_text() -> None:
    loras = [{"name": "paper", "scale": 0.8}, {"name": "sketch 1.5"}]
    parsed = parse({"prompt": "x", "loras": loras})
    assert parsed == parse({"prompt": "x", "loras": json.dumps(loras)})
    assert [(lora.name, lora.scale) for lora in parsed.loras] == [("paper", 0.8), ("sketch 1.5", 1.0)]
    assert parse({"prompt": "x", "loras": []}) == parse({"prompt": "x"})


@pytest.mark.parametrize(
    "wrong",
    [
        "paper",
        "{",
        {"name": "paper"},
        ["paper"],
        [{"scale": 1}],
        [{"name": ""}],
        [{"name": "a\x00b"}],
        [{"name": "paper", "weight": 1}],
        [{"name": "paper", "scale": 2.1}],
        [{"name": "paper", "scale": float("nan")}],
        [{"name": "paper", "scale": True}],
        [{"name": "paper"}, {"name": "paper", "scale": 0.5}],
        [{"name": str(number)} for number in range(5)],
        "[" * 100_000,
    ],
)
def test_adapters_that_can_t_be_asked_for(wrong: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"at most 4 of .* each name once") as refused:
        parse({"prompt": "x", "loras": wrong})
    assert refused.value.param == "loras"


def test_a_speed_is_one_of_three() -> None:
    assert [parse({"prompt": "x", "speed": speed}).speed for speed in Speed] == list(Speed)
    with pytest.raises(InvalidRequest, match="one of exact, balanced, fast; 'turbo' was given") as refused:
        parse({"prompt": "x", "speed": "turbo"})
    assert refused.value.param == "speed"


@pytest.mark.parametrize("size", ["0x64", "64X64", "64x", " 64x64", "٦٤x64", "64x64\n", "100000x64", 64])
def test_sizes_that_are_none(size: Any) -> None:
    with pytest.raises(InvalidRequest, match="width x height"):
        parse({"prompt": "x", "size": size})


def test_an_error_shows_no_more_of_a_value_than_helps() -> None:
    for value in ("x" * 10_000, list(range(10_000))):
        with pytest.raises(InvalidRequest) as refused:
            parse({"prompt": value})
        assert len(refused.value.message) < 300


def test_an_unknown_field_is_told_which_are_allowed() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse({"prompt": "x", "colour": "red"})
    assert refused.value.param == "colour"
    assert all(name in refused.value.message for name in ALLOWED)


def test_every_field_says_what_is_allowed() -> None:
    assert all(field.description for field in Fields.model_fields.values())
