"""Moving messages out of a dead-letter queue: SQS's StartMessageMoveTask, ListMessageMoveTasks and
CancelMessageMoveTask, which ministack lacks (1.5.33). It handles all other calls.

Formats are those of botocore's model of sqs, 2012-11-05; rules are from SQS's API reference.
"""

import asyncio
import base64
import json
import logging
import time
import uuid
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from reelworks.cloud.errors import ServiceError

logger = logging.getLogger(__name__)

_TARGET = b"AmazonSQS."
_KEPT = 10  # ended tasks of a queue, as many as ListMessageMoveTasks returns
_BATCH = 10  # SQS's largest
_HIDDEN_SECONDS = 60  # how long a message that is being moved is hidden from others

Status = Literal["RUNNING", "COMPLETED", "CANCELLING", "CANCELLED", "FAILED"]


class _Start(BaseModel):
    source: str = Field(alias="SourceArn")
    destination: str | None = Field(None, alias="DestinationArn")
    rate: Annotated[int, Field(ge=1, le=500)] | None = Field(None, alias="MaxNumberOfMessagesPerSecond")


class _List(BaseModel):
    source: str = Field(alias="SourceArn")
    most: Annotated[int, Field(ge=1, le=_KEPT)] = Field(1, alias="MaxResults")


class _Cancel(BaseModel):
    handle: str = Field(alias="TaskHandle")


@dataclass
class _Task:
    request: _Start
    to_move: int
    handle: str = field(init=False)
    status: Status = "RUNNING"
    moved: int = 0
    reason: str | None = None
    started_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    def __post_init__(self) -> None:
        told = {"taskId": str(uuid.uuid4()), "sourceArn": self.request.source}
        self.handle = base64.b64encode(json.dumps(told).encode()).decode()

    def document(self) -> dict[str, Any]:
        entry = {
            "TaskHandle": self.handle if self.status == "RUNNING" else None,
            "Status": self.status,
            "SourceArn": self.request.source,
            "DestinationArn": self.request.destination,
            "MaxNumberOfMessagesPerSecond": self.request.rate,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "FailureReason": self.reason,
            "StartedTimestamp": self.started_ms,
        }
        return {name: value for name, value in entry.items() if value is not None}


class MessageMoves:
    """An ASGI app for requests signed for `sqs`. `sqs` is a client of the cloud. Tasks are in memory, as the
    queues are."""

    def __init__(self, ministack: ASGIApp, *, sqs: Any) -> None:
        self._ministack = ministack
        self._sqs = sqs
        self._tasks: list[_Task] = []  # the newest first
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = dict(scope.get("headers", [])).get(b"x-amz-target", b"").removeprefix(_TARGET)
        calls = {
            b"StartMessageMoveTask": self._start,
            b"ListMessageMoveTasks": self._list,
            b"CancelMessageMoveTask": self._cancel,
        }
        if target not in calls:
            await self._ministack(scope, receive, send)
            return
        try:
            answer = JSONResponse(await calls[target](await Request(scope, receive).body()))
        except ServiceError as error:
            answer = JSONResponse({"__type": f"com.amazonaws.sqs#{error.code}", **error.body}, error.status)
        await answer(scope, receive, send)

    async def stop(self) -> None:
        """Stop moving. No message is lost: each is deleted after it was sent."""
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _start(self, body: bytes) -> dict[str, Any]:
        request = _read(_Start, body)
        urls = await asyncio.to_thread(self._urls)
        for arn in filter(None, (request.source, request.destination)):
            if arn not in urls:
                raise ServiceError(
                    404, "ResourceNotFoundException", f"The resource that you specified does not exist: {arn}"
                )
        if not await asyncio.to_thread(self._is_dead_letter_queue, request.source, urls):
            raise ServiceError(
                400, "UnsupportedOperation", f"{request.source} is not the dead-letter queue of any queue."
            )
        if any(task.status == "RUNNING" and task.request.source == request.source for task in self._tasks):
            raise ServiceError(400, "UnsupportedOperation", "There is already a task running.")
        task = _Task(request, await asyncio.to_thread(self._length, urls[request.source]))
        self._tasks.insert(0, task)
        self._forget()
        running = asyncio.create_task(self._move(task, urls))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return {"TaskHandle": task.handle}

    async def _list(self, body: bytes) -> dict[str, Any]:
        request = _read(_List, body)
        if request.source not in await asyncio.to_thread(self._urls):
            raise ServiceError(
                404, "ResourceNotFoundException", "The resource that you specified does not exist."
            )
        found = [task.document() for task in self._tasks if task.request.source == request.source]
        return {"Results": found[: request.most]}

    async def _cancel(self, body: bytes) -> dict[str, Any]:
        handle = _read(_Cancel, body).handle
        task = next((task for task in self._tasks if task.handle == handle), None)
        if task is None:
            raise ServiceError(404, "ResourceNotFoundException", "Task does not exist.")
        if task.status != "RUNNING":
            raise ServiceError(400, "UnsupportedOperation", f"The task is {task.status}, not running.")
        task.status = "CANCELLING"
        return {"ApproximateNumberOfMessagesMoved": task.moved}

    async def _move(self, task: _Task, urls: dict[str, str]) -> None:
        try:
            # Only those that were there at the start: one that fails again would otherwise go in circles.
            while task.status == "RUNNING" and task.moved < task.to_move:
                moved = await asyncio.to_thread(self._move_some, task, urls)
                if not moved:
                    break
                task.moved += moved
                await asyncio.sleep(moved / task.request.rate if task.request.rate else 0)
            task.status = "CANCELLED" if task.status == "CANCELLING" else "COMPLETED"
        except _NoSource:
            task.status, task.reason = "FAILED", "CouldNotDetermineMessageSource"
        except Exception as error:
            logger.exception("messages not moved", extra={"queue": task.request.source})
            task.status, task.reason = "FAILED", str(error)

    def _move_some(self, task: _Task, urls: dict[str, str]) -> int:
        """Move the next messages; return how many there were."""
        source = urls[task.request.source]
        received = self._sqs.receive_message(
            QueueUrl=source,
            MaxNumberOfMessages=min(_BATCH, task.to_move - task.moved, task.request.rate or _BATCH),
            VisibilityTimeout=_HIDDEN_SECONDS,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        for message in received:
            attributes = message.get("Attributes", {})
            destination = task.request.destination or attributes.get("DeadLetterQueueSourceArn")
            if destination not in urls:
                self._sqs.change_message_visibility(
                    QueueUrl=source, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
                )
                raise _NoSource
            fifo = {
                name: attributes[name]
                for name in ("MessageGroupId", "MessageDeduplicationId")
                if name in attributes
            }
            self._sqs.send_message(
                QueueUrl=urls[destination],
                MessageBody=message["Body"],
                MessageAttributes=message.get("MessageAttributes", {}),
                **fifo,
            )
            self._sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
        return len(received)

    def _urls(self) -> dict[str, str]:
        """Return the queues' URLs by ARN."""
        pages = self._sqs.get_paginator("list_queues").paginate()
        urls = [url for page in pages for url in page.get("QueueUrls", [])]
        return {self._attribute(url, "QueueArn"): url for url in urls}

    def _is_dead_letter_queue(self, arn: str, urls: dict[str, str]) -> bool:
        policies = (self._attribute(url, "RedrivePolicy") for url in urls.values())
        return any(json.loads(policy).get("deadLetterTargetArn") == arn for policy in policies if policy)

    def _length(self, url: str) -> int:
        return int(self._attribute(url, "ApproximateNumberOfMessages") or 0)

    def _attribute(self, url: str, name: str) -> str:
        found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        value: str = found.get("Attributes", {}).get(name, "")
        return value

    def _forget(self) -> None:
        """Keep the newest tasks of each queue."""
        for source in {task.request.source for task in self._tasks}:
            for old in [task for task in self._tasks if task.request.source == source][_KEPT:]:
                self._tasks.remove(old)


Document = TypeVar("Document", bound=BaseModel)


class _NoSource(Exception):
    """A message doesn't say which queue it came from, or that queue is gone."""


def _read(document: type[Document], body: bytes) -> Document:
    try:
        return document.model_validate_json(body or b"{}")
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"])) or "The request"
        raise ServiceError(400, "InvalidParameterValue", f"{name}: {problem['msg']}.") from error
