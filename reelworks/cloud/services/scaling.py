"""Application Auto Scaling on this machine: nothing scales, because engine servers start on demand."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from reelworks.cloud.errors import ServiceError
from reelworks.cloud.services.wire import service

_TARGET = "AnyScaleFrontendService."


def scaling() -> Starlette:
    """Return an ASGI app for requests signed for `application-autoscaling`."""
    return service([Route("/", _call, methods=["POST"])])


async def _call(request: Request) -> JSONResponse:
    match request.headers.get("x-amz-target", "").removeprefix(_TARGET):
        case "DescribeScalableTargets":
            return JSONResponse({"ScalableTargets": []})
        case "DescribeScheduledActions":
            return JSONResponse({"ScheduledActions": []})
        case operation:
            raise ServiceError(
                400, "ValidationException", f"{operation}: on a PC, engine servers start on demand."
            )
