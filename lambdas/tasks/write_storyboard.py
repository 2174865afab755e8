"""Writes a video's storyboard, or one scene of it anew, by the text model."""

from collections.abc import Callable

from lambdas.adapters.text_model import TextModel, ToolAnswer
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
from lambdas.domain.errors import StoryboardRejected
from lambdas.domain.storyboard import Storyboard
from lambdas.telemetry import logger


class Written(Document):
    """`by`: the model that wrote; None: the user gave all of it. `note` says what was changed."""

    storyboard: Storyboard
    by: str | None = None
    note: str | None = None


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
    try:
        accepted = _judged(answer, accept)
    except AnswerRejected as first:
        logger.warning("storyboard rejected", extra={"by": answer.by, "problems": first.problems})
        message = repair_message(question.message, answer.input, first.problems)
        answer = _fill(question, message, model, writing)
        try:
            accepted = _judged(answer, accept)
        except AnswerRejected as second:
            raise _rejected(answer, second.problems) from second
    logger.info("storyboard written", extra={"by": answer.by, "note": accepted.note})
    return Written(storyboard=accepted.storyboard, by=answer.by, note=accepted.note)


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
