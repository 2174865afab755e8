"""Remove dead letters about what has been repaired since, so that those that remain need an operator.

message                                   nothing is left to do when
a request that Dispatch failed on         its video no longer waits in the queue, or is gone
a notice that SettleClip failed on, or    its engine call is settled or gone, or its video has ended
an output that Upkeep was not told of
a dropped object that Intake failed on    it has a result or a video, or is gone
a run of Upkeep                           Upkeep runs again
an execution's end that Upkeep failed on  its video has ended, or is gone
a build's end that Upkeep failed on       its video no longer waits for the build
"""

from collections.abc import Callable
from contextlib import closing
from itertools import islice
from typing import Any

from pydantic import ValidationError

from lambdas.adapters import stores
from lambdas.adapters.builds import Builds
from lambdas.adapters.clients import client
from lambdas.adapters.dead_letters import DeadLetterQueue, Message
from lambdas.adapters.engine_calls import Inference
from lambdas.adapters.requests_queue import QueuedRequest
from lambdas.domain.dead_letters import DeadLetter, Origin, dropped, inference_ids
from lambdas.domain.errors import VideoNotFound
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video
from lambdas.intake.drop_folder import Dropped
from lambdas.production.task_token import VideoTask
from lambdas.settings import UpkeepSettings
from lambdas.telemetry import logger
from lambdas.upkeep.lost_drops import Drops

_MOST = 100  # messages of a queue per run


class HealedDeadLetters:
    def __init__(self, settings: UpkeepSettings, drops: Drops) -> None:
        self._videos = stores.videos(settings)
        self._inferences = stores.inferences(settings)
        self._drops = drops
        self._builds = Builds(client("codebuild"), settings.build_project)
        self._queues = [DeadLetterQueue(client("sqs"), url) for url in settings.dead_letter_queues]

    def remove(self, time_left: Callable[[], bool]) -> int:
        """Remove the messages that are healed. Return how many."""
        return sum(self._remove_from(queue, time_left) for queue in self._queues)

    def _remove_from(self, queue: DeadLetterQueue, time_left: Callable[[], bool]) -> int:
        # All are released together, at once: the queue's alarm counts only messages that can be received.
        kept: list[Message] = []
        removed = 0
        try:
            # The next run sees what this one overlooks.
            with closing(queue.messages(wait_seconds=0)) as messages:
                for message in islice(messages, _MOST):
                    if self._healed(message.letter):
                        queue.delete(message)
                        removed += 1
                        told = {"about": message.letter.about, "error": message.letter.error}
                        logger.info("dead letter removed", extra=told)
                    else:
                        kept.append(message)
                    if not time_left():
                        break
        finally:
            queue.release(kept)
        return removed

    def _healed(self, letter: DeadLetter) -> bool:
        event = letter.event
        if letter.origin is Origin.QUEUE:
            return self._request_healed(event)
        if event.get("source") == "aws.events":  # the schedule's
            return True
        if event.get("source") == "aws.states":
            return self._execution_healed(event)
        if event.get("source") == "aws.codebuild":
            return self._build_healed(event)
        if found := dropped(event):
            return not self._drops.lost(Dropped(*found))
        calls = inference_ids(event)
        return bool(calls) and all(self._call_healed(self._inferences.get(call)) for call in calls)

    def _request_healed(self, message: dict[str, Any]) -> bool:
        try:
            request = QueuedRequest.model_validate(message)
        except ValidationError:
            return False
        video = self._video(request.tenant, request.video_id)
        return video is None or video.stage is not Stage.QUEUED

    def _execution_healed(self, event: dict[str, Any]) -> bool:
        try:
            request = QueuedRequest.model_validate_json(event["detail"]["input"])
        except (ValidationError, KeyError, TypeError):
            return False
        video = self._video(request.tenant, request.video_id)
        return video is None or video.closed

    def _build_healed(self, event: dict[str, Any]) -> bool:
        try:
            build = str(event["detail"]["build-id"]).rpartition("/")[2]
        except (KeyError, TypeError):
            return False
        ended = self._builds.ended(build)
        if ended is None:  # CodeBuild no longer knows it
            return True
        task = VideoTask.model_validate_json(ended[1])
        video = self._video(task.tenant, task.video_id)
        return video is None or video.stage is not Stage.ASSEMBLING or video.build != build

    def _call_healed(self, call: Inference | None) -> bool:
        if call is None or call.settled:
            return True
        video = self._video(call.tenant, call.video_id)
        return video is None or video.closed

    def _video(self, tenant: str, video_id: str) -> Video | None:
        try:
            return self._videos.get(tenant, video_id)
        except VideoNotFound:
            return None
