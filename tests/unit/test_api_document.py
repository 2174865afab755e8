"""The API's OpenAPI document is valid and complete."""

import re
from typing import Any

import pytest
from openapi_spec_validator import validate

from lambdas.api.document import VERSION, path_parameters
from lambdas.api.operations import PATH_PARAMETERS, Operation
from lambdas.intake.fields import Fields
from lambdas.intake.files import FILES, OTHER_FILE_NAMES
from lambdas.intake.other_names import KNOWN
from tests.api_document import api_document, operations

OPERATIONS = operations()


def test_the_document_is_valid() -> None:
    validate(api_document())


def test_operations_have_different_ids() -> None:
    ids = [operation.id for operation in OPERATIONS]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_an_operation_says_what_it_does_takes_and_answers(operation: Operation) -> None:
    assert re.fullmatch(r"[A-Z][^.]{5,60}", operation.summary)
    if operation.path.startswith(f"/{VERSION}/"):  # others are not in the document
        assert set(path_parameters(operation.path)) <= set(PATH_PARAMETERS)
    assert operation.answer is not None or operation.redirects or operation.public
    if operation.body:
        assert operation.body.examples


def test_every_field_that_a_create_takes_is_documented() -> None:
    schemas = api_document()["components"]["schemas"]
    for name in ("CreateVideo", "CreateVideoForm"):
        assert set(schemas[name]["properties"]) == {*Fields.model_fields, *FILES, *KNOWN, *OTHER_FILE_NAMES}
        assert schemas[name]["additionalProperties"] is False


@pytest.mark.parametrize("name", ["CreateVideo", "EditVideo", "ExtendVideo", "RemixVideo"])
def test_every_field_of_a_body_says_what_it_is(name: str) -> None:
    for field, schema in api_document()["components"]["schemas"][name]["properties"].items():
        assert schema.get("description"), field


def test_numbers_may_be_text_only_where_they_are_parsed_so() -> None:
    schemas = api_document()["components"]["schemas"]
    seconds = schemas["CreateVideo"]["properties"]["seconds"]["anyOf"][0]
    assert (seconds["type"], seconds["maximum"]) == (["integer", "string"], 3600)
    assert schemas["VideoObject"]["properties"]["created_at"]["type"] == "integer"
    assert schemas["Narration"]["properties"]["speed"]["anyOf"][0]["type"] == "number"


def test_a_form_has_text_for_lists_and_binary_files() -> None:
    form: dict[str, Any] = api_document()["components"]["schemas"]["CreateVideoForm"]["properties"]
    assert form["storyboard"]["contentMediaType"] == form["loras"]["contentMediaType"] == "application/json"
    assert form["input_reference"]["format"] == "binary"
