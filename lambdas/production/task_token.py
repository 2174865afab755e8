"""What the state machine's tasks share: their payloads, and how they report an error.

A task returns its output, or raises its error, and Step Functions sees the class's name as Lambda reports it
(`errorType`): Retry and Catch match it. Only what somebody else ends (an engine, a user, a build) gets a task
token, which that party answers; until then its function has returned.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters.clients import client
from lambdas.adapters.executions import Machine
from lambdas.adapters.videos import Videos
from lambdas.domain.documents import Document
from lambdas.domain.errors import ReelworksError, VideoClosed
from lambdas.domain.failures import cause, named
from lambdas.domain.video import Video
from lambdas.telemetry import logger

Event = dict[str, Any]
Handler = Callable[[Event, LambdaContext], Event | None]


class VideoTask(Document):
    """The payload of a task."""

    tenant: str
    video_id: str


class CalledBackTask(VideoTask):
    """The payload of a task that another party ends."""

    token: str


class ClipTask(VideoTask):
    clip: int  # index in the film, from 0


def require_open(videos: Videos, tenant: str, video_id: str) -> Video:
    """Return an open video's outline. Raises VideoNotFound, and VideoClosed so that nothing is made for a
    cancelled video."""
    video = videos.outline(tenant, video_id)
    if video.closed:
        raise VideoClosed(f"video {video.id} is {video.stage}")
    return video


def task(handler: Handler) -> Handler:
    """Turn a handler into a task's Lambda function: it logs an error and raises it with all that the record
    of the failure needs.

    A handler whose event has a token returns None if another party will answer it.
    """

    @logger.inject_lambda_context(clear_state=True)
    @wraps(handler)
    def function(event: Event, context: LambdaContext) -> Event | None:
        logger.append_keys(video_id=event.get("video_id"), clip=event.get("clip"))
        try:
            output = handler(event, context)
        except Exception as error:  # noqa: BLE001  each becomes the state's error
            raise _reported(error) from None
        if (token := event.get("token")) and output is not None:
            _succeed(str(token), output)
        return output

    return function


def answer(token: str, work: Callable[[], Event]) -> None:
    """Answer a token with what the work returns or raises."""
    try:
        output = work()
    except ReelworksError as error:
        _log(error)
        Machine(client("stepfunctions")).fail(token, type(error).__name__, cause(error))
    except Exception as error:
        told = named(error)
        Machine(client("stepfunctions")).fail(token, type(told).__name__, cause(told))
        raise  # a bug or a short machine: the build fails too, and its log has the traceback
    else:
        _succeed(token, output)


def _succeed(token: str, output: Event) -> None:
    if not Machine(client("stepfunctions")).succeed(token, output):
        logger.info("answer came too late")


def _reported(error: Exception) -> Exception:
    """Return an exception of the same name whose message is the error's `cause`. Lambda reports nothing else
    of an exception, and the advice must not be lost."""
    _log(error)
    told = named(error)
    of_the_same_name: type[Exception] = type(type(told).__name__, (Exception,), {})
    return of_the_same_name(cause(told))


def _log(error: Exception) -> None:
    if isinstance(error, ReelworksError):
        logger.warning("task failed", extra={"error": type(error).__name__, "reason": str(error)})
    else:  # a bug or a short machine
        logger.error("task broke off", exc_info=error)
