"""AWS inside the test's process, without a socket: ministack's DynamoDB and S3, which evaluate each condition
and transaction, and a queue, a bus and executions that a test moves itself."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from botocore.awsrequest import AWSResponse
from ministack.services import dynamodb, s3

from lambdas.adapters.clients import client

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:produce-video"
_SERVICES = ("dynamodb", "s3", "sqs", "stepfunctions", "events")


class Killed(BaseException):
    """The function's process is gone; nothing that catches errors sees it."""


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content

    def read(self, *_: Any) -> bytes:
        content, self._content = self._content, b""
        return content


class InProcessAws:
    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []  # of the requests queue
        self.events: list[dict[str, Any]] = []  # of the bus, each with its name and detail
        self.executions: dict[str, str] = {}  # status by name
        self.waiting: dict[str, str] = {}  # the execution of each task token that was not answered yet
        self.answers: dict[str, Any] = {}  # by task token
        self.kill_after: int | None = None  # calls that take effect before the process is gone
        self.meanwhile: tuple[int, Callable[[], Any]] | None = (
            None  # what happens before the call after so many
        )

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        """Answer one request of botocore (its event before-send)."""
        if self.meanwhile is not None:
            left, act = self.meanwhile
            self.meanwhile = (left - 1, act) if left else None
            if not left:
                act()
        if self.kill_after is not None:
            if self.kill_after == 0:
                raise Killed
            self.kill_after -= 1
        url = urlsplit(request.url)
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        body = request.body.read() if hasattr(request.body, "read") else request.body or b""
        body = body.encode() if isinstance(body, str) else bytes(body)
        target = headers.get("x-amz-target", "")
        if target.startswith("DynamoDB"):
            called = dynamodb.handle_request(request.method, url.path, headers, body, {})
        elif target:
            status, answer = self._call(target.rpartition(".")[2], json.loads(body))
            return _response(request.url, status, {}, json.dumps(answer).encode())
        else:
            asked = parse_qs(url.query, keep_blank_values=True)
            called = s3.handle_request(request.method, unquote(url.path), headers, body, asked)
        return _response(request.url, *_result(called))

    def _call(self, action: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = asked.get("name") or asked.get("executionArn", "").rpartition(":")[2]
        match action:
            case "SendMessage":
                self.messages.append(json.loads(asked["MessageBody"]))
                return 200, {"MessageId": "1"}
            case "PutEvents":
                self.events += [
                    {"name": one["DetailType"], **json.loads(one["Detail"])} for one in asked["Entries"]
                ]
                return 200, {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in asked["Entries"]]}
            case "SendTaskSuccess":
                execution = self.waiting.get(asked["taskToken"], "")
                if self.executions.get(execution) != "RUNNING":
                    return 400, {"__type": "TaskTimedOut", "message": "nobody waits"}
                self.answers[asked["taskToken"]] = json.loads(asked["output"])
                return 200, {}
            case "StartExecution" if name in self.executions:
                return 400, {"__type": "ExecutionAlreadyExists", "message": name}
            case "StartExecution":
                self.executions[name] = "RUNNING"
                return 200, {"executionArn": name, "startDate": 0}
            case "DescribeExecution" | "StopExecution" if name not in self.executions:
                return 400, {"__type": "ExecutionDoesNotExist", "message": name}
            case "DescribeExecution":
                status = {"executionArn": name, "stateMachineArn": MACHINE, "startDate": 0}
                return 200, {**status, "status": self.executions[name]}
            case "StopExecution":
                if self.executions[name] == "RUNNING":
                    self.executions[name] = "ABORTED"
                return 200, {"stopDate": 0}
        raise NotImplementedError(action)


@contextmanager
def in_process_aws() -> Iterator[InProcessAws]:
    aws = InProcessAws()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        client.cache_clear()
        dynamodb.reset()
        s3.reset()
        for service in _SERVICES:
            client(service).meta.events.register("before-send", aws.answer)
        yield aws
        client.cache_clear()


def _result(called: Any) -> tuple[int, dict[str, str], bytes]:
    try:
        called.send(None)
    except StopIteration as done:
        status, headers, body = done.value
        return status, headers, body.encode() if isinstance(body, str) else body
    raise AssertionError("ministack waits for something")


def _response(url: str, status: int, headers: dict[str, str], body: bytes) -> AWSResponse:
    return AWSResponse(
        url, status, {name.lower(): str(value) for name, value in headers.items()}, _Body(body)
    )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
