"""Answer task tokens. Every task of the state machine does this.

A state waits for its token even if the function knows the answer before it returns. This way an error reaches
the machine's Retry and Catch by its class name wherever the function runs: a PC's cloud reports anything a
function raises as Runtime.HandlerError. Only a function that dies leaves its token unanswered. The state
machine waits for the function too, and the task fails with it (docs/decisions/0027).
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


class VideoTask(Document):
    """The payload of a task."""

    token: str
    tenant: str
    video_id: str


def require_open(videos: Videos, tenant: str, video_id: str) -> Video:
    """Return an open video's outline. Raises VideoNotFound, and VideoClosed so that nothing is made for a
    cancelled video."""
    video = videos.outline(tenant, video_id)
    if video.closed:
        raise VideoClosed(f"video {video.id} is {video.stage}")
    return video


class ClipTask(VideoTask):
    clip: int  # index in the film, from 0


def task(handler: Callable[[Event, LambdaContext], Event | None]) -> Callable[[Event, LambdaContext], None]:
    """Turn a handler into a Lambda function that answers its event's token as `answer` does."""

    @logger.inject_lambda_context(clear_state=True)
    @wraps(handler)
    def function(event: Event, context: LambdaContext) -> None:
        logger.append_keys(video_id=event.get("video_id"), clip=event.get("clip"))
        answer(event["token"], lambda: handler(event, context))

    return function


def answer(token: str, work: Callable[[], Event | None]) -> None:
    """Answer a token with what the work returns or raises. None means that another party will answer it."""
    machine = Machine(client("stepfunctions"))
    try:
        output = work()
    except ReelworksError as error:
        logger.warning("task failed", extra={"error": type(error).__name__, "reason": str(error)})
        machine.fail(token, type(error).__name__, cause(error))
    except Exception as error:
        told = named(error)
        machine.fail(token, type(told).__name__, cause(told))
        raise  # a bug or a short machine: the error metric counts it and the log has the traceback
    else:
        if output is not None and not machine.succeed(token, output):
            logger.info("answer came too late")
