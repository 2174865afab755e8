"""The engine servers' output as CloudWatch has an endpoint's: FilterLogEvents of the log group
`/aws/sagemaker/Endpoints/{endpoint}`. ministack handles all other calls.

Formats are those of botocore's model of logs, 2014-03-28. A filter pattern is a text in quotes. All
events are in one page.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from reelworks.cloud.services.wire import replayed

_GROUP = "/aws/sagemaker/Endpoints/"
_TARGET = b"Logs_20140328.FilterLogEvents"
_EVER_MS = 2**62
_NAME = re.compile(r"[A-Za-z0-9-]+")  # SageMaker's rule


class _Query(BaseModel):
    group: str = Field("", alias="logGroupName")
    start_ms: int = Field(0, alias="startTime")
    end_ms: int = Field(_EVER_MS, alias="endTime")
    pattern: str = Field("", alias="filterPattern")


class EngineLogs:
    """An ASGI app for requests signed for `logs`. `folder` has the servers' output, `{endpoint}-{number}.log`
    and, of a server's previous run, `*.log.1`."""

    def __init__(self, ministack: ASGIApp, folder: Path) -> None:
        self._ministack = ministack
        self._folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if dict(scope.get("headers", [])).get(b"x-amz-target") != _TARGET:
            await self._ministack(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        query = _query(body)
        if query is None or not query.group.startswith(_GROUP):
            await self._ministack(scope, replayed(body, receive), send)
            return
        answer = await asyncio.to_thread(self._answer, query)
        await answer(scope, receive, send)

    def _answer(self, query: _Query) -> JSONResponse:
        files = self._files(query.group.removeprefix(_GROUP))
        if not files:
            message = "The specified log group does not exist."
            return JSONResponse({"__type": "ResourceNotFoundException", "message": message}, 400)
        text = query.pattern.strip('"')
        events = [
            {"logStreamName": stream, "timestamp": at_ms, "ingestionTime": at_ms, "message": line}
            for stream, path in files
            for at_ms, line in _lines(path)
            if query.start_ms <= at_ms < query.end_ms and text in line
        ]
        events.sort(key=lambda event: int(str(event["timestamp"])))
        return JSONResponse({"events": events}, media_type="application/x-amz-json-1.1")

    def _files(self, endpoint: str) -> list[tuple[str, Path]]:
        """Return the output files of the endpoint's servers, each with the number of its instance. Another
        endpoint's name may start with this one's."""
        if not _NAME.fullmatch(endpoint):
            return []
        found = [*self._folder.glob(f"{endpoint}-*.log.1"), *self._folder.glob(f"{endpoint}-*.log")]
        numbers = [(path.name.removeprefix(f"{endpoint}-").partition(".")[0], path) for path in found]
        return [(number, path) for number, path in numbers if number.isdecimal()]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each line and its time: the one that the line states (containers/diffusion/log.py), else that of
    the line before, or the file's."""
    at_ms = int(path.stat().st_mtime * 1000)
    for line in path.read_text(errors="replace").splitlines():
        at_ms = _stated_ms(line) or at_ms
        yield at_ms, line


def _stated_ms(line: str) -> int | None:
    try:
        return int(datetime.fromisoformat(json.loads(line)["time"]).timestamp() * 1000)
    except (ValueError, TypeError, KeyError):
        return None


def _query(body: bytes) -> _Query | None:
    try:
        return _Query.model_validate_json(body)
    except ValueError:
        return None  # ministack says what is wrong with it
