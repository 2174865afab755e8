"""Build the documents of Google's API: the operation that makes a video, and errors.

Sources: google-genai 2.34 (models.py, _GenerateVideosOperation_from_mldev); google.rpc.Status and
google.rpc.Code (https://cloud.google.com/apis/design/errors).
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from lambdas.domain.control_characters import visible
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video

_ID_PREFIX = "video_"
_CANCELLED, _INTERNAL = 1, 13  # of google.rpc.Code
_STATUS: Mapping[HTTPStatus, str] = {
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.METHOD_NOT_ALLOWED: "UNIMPLEMENTED",
    HTTPStatus.CONFLICT: "ABORTED",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL",
    HTTPStatus.BAD_GATEWAY: "UNAVAILABLE",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}


class GoogleVideo(TypedDict):
    uri: str


class GeneratedSample(TypedDict):
    video: GoogleVideo


class GenerateVideoResponse(TypedDict):
    generatedSamples: list[GeneratedSample]


class OperationResponse(TypedDict):
    generateVideoResponse: GenerateVideoResponse


class OperationError(TypedDict):
    code: int
    message: str


class OperationMetadata(TypedDict):
    video: str
    stage: Stage
    progress: int


class GoogleOperation(TypedDict):
    name: str
    done: bool
    metadata: OperationMetadata
    response: NotRequired[OperationResponse]
    error: NotRequired[OperationError]


class FieldViolation(TypedDict):
    field: str
    description: str


BadRequest = TypedDict(
    "BadRequest",
    {
        "@type": Literal["type.googleapis.com/google.rpc.BadRequest"],
        "fieldViolations": list[FieldViolation],
    },
)


class GoogleErrorDetail(TypedDict):
    code: int
    message: str
    status: str
    details: NotRequired[list[BadRequest]]


class GoogleError(TypedDict):
    error: GoogleErrorDetail


def operation(model: str, video: Video) -> GoogleOperation:
    """Return the operation that makes a video, under the name of the model that was asked for."""
    made: GoogleOperation = {
        "name": f"models/{model}/operations/{video.id}",
        "done": video.closed,
        "metadata": {"video": video.id, "stage": video.stage, "progress": video.progress},
    }
    if video.stage is Stage.COMPLETED:
        # Google's client takes the file's id from this name, or from an https URL, but from no http URL.
        uri = f"files/{video.id.removeprefix(_ID_PREFIX)}"
        made["response"] = {"generateVideoResponse": {"generatedSamples": [{"video": {"uri": uri}}]}}
    elif video.stage is Stage.CANCELLED:
        made["error"] = {"code": _CANCELLED, "message": "The video was cancelled."}
    elif video.failure is not None and video.closed:
        reason = f"{video.failure.reason} {video.failure.advice}"
        made["error"] = {"code": _INTERNAL, "message": reason}
    return made


def video_of_file(file_id: str) -> str:
    """Return the id of the video that a file's id names; it may name none."""
    return _ID_PREFIX + file_id


def error_object(status: HTTPStatus, message: str, param: str | None) -> GoogleError:
    message = visible(message, lines=True)
    error: GoogleErrorDetail = {
        "code": status.value,
        "message": message,
        "status": _STATUS.get(status, "INVALID_ARGUMENT"),
    }
    if param is not None:
        violation: Any = {"field": visible(param), "description": message}
        error["details"] = [
            {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
        ]
    return {"error": error}
