"""Queue a clip for its engine. settle_clip receives the result and answers the task token."""

import base64
import hashlib
from fractions import Fraction
from io import BytesIO
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clip_budget import ClipBudget
from lambdas.adapters.clip_queue import ClipQueue
from lambdas.adapters.engine_calls import Inference, Inferences
from lambdas.adapters.events import Events
from lambdas.adapters.objects import Objects
from lambdas.adapters.videos import Videos, now_ms
from lambdas.domain import keys
from lambdas.domain.engine_request import engine_request
from lambdas.domain.errors import VideoClosed, VideoNotFound
from lambdas.domain.film_plan import Clip, FilmPlan, Scene
from lambdas.media.frames import last_frame
from lambdas.media.images import cover
from lambdas.media.sound import Placed
from lambdas.media.speech_excerpt import excerpt
from lambdas.production.admission import Admission
from lambdas.production.clip_inputs import first_picture, footage
from lambdas.production.clip_progress import ClipMade, reused
from lambdas.production.cost_limit import check_clip
from lambdas.production.failed_tries import noted
from lambdas.production.plans import load_plan
from lambdas.production.task_token import CalledBackTask, ClipTask, require_open, task
from lambdas.settings import RenderClipSettings
from lambdas.telemetry import logger


class RenderTask(CalledBackTask, ClipTask):
    retry: int  # how many times the state machine has retried this clip


@task
@noted
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any] | None:
    request = RenderTask.model_validate(event)
    made = RenderClip(RenderClipSettings.from_env()).render(request)
    return made.model_dump() if made else None


class RenderClip:
    def __init__(self, settings: RenderClipSettings) -> None:
        self._videos: Videos = stores.videos(settings)
        self._inputs: Objects = stores.inputs(settings)
        self._outputs: Objects = stores.outputs(settings)
        self._inferences: Inferences = stores.inferences(settings)
        self._queue: ClipQueue = stores.clip_queue(settings)
        self._events: Events = stores.events(settings)
        self._budget: ClipBudget = stores.clip_budget(settings)
        self._prices = settings.price_list
        self._admission = Admission(settings)

    def render(self, request: RenderTask) -> ClipMade | None:
        """Return the clip if it was made before; otherwise queue it for the engine and return None.

        Raises ArtifactMissing, ClipUnreadable, MaxCostReached, VideoClosed, VideoNotFound.
        """
        plan = load_plan(self._outputs, request.tenant, request.video_id)
        scene, clip = plan.clip(request.clip)
        if reused(self._videos, self._outputs, self._events, plan, clip):
            return ClipMade(clip=clip.index, reused=True)
        video = require_open(self._videos, plan.tenant, plan.video_id)
        check_clip(video, plan, clip, self._prices, self._videos, self._budget)
        inference = _inference(request, plan, clip)
        body = engine_request(
            plan,
            scene,
            clip,
            image=self._first_frame(plan, scene, clip),
            last_image=self._last_frame(plan, scene, clip),
            video=_base64(footage(plan, clip, self._inputs, self._outputs)),
            audio=self._sound(plan, clip),
        ).body()
        self._inputs.put(inference.request, body, "application/json")
        if request.retry:
            self._withdraw_others(inference)
        # If it is in the queue already, an earlier delivery of this task put it there and may have died
        # before it admitted a clip.
        self._queue.enqueue(inference)
        logger.info("clip queued", extra={"inference_id": inference.id, "engine": plan.engine})
        try:
            require_open(self._videos, plan.tenant, plan.video_id)
        except (VideoClosed, VideoNotFound):  # a cancellation did not see the clip
            self._inputs.delete(inference.request)
            self._queue.withdraw(inference)
            raise
        self._admission.admit(plan.engine)
        return None

    def _withdraw_others(self, inference: Inference) -> None:
        """Take out of the queue what an earlier try of the same clip left there: nobody waits for it."""
        for other in self._inferences.of_video(inference.video_id, inference.clip):
            if other.id != inference.id:
                self._queue.withdraw(other)

    def _first_frame(self, plan: FilmPlan, scene: Scene, clip: Clip) -> str | None:
        """Return the PNG that the clip starts from, as base64: a picture of the film in the film's size, or a
        given one in the plan's `given_size`."""
        if clip.starts_from is not None:
            _, before = plan.clip(clip.starts_from)
            frame = last_frame(self._outputs.get(keys.clip(plan.tenant, before.key_hash)))
        else:
            picture = first_picture(plan, scene, self._inputs, self._outputs)
            if picture is None:
                return None
            frame = cover(picture, *plan.given_size)
        return base64.b64encode(frame).decode()

    def _last_frame(self, plan: FilmPlan, scene: Scene, clip: Clip) -> str | None:
        """Return the PNG that the clip ends on, as base64, in the plan's `given_size`."""
        picture = scene.ends_on
        if picture is None or clip.index != scene.clips[-1].index:
            return None
        data = (self._inputs if picture.uploaded else self._outputs).get(picture.key)
        return base64.b64encode(cover(data, *plan.given_size)).decode()

    def _sound(self, plan: FilmPlan, clip: Clip) -> str | None:
        """Return the WAV that the clip is rendered to, as base64. It covers all rendered frames, including
        those that are left out of the film, so that lips and words stay in sync."""
        if clip.heard is None:
            return None
        voices = [
            Placed(BytesIO(self._outputs.get(keys.speech(plan.tenant, one.sound))), Fraction(str(one.start)))
            for one in clip.heard
        ]
        return base64.b64encode(excerpt(voices, Fraction(clip.frames, plan.rate))).decode()


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _inference(request: RenderTask, plan: FilmPlan, clip: Clip) -> Inference:
    """Return the inference of a delivery. The same delivery gives the same id; a retry gives another, even if
    its token is the same (ministack keeps one token for all tries of a state; AWS issues one per try)."""
    token_hash = hashlib.sha256(f"{request.token} {request.retry}".encode()).hexdigest()
    id_ = keys.inference_id(request.video_id, request.clip, token_hash)
    return Inference(
        id=id_,
        token=request.token,
        tenant=request.tenant,
        video_id=request.video_id,
        clip=request.clip,
        key_hash=clip.key_hash,
        engine=plan.engine,
        request=keys.engine_request(id_),
        seconds=plan.clip_seconds[clip.index],
        requested_ms=now_ms(),
    )
