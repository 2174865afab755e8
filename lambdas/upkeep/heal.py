"""Repair what lost events left undone.

Runs every minute, and with {"restore": true} after a PC's cloud has started.

found                                     repair
queued, no execution                      queue it again: the message was lost
at a later stage, no execution            start a new attempt: a whole cloud was lost with its executions
open, execution failed                    record the failure, which the state machine could not
open, execution succeeded                 start a new attempt: the record is older than the film
a decision, but a gate's token waits      answer it: the decision was interrupted before the answer
a clip's output, but its token waits      settle the clip: the notice was lost
a build that ended, but its token waits   fail the step, which is then retried: the build crashed
an object in the drop folder, no video    invoke Intake again: the event was lost (lambdas.upkeep.lost_drops)
a dead letter about something repaired    delete it (lambdas.upkeep.healed_dead_letters)
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.builds import Builds
from lambdas.adapters.clients import client
from lambdas.adapters.engine_calls import Inference
from lambdas.adapters.events import Events
from lambdas.adapters.executions import Execution, Machine
from lambdas.adapters.requests_queue import RequestsQueue
from lambdas.adapters.videos import now_ms
from lambdas.domain import keys, names
from lambdas.domain.errors import AssemblerFailed, VideoNotFound
from lambdas.domain.failures import cause, failure
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, execution_name
from lambdas.notices.settle_clip import SettleClip
from lambdas.production.task_token import VideoTask
from lambdas.settings import UpkeepSettings
from lambdas.tasks.record_failure import RecordFailure
from lambdas.telemetry import count, logger
from lambdas.upkeep.healed_dead_letters import HealedDeadLetters
from lambdas.upkeep.lost_drops import Drops
from lambdas.upkeep.restore_records import restore

GRACE = timedelta(seconds=60)  # anything younger is not lost yet: events usually take seconds
DROPS_FOR = timedelta(days=1)  # the maximum age of a drop-folder object to check
_RESERVE_MS = 60_000  # of the function's time, reserved to finish the current item


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    settings = UpkeepSettings.from_env()

    def time_left() -> bool:
        return context.get_remaining_time_in_millis() > _RESERVE_MS

    if event.get("restore"):
        # Nothing of the lost cloud is still in progress, so no grace is needed; and an object may have
        # waited in the drop folder for as long as the cloud was down.
        restored = restore(settings)
        heal, drops = Heal(settings, timedelta(0)), Drops(settings, timedelta(0), timedelta.max)
    else:
        restored = 0
        heal, drops = Heal(settings, GRACE), Drops(settings, GRACE, DROPS_FOR)
    healed = heal.all_videos(time_left) + drops.ask_again(time_left)
    removed = HealedDeadLetters(settings, drops).remove(time_left)
    count(names.METRIC_UPKEEP_RUNS)
    return {"restored": restored, "healed": healed, "dead_letters_removed": removed}


class Heal:
    def __init__(self, settings: UpkeepSettings, grace: timedelta) -> None:
        """`grace`: how long a video or clip must be unchanged to count as lost."""
        self._grace_ms = grace // timedelta(milliseconds=1)
        self._videos = stores.videos(settings)
        self._outputs = stores.outputs(settings)
        self._inferences = stores.inferences(settings)
        self._reviews = stores.reviews(settings)
        self._queue = RequestsQueue(client("sqs"), settings.requests_queue_url)
        self._machine = Machine(client("stepfunctions"), settings.state_machine_arn)
        self._builds = Builds(client("codebuild"), settings.build_project)
        self._settler = SettleClip(settings)
        self._failures = RecordFailure(settings, Events(client("events"), settings.event_bus))

    def all_videos(self, time_left: Callable[[], bool]) -> int:
        """Check every open video, those longest unchanged first. Return how many were repaired."""
        healed = 0
        for video in self._videos.open_videos():
            if not time_left():
                logger.warning("upkeep out of time")
                break
            logger.append_keys(video_id=video.id)
            try:
                if self._left_alone(video.updated_ms) and self.video(video.tenant, video.id):
                    healed += 1
                    count(names.METRIC_VIDEOS_HEALED)
            except Exception:  # noqa: BLE001  (one broken video must not block the repair of others)
                logger.exception("healing failed")
        return healed

    def video(self, tenant: str, video_id: str) -> bool:
        """Repair one video. Return True if there was something to repair."""
        try:
            video = self._videos.get(tenant, video_id)  # the index of open videos may be stale
        except VideoNotFound:
            return False
        if video.closed or not self._left_alone(video.updated_ms):
            return False
        execution = execution_name(video.id, video.attempt)
        state, error = self._machine.state(execution)
        match state:
            case Execution.RUNNING:
                answered = self._reviews.answer(video)
                return answered or self._settle_clips(video) or self._fail_ended_build(video)
            case Execution.FAILED:
                logger.info("failure found")
                return self._failures.record(tenant, video_id, execution, failure("ProduceVideo", error))
            case Execution.MISSING if video.stage is Stage.QUEUED:
                logger.info("request queued again")
                self._queue.send(video)
                return True
            case Execution.MISSING | Execution.SUCCEEDED:
                # Without a limit: only the loss of a cloud causes this, which is not the video's fault.
                return self._try_again(video)

    def _try_again(self, video: Video) -> bool:
        requeued = self._videos.requeue(video)
        if requeued is None:
            return False
        logger.info("video requeued", extra={"attempt": requeued.attempt})
        self._queue.send(requeued)
        return True

    def _settle_clips(self, video: Video) -> bool:
        waiting = [
            inference
            for inference in self._inferences.of_video(video.id)
            if not inference.settled and self._left_alone(inference.requested_ms)
        ]
        return sum(map(self._settle, waiting)) > 0

    def _settle(self, inference: Inference) -> bool:
        """Return whether the engine had responded. SageMaker names what it writes after the inference."""
        if output := self._first(keys.ENGINE_OUTPUT_PREFIX + inference.id):
            self._settler.completed(inference, output)
        elif failure_object := self._first(keys.ENGINE_FAILURE_PREFIX + inference.id):
            self._settler.failed(inference, "", failure_object)
        else:
            return False
        logger.info("clip settled", extra={"inference_id": inference.id})
        return True

    def _fail_ended_build(self, video: Video) -> bool:
        ended = self._builds.ended(video.build) if video.build and video.stage is Stage.ASSEMBLING else None
        if ended is None:
            return False
        status, task = ended
        error = AssemblerFailed(f"build {video.build} ended with status {status} without a response")
        logger.info("ended build found", extra={"build": video.build, "status": status})
        token = VideoTask.model_validate_json(task).token
        return self._machine.fail(token, type(error).__name__, cause(error))

    def _first(self, prefix: str) -> str | None:
        return next((key for key, _ in self._outputs.list(prefix)), None)

    def _left_alone(self, since_ms: int) -> bool:
        return since_ms + self._grace_ms <= now_ms()
