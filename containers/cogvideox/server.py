"""SageMaker's container contract over HTTP: GET /ping, POST /invocations. Knows no model.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Protocol

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from containers.cogvideox.errors import DeviceLost, EngineError, EngineFailed, InvalidRequest, NotReady
from containers.cogvideox.health import Health

# A full-size photo in base64, with room to spare.
MAX_BODY_BYTES = 64 * 1024 * 1024

logger = logging.getLogger(__name__)


class Engine(Protocol):
    """What the server serves."""

    def load(self) -> None:
        """Called once, before any request; raises if the engine cannot serve."""

    def describe(self) -> dict[str, str]:
        """Fields for /ping."""

    def render(self, body: bytes) -> bytes:
        """The MP4 for a request; raises EngineError. Never called by two threads at once."""


def create_app(engine: Engine) -> FastAPI:
    """The server of `engine`; loading begins when the app starts, on a thread of its own."""
    health = Health()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        _on_thread(lambda: _load(engine, health))
        yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.get("/ping")
    async def ping() -> JSONResponse:
        document = {"status": health.status, "reason": health.reason} | engine.describe()
        return JSONResponse(document, status_code=200 if health.serving else 503)

    @app.post("/invocations")
    async def invocations(request: Request) -> Response:
        body = await _read_body(request)
        health.take()
        try:
            clip = await asyncio.wrap_future(_on_thread(lambda: _render(engine, health, body)))
        except asyncio.CancelledError:
            raise NotReady("the server is being stopped") from None
        return Response(clip, media_type="video/mp4")

    @app.exception_handler(EngineError)
    async def refuse(_request: Request, error: EngineError) -> JSONResponse:
        return JSONResponse(error.document(), status_code=error.status)

    @app.exception_handler(HTTPException)
    async def refuse_route(request: Request, error: HTTPException) -> JSONResponse:
        message = f"{request.method} {request.url.path}: {error.detail}"
        return JSONResponse(InvalidRequest(None, message).document(), status_code=error.status_code)

    return app


def _load(engine: Engine, health: Health) -> None:
    try:
        engine.load()
    except Exception as error:  # whatever it is, /ping must tell it
        logger.exception("model failed to load")
        health.failed(f"{type(error).__name__}: {error}")
    else:
        health.loaded()


def _render(engine: Engine, health: Health, body: bytes) -> bytes:
    try:
        return engine.render(body)
    except InvalidRequest as error:
        logger.info("clip refused", extra={"param": error.param, "reason": str(error)})
        raise
    except EngineError as error:
        logger.exception("clip failed", extra={"code": error.code})
        if isinstance(error, DeviceLost):
            health.failed(str(error))
        raise
    except Exception as error:
        logger.exception("clip failed", extra={"code": EngineFailed.code})
        raise EngineFailed(f"{type(error).__name__}: {error}") from error
    finally:
        health.release()


def _on_thread(work: Callable[[], bytes | None]) -> "Future[bytes | None]":
    """Run `work` on a thread that does not keep the process alive: stopping the server stops a clip."""
    future: Future[bytes | None] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - passed on to whoever waits
            future.set_exception(error)

    threading.Thread(target=run, name="engine", daemon=True).start()
    return future


async def _read_body(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Also keeps web pages out: without asking first, a browser sends no application/json to another origin.
    if media_type != "application/json":
        raise InvalidRequest("Content-Type", "Content-Type must be application/json", status=415)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise InvalidRequest(None, f"the body must be at most {MAX_BODY_BYTES:,} bytes", status=413)
    except ClientDisconnect:
        raise InvalidRequest(None, "the body ended before its end") from None
    return bytes(body)
