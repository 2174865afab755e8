"""The REST API, in OpenAI's format and beside it in Google's: combines the groups in routes/ and handles what
all routes share."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas import importing
from lambdas.api.request import current, granted_scopes, is_video_id
from lambdas.api.response import Response, error_answer
from lambdas.api.routes import (
    api_keys,
    caller,
    characters,
    google,
    models,
    operators,
    reference,
    reviews,
    uploads,
    usage,
    videos,
    webhooks,
    writing,
)
from lambdas.api.routing import METHODS, Router
from lambdas.deadline import OutOfTime, deadline
from lambdas.domain import names
from lambdas.domain.errors import Forbidden, QuotaExceeded, RequestError, TransientError
from lambdas.domain.scopes import scope_of
from lambdas.telemetry import logger

_RETRY_AFTER_SECONDS = 2
_RESERVE_MS = 4_000  # to answer once time is up

GROUPS = (
    videos.routes,
    reviews.routes,
    characters.routes,
    uploads.routes,
    writing.routes,
    models.routes,
    webhooks.routes,
    usage.routes,
    caller.routes,
    api_keys.routes,
    operators.routes,
    google.routes,
    reference.routes,
)
_router = Router(operation for group in GROUPS for operation in group.operations)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    with current(event):
        try:
            with deadline(context, _RESERVE_MS):
                answer = _answer(event["httpMethod"], event["path"]).event()
        except OutOfTime:
            answer = _out_of_time().event()
    answer["multiValueHeaders"][names.REQUEST_ID_HEADER] = [event["requestContext"]["requestId"]]
    return answer


def _answer(method: str, path: str) -> Response:
    found = _router.find(path)
    if found is None:
        return _unknown_url(method, path)
    operations, parts = found
    operation = operations.get(method)
    if operation is None:
        if "video_id" in parts and not is_video_id(parts["video_id"]):
            return _unknown_url(method, path)  # POST /v1/videos/NAME, say, only looks like a video's URL
        return _other_method(method, [name for name in METHODS if name in operations])
    try:
        if not operation.public:
            _check_scope(method, path)
        return operation.handler(**parts)
    except RequestError as error:
        return _refused(error)
    except TransientError as error:
        return _unavailable(error)
    except Exception:  # noqa: BLE001 - a client always gets an answer
        return _broken()


def _check_scope(method: str, path: str) -> None:
    """Refuse a request that the caller's API key may not make."""
    needed = scope_of(method, path)
    if needed is not None and needed not in granted_scopes():
        raise Forbidden(
            f"This request needs an API key with scope {needed}; yours has {', '.join(granted_scopes())}."
        )


# --- errors


def _unknown_url(method: str, path: str) -> Response:
    return error_answer(HTTPStatus.NOT_FOUND, f"Unknown URL: {method} {path[:200]}.", code="unknown_url")


def _other_method(method: str, allowed: list[str]) -> Response:
    return error_answer(
        HTTPStatus.METHOD_NOT_ALLOWED,
        f"{method} is not supported by this URL; allowed: {', '.join(allowed)}.",
        code="method_not_allowed",
        headers={"Allow": ", ".join(allowed)},
    )


def _refused(error: RequestError) -> Response:
    logger.info("request refused", extra={"code": error.code, "param": error.param})
    headers: dict[str, str] = {}
    if isinstance(error, QuotaExceeded):
        headers = {"Retry-After": str(error.retry_after), **error.headers}
    # OpenAI's client retries every 409 and 429 unless this header says not to.
    if error.status is HTTPStatus.CONFLICT or (isinstance(error, QuotaExceeded) and not error.should_retry):
        headers["x-should-retry"] = "false"
    return error_answer(error.status, error.message, code=error.code, param=error.param, headers=headers)


def _unavailable(error: TransientError) -> Response:
    logger.warning("service unavailable", extra={"reason": error.message})
    return error_answer(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "A service that this request depends on is unavailable; try again.",
        code="service_unavailable",
        headers={"Retry-After": str(_RETRY_AFTER_SECONDS)},
    )


def _broken() -> Response:
    logger.exception("request failed")
    return error_answer(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Internal server error. The server's log has the details under this response's x-request-id.",
        code="internal_error",
    )


def _out_of_time() -> Response:
    """Return what API Gateway answers itself when a request takes too long (cdk.api)."""
    logger.error("request out of time")
    return error_answer(
        HTTPStatus.GATEWAY_TIMEOUT,
        "The request took too long. Send it again; if it has a file, make the file smaller or shorter, or "
        "convert it.",
        code="timeout",
    )


importing.done()
