"""What the stand-ins share: AWS's REST-JSON wire format, and passing on a request whose body was read."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute
from starlette.types import Message, Receive

from reelworks.cloud.errors import ServiceError

Document = TypeVar("Document", bound=BaseModel)


def parsed(document: type[Document], body: bytes) -> Document:
    """Parse a request's body. Raises ServiceError, naming the field as the services do, if it is invalid."""
    try:
        return document.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "body"
        raise ServiceError(400, "ValidationException", f"{where}: {problem['msg']}") from error


def service(routes: list[BaseRoute]) -> Starlette:
    """Return an app of `routes` that renders every error in the services' format."""
    return Starlette(
        routes=routes, exception_handlers={ServiceError: _service_error, HTTPException: _unknown_operation}
    )


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body, then what the client does next."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _service_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)  # noqa: S101  Starlette's handler type is wider than what it passes
    return JSONResponse(error.body, error.status, headers={"x-amzn-errortype": error.code} | error.headers)


async def _unknown_operation(request: Request, _: Exception) -> JSONResponse:
    message = f"{request.method} {request.url.path} is not supported by this stand-in."
    return await _service_error(request, ServiceError(404, "UnknownOperationException", message))
