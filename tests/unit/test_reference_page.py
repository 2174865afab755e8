"""The reference page shows the whole document and loads nothing."""

import hashlib
from base64 import b64encode
from html.parser import HTMLParser
from typing import Any

import pytest

from lambdas.api.document import VERSION
from lambdas.api.reference_page import POLICY, page, type_of
from tests.api_document import api_document, operations


class Read(HTMLParser):
    """What a page has: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.styles = ""
        self._in_style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def shown() -> Read:
    return Read(page(api_document()))


def test_the_page_has_every_operation_field_and_error_code(shown: Read) -> None:
    ids = {attributes.get("id") for _, attributes in shown.tags}
    for operation in operations():
        if operation.path.startswith(f"/{VERSION}/"):  # others are not in the document
            assert operation.id in ids
    for name in ("CreateVideo", "ExtendVideo", "VideoObject", "ModelObject"):
        for field in api_document()["components"]["schemas"][name]["properties"]:
            assert field in shown.text, field
    for code in ("idempotency_conflict", "invalid_image", "precondition_failed", "rate_limit_exceeded"):
        assert code in shown.text


def test_the_page_loads_nothing_and_its_links_stay_in_it(shown: Read) -> None:
    ids = {attributes.get("id") for _, attributes in shown.tags}
    assert not {"script", "img", "link", "iframe", "object", "form"} & {tag for tag, _ in shown.tags}
    for tag, attributes in shown.tags:
        assert not {"src", "style", "srcset"} & attributes.keys(), tag
        target = attributes.get("href")
        assert target is None or target == "openapi.json" or target.removeprefix("#") in ids


def test_its_policy_allows_only_its_own_style(shown: Read) -> None:
    digest = b64encode(hashlib.sha256(shown.styles.encode()).digest()).decode()
    assert "default-src 'none'" in POLICY
    assert f"style-src 'sha256-{digest}'" in POLICY
    assert "unsafe" not in POLICY


def test_what_the_document_says_is_text_and_never_markup() -> None:
    document: dict[str, Any] = {
        "info": {"title": "<b>", "version": "v1", "description": "<script>alert(1)</script>"},
        "tags": [],
        "paths": {},
    }
    tags = [tag for tag, _ in Read(page(document)).tags]
    assert "script" not in tags
    assert "b" not in tags


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": ["integer", "string"], "pattern": "^[0-9]+$"}, "integer"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Scene"}}, "list of Scene"),
        ({"enum": ["a", "b"], "type": "string"}, "a | b"),
        ({"const": "list"}, "list"),
        ({}, "any"),
    ],
)
def test_a_type_is_named_in_a_few_words(schema: dict[str, Any], words: str) -> None:
    assert type_of(schema) == words
