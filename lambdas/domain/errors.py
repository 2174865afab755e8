"""Errors, and who can fix each: the caller, the operator, or a retry.

    ReelworksError
    ├── RequestError            the caller must change the request; answered with 4xx, nothing is queued
    │   ├── InvalidRequest          400  names the field and what is allowed
    │   │   ├── ImageRejected       400  the image is broken, too large or in an unsupported format
    │   │   ├── MusicRejected       400  the music is broken, too long, too short or silent
    │   │   ├── ContentRefused      400  the deployment's content filter refuses a text
    │   │   └── MaxCostExceeded     400  the film would cost more than the request's max_cost
    │   ├── Unauthenticated         401
    │   ├── Forbidden               403  the API key lacks the scope that the call needs
    │   ├── VideoNotFound           404  also for another tenant's video
    │   ├── CharacterNotFound       404  likewise
    │   ├── UploadNotFound          404  likewise
    │   ├── ModelNotFound           404  no such engine is offered here
    │   ├── ApiKeyNotFound          404  also for another tenant's key
    │   ├── WebhookNotFound         404  an endpoint or a delivery; also for another tenant's
    │   ├── ReceiverFailed          400  a webhook's receiver did not answer the test
    │   ├── NotReady                409  the video is not at the stage this call needs
    │   ├── PreconditionFailed      412  the resource has changed since it was read
    │   ├── NameTaken               409  another character of the tenant has the name
    │   ├── IdempotencyConflict     409  one Idempotency-Key for two different requests
    │   ├── NoTextModel             502  the text model did not answer within the request's time
    │   └── QuotaExceeded           429  names the quota of the tenant that is used up
    ├── StepError               a pipeline step can't continue; never retried
    │   ├── MediaError
    │   │   ├── ClipUnreadable      not a video, truncated or empty
    │   │   ├── ClipsDiffer         the clips can't be joined by stream copy
    │   │   ├── TransitionTooLong   a clip's transitions need more frames than it has
    │   │   ├── ClipMismatch        the engine's clip does not match the request
    │   │   ├── SoundUnreadable     not a sound file, truncated, empty or outside the limits
    │   │   └── NarrationTooLong    the narration ends after the film
    │   ├── EngineRejected          the engine rejected the request (4xx)
    │   ├── EngineBroken            the engine needs a repair: ComfyUI is down, a node fails
    │   ├── TextModelFailed         the text model is down, refuses the question or takes too long
    │   ├── StoryboardRejected      the text model's storyboard and its second attempt are both unusable
    │   ├── MaxCostReached          what is left of the film would cost more than its max_cost
    │   ├── NarrationRefused        unknown voice, unsupported language or speed, or text too long
    │   ├── CaptionsRefused         the narration has characters that can't be drawn into the pictures
    │   ├── StillRefused            the image model can't or won't draw the still
    │   ├── ReviewTimedOut          no approval in time; the state machine gives a timeout this name
    │   ├── FilmTimedOut            the film was not finished in time after its first clip started
    │   ├── NotSigned               the film can't be signed: an expired or unsuitable certificate
    │   ├── VideoClosed             the video was cancelled, deleted or finished meanwhile
    │   └── ArtifactMissing         an artifact from an earlier step is gone
    └── TransientError          the same call may succeed later; the state machine retries it
        ├── EngineFailed            the engine crashed, ran out of memory or timed out
        ├── AssemblerFailed         the build that assembles the film stopped early
        ├── TextModelUnavailable    the text model's service throttles or fails for a moment
        ├── FunctionDied            the function's process was killed or crashed before it answered
        │   └── OutOfMemory         it needed more memory than it may use
        ├── DiskFull                a file could not be written because the disk is full
        └── ServiceUnavailable      an AWS call failed for a temporary reason

The state machine's `ErrorEquals` matches these class names: a Lambda function that raises one reports the
name as `errorType`, and `settle_clip` passes it to SendTaskFailure. A function that died can't: the state
machine then sees Lambda's name for it, which lambdas/domain/failures.py translates.
"""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus


class Fault(StrEnum):
    """Whose fault a failure is. A user's own mistake pages nobody."""

    PIPELINE = "pipeline"  # ours: a bug, the account, or a service that the pipeline calls
    ENGINE = "engine"
    USER = "user"


class ReelworksError(Exception):
    """The root of the tree. `advice` says what the reader of the message can do."""

    fault = Fault.PIPELINE
    advice = "Retry the video; if it fails again, search the function's log for the video id."

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if advice is not None:
            self.advice = advice


class RequestError(ReelworksError):
    """An error that the caller can fix. `param` is the request field, `code` is for programs."""

    fault = Fault.USER
    status = HTTPStatus.BAD_REQUEST
    code = "invalid_request"
    advice = "Change the request as the message says."

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class InvalidRequest(RequestError):
    """A missing field or a value that is not allowed; the message names both."""


class ImageRejected(InvalidRequest):
    """An image that is broken, too large, or not PNG, JPEG or WebP."""

    code = "invalid_image"


class MusicRejected(InvalidRequest):
    """Music that can't be decoded completely, or is too long, too short or silent."""

    code = "invalid_music"


class ContentRefused(InvalidRequest):
    """A text that the deployment's content filter refuses; the message says why."""

    code = "content_policy_violation"


class MaxCostExceeded(InvalidRequest):
    """A film whose estimated cost is above its `max_cost`, or unknown, so that the limit can't be kept."""

    code = "max_cost_exceeded"


class Unauthenticated(RequestError):
    status = HTTPStatus.UNAUTHORIZED
    code = "invalid_api_key"


class Forbidden(RequestError):
    status = HTTPStatus.FORBIDDEN
    code = "insufficient_scope"


class VideoNotFound(RequestError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class CharacterNotFound(RequestError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class UploadNotFound(RequestError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class ModelNotFound(RequestError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class VoiceNotFound(RequestError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class ApiKeyNotFound(RequestError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class WebhookNotFound(RequestError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class ReceiverFailed(RequestError):
    """A 400, because OpenAI's client would repeat a 5xx."""

    code = "receiver_failed"


class NotReady(RequestError):
    status = HTTPStatus.CONFLICT
    code = "not_ready"


class PreconditionFailed(RequestError):
    """An If-Match that names a version other than the current one."""

    status = HTTPStatus.PRECONDITION_FAILED
    code = "precondition_failed"


class NameTaken(RequestError):
    status = HTTPStatus.CONFLICT
    code = "name_taken"


class IdempotencyConflict(RequestError):
    status = HTTPStatus.CONFLICT
    code = "idempotency_conflict"


class NoTextModel(RequestError):
    """A 502 that nobody is paged for: the caller can do without, or ask for a film that waits longer."""

    status = HTTPStatus.BAD_GATEWAY
    code = "text_model_unavailable"


class QuotaExceeded(RequestError):
    """`retry_after`: seconds until the same request may succeed. `should_retry`: whether a client should wait
    for it. `headers` say what is left of each quota."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "quota_exceeded"

    def __init__(
        self,
        message: str,
        *,
        param: str,
        retry_after: int,
        code: str = "quota_exceeded",
        should_retry: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, param=param)
        self.code = code
        self.retry_after = retry_after
        self.should_retry = should_retry
        self.headers = dict(headers or {})


class StepError(ReelworksError):
    """A step can't continue, and repeating it would fail in the same way."""


class MediaError(StepError):
    """An invalid clip or film. `clip` is the index, from 0, of the clip at fault, if it is one clip."""

    def __init__(self, message: str, *, clip: int | None = None, advice: str | None = None) -> None:
        super().__init__(message, advice=advice)
        self.clip = clip


class ClipUnreadable(MediaError):
    fault = Fault.ENGINE
    advice = "Retry the video: the clip is rendered again. If it fails again, check the engine's version."


class ClipsDiffer(MediaError):
    advice = "Render all clips of a video with one engine, size and fps."


class TransitionTooLong(MediaError):
    fault = Fault.USER
    advice = "Shorten the transitions, or lengthen the clips between them, as the message says."


class ClipMismatch(MediaError):
    fault = Fault.ENGINE
    advice = "The engine server and the catalogue disagree: deploy both from the same version."


class SoundUnreadable(MediaError):
    fault = Fault.USER
    advice = "Send a WAV, MP3, Ogg, FLAC or M4A file that plays from start to end."


class NarrationTooLong(MediaError):
    fault = Fault.USER
    advice = "Shorten the narration, or lengthen its scene as the message says."


class EngineRejected(StepError):
    fault = Fault.USER
    advice = "Change the request as the engine's message says."


class EngineBroken(StepError):
    fault = Fault.ENGINE
    advice = "Repair the engine as the message says, then retry the video."


class TextModelFailed(StepError):
    """Waiting does not help: the user or the operator has to act first."""

    advice = "Check that the account has access to the text model, or send enhance=false."


class MaxCostReached(StepError):
    fault = Fault.USER
    advice = (
        "Retry the video with a higher max_cost (POST …/retry?max_cost=…): what is made is kept and reused. "
        "Or make it shorter, or choose another engine."
    )


class NarrationRefused(StepError):
    fault = Fault.USER
    advice = "Change the narration or the voice, as the message says."


class CaptionsRefused(StepError):
    fault = Fault.USER
    advice = (
        "Change the narration, choose or install a font that has its letters, or use captions instead of "
        "burn_captions: players have fonts of their own."
    )


class StillRefused(StepError):
    fault = Fault.USER
    advice = "Change the scene's image prompt or the image model, as the message says."


class StoryboardRejected(StepError):
    advice = "Retry the video, choose another text model, or send your own storyboard with the request."


class ReviewTimedOut(StepError):
    fault = Fault.USER
    advice = "Approve or retry the video: it resumes where it waited and reuses what is already made."


class FilmTimedOut(StepError):
    advice = (
        "Retry the video: it reuses what is already made. If films often take that long, "
        "give their engine more instances, or raise film_hours in the settings."
    )


class NotSigned(StepError):
    advice = (
        "Have the operator replace the signing certificate or key (reel credentials set), then retry the "
        "video: nothing is made again."
    )


class VideoClosed(StepError):
    fault = Fault.USER
    advice = "No action needed: a request ended the video."


class ArtifactMissing(StepError):
    advice = "Retry the video: missing artifacts are regenerated."


class TransientError(ReelworksError):
    """An error that a later retry may resolve."""


class EngineFailed(TransientError):
    fault = Fault.ENGINE
    advice = "Retry the video later; the engine's log has the details."


class AssemblerFailed(TransientError):
    advice = "Retry the video later; the build's log has the details."


class TextModelUnavailable(TransientError):
    advice = "Check that the account has access to the text model, or send enhance=false."


class ServiceUnavailable(TransientError):
    advice = "Retry the video later."


class FunctionDied(TransientError):
    advice = (
        "Retry the video. If it fails again, check the machine's free memory and the function's log; "
        "on AWS, raise the function's memory in cdk/functions.py."
    )


class OutOfMemory(FunctionDied):
    advice = (
        "Close other programs and retry the video, or make it smaller or shorter; "
        "on AWS, raise the function's memory in cdk/functions.py."
    )


class DiskFull(TransientError):
    advice = "Free disk space, then retry the video: it reuses what is already made."
