"""Server for an engine that a supervisor runs in a separate process. Independent of any model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from containers.diffusion.gpu import Gpus, watch
from containers.diffusion.supervisor import Supervisor
from containers.serving.app import REFUSALS, invoke


def create_app(supervisor: Supervisor) -> FastAPI:
    """Return the app for the engine that `supervisor` runs; loading begins when the app starts."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(supervisor.run())]
        if gpus := Gpus.find():
            tasks.append(asyncio.create_task(watch(gpus, lambda: {"model": supervisor.description["model"]})))
        yield
        for task in tasks:
            task.cancel()
        await supervisor.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None, exception_handlers=REFUSALS)

    @app.get("/ping")
    async def ping() -> JSONResponse:
        document = {"status": supervisor.status, "reason": supervisor.reason} | supervisor.description
        return JSONResponse(document, status_code=200 if supervisor.serving else 503)

    @app.post("/invocations")
    async def invocations(request: Request) -> Response:
        return await invoke(request, supervisor.check, supervisor.render)

    return app
