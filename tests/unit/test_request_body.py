"""The body of a create request, valid and invalid."""

import json
from base64 import b64encode
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambdas.api.request_body import parse_body
from lambdas.domain.errors import InvalidRequest
from lambdas.intake.fields import Fields, parse
from lambdas.intake.files import FILES, OTHER_FILE_NAMES
from lambdas.intake.film_kind import brief_of
from lambdas.intake.other_names import KNOWN

BOUNDARY = "b0undary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, value: bytes, disposition: str = "", headers: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{disposition}\r\n{headers}\r\n'
    return head.encode() + value + b"\r\n"


def file(name: str, value: bytes) -> bytes:
    return part(name, value, '; filename="a.png"', "Content-Type: image/png\r\n")


END = f"--{BOUNDARY}--\r\n".encode()


def binary(body: bytes) -> dict[str, Any]:
    return {"body": b64encode(body).decode(), "isBase64Encoded": True}


def form(*parts: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    return parse_body(binary(b"".join(parts) + END), MULTIPART)


def text(body: str) -> dict[str, Any]:
    return {"body": body, "isBase64Encoded": False}


def test_json() -> None:
    body = text('{"prompt": "A bee", "seed": 7, "model": null}')
    for content_type in ("application/json", "Application/JSON; charset=utf-8", None):
        assert parse_body(body, content_type) == ({"prompt": "A bee", "seed": 7, "model": None}, {})


def test_an_object_in_json_may_be_text_as_in_a_form() -> None:
    reference = {"image_url": "data:image/png;base64,AAEC"}
    for value in (reference, json.dumps(reference)):
        body = text(json.dumps({"input_reference": value}))
        assert parse_body(body, None) == ({}, {"input_reference": b"\x00\x01\x02"})


def test_a_list_of_objects_with_one_entry_each() -> None:
    named = [part("characters[][id]", b"char_1"), part("characters[][id]", b"char_2")]
    assert form(*named) == ({"characters": [{"id": "char_1"}, {"id": "char_2"}]}, {})


def test_music_in_json() -> None:
    for value in ("data:audio/mpeg;base64,AAEC", "data:audio/x-m4a;base64,AAEC"):
        body = text(json.dumps({"music": {"audio_url": value}}))
        assert parse_body(body, None) == ({}, {"music": b"\x00\x01\x02"})


@pytest.mark.parametrize(
    "value",
    [
        "song.mp3",
        {"audio_url": "https://example.org/song.mp3"},
        {"image_url": "data:audio/mpeg;base64,AAEC"},
        {"audio_url": "data:text/html;base64,AAEC"},
        {"audio_url": "data:audio/mpeg;base64,A"},
        {"audio_url": 7},
        [],
        7,
    ],
)
def test_invalid_music(value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"music must be a file, or .*audio_url") as refused:
        parse_body(text(json.dumps({"music": value})), None)
    assert refused.value.param == "music"


@pytest.mark.parametrize("body", ["[" * 100_000, '{"seed": ' + "9" * 5000 + "}"])
def test_a_parser_limit_is_reported_without_internals(body: str) -> None:
    with pytest.raises(InvalidRequest, match="a number that is too long, or is nested too deeply") as refused:
        parse_body(text(body), None)
    assert "sys." not in refused.value.message


def test_a_form_with_a_file() -> None:
    image = bytes(range(256)) * 8192  # 2 MB, more than the parser keeps in memory by default
    assert form(part("prompt", "Käfer".encode()), file("input_reference", image)) == (
        {"prompt": "Käfer"},
        {"input_reference": image},
    )


def test_a_form_that_arrives_as_text() -> None:
    body = (part("prompt", b"A bee") + END).decode()
    assert parse_body(text(body), MULTIPART) == ({"prompt": "A bee"}, {})


def test_an_empty_text_counts_as_omitted() -> None:
    assert form(part("prompt", b"A bee"), part("seed", b"")) == ({"prompt": "A bee"}, {})


@pytest.mark.parametrize(
    "reference",
    [
        part("input_reference[image_url]", b"data:image/png;base64,AAEC"),
        part("input_reference", b'{"image_url": "data:image/png;base64,AAEC"}'),
    ],
    ids=["bracketed", "as JSON text"],
)
def test_a_form_with_a_data_url(reference: bytes) -> None:
    assert form(part("prompt", b"A bee"), reference) == (
        {"prompt": "A bee"},
        {"input_reference": b"\x00\x01\x02"},
    )


def test_a_list_in_a_form() -> None:
    parts = [part("review[]", b"storyboard"), part("review[]", b"previews"), part("prompt", b"A bee")]
    assert form(*parts) == ({"review": ["storyboard", "previews"], "prompt": "A bee"}, {})
    assert form(part("review[]", b"storyboard")) == ({"review": ["storyboard"]}, {})
    assert form(part("review[]", b"")) == ({}, {})


def test_a_list_of_one_file() -> None:
    assert form(file("input_reference[]", b"1")) == ({}, {"input_reference": b"1"})


@pytest.mark.parametrize(
    "given",
    [
        "data:image/png;base64,AAEC",
        {"image_url": "data:image/png;base64,AAEC"},
        {"type": "image_url", "image_url": "data:image/png;base64,AAEC"},
        {"image_url": {"url": "data:image/png;base64,AAEC"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAEC"}},
    ],
)
def test_the_ways_to_send_an_image_as_text(given: Any) -> None:
    for name in ("input_reference", *OTHER_FILE_NAMES):
        for value in (given, given if isinstance(given, str) else json.dumps(given)):
            body = text(json.dumps({name: value}))
            assert parse_body(body, None) == ({}, {"input_reference": b"\x00\x01\x02"})


@pytest.mark.parametrize(
    "given",
    [
        {"type": "file", "image_url": "data:image/png;base64,AAEC"},
        {"type": "image_url"},
        {"image_url": {"url": "https://example.org/a.png"}},
        {"image_url": {"url": "data:image/png;base64,AAEC", "detail": "low"}},
        {"url": "data:image/png;base64,AAEC"},
        [{"image_url": "data:image/png;base64,AAEC"}],
        "data:image/png,AAEC",
        "data:text/html;base64,AAEC",
        "data:",
    ],
)
def test_an_error_names_an_image_as_it_was_sent(given: Any) -> None:
    for name in ("input_reference", *OTHER_FILE_NAMES):
        with pytest.raises(InvalidRequest, match=f"^{name} must be a file, or") as refused:
            parse_body(text(json.dumps({name: given})), None)
        assert refused.value.param == name


@pytest.mark.parametrize(
    "parts",
    [
        [file("input_reference", b"1"), part("image_reference", b"data:image/png;base64,AAEC")],
        [
            part("input_reference", b"data:image/png;base64,AAEC"),
            part("image_reference", b"data:image/png;base64,AAEC"),
        ],
    ],
)
def test_one_image_under_two_names(parts: list[bytes]) -> None:
    with pytest.raises(InvalidRequest, match=r"given more than once|must be omitted when"):
        form(*parts)


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([part("prompt", b"a"), part("prompt", b"b")], "'prompt' is given more than once"),
        ([part("a", b"1"), part("a[b]", b"2")], "given more than once"),
        ([part("a[b]", b"1"), part("a", b"2")], "given more than once"),
        ([part("storyboard[scenes][][seconds]", b"2")], "send storyboard as JSON text"),
        ([file("input_reference", b"1"), file("input_reference", b"2")], "given more than once"),
        ([file("input_reference", b"1"), part("input_reference", b"{}")], "given more than once"),
        ([part("a[]", b"1"), part("a", b"2")], "given more than once"),
        ([part("a", b"1"), part("a[]", b"2")], "given more than once"),
        ([part("a[b]", b"1"), part("a[]", b"2")], "given more than once"),
        ([part("a[]", b"1"), part("a[b]", b"2")], "given more than once"),
        ([part("loras[][name]", b"paper"), part("loras[][scale]", b"1")], "send loras as JSON text"),
        ([part("a[]", b"1"), part("a[][b]", b"2")], "send a as JSON text"),
        ([part("a[][b]", b"1"), part("a[]", b"2")], "send a as JSON text"),
        ([part("a[][]", b"1")], "send a as JSON text"),
        ([file("input_reference[]", b"1"), file("input_reference[]", b"2")], "given more than once"),
        ([file("input_reference[image]", b"1")], r"'input_reference\[image\]' can't be a file"),
        ([file("prompt", b"1")], "fields that take a file: input_reference, last_frame, music"),
        ([part("prompt", b"\xff")], "malformed"),
        ([part("input_reference", b"photo.png")], "must be a file, or .* got text"),
        ([part("input_reference", b"[]")], "must be a file, or"),
        ([b"--" + BOUNDARY.encode() + b"\r\n\r\nx\r\n"], "malformed"),
        ([b"--" + BOUNDARY.encode() + b"\r\nContent-Disposition: form-data\r\n\r\nx\r\n"], "malformed"),
    ],
)
def test_an_invalid_form(parts: list[bytes], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        form(*parts)


def test_a_form_truncated_anywhere_is_rejected() -> None:
    whole = part("prompt", b"A bee") + file("input_reference", b"\x89PNG") + END
    # The last two bytes are the optional line end after the closing boundary.
    for length in range(len(whole) - 2):
        with pytest.raises(InvalidRequest):
            parse_body(binary(whole[:length]), MULTIPART)


def test_malformed_base64_from_the_gateway() -> None:
    with pytest.raises(InvalidRequest, match="encoding"):
        parse_body({"body": "@@@", "isBase64Encoded": True}, "application/json")


# --- any input gives fields or an InvalidRequest

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELD_NAMES = st.sampled_from([*Fields.model_fields, *FILES, *KNOWN, *OTHER_FILE_NAMES]) | st.text()


def judged(event: dict[str, Any], content_type: str | None) -> None:
    with suppress(InvalidRequest):
        fields, _ = parse_body(event, content_type)
        brief_of(parse(fields))


@given(st.text(), st.booleans(), st.none() | st.text() | st.sampled_from(["application/json", MULTIPART]))
@example("\ud800", False, "application/json")
@example('{"prompt": "\\ud800"}', False, "application/json")
def test_any_body(body: str, is_base64: bool, content_type: str | None) -> None:
    judged({"body": body, "isBase64Encoded": is_base64}, content_type)


@given(st.binary(), st.sampled_from(["application/json", MULTIPART, "multipart/form-data; boundary=é"]))
def test_any_bytes(body: bytes, content_type: str) -> None:
    judged(binary(body), content_type)


def objects(names: list[str]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(names), JSON_VALUES | st.integers(0, 9), max_size=3)


SCENES = st.fixed_dictionaries(
    {},
    optional={
        "narration": objects(["text", "voice", "language", "speed"]),
        "image": objects(["positive_prompt", "negative_prompt"]),
        "video": objects(["positive_prompt", "x"]) | JSON_VALUES,
        "seconds": st.floats() | st.integers(),
    },
)
STORYBOARDS = objects(["title", "style", "x"]) | st.fixed_dictionaries(
    {"title": st.text()}, optional={"scenes": st.lists(SCENES | JSON_VALUES, max_size=3)}
)


@given(STORYBOARDS, st.dictionaries(FIELD_NAMES, JSON_VALUES, max_size=3))
def test_any_storyboard(storyboard: Any, fields: dict[str, Any]) -> None:
    judged(text(json.dumps(fields | {"storyboard": storyboard})), "application/json")


@given(st.dictionaries(FIELD_NAMES, JSON_VALUES, max_size=5))
def test_any_json_object(fields: dict[str, Any]) -> None:
    judged(text(json.dumps(fields)), "application/json")


@given(
    st.lists(
        st.tuples(
            FIELD_NAMES
            | st.sampled_from(
                ["input_reference[image_url]", "input_reference[]", "review[]", "a[]", "a[][b]", "["]
            ),
            st.binary(),
            st.sampled_from(["", '; filename="x"', "; filename=", "; filename*=utf-8''x"]),
            st.sampled_from(
                ["", "Content-Type: image/png\r\n"]
                + [f"Content-Transfer-Encoding: {kind}\r\n" for kind in ("base64", "quoted-printable", "x")]
            ),
        ),
        max_size=4,
    ),
    st.integers(min_value=0, max_value=40),
)
def test_any_form(parts: list[tuple[str, bytes, str, str]], cut: int) -> None:
    body = b"".join(
        part(name.encode(errors="replace").decode(), value, disposition, headers)
        for name, value, disposition, headers in parts
    )
    judged(binary((body + END)[: len(body) + len(END) - cut]), MULTIPART)
