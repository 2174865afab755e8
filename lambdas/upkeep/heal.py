"""Repair what lost events left undone.

Runs when an execution has failed, a build has ended, and a minute after an engine has written its output: by
then each should have been answered. Each minute it reconciles a page of the videos that are being made, since
these events may be lost too; and with {"restore": true} what a PC's cloud had lost when it started.

found                                     repair
queued, no execution                      queue it again: the message was lost
at a later stage, no execution            start a new attempt: a whole cloud was lost with its executions
open, execution failed                    record the failure, which the state machine could not
open, execution's history full            start a new attempt, which goes on from the parts that are made
open, execution succeeded                 start a new attempt: the record is older than the film
a decision, but a gate's token waits      answer it: the decision was interrupted before the answer
a clip's output, but its token waits      settle the clip: the notice was lost (lambdas.upkeep.lost_calls)
a clip in flight that was not sent        send it: the admission was interrupted
a clip that waits, an engine with places  admit it
a film that takes too long                fail it; its time counts from the start of its first clip
a build that ended, but its token waits   fail the step, which is then retried: the build crashed
an object in the drop folder, no video    invoke Intake again: the event was lost (lambdas.upkeep.lost_drops)
a dead letter about something repaired    delete it (lambdas.upkeep.healed_dead_letters)
"""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.builds import Builds
from lambdas.adapters.clients import client
from lambdas.adapters.executions import Execution, Machine
from lambdas.adapters.requests_queue import RequestsQueue
from lambdas.adapters.videos import OpenVideo, now_ms
from lambdas.domain import names
from lambdas.domain.errors import AssemblerFailed, FilmTimedOut, VideoNotFound
from lambdas.domain.failures import cause, failure
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, execution_name
from lambdas.domain.webhooks import WINDOW_MS
from lambdas.production.task_token import CalledBackTask
from lambdas.settings import UpkeepSettings
from lambdas.tasks.record_failure import RecordFailure
from lambdas.telemetry import count, logger
from lambdas.upkeep.healed_dead_letters import HealedDeadLetters
from lambdas.upkeep.lost_calls import Calls
from lambdas.upkeep.lost_drops import Drops
from lambdas.upkeep.restore_records import restore

GRACE = timedelta(seconds=60)  # anything younger is not lost yet: events usually take seconds
AT_ONCE = timedelta(0)  # an event says that it has ended
TOLD_FOR = timedelta(milliseconds=WINDOW_MS)  # how long webhooks of an event are tried
DROPS_FOR = timedelta(days=1)  # the maximum age of a drop-folder object to check
PAGE = 100  # videos of a run; the next run continues after them
_ENDS = {Stage.COMPLETED: names.VIDEO_COMPLETED, Stage.FAILED: names.VIDEO_FAILED}
_RESERVE_MS = 60_000  # of the function's time, reserved to finish the current item

Event = dict[str, Any]


@logger.inject_lambda_context(clear_state=True)
def handler(event: Event, context: LambdaContext) -> dict[str, int]:
    settings = UpkeepSettings.from_env()

    def time_left() -> bool:
        return context.get_remaining_time_in_millis() > _RESERVE_MS

    match event:
        case {"source": "aws.states", "detail": detail}:
            return {"healed": Heal(settings, AT_ONCE).execution_ended(detail)}
        case {"source": "aws.codebuild", "detail": detail}:
            return {"healed": Heal(settings, AT_ONCE).build_ended(detail)}
        case {"Records": records}:
            written = [json.loads(record["body"])["detail"]["object"]["key"] for record in records]
            return {"healed": sum(map(Calls(settings, GRACE).written, written))}
        case {"restore": True}:
            done = _restore(settings, time_left)
        case _:
            done = _reconcile(settings, time_left)
    count(names.METRIC_UPKEEP_RUNS)
    return done


def _reconcile(settings: UpkeepSettings, time_left: Callable[[], bool]) -> dict[str, int]:
    drops = Drops(settings, GRACE, DROPS_FOR)
    healed = Calls(settings, GRACE).all_engines(time_left)
    healed += Heal(settings, GRACE).next_page(time_left)
    healed += drops.ask_again(time_left)
    removed = HealedDeadLetters(settings, drops).remove(time_left)
    return {"healed": healed, "dead_letters_removed": removed}


def _restore(settings: UpkeepSettings, time_left: Callable[[], bool]) -> dict[str, int]:
    """Restore what a PC's cloud lost. Nothing of it is still in progress, so no grace is needed; and an
    object may have waited in the drop folder for as long as the cloud was down."""
    restored = restore(settings)
    _tell_again(settings, restored, time_left)
    healed = Heal(settings, AT_ONCE).videos(restored, time_left)
    healed += Drops(settings, AT_ONCE, timedelta.max).ask_again(time_left)
    return {"restored": len(restored), "healed": healed}


def _tell_again(settings: UpkeepSettings, restored: Sequence[Video], time_left: Callable[[], bool]) -> None:
    """Emit the latest ends again: a PC's cloud has also lost the webhooks that were still to be delivered."""
    events, since_ms = stores.events(settings), now_ms() - TOLD_FOR // timedelta(milliseconds=1)
    for video in restored:
        event = _ENDS.get(video.stage)
        if event is not None and video.updated_ms > since_ms and time_left():
            events.video_ended(video, event)


class Heal:
    def __init__(self, settings: UpkeepSettings, grace: timedelta) -> None:
        """`grace`: how long a video or clip must be unchanged to count as lost."""
        self._grace_ms = grace // timedelta(milliseconds=1)
        self._videos = stores.videos(settings)
        self._clips = stores.clip_queue(settings)
        self._reviews = stores.reviews(settings)
        self._queue = RequestsQueue(client("sqs"), settings.requests_queue_url)
        self._machine = Machine(client("stepfunctions"), settings.state_machine_arn)
        self._builds = Builds(client("codebuild"), settings.build_project)
        self._film_ms = settings.film_hours * 3_600_000
        self._failures = RecordFailure(settings)

    def next_page(self, time_left: Callable[[], bool]) -> int:
        """Check the next page of the videos that are being made. Return how many were repaired."""
        videos, after = self._videos.open_page(self._clips.page(), PAGE)
        self._clips.note_page(after)  # first, so that a page that can't be finished doesn't come up again
        return self.videos(videos, time_left)

    def videos(self, videos: Sequence[OpenVideo | Video], time_left: Callable[[], bool]) -> int:
        healed = 0
        for video in videos:
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
                count(names.METRIC_UPKEEP_FAILURES)
        return healed

    def execution_ended(self, detail: Event) -> bool:
        """Look at the video of a failed execution, which should have recorded its failure."""
        document = json.loads(detail["input"])
        try:
            video = self._videos.outline(document["tenant"], document["video_id"])
        except VideoNotFound:
            return False
        if detail["name"] != execution_name(video.id, video.attempt):
            return False
        return self.video(video.tenant, video.id)

    def build_ended(self, detail: Event) -> bool:
        """Fail the step of a build that ended without an answer to its token."""
        return self._fail_build(str(detail["build-id"]).rpartition("/")[2])

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
                return answered or self._fail_ended_build(video) or self._end_in_time(video, execution)
            case Execution.FAILED:
                logger.info("failure found")
                return self._failures.record(tenant, video_id, execution, failure("ProduceVideo", error))
            case Execution.FULL:
                logger.warning("history full", extra={"execution": execution})
                calls = self._failures.open_calls(video)  # before the next attempt makes its own
                if not self._try_again(video):
                    return False
                self._failures.withdraw(calls)  # nobody waits for their tokens any more
                return True
            case Execution.MISSING if video.stage is Stage.QUEUED:
                # The stamp keeps the next run from sending it again while Dispatch is busy.
                stamped = self._videos.amend(video)
                if stamped is None:
                    return False
                logger.info("request queued again")
                self._queue.send(stamped)
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

    def _end_in_time(self, video: Video, execution: str) -> bool:
        """Fail a film whose time is over. Time in an engine's queue before its first clip does not count."""
        started = [clip.started_ms for clip in video.clips if clip.started_ms is not None]
        if not started or min(started) + self._film_ms > now_ms():
            return False
        hours = self._film_ms // 3_600_000
        error = FilmTimedOut(f"The film was not finished within {hours} h of the start of its first clip.")
        reason = failure("ProduceVideo", {"Error": type(error).__name__, "Cause": cause(error)})
        logger.warning("film timed out")
        recorded = self._failures.record(video.tenant, video.id, execution, reason)
        self._machine.stop(execution, error.message)
        return recorded

    def _fail_ended_build(self, video: Video) -> bool:
        return video.stage is Stage.ASSEMBLING and bool(video.build) and self._fail_build(str(video.build))

    def _fail_build(self, build: str) -> bool:
        ended = self._builds.ended(build)
        if ended is None:
            return False
        status, task = ended
        error = AssemblerFailed(f"build {build} ended with status {status} without a response")
        logger.info("ended build found", extra={"build": build, "status": status})
        token = CalledBackTask.model_validate_json(task).token
        return self._machine.fail(token, type(error).__name__, cause(error))

    def _left_alone(self, since_ms: int) -> bool:
        return since_ms + self._grace_ms <= now_ms()
