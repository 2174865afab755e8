"""The client's errors.

ApiError                an error response, or the base of what follows
├── NoAddress           no API is configured, or its address or key is invalid
├── ApiUnreachable      no response, or a download that broke off
├── AnswerNotUnderstood a response that is no answer of a Reelworks API
├── InvalidRequest      400, 413, 422: change what `param` names
├── Unauthenticated     401
├── Forbidden           403
├── NotFound            404
├── Conflict            409: not possible now
├── PreconditionFailed  412: it has changed since you read it
├── QuotaExceeded       429, when its `retry_after` is too long to wait for
├── ServerError         5xx
├── UploadRefused       the storage refused a file
├── VideoFailed         the video failed or was cancelled
└── ReviewNeeded        the film waits for its user's approval
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reelworks.client.models import Video


class ApiError(Exception):
    """`message` says what is wrong, `advice` what to do. `status` is the HTTP status (0: none), `code` is for
    programs, `param` names the field at fault, `request_id` the request in the server's logs."""

    advice = "Change the request as the message says."

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str | None = None,
        param: str | None = None,
        advice: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.request_id = request_id
        self.retry_after = retry_after
        """Seconds after which the same request may succeed."""
        if advice is not None:
            self.advice = advice


class NoAddress(ApiError):
    advice = "Run `reel up`, or set REELWORKS_BASE_URL and REELWORKS_API_KEY to a deployment's."


class ApiUnreachable(ApiError):
    advice = "Check the address and the network. On a PC, `reel status` says whether the cloud is up."


class AnswerNotUnderstood(ApiError):
    advice = "Check that the address ends in /v1, and that client and API are of one version."


class InvalidRequest(ApiError):
    pass


class Unauthenticated(ApiError):
    advice = "Send a valid API key: `reel keys create TENANT` makes one."


class Forbidden(ApiError):
    advice = "Use a key that has the scope that the message names."


class NotFound(ApiError):
    advice = "Check the id. Another tenant's id is not found either."


class Conflict(ApiError):
    advice = "Look at the video's stage: this is possible at another one."


class PreconditionFailed(ApiError):
    advice = "Read it again, and repeat your change."


class QuotaExceeded(ApiError):
    advice = "Wait as long as `retry_after` says, or ask the operator for a larger quota."


class ServerError(ApiError):
    advice = "Try again. If it fails again, the server's log has the details under the request id."


class UploadRefused(ApiError):
    advice = "Check the file's type and size."


class VideoFailed(ApiError):
    """`video` has everything about it."""

    def __init__(self, video: "Video") -> None:
        failure, error = video.failure, video.error
        super().__init__(
            failure.reason if failure else error.message if error else "no reason was recorded",
            code=failure.code if failure else error.code if error else None,
            advice=failure.advice if failure else "Resume it with `retry`.",
        )
        self.video = video


class ReviewNeeded(ApiError):
    """`video.review.gate` is where it waits."""

    advice = "Approve it with `approve`, or edit it first; then wait for it again."

    def __init__(self, video: "Video") -> None:
        super().__init__(f"{video.id} waits for a review of its {video.review.gate}.", code="review_needed")
        self.video = video


_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    429: QuotaExceeded,
}


def error_of(
    status: int, document: Any, text: str, *, request_id: str | None, retry_after: float | None
) -> ApiError:
    """Return the error of a response. `document`: its JSON, or None; `text`: its body."""
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else InvalidRequest)
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict) or "message" not in error:
        return kind(f"status {status}: {text[:200]}", status=status, request_id=request_id)
    return kind(
        str(error["message"]),
        status=status,
        code=error.get("code"),
        param=error.get("param"),
        advice=error.get("advice"),
        request_id=request_id,
        retry_after=retry_after,
    )
