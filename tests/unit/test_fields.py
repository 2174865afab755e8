"""The fields of a request, as form texts and as JSON values."""

import json
from typing import Any

import pytest

from lambdas.domain.engines import Speed
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.video_request import Gate
from lambdas.intake.fields import ALLOWED, Fields, parse


def test_form_texts_are_read_like_json_values() -> None:
    texts = {"seconds": "18", "fps": "8", "enhance": "false", "seed": "7", "steps": "20", "guidance": "6.5"}
    values = {"seconds": 18, "fps": 8, "enhance": False, "seed": 7, "steps": 20, "guidance": 6.5}
    assert parse({"prompt": "x"} | texts) == parse({"prompt": "x"} | values)


def test_null_counts_as_omitted() -> None:
    assert parse({"prompt": "x", "seconds": None, "seed": None}) == parse({"prompt": "x"})


def test_an_empty_prompt_counts_as_omitted() -> None:
    assert parse({"prompt": "", "topic": "Kites"}) == parse({"topic": "Kites"})
    assert parse({"prompt": ""}).prompt is None


@pytest.mark.parametrize("prompt", ["x", "x" * 2000, "Käfer 🐝\n\tin two lines", f" {'x' * 2000} "])
def test_accepted_prompts(prompt: str) -> None:
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
def test_invalid_assembly_fields(field: str, wrong: Any, allowed: str) -> None:
    with pytest.raises(InvalidRequest, match=allowed) as refused:
        parse({"prompt": "x", field: wrong})
    assert refused.value.param == field


def test_assembly_fields_in_a_form() -> None:
    texts = {"transition": "fade", "transition_seconds": "0.25", "even_out": "true", "fragmented": "1"}
    values = {"transition": "fade", "transition_seconds": 0.25, "even_out": True, "fragmented": True}
    assert parse({"prompt": "x"} | texts) == parse({"prompt": "x"} | values)


def test_adapters_are_a_list_or_its_json_text() -> None:
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
def test_invalid_adapters(wrong: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"at most 4 objects .* each name once") as refused:
        parse({"prompt": "x", "loras": wrong})
    assert refused.value.param == "loras"


def test_a_speed_is_one_of_the_catalogue_s() -> None:
    assert [parse({"prompt": "x", "speed": speed}).speed for speed in Speed] == list(Speed)
    with pytest.raises(InvalidRequest, match="one of exact, balanced, fast, turbo; got 'slow'") as refused:
        parse({"prompt": "x", "speed": "slow"})
    assert refused.value.param == "speed"


@pytest.mark.parametrize(
    ("field", "wrong", "allowed"),
    [
        ("topic", " ", "1 to 2,000"),
        ("tone", "x" * 2001, "at most 2,000"),
        ("scenes", 0, "1 to 50"),
        ("scenes", "51", "1 to 50"),
        ("scenes", True, "1 to 50"),
        ("scenes", [{"text": "a"}], "1 to 50"),
        ("narrate", "perhaps", "true or false"),
        ("captions", "perhaps", "true or false"),
        ("language", "english", "for example en-US or de"),
        ("voice", "", "for example Joanna"),
        ("voice_engine", "loud", "one of standard, neural, long-form, generative"),
        ("speech_speed", 0.4, "0.5 to 2"),
        ("speech_speed", True, "0.5 to 2"),
        ("sample_rate", 44100, "one of 8000, 16000, 22050, 24000"),
        ("sample_rate", "16000.0", "one of 8000, 16000, 22050, 24000"),
        ("sample_rate", True, "one of 8000, 16000, 22050, 24000"),
        ("stills", "cheap", "one of none, standard, premium"),
        ("text_model", "", "1 to 200"),
        ("temperature", 1.1, "0 to 1"),
        ("top_p", "nan", "0 to 1"),
        ("max_tokens", 0, "above 0"),
        ("context_size", 511, "at least 512"),
    ],
)
def test_invalid_scene_fields(field: str, wrong: Any, allowed: str) -> None:
    with pytest.raises(InvalidRequest, match=allowed) as refused:
        parse({"topic": "x", field: wrong})
    assert refused.value.param == field


def test_scene_fields_in_a_form() -> None:
    storyboard = {"scenes": [{"narration": {"text": "A kite."}}]}
    texts = {"scenes": "3", "narrate": "false", "captions": "1", "sample_rate": "16000", "top_p": "0.9"}
    values = {"scenes": 3, "narrate": False, "captions": True, "sample_rate": 16000, "top_p": 0.9}
    assert parse({"storyboard": json.dumps(storyboard)} | texts) == parse({"storyboard": storyboard} | values)


@pytest.mark.parametrize(
    ("wrong", "param", "says"),
    [
        ("{", "storyboard", "or its JSON text in a form; got invalid JSON: EOF while parsing"),
        ("[" * 100_000, "storyboard", "got invalid JSON"),
        ("[]", "storyboard", "an object with the fields title, style, scenes"),
        (5, "storyboard", "an object with the fields title, style, scenes"),
        ({"scene": []}, "scene", "allowed: title, style, scenes"),
        ({"scenes": [{}, {}, {"video": {"positive_prompt": 5}}]}, "scenes[2].video.positive_prompt", "text"),
        ('{"scenes": [{"seconds": 0}]}', "scenes[0].seconds", "above 0, at most 3,600; got 0"),
    ],
)
def test_a_storyboard_error_names_its_path(wrong: Any, param: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as refused:
        parse({"storyboard": wrong})
    assert refused.value.param == param


@pytest.mark.parametrize("size", ["0x64", "64X64", "64x", " 64x64", "٦٤x64", "64x64\n", "100000x64", 64])
def test_invalid_sizes(size: Any) -> None:
    with pytest.raises(InvalidRequest, match="width x height"):
        parse({"prompt": "x", "size": size})


def test_an_error_shortens_long_values() -> None:
    for value in ("x" * 10_000, list(range(10_000))):
        with pytest.raises(InvalidRequest) as refused:
            parse({"prompt": value})
        assert len(refused.value.message) < 300


def test_an_unknown_field_s_error_lists_the_allowed_ones() -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse({"prompt": "x", "colour": "red"})
    assert refused.value.param == "colour"
    assert all(name in refused.value.message for name in ALLOWED)


def test_every_field_s_error_says_what_is_allowed() -> None:
    assert all(field.description for field in Fields.model_fields.values())


@pytest.mark.parametrize(
    "given",
    [
        ["storyboard", "previews"],
        ["previews", "storyboard"],
        "storyboard,previews",
        " previews , storyboard ",
        '["storyboard", "previews"]',
    ],
)
def test_review_gates_as_a_list_or_a_form_text(given: Any) -> None:
    assert parse({"topic": "x", "review": given}).review == (Gate.STORYBOARD, Gate.PREVIEWS)


def test_an_empty_review_is_no_review() -> None:
    assert parse({"topic": "x", "review": []}).review == parse({"topic": "x"}).review == ()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "clips",
        "[",
        ["clips"],
        ["storyboard", "storyboard"],
        "previews,previews",
        True,
        1,
        {"storyboard": 1},
    ],
)
def test_unknown_gates(wrong: Any) -> None:
    with pytest.raises(
        InvalidRequest, match="review must be a list of storyboard, previews, each at most"
    ) as no:
        parse({"topic": "x", "review": wrong})
    assert no.value.param == "review"
