"""Routes that help to write a request: an enhanced prompt, and the voices to choose from and to hear."""

from typing import Annotated, TypeVar

from pydantic import Field, ValidationError

from lambdas.adapters import stores
from lambdas.adapters.clients import client, writing_client
from lambdas.api import openai_format
from lambdas.api.answers import ContentLink, PromptEnhancement, VoiceList
from lambdas.api.operations import Body, Routes
from lambdas.api.request import Query, json_body, query, settings, tenant
from lambdas.api.response import Response, answer, link_document
from lambdas.domain import keys
from lambdas.domain.documents import LONGEST_PROMPT, Document
from lambdas.domain.engines import engine_named
from lambdas.domain.errors import (
    ContentRefused,
    InvalidRequest,
    NarrationRefused,
    NoTextModel,
    TextModelFailed,
    TextModelUnavailable,
    VoiceNotFound,
)
from lambdas.domain.narration import OfferedVoice, Speaker, usual_engine
from lambdas.domain.origin import Idea
from lambdas.domain.prompts import material
from lambdas.domain.pronunciation import plain
from lambdas.domain.sentences import can_be_spoken
from lambdas.domain.spoken_text import spoken_text
from lambdas.domain.storyboard import text_of
from lambdas.domain.video_request import Voice, VoiceEngine
from lambdas.domain.wrong_fields import wrong_fields
from lambdas.intake.content_filter import ContentFilter
from lambdas.intake.voices import voices

# With the client's margin of 15 s, so that the answer comes before the function's time is up.
_ANSWER_SECONDS = 8

_LONGEST_SAMPLE = 200

routes = Routes("Prompts and voices", "What helps to write a request.")


_Asked = TypeVar("_Asked", bound=Document)


class ToEnhance(Document):
    """A prompt to enhance."""

    prompt: Annotated[str, *text_of(1, LONGEST_PROMPT)]
    model: str | None = Field(default=None, description="an engine offered here")
    """The engine that it is written for."""


class ToHear(Document):
    """What a voice says, and how."""

    text: Annotated[str, *text_of(1, _LONGEST_SAMPLE)]
    """In a language of the voice."""
    language: str | None = Field(default=None, max_length=20, description="a code such as en-IN")
    """Of a voice that speaks several."""
    engine: VoiceEngine | None = Field(default=None, description="an engine of the voice")
    """Without it, the one that films use."""
    speed: float = Field(default=1.0, ge=0.5, le=2.0, allow_inf_nan=False, description="from 0.5 to 2")


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

    asked = _parsed(ToEnhance, json_body())
    if not material(asked.prompt):
        raise InvalidRequest("prompt is empty or contains only invisible characters.", param="prompt")
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
    offered = [
        voice
        for voice in voices().all()
        if (wanted.language is None or voice.speaks(wanted.language))
        and wanted.engine in (None, *voice.engines)
    ]
    return answer(openai_format.voice_list(offered, found.voice, found.price_list))


@routes.post(
    "/v1/voices/<voice>/sample",
    body=Body(ToHear, examples={"A sentence": {"text": "A kite leans on the wind."}}),
    answer=ContentLink,
    errors=(ContentRefused, VoiceNotFound),
)
def hear_voice(voice: str) -> Response:
    """Hear a voice

    Returns a link to an MP3 of the text. It costs what a narration of that length costs; the same again is
    found, and costs nothing.
    """
    from lambdas.adapters.speech import Speech

    asked = _parsed(ToHear, json_body())
    found = settings()
    text = spoken_text(asked.text)
    if not can_be_spoken(text):
        raise InvalidRequest("text has no letter or digit that can be spoken.", param="text")
    ContentFilter(found).check({"text": asked.text})
    by = _speaker(_voice_named(voice), asked)
    said = plain(text)
    key, outputs = keys.voice_sample(tenant(), by.sentence_hash(said)), stores.outputs(found)
    if not outputs.exists(key):
        try:
            sound = Speech(client("polly")).speak(said, by)
        except NarrationRefused as error:
            raise InvalidRequest(f"{error.message}.", param="text") from error
        outputs.put(key, sound, "audio/mpeg")
    return link_document(key, f"{by.voice}.mp3", "audio/mpeg")


def _voice_named(name: str) -> OfferedVoice:
    for voice in voices().all():
        if voice.name == name:
            return voice
    raise VoiceNotFound(f"There is no voice {name[:100]!r}; GET /v1/voices lists them.", param="voice")


def _speaker(voice: OfferedVoice, asked: ToHear) -> Speaker:
    if asked.engine is not None and asked.engine not in voice.engines:
        raise InvalidRequest(
            f"engine must be one of {', '.join(voice.engines)} for the voice {voice.name}; "
            f"got {asked.engine!r}.",
            param="engine",
        )
    found = settings()
    usual = usual_engine(voice.name, voice=found.voice, engine=found.voice_engine)
    return Speaker(
        voice=voice.name,
        engine=asked.engine or (usual if usual in voice.engines else voice.engines[0]),
        language=asked.language,
        speed=asked.speed,
        sample_rate=Voice().sample_rate,
    )


def _parsed(kind: type[_Asked], document: object) -> _Asked:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = wrong_fields(kind, error, "the body")[0]
        raise InvalidRequest(first.message, param=first.path or None) from None
