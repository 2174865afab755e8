"""Receive an endpoint's notice about a clip, answer the task token that waits for it, and admit the next
clip of its engine's queue.

Notices may arrive twice, late or never; upkeep settles clips whose notice was lost.
"""

from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, Field

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.engine_calls import Inference
from lambdas.adapters.executions import Machine
from lambdas.adapters.shared_objects import artifacts
from lambdas.domain import keys, names
from lambdas.domain.engine_failure import engine_failure, took_too_long
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import (
    ArtifactMissing,
    ClipMismatch,
    StepError,
    VideoNotFound,
)
from lambdas.domain.estimate import share_of_longest, whole_clips
from lambdas.domain.film_plan import Clip, FilmPlan
from lambdas.domain.prices import of_work
from lambdas.media.conform import FilmFormat, check_length
from lambdas.media.mp4.clip import blame
from lambdas.media.mp4.work_box import without_work_box
from lambdas.media.probe import probe
from lambdas.media.quality import measure_clip
from lambdas.media.sound_input import check_sound
from lambdas.media.source import BytesSource
from lambdas.production.admission import Admission
from lambdas.production.clip_progress import ClipMade, finished
from lambdas.production.plans import load_plan
from lambdas.settings import RenderClipSettings
from lambdas.telemetry import logger, rate


class Result(BaseModel):
    model_config = ConfigDict(frozen=True)

    output: str | None = Field(None, alias="outputLocation")
    failure: str | None = Field(None, alias="failureLocation")
    reason: str | None = Field(None, alias="failureReason")


class Notice(Result):
    """SageMaker's notice. It names a failure's output at its top level or in `responseParameters`; both were
    observed."""

    inference_id: str = Field(alias="inferenceId")
    status: Literal["Completed", "Failed", "Expired"] = Field(alias="invocationStatus")
    result: Result = Field(Result(), alias="responseParameters")
    received: datetime | None = Field(None, alias="receivedTime")
    at: datetime | None = Field(None, alias="eventTime")

    @property
    def age_seconds(self) -> float:
        """Return how old the request was when it ended; 0 if the notice does not say."""
        return (self.at - self.received).total_seconds() if self.at and self.received else 0


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    settler = SettleClip(RenderClipSettings.from_env())
    for record in event["Records"]:
        settler.hear(Notice.model_validate_json(record["Sns"]["Message"]))


class SettleClip:
    """Settle clips. Each step can be repeated, so the next notice or upkeep finishes an interrupted
    settlement: the inference counts as settled, and its output is deleted, only after the token is answered
    and its place is free.
    """

    def __init__(self, settings: RenderClipSettings) -> None:
        self._prices = settings.price_list
        self._ttl_seconds = settings.request_ttl_seconds
        self._videos = stores.videos(settings)
        self._outputs = stores.outputs(settings)
        self._inferences = stores.inferences(settings)
        self._events = stores.events(settings)
        self._machine = Machine(client("stepfunctions"))
        self._admission = Admission(settings)

    def hear(self, notice: Notice) -> None:
        inference = self._inferences.get(notice.inference_id)
        if inference is None:
            logger.info("notice ignored", extra={"inference_id": notice.inference_id})
            return
        _log_for(inference)
        if inference.settled:
            logger.info("notice ignored")
        else:
            self._settle(inference, notice)
        # Also after a notice that comes again: the first may have been interrupted here.
        self._admission.admit(inference.engine)

    def _settle(self, inference: Inference, notice: Notice) -> None:
        match notice.status:
            case "Completed":
                self.completed(inference, self._key(notice.output or notice.result.output or ""))
            case "Failed":
                location = notice.failure or notice.result.failure
                reason = notice.reason or notice.result.reason or ""
                self.failed(inference, reason, self._key(location) if location else None)
            # SageMaker marks both as expired: a request that was too long in its queue, which is no failure,
            # and one that an engine worked on for too long.
            case "Expired" if notice.age_seconds >= self._ttl_seconds:
                self._admission.ask_again(inference)
            case "Expired":
                self._admission.fail(inference, took_too_long())

    def completed(self, inference: Inference, output: str) -> None:
        """Make the object under `output` the clip, provided that it is what the plan asks for.

        The recorded cost is that of the seconds for which the engine worked on it.
        """
        _log_for(inference)
        try:
            plan = load_plan(self._outputs, inference.tenant, inference.video_id)
            clip = _asked_for(inference, plan)
            worked = self._keep(inference, output, plan, clip)
        except (StepError, VideoNotFound) as error:
            self._admission.fail(inference, error)
            if isinstance(error, ArtifactMissing | VideoNotFound):  # nobody asks for the clip any more
                self._outputs.delete(output)
            return
        rate(names.METRIC_CLIP_FAILURE_RATE, None, engine=plan.engine)
        made = ClipMade(clip=inference.clip, reused=False)
        if not self._machine.succeed(inference.token, made.model_dump()):
            logger.info("answer came too late")
        self._admission.done(inference, None if worked is None else _per_longest_clip(worked, plan, clip))
        self._outputs.delete(output)

    def failed(self, inference: Inference, reason: str, failure_object: str | None) -> None:
        """Fail the clip. `reason` is the notice's text, `failure_object` the key of the engine's response."""
        _log_for(inference)
        self._admission.fail(inference, engine_failure(self._text(failure_object), reason))

    def _keep(self, inference: Inference, output: str, plan: FilmPlan, clip: Clip) -> float | None:
        """Store the clip and record it. Return for how many seconds the engine worked on it, if known."""
        artifact = keys.clip(plan.tenant, clip.key_hash)
        clips = artifacts(self._outputs, plan.tenant, plan.video_id, self._videos)
        stored = clips.find(artifact)
        try:
            content, seconds = without_work_box(self._outputs.get(output))
        except ArtifactMissing:
            if stored:  # an earlier try got as far as deleting the output
                return None
            raise
        if not stored:
            check(content, plan, clip)
            with blame(clip.index):
                measures = measure_clip(content).stored()
            clips.put(artifact, content, "video/mp4", measures=measures)
        cost = of_work(self._prices.instance_second(plan.engine), seconds)
        started_ms = inference.started_ms or inference.requested_ms
        finished(self._videos, self._events, plan, clip, started_ms=started_ms, cost=cost)
        return seconds

    def _text(self, key: str | None) -> str:
        if key is None:
            return ""
        try:
            return self._outputs.get(key).decode(errors="replace")
        except ArtifactMissing:
            return ""

    def _key(self, location: str) -> str:
        """Return the key of an s3:// URI in the output bucket."""
        prefix = f"s3://{self._outputs.bucket}/"
        if not location.startswith(prefix):
            raise ValueError(f"{location!r} is not in the output bucket")
        return location.removeprefix(prefix)


def check(output: bytes, plan: FilmPlan, clip: Clip) -> None:
    """Raise ClipUnreadable or ClipMismatch if an engine's output is not the requested clip.

    A user's workflow only has to return the right length: assembly converts its clips to the film's format.
    All other engines guarantee the format.
    """
    with blame(clip.index):
        if clip.sound:
            check_sound(BytesSource(output))
        if CATALOGUE[plan.engine].workflow:
            film = FilmFormat(plan.width, plan.height, Fraction(plan.fps))
            check_length(output, film, clip.film_frames)
            return
        found = probe(output)
    for what, asked, given in (
        ("frames", clip.film_frames, found.frames),
        ("size", f"{plan.width}x{plan.height}", f"{found.width}x{found.height}"),
        ("fps", plan.fps, found.fps),
    ):
        if asked != given:
            raise ClipMismatch(
                f"clip {clip.index} must have {what} {asked}; engine {plan.engine} returned {given}",
                clip=clip.index,
            )


def _per_longest_clip(seconds: float, plan: FilmPlan, clip: Clip) -> float:
    """Return for how long the engine would work on its longest clip, from its work on this one."""
    length = share_of_longest(plan, clip)
    return seconds / whole_clips(CATALOGUE[plan.engine], length, plan.speed, plan.steps)


def _asked_for(inference: Inference, plan: FilmPlan) -> Clip:
    """Return the clip at its original index or, if the film was edited since, wherever it is now.

    Raises ArtifactMissing if the film no longer has such a clip.
    """
    same = [clip for clip in plan.clips if clip.key_hash == inference.key_hash]
    if not same:
        raise ArtifactMissing("the film was edited and no longer has this clip")
    return next((clip for clip in same if clip.index == inference.clip), same[0])


def _log_for(inference: Inference) -> None:
    logger.append_keys(video_id=inference.video_id, clip=inference.clip, inference_id=inference.id)
