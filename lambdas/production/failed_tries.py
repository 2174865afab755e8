"""Keep why a try at a clip, narration or still failed, so that the user sees it though it is tried again."""

from functools import wraps

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.videos import Videos, now_ms
from lambdas.domain.errors import ReelworksError, VideoClosed, VideoNotFound
from lambdas.domain.failures import cause, failure, named
from lambdas.domain.video_parts import FailedTry
from lambdas.production.task_token import Event, Handler
from lambdas.settings import StoreSettings
from lambdas.telemetry import logger


def noted(handler: Handler) -> Handler:
    """Make a task that makes one part of a film note its failed tries. Its step is named as its module."""
    step = "".join(word.title() for word in handler.__module__.rpartition(".")[2].split("_"))

    @wraps(handler)
    def function(event: Event, context: LambdaContext) -> Event | None:
        try:
            return handler(event, context)
        except Exception as error:
            place = {name: event[name] for name in ("scene", "clip") if name in event}
            videos = stores.videos(StoreSettings.from_env())
            note_failed_try(videos, event["tenant"], event["video_id"], step, named(error), **place)
            raise

    return function


def note_failed_try(
    videos: Videos,
    tenant: str,
    video_id: str,
    step: str,
    error: Exception,
    *,
    scene: int | None = None,
    clip: int | None = None,
) -> None:
    """Note the error of a step of the state machine, unless nobody waits for what it makes. A note that can't
    be written is left out: the error itself matters more."""
    if isinstance(error, VideoClosed | VideoNotFound):
        return
    reason = failure(step, {"Error": type(error).__name__, "Cause": cause(error)}, scene=scene, clip=clip)
    try:
        videos.note_failed_try(tenant, video_id, FailedTry(**reason.model_dump(), at_ms=now_ms()))
    except ReelworksError as missed:
        logger.warning("failed try not noted", extra={"reason": missed.message})
