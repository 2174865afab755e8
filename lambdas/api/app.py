"""The REST API, in OpenAI's format: routes that parse, call and render."""

import json
import re
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.api import openai_format
from lambdas.api.editing import Editing, Preview, etag
from lambdas.api.edits import parse_regeneration
from lambdas.api.ending import Ending
from lambdas.api.request_body import parse_body, parse_json
from lambdas.domain import names
from lambdas.domain.engines import CATALOGUE, deployed
from lambdas.domain.errors import (
    InvalidRequest,
    NotReady,
    RequestError,
    TransientError,
    VideoNotFound,
)
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.variants import VARIANTS
from lambdas.domain.video import Gate, Video
from lambdas.intake.accept import Intake
from lambdas.intake.files import VIDEO
from lambdas.intake.remake import Remake
from lambdas.settings import ApiSettings
from lambdas.telemetry import logger

_VIDEO_ID = re.compile(r"video_[0-9a-f]{32}")
_KEY_TEXT = re.compile(r"[\x20-\x7e]{1,255}")
_POLL_AFTER_MS = 2_000
_RETRY_AFTER_SECONDS = 2
_METHODS = {
    "/v1/videos": ("GET", "POST"),
    "/v1/videos/edits": ("POST",),
    "/v1/videos/extensions": ("POST",),
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
    "/v1/models": ("GET",),
    "/v1/models/<name>": ("GET",),
}
_PREVIEWS = {Preview.NARRATION: ("m4a", "audio/mp4"), Preview.STILL: ("png", "image/png")}
_ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

app = APIGatewayRestResolver()


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    answer = app.resolve(event, context)
    answer["multiValueHeaders"][names.REQUEST_ID_HEADER] = [event["requestContext"]["requestId"]]
    return answer


@cache
def _settings() -> ApiSettings:
    return ApiSettings.from_env()


# --- routes


@app.post("/v1/videos")
def create() -> Response[str]:
    fields, files = parse_body(app.current_event.raw_event, _header("content-type"))
    video = Intake(_settings()).accept(
        _tenant(), fields, files, nonce=_idempotency_key(), retry=_retry_count() > 0
    )
    return _answer(openai_format.video_object(video))


@app.post("/v1/videos/edits")
def edit() -> Response[str]:
    fields, files = parse_body(app.current_event.raw_event, _header("content-type"), (VIDEO,))
    video = Remake(_settings()).edit(
        _tenant(), fields, files, nonce=_idempotency_key(), retry=_retry_count() > 0
    )
    return _answer(openai_format.video_object(video))


@app.post("/v1/videos/extensions")
def extend() -> Response[str]:
    fields, files = parse_body(app.current_event.raw_event, _header("content-type"), (VIDEO,))
    video = Remake(_settings()).extend(
        _tenant(), fields, files, nonce=_idempotency_key(), retry=_retry_count() > 0
    )
    return _answer(openai_format.video_object(video))


@app.post("/v1/videos/<video_id>/remix")
def remix(video_id: str) -> Response[str]:
    fields, _ = parse_body(app.current_event.raw_event, _header("content-type"), ())
    video = Remake(_settings()).remix(
        _tenant(), _checked(video_id), fields, nonce=_idempotency_key(), retry=_retry_count() > 0
    )
    return _answer(openai_format.video_object(video))


@app.get("/v1/videos")
def list_videos() -> Response[str]:
    after = _query("after", None)
    order = _query("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidRequest(f"order must be asc or desc; {order[:80]!r} was given.", param="order")
    if after is not None and not _VIDEO_ID.fullmatch(after):
        raise _unknown_after(after)
    try:
        videos, has_more = stores.videos(_settings()).list(
            _tenant(), after=after, limit=_limit(), newest_first=order == "desc"
        )
    except VideoNotFound as error:
        raise _unknown_after(str(after)) from error
    return _answer(openai_format.video_list(videos, has_more))


@app.get("/v1/videos/<video_id>")
def retrieve(video_id: str) -> Response[str]:
    video = _video(video_id)
    headers = {} if video.closed else {names.POLL_AFTER_HEADER: str(_POLL_AFTER_MS)}
    return _answer(openai_format.video_object(video), headers=headers)


@app.delete("/v1/videos/<video_id>")
def delete(video_id: str) -> Response[str]:
    Ending(_settings()).delete(_tenant(), _checked(video_id))
    logger.info("video deleted")
    return _answer(openai_format.deletion(video_id))


@app.route("/v1/videos/<video_id>/content", method=["GET", "HEAD"])
def content(video_id: str) -> Response[str]:
    variant = _query("variant", "video")
    if variant not in VARIANTS:
        raise InvalidRequest(
            f"variant must be one of {', '.join(VARIANTS)}; {variant[:80]!r} was given.", param="variant"
        )
    wanted = VARIANTS[variant]
    video = _video(video_id)
    key = getattr(video, wanted.field)
    if video.film is None:
        raise NotReady(f"The {variant} is not there: video {video_id} is {video.stage}.", param="id")
    if key is None:
        raise VideoNotFound(f"Video {video_id} was made without {variant}.", param="variant")
    return _link(key, f"{video_id}.{wanted.extension}", wanted.media_type)


@app.get("/v1/videos/<video_id>/storyboard")
def storyboard(video_id: str) -> Response[str]:
    video = _video(video_id)
    return _storyboard(video, Editing(_settings()).storyboard(video))


@app.put("/v1/videos/<video_id>/storyboard")
def replace_storyboard(video_id: str) -> Response[str]:
    document = parse_json(app.current_event.raw_event, _header("content-type"))
    replaced = Editing(_settings()).replace(_tenant(), _checked(video_id), document, _header("if-match"))
    logger.info("storyboard replaced")
    return _storyboard(*replaced)


@app.post("/v1/videos/<video_id>/approve")
def approve(video_id: str) -> Response[str]:
    gate = _query("gate", None)
    if gate is not None and gate not in list(Gate):
        raise InvalidRequest(
            f"gate must be one of {', '.join(Gate)}, or left out; {gate[:80]!r} was given.", param="gate"
        )
    video = Editing(_settings()).approve(
        _tenant(), _checked(video_id), gate=gate and Gate(gate), if_match=_header("if-match")
    )
    logger.info("video approved")
    return _answer(openai_format.video_object(video))


@app.post("/v1/videos/<video_id>/retry")
def retry(video_id: str) -> Response[str]:
    video = Editing(_settings()).retry(_tenant(), _checked(video_id))
    logger.info("video retried", extra={"attempt": video.attempt})
    return _answer(openai_format.video_object(video))


@app.post("/v1/videos/<video_id>/scenes/<scene>/regenerate")
def regenerate(video_id: str, scene: str) -> Response[str]:
    asked = parse_regeneration(parse_json(app.current_event.raw_event, _header("content-type")))
    video = Editing(_settings()).regenerate(_tenant(), _checked(video_id), scene, asked)
    logger.info("scene regenerated", extra={"part": asked.part})
    return _answer(openai_format.video_object(video))


@app.route("/v1/videos/<video_id>/scenes/<scene>/narration", method=["GET", "HEAD"])
def narration(video_id: str, scene: str) -> Response[str]:
    return _preview(video_id, scene, Preview.NARRATION)


@app.route("/v1/videos/<video_id>/scenes/<scene>/still", method=["GET", "HEAD"])
def still(video_id: str, scene: str) -> Response[str]:
    return _preview(video_id, scene, Preview.STILL)


@app.post("/v1/videos/<video_id>/cancel")
def cancel(video_id: str) -> Response[str]:
    video = Ending(_settings()).cancel(_tenant(), _checked(video_id))
    logger.info("video cancelled")
    return _answer(openai_format.video_object(video))


@app.get("/v1/models")
def list_models() -> Response[str]:
    settings = _settings()
    offered = [deployed(name, settings.workflow) for name in CATALOGUE if name in settings.offered]
    return _answer(openai_format.model_list(offered))


@app.get("/v1/models/<name>")
def retrieve_model(name: str) -> Response[str]:
    if name not in CATALOGUE or name not in _settings().offered:
        return _error(
            HTTPStatus.NOT_FOUND,
            f"There is no model {name[:100]!r}; GET /v1/models lists those offered here.",
            code="not_found",
            param="model",
        )
    return _answer(openai_format.model_object(deployed(name, _settings().workflow)))


def _refuse_other_methods(path: str, allowed: tuple[str, ...]) -> None:
    def refuse(**parts: str) -> Response[str]:
        if "video_id" in parts and not _VIDEO_ID.fullmatch(parts["video_id"]):
            # OpenAI's /v1/videos/characters and the like, which are not here, look like a video's URL.
            return _unknown_url()
        method = app.current_event.http_method
        return _error(
            HTTPStatus.METHOD_NOT_ALLOWED,
            f"{method} is not a method of this URL; allowed: {', '.join(allowed)}.",
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
    return _error(HTTPStatus.NOT_FOUND, f"Unknown URL: {method} {path[:200]}.", code="unknown_url")


@app.exception_handler(RequestError)  # type: ignore[untyped-decorator]
def refused(error: RequestError) -> Response[str]:
    logger.info("request refused", extra={"code": error.code, "param": error.param})
    # OpenAI's client retries every 409 unless told that it is of no use.
    headers = {"x-should-retry": "false"} if error.status is HTTPStatus.CONFLICT else {}
    return _error(error.status, error.message, code=error.code, param=error.param, headers=headers)


@app.exception_handler(TransientError)  # type: ignore[untyped-decorator]
def unavailable(error: TransientError) -> Response[str]:
    logger.warning("service unavailable", extra={"reason": error.message})
    return _error(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "A service that this call needs is unavailable; try again.",
        code="service_unavailable",
        headers={"Retry-After": str(_RETRY_AFTER_SECONDS)},
    )


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def broken(_: Exception) -> Response[str]:
    logger.exception("request failed")
    return _error(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The server failed. The log has the details under this answer's x-request-id.",
        code="internal_error",
    )


# --- reading the request, writing the answer


def _tenant() -> str:
    """As the authorizer found it; the client has no say in it."""
    return str(app.current_event["requestContext"]["authorizer"]["tenant"])


def _checked(video_id: str) -> str:
    if not _VIDEO_ID.fullmatch(video_id):
        raise VideoNotFound(f"There is no video {video_id[:100]!r}.", param="id")
    logger.append_keys(video_id=video_id)
    return video_id


def _video(video_id: str) -> Video:
    return stores.videos(_settings()).get(_tenant(), _checked(video_id))


def _header(name: str) -> str | None:
    return app.current_event.headers.get(name)


def _query(name: str, default: Any) -> Any:
    return app.current_event.query_string_parameters.get(name, default)


def _idempotency_key() -> str | None:
    key = _header(names.IDEMPOTENCY_HEADER)
    if key is not None and not _KEY_TEXT.fullmatch(key):
        raise InvalidRequest(
            "Idempotency-Key must be 1 to 255 printable ASCII characters.", param=names.IDEMPOTENCY_HEADER
        )
    return key


def _retry_count() -> int:
    count = _header(names.RETRY_COUNT_HEADER) or ""
    return int(count) if re.fullmatch("[0-9]{1,4}", count) else 0


def _limit() -> int:
    text = _query("limit", "20")
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= 100:
        raise InvalidRequest(
            f"limit must be a whole number from 1 to 100; {text[:80]!r} was given.", param="limit"
        )
    return int(text)


def _unknown_after(after: str) -> InvalidRequest:
    return InvalidRequest(
        f"after must be the id of one of your videos; {after[:80]!r} was given.", param="after"
    )


def _storyboard(video: Video, storyboard: Storyboard) -> Response[str]:
    return _answer(storyboard.model_dump(exclude_none=True), headers={"ETag": etag(video)})


def _preview(video_id: str, scene: str, preview: Preview) -> Response[str]:
    key = Editing(_settings()).preview(_video(video_id), scene, preview)
    extension, media_type = _PREVIEWS[preview]
    return _link(key, f"{video_id}-{scene}.{extension}", media_type)


def _link(key: str, file_name: str, media_type: str) -> Response[str]:
    link = stores.outputs(_settings()).link(
        key,
        _settings().link_seconds,
        file_name=file_name,
        content_type=media_type,
        head=app.current_event.http_method == "HEAD",
    )
    headers = {"Location": link, "Cache-Control": "no-store"}  # the link outlives no cache
    return Response(HTTPStatus.FOUND, content_type="text/plain", body="", headers=headers)


def _answer(
    body: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response[str]:
    return Response(
        status, content_type="application/json", body=json.dumps(body), headers=dict(headers or {})
    )


def _error(
    status: HTTPStatus,
    message: str,
    *,
    code: str,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    return _answer(openai_format.error_object(status, message, code=code, param=param), status, headers)
