"""An X-Ray trace goes on from the request's function, through the queue, to the execution."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lambdas.adapters import clients
from lambdas.adapters.executions import Machine
from lambdas.adapters.requests_queue import RequestsQueue
from tests.factories import a_video
from tests.unit.aws_answers import answers

OF_THE_API = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
OF_DISPATCH = "Root=1-67891233-abcdef012345678912345678;Parent=463ac35c9f6413ad;Sampled=1"
STARTED = b'{"executionArn": "arn:aws:states:eu-west-1:1:execution:m:v", "startDate": 1}'
MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:machine"


@pytest.fixture
def in_lambda(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_LAMBDA_FUNCTION_NAME"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    clients.client.cache_clear()
    yield monkeypatch
    clients.client.cache_clear()


def document(request: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.body)
    return found


@pytest.mark.parametrize(
    ("trace", "attributes"),
    [
        (OF_THE_API, {"AWSTraceHeader": {"DataType": "String", "StringValue": OF_THE_API}}),
        ("", None),  # on a PC
    ],
)
def test_a_message_takes_the_trace_along(in_lambda: pytest.MonkeyPatch, trace: str, attributes: Any) -> None:
    in_lambda.setenv("_X_AMZN_TRACE_ID", trace)
    sqs = clients.client("sqs")
    sent = answers(sqs, None)
    RequestsQueue(sqs, "https://sqs.eu-west-1.amazonaws.com/1/requests").send(a_video())
    assert document(sent[0]).get("MessageSystemAttributes") == attributes


def test_an_execution_goes_on_with_the_message_s_trace_not_with_the_consumer_s(
    in_lambda: pytest.MonkeyPatch,
) -> None:
    in_lambda.setenv("_X_AMZN_TRACE_ID", OF_DISPATCH)
    stepfunctions = clients.client("stepfunctions")
    sent = answers(stepfunctions, None, body=STARTED)
    Machine(stepfunctions, MACHINE).start("video", {}, trace=OF_THE_API)
    assert document(sent[0])["traceHeader"] == OF_THE_API
    # botocore sends the running function's trace, which Step Functions would prefer.
    assert sent[0].headers["X-Amzn-Trace-Id"] in (OF_THE_API, OF_THE_API.encode())


def test_an_execution_without_a_trace_goes_on_with_the_consumer_s(in_lambda: pytest.MonkeyPatch) -> None:
    in_lambda.setenv("_X_AMZN_TRACE_ID", OF_DISPATCH)
    stepfunctions = clients.client("stepfunctions")
    sent = answers(stepfunctions, None, body=STARTED)
    Machine(stepfunctions, MACHINE).start("video", {})
    assert "traceHeader" not in document(sent[0])
    assert sent[0].headers["X-Amzn-Trace-Id"] in (OF_DISPATCH, OF_DISPATCH.encode())
