"""SageMaker's container contract over HTTP: GET /ping, POST /invocations. Knows no model.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from containers.cogvideox.errors import EngineError, InvalidRequest, NotReady
from containers.cogvideox.gpu import Gpus, watch
from containers.cogvideox.supervisor import Supervisor

# A full-size photo in base64, with room to spare.
MAX_BODY_BYTES = 64 * 1024 * 1024
# A body of that size at 9 Mbit/s; SageMaker sends it from the same machine.
BODY_SECONDS = 60.0
# What nginx logs for a client that went away; it reaches nobody.
CLIENT_GONE = 499

logger = logging.getLogger(__name__)


def create_app(supervisor: Supervisor) -> FastAPI:
    """The server of the engine that `supervisor` runs; loading begins when the app starts."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(supervisor.run())]
        if gpus := Gpus.find():
            tasks.append(asyncio.create_task(watch(gpus, lambda: {"model": supervisor.description["model"]})))
        yield
        for task in tasks:
            task.cancel()
        await supervisor.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.get("/ping")
    async def ping() -> JSONResponse:
        document = {"status": supervisor.status, "reason": supervisor.reason} | supervisor.description
        return JSONResponse(document, status_code=200 if supervisor.serving else 503)

    @app.post("/invocations")
    async def invocations(request: Request) -> Response:
        body = await _read_body(request, supervisor.check)
        rendering = asyncio.create_task(supervisor.render(body))
        gone = asyncio.create_task(_until_gone(request))
        try:
            await asyncio.wait({rendering, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not rendering.done():
                logger.info("client gone")
                return Response(status_code=CLIENT_GONE)
            clip = rendering.result()
            return Response(clip.mp4, media_type="video/mp4", headers=clip.headers)
        except asyncio.CancelledError:
            raise NotReady("the server is being stopped") from None
        finally:
            rendering.cancel()
            gone.cancel()

    @app.exception_handler(EngineError)
    async def refuse(_request: Request, error: EngineError) -> JSONResponse:
        return JSONResponse(error.document(), status_code=error.status)

    @app.exception_handler(HTTPException)
    async def refuse_route(request: Request, error: HTTPException) -> JSONResponse:
        message = f"{request.method} {request.url.path}: {error.detail}"
        return JSONResponse(InvalidRequest(None, message).document(), status_code=error.status_code)

    return app


async def _until_gone(request: Request) -> None:
    """Returns when the client has closed its connection; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _read_body(request: Request, check: Callable[[], None]) -> bytes:
    """The whole body; `check` raises if it is not worth keeping."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Also keeps web pages out: without asking first, a browser sends no application/json to another origin.
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
                        None, f"the body must be at most {MAX_BODY_BYTES:,} bytes", status=413
                    )
    except ClientDisconnect:
        raise InvalidRequest(None, "the body ended before its end") from None
    except TimeoutError:
        raise InvalidRequest(None, f"the body took more than {BODY_SECONDS:g} s", status=408) from None
    return bytes(body)
