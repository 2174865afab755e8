"""Have a text model write a prompt for an engine."""

from collections.abc import Sequence

from lambdas.adapters.text_model import TextModel
from lambdas.domain.characters import CastMember, characters_json, looks_of
from lambdas.domain.engines import Engine
from lambdas.domain.origin import Idea
from lambdas.domain.prompt_answers import accept
from lambdas.domain.prompts import estimate_tokens, system_prompt, user_message, words_for
from lambdas.domain.video_parts import Enhancement
from lambdas.telemetry import logger

_LONGEST_ANSWER = 1_000  # tokens; some models think aloud before the paragraph
_TEMPERATURE = 0.7


def enhance(idea: Idea, engine: Engine, model: TextModel, cast: Sequence[CastMember] = ()) -> Enhancement:
    """Return the text model's prompt for an idea, or its plain text and a note if the answer is unusable. The
    looks of the film's characters are added to it later.

    Raises TextModelFailed, TextModelUnavailable.
    """
    prompt = idea.plain
    looks = looks_of(cast, engine.prompt_tokens)
    budget = engine.prompt_tokens - (estimate_tokens(looks) if looks else 0)
    message = user_message(
        idea.prompt,
        words_for(budget),
        before=idea.before,
        change=idea.change,
        characters=characters_json(cast),
    )
    answer = model.ask(
        system=system_prompt(engine),
        message=message,
        max_tokens=_LONGEST_ANSWER,
        temperature=_TEMPERATURE,
    )
    accepted = accept(answer.text, answer.stop_reason, prompt, budget)
    logger.info("prompt enhanced", extra={"by": answer.by, "note": accepted.note})
    if accepted.prompt is None:
        return Enhancement(prompt=prompt, note=f"{accepted.note} (asked: {answer.by})", cost=answer.cost)
    return Enhancement(prompt=accepted.prompt, by=answer.by, note=accepted.note, cost=answer.cost)
