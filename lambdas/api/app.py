"""The REST API, in OpenAI's format: combines the groups in routes/ and handles what all routes share."""

import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.api import openai_format
from lambdas.api.request import VIDEO_ID
from lambdas.api.response import error_answer
from lambdas.api.routes import characters, models, reviews, uploads, videos
from lambdas.deadline import OutOfTime, deadline
from lambdas.domain import names
from lambdas.domain.errors import RequestError, TransientError
from lambdas.telemetry import logger

_RETRY_AFTER_SECONDS = 2
_RESERVE_MS = 4_000  # to answer once time is up
_METHODS = {
    "/v1/videos": ("GET", "POST"),
    "/v1/videos/edits": ("POST",),
    "/v1/videos/extensions": ("POST",),
    "/v1/videos/characters": ("GET", "POST"),
    "/v1/videos/characters/<character_id>": ("GET", "DELETE"),
    "/v1/videos/<video_id>": ("GET", "DELETE"),
    "/v1/videos/<video_id>/content": ("GET", "HEAD"),
    "/v1/videos/<video_id>/storyboard": ("GET", "PUT"),
    "/v1/videos/<video_id>/approve": ("POST",),
    "/v1/videos/<video_id>/retry": ("POST",),
    "/v1/videos/<video_id>/cancel": ("POST",),
    "/v1/videos/<video_id>/remix": ("POST",),
    "/v1/videos/<video_id>/scenes/<scene>/regenerate": ("POST",),
    "/v1/videos/<video_id>/scenes/<scene>/narration": ("GET", "HEAD"),
    "/v1/videos/<video_id>/scenes/<scene>/still": ("GET", "HEAD"),
    "/v1/uploads": ("POST",),
    "/v1/uploads/<upload_id>": ("GET",),
    "/v1/models": ("GET",),
    "/v1/models/<name>": ("GET",),
}
_ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

app = APIGatewayRestResolver()
for group in (characters, videos, reviews, uploads, models):
    app.include_router(group.router)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    try:
        with deadline(context, _RESERVE_MS):
            answer = app.resolve(event, context)
    except OutOfTime:
        answer = _out_of_time()
    answer["multiValueHeaders"][names.REQUEST_ID_HEADER] = [event["requestContext"]["requestId"]]
    return answer


def _out_of_time() -> dict[str, Any]:
    """Return what API Gateway answers itself when a request takes too long (cdk.api)."""
    logger.error("request out of time")
    error = openai_format.error_object(
        HTTPStatus.GATEWAY_TIMEOUT,
        "The request took too long. Send it again; if it has a file, make the file smaller or shorter, or "
        "convert it.",
        code="timeout",
    )
    return {
        "statusCode": HTTPStatus.GATEWAY_TIMEOUT.value,
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "body": json.dumps(error),
        "isBase64Encoded": False,
    }


def _refuse_other_methods(path: str, allowed: tuple[str, ...]) -> None:
    def refuse(**parts: str) -> Response[str]:
        if "video_id" in parts and not VIDEO_ID.fullmatch(parts["video_id"]):
            # Any /v1/videos/… that is no route looks like a video's URL.
            return _unknown_url()
        method = app.current_event.http_method
        return error_answer(
            HTTPStatus.METHOD_NOT_ALLOWED,
            f"{method} is not supported by this URL; allowed: {', '.join(allowed)}.",
            code="method_not_allowed",
            headers={"Allow": ", ".join(allowed)},
        )

    app.route(path, method=[method for method in _ALL_METHODS if method not in allowed])(refuse)


for _path, _allowed in _METHODS.items():
    _refuse_other_methods(_path, _allowed)


# --- errors


@app.not_found
def unknown_url(_: Exception) -> Response[str]:
    return _unknown_url()


def _unknown_url() -> Response[str]:
    method, path = app.current_event.http_method, app.current_event.path
    return error_answer(HTTPStatus.NOT_FOUND, f"Unknown URL: {method} {path[:200]}.", code="unknown_url")


@app.exception_handler(RequestError)  # type: ignore[untyped-decorator]
def refused(error: RequestError) -> Response[str]:
    logger.info("request refused", extra={"code": error.code, "param": error.param})
    # OpenAI's client retries every 409 unless this header says not to.
    headers = {"x-should-retry": "false"} if error.status is HTTPStatus.CONFLICT else {}
    return error_answer(error.status, error.message, code=error.code, param=error.param, headers=headers)


@app.exception_handler(TransientError)  # type: ignore[untyped-decorator]
def unavailable(error: TransientError) -> Response[str]:
    logger.warning("service unavailable", extra={"reason": error.message})
    return error_answer(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "A service that this request depends on is unavailable; try again.",
        code="service_unavailable",
        headers={"Retry-After": str(_RETRY_AFTER_SECONDS)},
    )


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def broken(_: Exception) -> Response[str]:
    logger.exception("request failed")
    return error_answer(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Internal server error. The server's log has the details under this response's x-request-id.",
        code="internal_error",
    )
