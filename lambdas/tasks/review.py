"""Hold a film at a gate until its user decides.

Waiting costs nothing: the execution holds a task token, which `Reviews.answer` answers once the decision is
in the record. A wait is identified by its start time, so a duplicate or late message starts no second one.
"""

from datetime import datetime, timedelta
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.events import Events
from lambdas.adapters.reviews import Reviews
from lambdas.adapters.videos import Videos
from lambdas.domain.documents import Document
from lambdas.domain.errors import VideoClosed
from lambdas.domain.stages import Stage
from lambdas.domain.video import Video, execution_name
from lambdas.domain.video_parts import Decision, Review
from lambdas.domain.video_request import Gate
from lambdas.production.task_token import CalledBackTask, require_open, task
from lambdas.settings import EventsSettings
from lambdas.telemetry import logger


class ReviewTask(CalledBackTask):
    execution: str  # its name
    gate: Gate
    entered: datetime
    seconds: int  # until the wait ends

    @property
    def until_ms(self) -> int:
        return round((self.entered + timedelta(seconds=self.seconds)).timestamp() * 1000)


class Decided(Document):
    decision: Decision


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
    settings = EventsSettings.from_env()
    decided = review(
        ReviewTask.model_validate(event),
        stores.videos(settings),
        stores.reviews(settings),
        stores.events(settings),
    )
    return decided.model_dump(mode="json") if decided else None


def review(request: ReviewTask, videos: Videos, reviews: Reviews, events: Events) -> Decided | None:
    """Return the decision if it was made before this wait is requested again; otherwise park the token, emit
    the event and return None.

    Raises VideoClosed, VideoNotFound.
    """
    wait = Review(gate=request.gate, until_ms=request.until_ms)
    while True:
        require_open(videos, request.tenant, request.video_id)
        video = videos.get(request.tenant, request.video_id)
        if request.execution != execution_name(video.id, video.attempt):
            raise VideoClosed(f"video {video.id} is now at attempt {video.attempt}")
        if decision := _decision(video, request.gate):
            return Decided(decision=decision)
        if not reviews.park(video, wait, request.token):
            raise VideoClosed(f"video {video.id} is already past this wait")
        # Conditional on the record as read: a decision may arrive in between.
        if waiting := videos.advance_from(video, Stage.REVIEWING, review=wait):
            events.review_awaited(waiting, wait)
            logger.info("review awaited", extra={"gate": request.gate})
            return None


def _decision(video: Video, gate: Gate) -> Decision | None:
    """Return a decision that no token was answered with. WriteStoryboard, where the film resumes, clears a
    change."""
    if gate in video.approved:
        return Decision.APPROVED
    if video.review and video.review.decision is Decision.CHANGED:
        return Decision.CHANGED
    return None
