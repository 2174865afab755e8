"""Writes a video's storyboard, or one scene of it anew, by the text model."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clients import writing_client
from lambdas.adapters.objects import Objects
from lambdas.adapters.storyboards import Storyboards
from lambdas.adapters.text_model import TextModel, ToolAnswer
from lambdas.adapters.videos import Videos
from lambdas.domain.direction import (
    Brief,
    Question,
    Writing,
    repair_message,
    scene_question,
    storyboard_question,
)
from lambdas.domain.direction_answers import Accepted, AnswerRejected, accept_scene, accept_storyboard
from lambdas.domain.documents import Document
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.errors import StoryboardRejected
from lambdas.domain.prices import total
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.video import PartProgress, Stage, Writer
from lambdas.settings import PlanSettings
from lambdas.tasks.task import VideoTask, task
from lambdas.telemetry import logger


class SceneToPrepare(Document):
    """What the state machine is to have made of a scene before its clips."""

    index: int
    narrate: bool
    still: bool


class StoryboardWritten(Document):
    """What the state machine is told: of a film of one prompt there is nothing to prepare."""

    tenant: str
    video_id: str
    scenes: list[SceneToPrepare] = []


@task
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = VideoTask.model_validate(event)
    settings = PlanSettings.from_env()
    model = TextModel(writing_client(), settings.text_model, settings.price_list)
    written = write_storyboard(request, stores.videos(settings), stores.outputs(settings), model)
    return written.model_dump()


def write_storyboard(
    request: VideoTask, videos: Videos, outputs: Objects, model: TextModel
) -> StoryboardWritten:
    """Writes a video's storyboard once: a later attempt finds the one that is there, which the user may have
    seen. Raises StoryboardRejected, TextModelUnavailable, VideoClosed, VideoNotFound."""
    video = videos.get(request.tenant, request.video_id)
    # It is preparing where this task was tried again though its first try came to its end.
    if video.stage is not Stage.PREPARING:
        video = videos.advance(request.tenant, request.video_id, Stage.PLANNING)
    brief = video.request.brief
    if brief is None:
        return StoryboardWritten(tenant=video.tenant, video_id=video.id)
    storyboards = Storyboards(outputs)
    if video.storyboard is not None:
        storyboard = storyboards.get(video)
    else:
        budget = CATALOGUE[video.request.engine].prompt_tokens
        written = write(brief, budget, model, video.request.writing)
        storyboard = written.storyboard
        writer = Writer(by=written.by, note=written.note, cost=written.cost)
        kept = storyboards.put(video, storyboard)
        videos.advance(video.tenant, video.id, Stage.PLANNING, storyboard=kept, writer=writer)
    scenes = [
        SceneToPrepare(
            index=index,
            narrate=scene.narration is not None,
            still=video.request.stills is not None and not (index == 0 and video.request.image),
        )
        for index, scene in enumerate(storyboard.scenes)
    ]
    told = StoryboardWritten(tenant=video.tenant, video_id=video.id, scenes=scenes)
    if video.stage is Stage.PREPARING:
        return told
    parts = [PartProgress(scene=scene.index) for scene in scenes]
    videos.advance(
        video.tenant,
        video.id,
        Stage.PREPARING,
        narrations=parts if any(scene.narrate for scene in scenes) else [],
        stills=parts if any(scene.still for scene in scenes) else [],
    )
    return told


class Written(Document):
    """`by`: the model that wrote; None: the user gave all of it. `note` says what was changed, `cost` (USD)
    what was paid for it, for all that was asked."""

    storyboard: Storyboard
    by: str | None = None
    note: str | None = None
    cost: float | None = 0.0


def write(brief: Brief, budget: int, model: TextModel, writing: Writing) -> Written:
    """The storyboard of a brief, for an engine that reads `budget` tokens; a brief that holds a whole one
    is asked of nobody. Raises StoryboardRejected, TextModelUnavailable."""
    if given := brief.whole():
        return Written(storyboard=given)
    question = storyboard_question(brief, budget)
    return _asked(question, lambda answer: accept_storyboard(answer, brief, budget), model, writing)


def rewrite(
    storyboard: Storyboard,
    scene: int,
    note: str,
    *,
    language: str,
    budget: int,
    model: TextModel,
    writing: Writing,
) -> Written:
    """The storyboard with the texts of one scene (its index) written anew as a user's note says. Raises as
    `write` does."""
    question = scene_question(storyboard, scene, note, language, budget)
    return _asked(
        question,
        lambda answer: accept_scene(answer, storyboard, scene, note, language, budget),
        model,
        writing,
    )


_STOPPED_BY_POLICY = frozenset({"guardrail_intervened", "content_filtered"})
_STOPPED_SHORT = frozenset({"max_tokens", "model_context_window_exceeded"})
_MOST_TOLD = 3  # problems in the reason of a failure


def _asked(
    question: Question, accept: Callable[[object], Accepted], model: TextModel, writing: Writing
) -> Written:
    """Asks once and, where the answer can't be used, once more with what is wrong with it."""
    answer = _fill(question, question.message, model, writing)
    costs = [answer.cost]
    try:
        accepted = _judged(answer, accept)
    except AnswerRejected as first:
        logger.warning("storyboard rejected", extra={"by": answer.by, "problems": first.problems})
        message = repair_message(question.message, answer.input, first.problems)
        answer = _fill(question, message, model, writing)
        costs.append(answer.cost)
        try:
            accepted = _judged(answer, accept)
        except AnswerRejected as second:
            raise _rejected(answer, second.problems) from second
    logger.info("storyboard written", extra={"by": answer.by, "note": accepted.note})
    return Written(storyboard=accepted.storyboard, by=answer.by, note=accepted.note, cost=total(costs))


def _fill(question: Question, message: str, model: TextModel, writing: Writing) -> ToolAnswer:
    answer = model.fill(
        system=question.system,
        message=message,
        tool=question.tool,
        max_tokens=question.answer_tokens,
        writing=writing,
    )
    if answer.stop_reason in _STOPPED_BY_POLICY:
        raise StoryboardRejected(
            f"The content filter of the text model {answer.by} stopped the answer.",
            advice="Change the topic, choose another text model, or give the storyboard with the request.",
        )
    return answer


def _judged(answer: ToolAnswer, accept: Callable[[object], Accepted]) -> Accepted:
    if answer.stop_reason in _STOPPED_SHORT:
        raise AnswerRejected(["The answer was cut off before its end: write less in every field."])
    if answer.input is None:
        raise AnswerRejected(["The answer did not use the tool: it must be one JSON object by its schema."])
    return accept(answer.input)


def _rejected(answer: ToolAnswer, problems: list[str]) -> StoryboardRejected:
    told = " ".join(problems[:_MOST_TOLD])
    more = f" And {len(problems) - _MOST_TOLD} more." if len(problems) > _MOST_TOLD else ""
    advice = None
    if answer.stop_reason in _STOPPED_SHORT:
        advice = (
            "Ask for fewer scenes or let the model write more (max_tokens; on a PC also context_size), "
            "choose another text model, or give the storyboard with the request."
        )
    return StoryboardRejected(
        f"The text model {answer.by} wrote no storyboard that can be used, also when asked to mend it. "
        f"{told}{more}",
        advice=advice,
    )
