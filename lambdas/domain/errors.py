"""What can go wrong, and whose turn it is then.

    ReelworksError
    ├── RequestError            the caller must change the request; answered with 4xx, nothing is queued
    │   ├── InvalidRequest          400  names the field and what is allowed
    │   │   ├── ImageRejected       400  the image is broken, too large or of the wrong kind
    │   │   └── MusicRejected       400  the music is broken, too long, too short or silent
    │   ├── Unauthenticated         401
    │   ├── VideoNotFound           404  also for another tenant's video
    │   ├── NotReady                409  the video is not at the stage this call needs
    │   ├── PreconditionFailed      412  what was read has been changed since
    │   └── IdempotencyConflict     409  one Idempotency-Key, two different requests
    ├── StepError               a step of the pipeline can't go on; never retried
    │   ├── MediaError
    │   │   ├── ClipUnreadable      not a video, truncated, empty
    │   │   ├── ClipsDiffer         clips that can't be joined by stream copy
    │   │   ├── TransitionTooLong   the transitions of a clip take more frames than it has
    │   │   ├── ClipMismatch        the engine's clip is not what was asked of it
    │   │   ├── SoundUnreadable     not a sound file, truncated, empty, out of bounds
    │   │   └── NarrationTooLong    it ends after the film
    │   ├── EngineRejected          the engine refused the request (its 4xx)
    │   ├── StoryboardRejected      the text model's storyboard can't be used, nor the one after it
    │   ├── NarrationRefused        the voice can't say it: no such voice, language, speed, or too long
    │   ├── CaptionsRefused         the narration has letters that can't be drawn into the pictures
    │   ├── StillRefused            the image model won't or can't draw it
    │   ├── ReviewTimedOut          nobody approved in time; the state machine gives a timeout this name
    │   ├── VideoClosed             the video was cancelled, deleted or finished meanwhile
    │   └── ArtifactMissing         an artifact that an earlier step made is gone
    └── TransientError          the same call may succeed later; the state machine retries it
        ├── EngineFailed            the engine broke down, ran out of memory or time
        ├── AssemblerFailed         the build that assembles a film ended before its end
        ├── TextModelUnavailable    Bedrock throttled, is down, or refuses this account
        └── ServiceUnavailable      an AWS service call failed for a passing reason

The state machine's `ErrorEquals` matches these class names: a Lambda function that raises one reports
`errorType` = the name, and `settle_clip` passes the name to SendTaskFailure.
"""

from http import HTTPStatus


class ReelworksError(Exception):
    """The root. `advice` says what the reader of the message can do about it."""

    advice = "Retry the video; if it fails again, look at the function's log for the video id."

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if advice is not None:
            self.advice = advice


class RequestError(ReelworksError):
    """The caller's to mend. `param` is the request's field, `code` a word for programs."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_request"
    advice = "Change the request as the message says."

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class InvalidRequest(RequestError):
    """A field is missing or has a value that is not allowed; the message names both."""


class ImageRejected(InvalidRequest):
    """An image that is broken, too large, or not PNG, JPEG or WebP."""

    code = "invalid_image"


class MusicRejected(InvalidRequest):
    """Music that can't be decoded from start to end, or is too long, too short or silent."""

    code = "invalid_music"


class Unauthenticated(RequestError):
    status = HTTPStatus.UNAUTHORIZED
    code = "invalid_api_key"


class VideoNotFound(RequestError):
    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class NotReady(RequestError):
    status = HTTPStatus.CONFLICT
    code = "not_ready"


class PreconditionFailed(RequestError):
    """An If-Match that names another version than the one that stands."""

    status = HTTPStatus.PRECONDITION_FAILED
    code = "precondition_failed"


class IdempotencyConflict(RequestError):
    status = HTTPStatus.CONFLICT
    code = "idempotency_conflict"


class StepError(ReelworksError):
    """A step can't go on, and repeating it would fail in the same way."""


class MediaError(StepError):
    """A clip or film is not what it should be. `clip` is its index from 0, where one is to blame."""

    def __init__(self, message: str, *, clip: int | None = None) -> None:
        super().__init__(message)
        self.clip = clip


class ClipUnreadable(MediaError):
    advice = "Retry the video: the clip is rendered again. If it fails again, check the engine's version."


class ClipsDiffer(MediaError):
    advice = "Render all clips of a video with one engine, size and fps."


class TransitionTooLong(MediaError):
    advice = "Make the transitions shorter, or the clips between them longer, as the message says."


class ClipMismatch(MediaError):
    advice = "The engine's server and the catalogue disagree: deploy the two from one version."


class SoundUnreadable(MediaError):
    advice = "Give a WAV, MP3, Ogg, FLAC or M4A file that a player plays from start to end."


class NarrationTooLong(MediaError):
    advice = "Shorten the narration, or make its scene as much longer as the message says."


class EngineRejected(StepError):
    advice = "Change the request as the engine's message says."


class NarrationRefused(StepError):
    advice = "Change the narration, or the voice, as the message says."


class CaptionsRefused(StepError):
    advice = "Change the narration, or send captions instead of burn_captions: players have more letters."


class StillRefused(StepError):
    advice = "Change the scene's image prompt, or the image model, as the message says."


class StoryboardRejected(StepError):
    advice = "Retry the video, choose another text model, or give the storyboard with the request."


class ReviewTimedOut(StepError):
    advice = "Approve or retry the video: it takes up where it waited, and what is made is used again."


class VideoClosed(StepError):
    advice = "Nothing to do: the video was ended by a request."


class ArtifactMissing(StepError):
    advice = "Retry the video: what is missing is made again."


class TransientError(ReelworksError):
    """Worth another try, later."""


class EngineFailed(TransientError):
    advice = "Retry the video later; the engine's log has the details."


class AssemblerFailed(TransientError):
    advice = "Retry the video later; the build's log has the details."


class TextModelUnavailable(TransientError):
    advice = "Check that the account has access to the text model, or send enhance=false."


class ServiceUnavailable(TransientError):
    advice = "Retry the video later."
