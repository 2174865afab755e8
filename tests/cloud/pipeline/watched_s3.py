"""The local S3 behind a server that sees each part of an upload before S3 does."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]
_OF_THE_CONNECTION = ("connection", "transfer-encoding", "content-length")


class WatchedS3:
    """`before_part` receives the number of each part before it is sent."""

    def __init__(self, s3: str) -> None:
        self.parts: list[int] = []
        self.before_part: Callable[[int], None] = lambda number: None
        self._s3 = s3
        self._client = httpx.AsyncClient(timeout=60, verify=False)
        routes = [Route("/{path:path}", self._forward, methods=_METHODS)]
        self.app = Starlette(routes=routes, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        async with self._client:
            yield

    async def _forward(self, request: Request) -> Response:
        body = await request.body()
        if request.method == "PUT" and "partNumber" in request.query_params:
            number = int(request.query_params["partNumber"])
            self.before_part(number)
            self.parts.append(number)
        answer = await self._client.request(
            request.method,
            f"{self._s3}{request.scope['raw_path'].decode()}",
            params=str(request.query_params),
            content=body,
            headers=request.headers.raw,
        )
        headers = {name: value for name, value in answer.headers.items() if name not in _OF_THE_CONNECTION}
        if request.method == "HEAD":
            headers["content-length"] = answer.headers.get("content-length", "0")
        return Response(answer.content, answer.status_code, headers)
