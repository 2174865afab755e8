"""Start the execution of each queued video."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.executions import Machine
from lambdas.adapters.requests_queue import QueuedRequest
from lambdas.adapters.videos import Videos
from lambdas.domain.errors import VideoNotFound
from lambdas.domain.stages import Stage
from lambdas.domain.video import execution_name
from lambdas.settings import DispatchSettings
from lambdas.telemetry import logger


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Start each message's execution. Failed messages return to the queue and, after their last receive, go
    to the dead-letter queue."""
    settings = DispatchSettings.from_env()
    videos = stores.videos(settings)
    machine = Machine(client("stepfunctions"), settings.state_machine_arn)

    def take(record: SQSRecord) -> None:
        trace = record.attributes.aws_trace_header
        dispatch(QueuedRequest.model_validate_json(record.body), videos, machine, trace=trace)

    # If all messages fail, report each by its id, as when some fail.
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event, take, processor, context)


def dispatch(request: QueuedRequest, videos: Videos, machine: Machine, *, trace: str | None) -> None:
    """Start the execution of a video. It is named after the video and its attempt, so a duplicate message
    starts no second one. It goes on with the `trace` of the request."""
    logger.append_keys(video_id=request.video_id)
    try:
        video = videos.outline(request.tenant, request.video_id)
    except VideoNotFound:
        logger.info("request dropped", extra={"reason": "the video was deleted"})
        return
    if video.stage is not Stage.QUEUED:
        logger.info("request dropped", extra={"reason": f"the video is {video.stage}"})
        return
    name = execution_name(video.id, video.attempt)
    started = machine.start(name, {"tenant": video.tenant, "video_id": video.id}, trace=trace)
    logger.info("execution started" if started else "execution known", extra={"execution": name})
