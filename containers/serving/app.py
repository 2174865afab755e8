"""SageMaker's container contract over HTTP: GET /ping, POST /invocations.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from containers.diffusion.errors import EngineError, InvalidRequest, NotReady
from containers.diffusion.messages import Clip
from containers.serving.work_box import work_box

# A full-size photo and a scene's narration in base64, with room to spare.
MAX_BODY_BYTES = 64 * 1024 * 1024
# A body of that size at 9 Mbit/s; clients are on the same machine.
BODY_SECONDS = 60.0
# nginx's status for a client that disconnected; no client receives it.
CLIENT_GONE = 499

logger = logging.getLogger(__name__)


class Engine(Protocol):
    """Engine behind the server."""

    async def health(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the engine can serve, also while it renders, and the document for /ping
        (tests/contracts/ping.*.json)."""

    def check(self) -> None:
        """Raise Busy or NotReady unless a clip would be accepted now."""

    async def render(self, body: bytes) -> Clip:
        """Render the clip for a request. Raises EngineError. Cancelled once no client waits for the clip."""

    async def close(self) -> None:
        """Called once, when the server stops."""


def create_app(engine: Engine) -> Starlette:
    """Return the server app for `engine`."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await engine.close()

    async def ping(_request: Request) -> Response:
        serving, document = await engine.health()
        return JSONResponse(document, status_code=200 if serving else 503)

    async def invocations(request: Request) -> Response:
        return await invoke(request, engine.check, engine.render)

    return Starlette(
        routes=[Route("/ping", ping), Route("/invocations", invocations, methods=["POST"])],
        exception_handlers=REFUSALS,
        lifespan=lifespan,
    )


async def invoke(
    request: Request, check: Callable[[], None], render: Callable[[bytes], Coroutine[Any, Any, Clip]]
) -> Response:
    """Answer POST /invocations with the clip that `render` makes from the body, unless `check` raises. The
    clip says how long that took (work_box.py).

    Cancels `render` if the client disconnects. Raises EngineError.
    """
    body = await _read_body(request, check)
    started = time.monotonic()
    rendering = asyncio.create_task(render(body))
    gone = asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({rendering, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not rendering.done():
            logger.info("client gone")
            return Response(status_code=CLIENT_GONE)
        clip = rendering.result()
        worked = work_box(time.monotonic() - started)
        return Response(clip.mp4 + worked, media_type="video/mp4", headers=dict(clip.headers))
    except asyncio.CancelledError:
        raise NotReady("the server is stopping") from None
    finally:
        rendering.cancel()
        gone.cancel()


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, EngineError)  # noqa: S101  registered for this type
    return JSONResponse(error.document(), status_code=error.status)


async def _refuse_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for this type
    message = f"{request.method} {request.url.path}: {error.detail}"
    return JSONResponse(InvalidRequest(None, message).document(), status_code=error.status_code)


# Exceptions raised while answering a request, and the handlers that report them.
REFUSALS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    EngineError: _refuse,
    HTTPException: _refuse_route,
}


async def _until_gone(request: Request) -> None:
    """Return once the client has closed its connection; call it after reading the body."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _read_body(request: Request, check: Callable[[], None]) -> bytes:
    """Return the whole body; `check` raises if reading it would be pointless."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Also keeps web pages out: browsers don't send application/json to another origin without a preflight.
    if media_type != "application/json":
        raise InvalidRequest("Content-Type", "Content-Type must be application/json", status=415)
    check()
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise InvalidRequest(
                        None, f"the request body must be at most {MAX_BODY_BYTES:,} bytes", status=413
                    )
    except ClientDisconnect:
        raise InvalidRequest(None, "the request body is incomplete") from None
    except TimeoutError:
        raise InvalidRequest(
            None, f"the request body did not arrive within {BODY_SECONDS:g} s", status=408
        ) from None
    return bytes(body)
