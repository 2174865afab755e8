"""Routes that help to write a request: an enhanced prompt, and the voices to choose from."""

from functools import cache
from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from pydantic import Field, ValidationError

from lambdas.adapters.clients import client, writing_client
from lambdas.adapters.text_model import TextModel
from lambdas.adapters.voices import Voices
from lambdas.api import openai_format
from lambdas.api.request import header, query, settings
from lambdas.api.request_body import parse_json
from lambdas.api.response import answer, error_answer
from lambdas.domain.documents import LONGEST_PROMPT, Document
from lambdas.domain.engines import engine_named
from lambdas.domain.errors import InvalidRequest, TextModelFailed, TextModelUnavailable
from lambdas.domain.origin import Idea
from lambdas.domain.prompts import material
from lambdas.domain.storyboard import text_of
from lambdas.domain.wrong_fields import wrong_fields
from lambdas.production.enhancement import enhance

# With the client's margin of 15 s, so that the answer comes before the function's time is up.
_ANSWER_SECONDS = 8

router = Router()  # type: ignore[no-untyped-call]


class ToEnhance(Document):
    prompt: Annotated[str, *text_of(1, LONGEST_PROMPT)]
    model: str | None = Field(default=None, description="an engine of this deployment")


@router.post("/v1/prompts/enhance")
def enhance_prompt() -> Response[str]:
    asked = _parsed(parse_json(router.current_event.raw_event, header("content-type")))
    found = settings()
    name = asked.model or found.default_engine
    engine = engine_named(found.aliases.get(name, name), found.offered, found.workflow)
    model = TextModel(
        writing_client(min(_ANSWER_SECONDS, found.answer_seconds)), found.text_model, found.price_list
    )
    try:
        made = enhance(Idea(asked.prompt, asked.prompt), engine, model)
    except (TextModelFailed, TextModelUnavailable) as error:
        return error_answer(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"{error.message}. A video that is created with enhance gives it more time.",
            code="text_model_unavailable",
        )
    return answer(openai_format.enhancement_object(made, asked.prompt, engine))


@router.get("/v1/voices")
def list_voices() -> Response[str]:
    found = settings()
    language, engine = query("language", None), query("engine", None)
    voices = [
        voice
        for voice in _voices().all()
        if (language is None or voice.speaks(language)) and engine in (None, *voice.engines)
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
