import json
from pathlib import Path

import pytest

from lambdas.domain.engine_failure import engine_failure, took_too_long
from lambdas.domain.errors import EngineBroken, EngineFailed, EngineRejected

REFUSED = {"error": {"code": "invalid_request", "param": "size", "message": "size must be 720x480"}}
BUSY = {"error": {"code": "busy", "param": None, "message": "another clip is being rendered"}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(REFUSED),
        json.dumps(REFUSED, indent=2),
        f'Received client error (400) from primary with message "{json.dumps(REFUSED)}". See the log.',
        f'{{"requestId": "1"}} {{"error": "text"}} {json.dumps(REFUSED)}',
        f"{{not JSON}} Received client error (400) from model with message '{json.dumps(REFUSED)}'",
    ],
)
def test_a_rejection_is_found_anywhere_in_the_output(text: str) -> None:
    error = engine_failure("", text)
    assert (type(error), error.message) == (EngineRejected, "size must be 720x480")


def test_the_engine_s_document_takes_precedence_over_the_endpoint_s_message() -> None:
    error = engine_failure("Received client error (503) from model", json.dumps(BUSY))
    assert (type(error), error.message) == (EngineFailed, "another clip is being rendered")


def test_what_must_be_repaired_is_no_passing_failure() -> None:
    broken = Path(__file__).parents[1] / "contracts" / "error.broken.json"
    text = f'Received server error (500) from model with message "{broken.read_text()}"'
    error = engine_failure("", text)
    assert (type(error), error.message) == (
        EngineBroken,
        "the workflow ran, but no node saved a video; add a Save Video node",
    )


def test_a_client_error_without_a_document_is_a_rejection() -> None:
    assert isinstance(engine_failure("", "Received client error (413) from primary"), EngineRejected)


@pytest.mark.parametrize(
    "text", ["Received server error (500)", "Worker died.", '{"error": "text"}', "[1, {}]"]
)
def test_everything_else_is_an_engine_failure_with_its_message(text: str) -> None:
    error = engine_failure(text, "")
    assert (type(error), error.message) == (EngineFailed, text)


def test_a_failure_without_a_message_says_so() -> None:
    assert engine_failure("", " ").message == "the endpoint gave no reason"


def test_an_engine_that_took_too_long_has_failed_with_advice() -> None:
    assert isinstance(took_too_long(), EngineFailed)
    assert "invocation_seconds" in took_too_long().advice
