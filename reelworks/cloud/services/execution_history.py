"""The executions that ended in the last day, also after the cloud was stopped or killed.

ministack keeps executions in memory (1.5.33). Here each one that has ended is written to a file with its
history, and answers for it when ministack no longer knows it. Executions that the end of the cloud interrupts
are not kept: their videos get new attempts, which upkeep starts because no execution exists.

Formats are those of botocore's model of stepfunctions, 2016-11-23.
"""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reelworks.cloud.home import write_private

logger = logging.getLogger(__name__)

KEPT_SECONDS = 24 * 3600
_TARGET = b"AWSStepFunctions."
# After these, an execution may end.
_DRIVING = frozenset({b"StartExecution", b"StopExecution", b"SendTaskSuccess", b"SendTaskFailure"})
_SETTLE_SECONDS = 0.5  # from such a call to the execution's end, usually
_WATCH_SECONDS = 2.0  # between looks while executions run: most end without a call, with their last function
_PAGE = 100  # events, the default of GetExecutionHistory
_TOKEN = "kept-"  # noqa: S105  starts the page tokens given here

_Document = dict[str, Any]


class ExecutionHistory:
    """An ASGI app for requests signed for `states`. `states` is a client of the cloud; `folder` holds the
    files."""

    def __init__(self, ministack: ASGIApp, *, states: Any, folder: Path) -> None:
        self._ministack = ministack
        self._states = states
        self._folder = folder
        self._driven = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None
        self._kept: set[str] = set()  # ARNs of this cloud's executions that are in a file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = dict(scope.get("headers", [])).get(b"x-amz-target", b"").removeprefix(_TARGET)
        if target in _DRIVING:
            self._keeping = self._keeping or asyncio.create_task(self._keep())
            self._driven.set()
        calls: dict[bytes, Callable[[_Document, Response], Response]] = {
            b"DescribeExecution": self._describe,
            b"GetExecutionHistory": self._history,
            b"ListExecutions": self._list,
        }
        if target not in calls:
            await self._ministack(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        answer = await self._asked(scope, body)
        try:
            request = json.loads(body)
            answer = await asyncio.to_thread(calls[target], request, answer)
        except (ValueError, TypeError, AttributeError, KeyError):
            logger.debug("not a request for kept executions")  # ministack has said what is wrong with it
        await answer(scope, receive, send)

    async def stop(self) -> None:
        """Stop keeping. The cloud no longer answers its clients when this is called."""
        if self._keeping:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    # --- keep

    async def _keep(self) -> None:
        while True:
            await self._driven.wait()
            self._driven.clear()
            await asyncio.sleep(_SETTLE_SECONDS)
            while await asyncio.to_thread(self._keep_ended):
                try:
                    async with asyncio.timeout(_WATCH_SECONDS):
                        await self._driven.wait()
                    break
                except TimeoutError:
                    continue

    def _keep_ended(self) -> bool:
        """Write a file for each execution that has ended. Return whether others are still running."""
        self._forget_old()
        running = False
        try:
            for execution in self._executions():
                arn = execution["executionArn"]
                if execution["status"] == "RUNNING":
                    running = True
                elif arn not in self._kept:
                    pages = self._states.get_paginator("get_execution_history").paginate(executionArn=arn)
                    document = {
                        "execution": _plain(self._states.describe_execution(executionArn=arn)),
                        "events": [event for page in pages for event in page["events"]],
                    }
                    self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                    write_private(self._file(arn), json.dumps(document, default=_seconds))
                    self._kept.add(arn)
        except Exception:  # nothing may end the watch
            logger.exception("executions not kept")
        return running

    def _executions(self) -> Iterator[_Document]:
        for machines in self._states.get_paginator("list_state_machines").paginate():
            for machine in machines["stateMachines"]:
                pages = self._states.get_paginator("list_executions").paginate(
                    stateMachineArn=machine["stateMachineArn"]
                )
                for page in pages:
                    yield from page["executions"]

    def _forget_old(self) -> None:
        for file in self._folder.glob("*.json"):
            if file.stat().st_mtime < time.time() - KEPT_SECONDS:
                file.unlink(missing_ok=True)

    # --- answer

    async def _asked(self, scope: Scope, body: bytes) -> Response:
        """Return ministack's answer."""
        status, headers, content = 500, [], b""

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, headers, content
            if message["type"] == "http.response.start":
                status, headers = message["status"], message.get("headers", [])
            else:
                content += message.get("body", b"")

        await self._ministack(scope, receive, send)
        answer = Response(content, status)
        answer.raw_headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
        answer.headers["content-length"] = str(len(content))
        return answer

    def _describe(self, request: _Document, answer: Response) -> Response:
        kept = self._read(request["executionArn"]) if answer.status_code != 200 else None
        return _ok(kept["execution"]) if kept else answer

    def _history(self, request: _Document, answer: Response) -> Response:
        kept = self._read(request["executionArn"]) if answer.status_code != 200 else None
        if kept is None:
            return answer
        events = kept["events"][:: -1 if request.get("reverseOrder") else 1]
        if request.get("includeExecutionData") is False:
            events = [_without_data(event) for event in events]
        start = int(str(request.get("nextToken") or f"{_TOKEN}0").removeprefix(_TOKEN))
        end = start + int(request.get("maxResults") or _PAGE)
        more = {"nextToken": f"{_TOKEN}{end}"} if end < len(events) else {}
        return _ok({"events": events[start:end], **more})

    def _list(self, request: _Document, answer: Response) -> Response:
        """Add the kept executions of the state machine to the last page."""
        page = json.loads(bytes(answer.body))
        if answer.status_code != 200 or page.get("nextToken") or "stateMachineArn" not in request:
            return answer
        known = {execution["executionArn"] for execution in page["executions"]}
        kept = [
            {name: one.get(name) for name in _LISTED}
            for one in (document["execution"] for document in map(self._load, self._files()) if document)
            if one["stateMachineArn"] == request["stateMachineArn"]
            and one["status"] == request.get("statusFilter", one["status"])
            and one["executionArn"] not in known
        ]
        kept.sort(key=lambda one: float(one["startDate"]), reverse=True)
        return _ok({**page, "executions": page["executions"] + kept})

    # --- files

    def _file(self, arn: str) -> Path:
        return self._folder / f"{hashlib.sha256(arn.encode()).hexdigest()[:32]}.json"

    def _files(self) -> list[Path]:
        since = time.time() - KEPT_SECONDS
        return [file for file in self._folder.glob("*.json") if file.stat().st_mtime >= since]

    def _read(self, arn: str) -> _Document | None:
        file = self._file(arn)
        return self._load(file) if file in self._files() else None

    def _load(self, file: Path) -> _Document | None:
        try:
            document: _Document = json.loads(file.read_bytes())
        except (OSError, ValueError):
            return None
        return document


_LISTED = ("executionArn", "stateMachineArn", "name", "status", "startDate", "stopDate")


def _ok(document: _Document) -> Response:
    return JSONResponse(document, media_type="application/x-amz-json-1.0")


def _plain(answer: _Document) -> _Document:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def _seconds(value: Any) -> float:
    """Return a time as the wire format has it: seconds since the epoch."""
    seconds: float = value.timestamp()
    return seconds


def _without_data(event: _Document) -> _Document:
    return {
        name: {key: one for key, one in value.items() if key not in ("input", "output")}
        if isinstance(value, dict)
        else value
        for name, value in event.items()
    }
