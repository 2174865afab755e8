"""Record a failure. Every error of the state machine ends here: the record says what failed, why, and what
to do."""

from collections.abc import Sequence
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.engine_calls import Inference
from lambdas.domain import names
from lambdas.domain.documents import Document
from lambdas.domain.errors import VideoClosed, VideoNotFound
from lambdas.domain.failures import failure, fault_of
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, execution_name
from lambdas.domain.video_parts import Failure
from lambdas.intake.drop_error import DropError, write_drop_error
from lambdas.production.task_token import VideoTask, task
from lambdas.settings import RecordFailureSettings, UpkeepSettings
from lambdas.telemetry import count, logger, rate


class FailedTask(VideoTask):
    execution: str  # its name
    step: str
    scene: int | None = None
    clip: int | None = None
    error: dict[str, Any]  # {"Error": name, "Cause": text}, as a Catch passes it


class Recorded(Document):
    recorded: bool  # False: a request ended or deleted the video, or it is at another attempt


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = FailedTask.model_validate(event)
    settings = RecordFailureSettings.from_env()
    reason = failure(request.step, request.error, scene=request.scene, clip=request.clip)
    recorded = RecordFailure(settings).record(request.tenant, request.video_id, request.execution, reason)
    return Recorded(recorded=recorded).model_dump()


class RecordFailure:
    def __init__(self, settings: RecordFailureSettings | UpkeepSettings) -> None:
        self._videos = stores.videos(settings)
        self._inferences = stores.inferences(settings)
        self._queue = stores.clip_queue(settings)
        self._inputs = stores.inputs(settings)
        self._outputs = stores.outputs(settings)
        self._events = stores.events(settings)

    def record(self, tenant: str, video_id: str, execution: str, reason: Failure) -> bool:
        """Mark an open video as failed and leave nothing running for it. Leave alone a video that has ended
        otherwise or whose current attempt is another execution. As in publish, the event is emitted last
        and may arrive twice. Return whether the failure was recorded."""
        try:
            video = self._failed(tenant, video_id, execution, reason)
        except (VideoClosed, VideoNotFound) as error:
            logger.info("failure not recorded", extra={"reason": error.message})
            return False
        self.withdraw(self.open_calls(video))
        self._tell_dropper(video)
        self._events.video_ended(video, names.VIDEO_FAILED)
        return True

    def _failed(self, tenant: str, video_id: str, execution: str, reason: Failure) -> Video:
        while True:
            video = self._videos.get(tenant, video_id)
            if execution != execution_name(video.id, video.attempt):
                raise VideoClosed(f"video {video.id} is now at attempt {video.attempt}")
            if video.stage is Stage.FAILED:
                return video
            if video.stage is Stage.ASSEMBLING:
                reason = reason.model_copy(update={"shape": video.shaping})
            # Conditional on the record as read: a new attempt may start meanwhile.
            if failed := self._videos.advance_from(video, Stage.FAILED, failure=reason):
                logger.warning(
                    "video failed", extra={"failure": reason.model_dump(), "fault": fault_of(reason)}
                )
                count(names.METRIC_VIDEOS_FAILED, step=reason.step, code=reason.code)
                rate(names.METRIC_FAILURE_RATE, fault_of(reason))
                return failed

    def open_calls(self, video: Video) -> list[Inference]:
        """Return the engine calls of a video that are not settled."""
        return [call for call in self._inferences.of_video(video.id) if not call.settled]

    def withdraw(self, calls: Sequence[Inference]) -> None:
        """Withdraw engine calls, as a cancellation does: clips that wait leave their queue. Without its
        request object, a call that waits at the endpoint fails at once, and one in progress stops on a PC."""
        self._inputs.delete_many({call.request for call in calls})
        for call in calls:
            self._queue.withdraw(call)

    def _tell_dropper(self, video: Video) -> None:
        # The film of an earlier attempt stays; no error is written beside it.
        if video.source and video.failure and not video.film:
            told = video.failure
            reason = f"{told.reason} {told.advice}"
            write_drop_error(self._outputs, DropError(object=video.source.key, code=told.code, reason=reason))
