"""Routes that help to write a request: an enhanced prompt, and the voices to choose from."""

from functools import cache
from typing import Annotated

from pydantic import Field, ValidationError

from lambdas.adapters.clients import client, writing_client
from lambdas.adapters.voices import Voices
from lambdas.api import openai_format
from lambdas.api.answers import PromptEnhancement, VoiceList
from lambdas.api.operations import Body, Routes
from lambdas.api.request import Query, json_body, query, settings
from lambdas.api.response import Response, answer
from lambdas.domain.documents import LONGEST_PROMPT, Document
from lambdas.domain.engines import engine_named
from lambdas.domain.errors import (
    ContentRefused,
    InvalidRequest,
    NoTextModel,
    TextModelFailed,
    TextModelUnavailable,
)
from lambdas.domain.origin import Idea
from lambdas.domain.prompts import material
from lambdas.domain.storyboard import text_of
from lambdas.domain.wrong_fields import wrong_fields
from lambdas.intake.content_filter import ContentFilter

# With the client's margin of 15 s, so that the answer comes before the function's time is up.
_ANSWER_SECONDS = 8

routes = Routes("Prompts and voices", "What helps to write a request.")


class ToEnhance(Document):
    """A prompt to enhance."""

    prompt: Annotated[str, *text_of(1, LONGEST_PROMPT)]
    model: str | None = Field(default=None, description="an engine offered here")
    """The engine that it is written for."""


class VoiceFilter(Query):
    """Which voices to list."""

    language: str | None = Field(default=None, max_length=20, description="a code such as de or en-IN")
    engine: str | None = Field(default=None, max_length=20, description="the name of a voice engine")


@routes.post(
    "/v1/prompts/enhance",
    body=Body(ToEnhance, examples={"A prompt": {"prompt": "A fox in the snow"}}),
    answer=PromptEnhancement,
    errors=(ContentRefused, NoTextModel),
)
def enhance_prompt() -> Response:
    """Enhance a prompt

    Returns the text model's version of a prompt, as a film with `enhance` would use it. It waits for about 20
    seconds; a film gives the text model more time.
    """
    from lambdas.adapters.text_model import TextModel  # both compile what reads a model's answers
    from lambdas.production.enhancement import enhance

    asked = _parsed(json_body())
    found = settings()
    name = asked.model or found.default_engine
    engine = engine_named(found.aliases.get(name, name), found.offered, found.workflow)
    ContentFilter(found).check({"prompt": asked.prompt})
    model = TextModel(
        writing_client(min(_ANSWER_SECONDS, found.answer_seconds)), found.text_model, found.price_list
    )
    try:
        made = enhance(Idea(asked.prompt, asked.prompt), engine, model)
    except (TextModelFailed, TextModelUnavailable) as error:
        raise NoTextModel(
            f"{error.message}. A video that is created with enhance gives it more time."
        ) from error
    return answer(openai_format.prompt_enhancement(made, asked.prompt, engine))


@routes.get("/v1/voices", query=VoiceFilter, answer=VoiceList)
def list_voices() -> Response:
    """List the voices that can narrate"""
    found, wanted = settings(), query(VoiceFilter)
    voices = [
        voice
        for voice in _voices().all()
        if (wanted.language is None or voice.speaks(wanted.language))
        and wanted.engine in (None, *voice.engines)
    ]
    return answer(openai_format.voice_list(voices, found.voice, found.price_list))


@cache
def _voices() -> Voices:
    return Voices(client("polly"))


def _parsed(document: object) -> ToEnhance:
    try:
        asked = ToEnhance.model_validate(document)
    except ValidationError as error:
        first = wrong_fields(ToEnhance, error, "the body")[0]
        raise InvalidRequest(first.message, param=first.path or None) from None
    if not material(asked.prompt):
        raise InvalidRequest("prompt is empty or contains only invisible characters.", param="prompt")
    return asked
