"""Ask a vision model whether the film's clips show what their prompts ask for (vision_check).

One question after another, for as long as the function may run; the state machine comes again while clips
are left. Each answer is stored at once, so that nothing is asked twice, whatever is killed.
"""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clients import writing_client
from lambdas.adapters.objects import Objects
from lambdas.adapters.text_model import TextModel
from lambdas.adapters.videos import Videos
from lambdas.domain import keys
from lambdas.domain.documents import Document
from lambdas.domain.errors import ClipUnreadable, TextModelFailed, TextModelUnavailable
from lambdas.domain.film_plan import Clip, FilmPlan
from lambdas.domain.opinion_questions import SYSTEM, accept_opinion, question
from lambdas.domain.opinions import ANSWER_TOKENS, ASKED_TOKENS, Opinion, looked_at, opinion_of
from lambdas.domain.prices import total
from lambdas.domain.stages import Stage
from lambdas.domain.video import TEXT_MODEL, Video
from lambdas.domain.video_parts import Looked
from lambdas.media.frames import three_frames
from lambdas.production.opinions import read_opinions, store_opinions
from lambdas.production.plans import load_plan
from lambdas.production.task_token import VideoTask, require_open, task
from lambdas.settings import WriterSettings
from lambdas.telemetry import logger

_TEMPERATURE = 0.0
_MARGIN_SECONDS = 20  # beside the model's answer: to read a clip, and to store what it says


class ClipsLookedAt(Document):
    """`more`: whether clips are left to look at."""

    more: bool


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = VideoTask.model_validate(event)
    settings = WriterSettings.from_env()
    model = TextModel(writing_client(settings.answer_seconds), settings.text_model, settings.price_list)
    price = settings.price_list.text(settings.text_model, ASKED_TOKENS, ANSWER_TOKENS)
    needed_ms = 1000 * (settings.answer_seconds + _MARGIN_SECONDS)

    def has_time() -> bool:
        return context.get_remaining_time_in_millis() > needed_ms

    made = look_at_clips(
        request.tenant,
        request.video_id,
        stores.videos(settings),
        stores.outputs(settings),
        model,
        price,
        has_time,
    )
    return made.model_dump()


def look_at_clips(
    tenant: str,
    video_id: str,
    videos: Videos,
    outputs: Objects,
    model: TextModel,
    price: float | None,
    has_time: Callable[[], bool],
) -> ClipsLookedAt:
    """Ask about each clip that nobody was asked about; at least about one, then while it `has_time`. `price`:
    about what a question costs, in USD; None: unknown.

    Where the model can't see, fails or would cost more than the film may, the film goes on without, and the
    record and the quality report say so. Raises ArtifactMissing, VideoClosed, VideoNotFound.
    """
    video = videos.get(tenant, video_id)
    plan = load_plan(outputs, tenant, video_id)
    opinions = read_opinions(tenant, video_id, outputs)
    asked = looked_at(plan)
    left = [clip for clip in asked if opinion_of(clip) not in opinions]
    cost = video.looked.cost if video.looked else 0.0
    video = _recorded(videos, video, Looked(clips=len(asked) - len(left), cost=cost), waits_for=TEXT_MODEL)
    note = None
    for number, clip in enumerate(left):
        if number and not has_time():
            return ClipsLookedAt(more=True)
        require_open(videos, tenant, video_id)
        if video.max_cost is not None and (video.spent_so_far + (price or 0.0)) > video.max_cost:
            note = f"max_cost is {video.max_cost:g} USD"
            break
        try:
            opinion, paid = _opinion(plan, clip, outputs, model)
        except (TextModelFailed, TextModelUnavailable) as error:
            logger.warning("no opinion", extra={"clip": clip.index, "reason": error.message})
            note = error.message
            break
        opinions[opinion_of(clip)] = opinion
        store_opinions(tenant, video_id, opinions, outputs)
        cost = total([cost, paid])
        looked = Looked(clips=len(asked) - len(left) + number + 1, cost=cost)
        video = _recorded(videos, video, looked, waits_for=TEXT_MODEL)
    assert video.looked is not None  # noqa: S101 - it was recorded above
    _recorded(videos, video, video.looked.model_copy(update={"note": note}))
    return ClipsLookedAt(more=False)


def _opinion(plan: FilmPlan, clip: Clip, outputs: Objects, model: TextModel) -> tuple[Opinion, float | None]:
    """Return the opinion of a clip, and its cost."""
    try:
        picture = three_frames(outputs.source(keys.clip(plan.tenant, clip.key_hash)))
    except ClipUnreadable as error:  # which fails the film where it is joined
        return Opinion(score=None, reason=error.message), 0.0
    answer = model.ask(
        system=SYSTEM,
        message=question(clip),
        picture=picture,
        max_tokens=ANSWER_TOKENS,
        temperature=_TEMPERATURE,
    )
    opinion = accept_opinion(answer.text, answer.by)
    logger.info("clip looked at", extra={"clip": clip.index, "score": opinion.score, "by": answer.by})
    return opinion, answer.cost


def _recorded(videos: Videos, video: Video, looked: Looked, **changes: Any) -> Video:
    """Return the video with what was looked at. If the record has changed meanwhile, it is read again."""
    while (changed := videos.advance_from(video, Stage.RENDERING, looked=looked, **changes)) is None:
        video = videos.get(video.tenant, video.id)
    return changed
