"""Throttled calls are counted, also those that the client's own retries hide."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from lambdas.adapters import clients
from reelworks.cloud.services.log_metrics import embedded
from tests.unit.aws_answers import answers


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between tries
    clients.stills_client.cache_clear()
    yield clients.stills_client("eu-west-1")
    clients.stills_client.cache_clear()


def counted(log: str) -> list[tuple[str, float]]:
    return [
        (one["Dimensions"][1]["Value"], one["Values"][0])
        for text in log.splitlines()
        for _, data in embedded(text)
        for one in data
        if len(one["Dimensions"]) == 2
    ]


def test_a_throttled_call_that_succeeds_at_last_is_counted(
    bedrock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(bedrock, "ThrottlingException", "ThrottlingException", None)
    bedrock.invoke_model(modelId="model", body=b"{}")
    assert counted(capsys.readouterr().out) == [("bedrock-runtime", 1.0)] * 2


def test_other_errors_are_not(bedrock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answers(bedrock, "ValidationException")
    with pytest.raises(bedrock.exceptions.ValidationException):
        bedrock.invoke_model(modelId="model", body=b"{}")
    assert counted(capsys.readouterr().out) == []
