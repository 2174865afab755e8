"""Parse request fields as clients send them: as JSON values, or as the strings of a form or a file."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationError
from pydantic_core import from_json

from lambdas.domain.assembly import TransitionKind
from lambdas.domain.characters import LARGEST_CAST, LONGEST_DESCRIPTION, LONGEST_NAME
from lambdas.domain.control_characters import NAME, TEXT
from lambdas.domain.documents import LONGEST_FILM, LONGEST_PROMPT, Document
from lambdas.domain.engines import Speed
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.film_format import RATES, FpsMode, Framing
from lambdas.domain.storyboard import MOST_SCENES, PartialStoryboard, parse_partial
from lambdas.domain.uploads import MEDIA_TYPES
from lambdas.domain.video_request import (
    LONGEST_TRANSITION,
    SHORTEST_TRANSITION,
    Gate,
    Lora,
    SampleRate,
    StillQuality,
    VoiceEngine,
)
from lambdas.intake.files import FILES
from lambdas.intake.other_names import translate


def _no_bool(value: Any) -> Any:
    """Reject a boolean: pydantic would read true as 1."""
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def _from_json(value: Any) -> Any:
    """Parse JSON text: a form has no lists."""
    return from_json(value) if isinstance(value, str) else value


def _storyboard(value: Any) -> PartialStoryboard:
    """Parse a storyboard. Errors name the path of what is wrong in it."""
    if isinstance(value, str):
        try:
            value = from_json(value)
        except ValueError as error:
            raise InvalidRequest(
                f"storyboard must be an object, or its JSON text in a form; got invalid JSON: {error}.",
                param="storyboard",
            ) from error
    return parse_partial(value)


def _from_digits(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _listed(value: Any) -> Any:
    """Parse JSON text, or names separated by commas: a form has no lists."""
    if not isinstance(value, str) or value.lstrip().startswith("["):
        return _from_json(value)
    return [name.strip() for name in value.split(",")]


def _in_order(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    if len(set(gates)) < len(gates):
        raise ValueError("duplicate gate")
    return tuple(gate for gate in Gate if gate in gates)


def _once(named: tuple["Named", ...]) -> tuple["Named", ...]:
    return tuple({one.id: one for one in named}.values())


def _distinct(loras: tuple[Lora, ...]) -> tuple[Lora, ...]:
    if len({lora.name for lora in loras}) < len(loras):
        raise ValueError("duplicate name")
    return loras


# No control characters except tab and line ends: no text encoder, caption or MP4 tag accepts them.
_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_PROMPT, pattern=TEXT)]
_Whole = Annotated[int, BeforeValidator(_no_bool)]
_Number = Annotated[float, BeforeValidator(_no_bool)]
_Loras = Annotated[tuple[Lora, ...], BeforeValidator(_from_json), AfterValidator(_distinct)]
_Gates = Annotated[tuple[Gate, ...], BeforeValidator(_listed), AfterValidator(_in_order)]
_Characters = Annotated[tuple["Named", ...], BeforeValidator(_from_json), AfterValidator(_once)]
_MOST_LORAS = 4
_HIGHEST_FPS = 240
_PROMPT = f"text of 1 to {LONGEST_PROMPT:,} characters without control characters"


def _one_of(values: Any) -> str:
    return f"one of {', '.join(map(str, get_args(values)))}"


def _one_of_names(values: Iterable[str]) -> str:
    return f"one of {', '.join(values)}"


class Named(Document):
    """A reference to an existing video or character."""

    id: Annotated[str, StringConstraints(max_length=100)]


class Fields(Document):
    """The fields of a create. Numbers may be strings, as OpenAI's client sends them.

    A field's description completes the error message "… must be". What the engine allows is checked later.
    """

    prompt: Annotated[_Text, StringConstraints(min_length=1)] | None = Field(
        default=None, description=_PROMPT
    )
    topic: Annotated[_Text, StringConstraints(min_length=1)] | None = Field(default=None, description=_PROMPT)
    storyboard: Annotated[PartialStoryboard, BeforeValidator(_storyboard)] | None = Field(
        default=None, description="an object, or its JSON text in a form"
    )
    tone: _Text = Field(
        default="", description=f"text of at most {LONGEST_PROMPT:,} characters without control characters"
    )
    scenes: _Whole | None = Field(
        default=None, ge=1, le=MOST_SCENES, description=f"a whole number from 1 to {MOST_SCENES}"
    )
    narrate: bool = Field(default=True, description="true or false")
    language: str = Field(
        default="en-US",
        pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$",
        description="a language code, for example en-US or de",
    )
    captions: bool = Field(default=False, description="true or false")
    burn_captions: bool = Field(default=False, description="true or false")
    voice: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        pattern=NAME,
        description="the name of a voice, for example Joanna, without control characters",
    )
    voice_engine: VoiceEngine | None = Field(default=None, description=_one_of(VoiceEngine))
    speech_speed: _Number = Field(
        default=1.0, ge=0.5, le=2, allow_inf_nan=False, description="a number from 0.5 to 2"
    )
    sample_rate: Annotated[SampleRate, BeforeValidator(_from_digits)] = Field(
        default=24000, description=_one_of(SampleRate)
    )
    stills: Literal["none"] | StillQuality | None = Field(
        default=None, description=f"one of none, {', '.join(get_args(StillQuality))}"
    )
    review: _Gates = Field(
        default=(),
        description=f"a list of {', '.join(Gate)}, each at most once; in a form, its JSON text or the names "
        "separated by commas",
    )
    text_model: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=NAME,
        description="the name of a text model, 1 to 200 characters without control characters",
    )
    temperature: _Number | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="a number from 0 to 1"
    )
    top_p: _Number | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="a number from 0 to 1"
    )
    max_tokens: _Whole | None = Field(
        default=None, ge=1, lt=2**31, description="a whole number of tokens above 0"
    )
    context_size: _Whole | None = Field(
        default=None, ge=512, lt=2**31, description="a whole number of tokens, at least 512"
    )
    model: str | None = Field(
        default=None, max_length=100, description="the name of an available engine (see GET /v1/models)"
    )
    seconds: _Whole | None = Field(
        default=None,
        ge=1,
        le=LONGEST_FILM,
        description=f"a whole number of seconds from 1 to {LONGEST_FILM:,}",
    )
    num_frames: _Whole | None = Field(
        default=None,
        ge=1,
        le=LONGEST_FILM * _HIGHEST_FPS,
        description=f"a whole number of frames, at most {LONGEST_FILM:,} seconds of them",
    )
    size: str | None = Field(
        default=None,
        pattern=r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$",
        description="width x height in pixels, for example 1280x720",
    )
    aspect: str | None = Field(
        default=None,
        pattern=r"^[0-9]{1,5}(\.[0-9]{1,6})?:[0-9]{1,5}(\.[0-9]{1,6})?$",
        description="width:height, for example 9:16",
    )
    fit: Framing = Field(default=Framing.COVER, description=_one_of_names(Framing))
    fps: _Whole | None = Field(
        default=None,
        ge=1,
        le=_HIGHEST_FPS,
        description=f"a whole number of frames per second from {RATES}",
    )
    fps_mode: FpsMode = Field(default=FpsMode.REPEAT, description=_one_of_names(FpsMode))
    draft_for: str | None = Field(
        default=None,
        max_length=100,
        description="the name of the engine that the draft stands in for (see GET /v1/models)",
    )
    enhance: bool = Field(default=True, description="true or false")
    negative_prompt: _Text = Field(
        default="", description=f"text of at most {LONGEST_PROMPT:,} characters without control characters"
    )
    seed: _Whole | None = Field(
        default=None, ge=0, lt=2**63, description=f"a whole number from 0 to {2**63 - 1}"
    )
    steps: _Whole | None = Field(
        default=None, ge=1, le=200, description="a whole number of denoising steps from 1 to 200"
    )
    guidance: _Number | None = Field(
        default=None, ge=1, le=20, allow_inf_nan=False, description="a number from 1 to 20"
    )
    speed: Speed | None = Field(default=None, description=f"one of {', '.join(Speed)}")
    loras: _Loras = Field(
        default=(),
        max_length=_MOST_LORAS,
        description=f'a list of at most {_MOST_LORAS} objects {{"name": …, "scale": -2 to 2}}, each name '
        "once; in a form, its JSON text",
    )
    characters: _Characters = Field(
        default=(),
        max_length=LARGEST_CAST,
        description=f'a list of at most {LARGEST_CAST} objects {{"id": …}} of your characters; in a form, '
        "its JSON text",
    )
    transition: TransitionKind = Field(
        default=TransitionKind.NONE, description=f"one of {', '.join(TransitionKind)}"
    )
    transition_seconds: _Number = Field(
        default=0.5,
        ge=SHORTEST_TRANSITION,
        le=LONGEST_TRANSITION,
        allow_inf_nan=False,
        description=f"a number of seconds from {SHORTEST_TRANSITION:g} to {LONGEST_TRANSITION:g}",
    )
    even_out: bool = Field(default=False, description="true or false")
    fragmented: bool = Field(default=False, description="true or false")


class RemixFields(Document):
    """What changes or comes next. Everything else is taken from the source film."""

    prompt: Annotated[_Text, StringConstraints(min_length=1)] = Field(description=_PROMPT)


class _OfVideoFields(RemixFields):
    video: Annotated[Named, BeforeValidator(_from_json)] | None = Field(
        default=None, description='{"id": …} of a completed video, or an MP4 file'
    )


class EditFields(_OfVideoFields):
    strength: _Number | None = Field(
        default=None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="a number above 0, at most 1: how much of the video's pictures is regenerated",
    )


class ExtendFields(_OfVideoFields):
    seconds: _Whole = Field(
        ge=1,
        le=LONGEST_FILM,
        description=f"a whole number of seconds from 1 to {LONGEST_FILM:,} to add to the film",
    )


class CharacterFields(Document):
    """The fields of a character, besides its picture."""

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME, pattern=NAME)
    ] = Field(
        description=f"a name of 1 to {LONGEST_NAME} characters with a letter or digit, without control "
        "characters",
    )
    description: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=LONGEST_DESCRIPTION, pattern=TEXT)
    ] = Field(
        default="",
        description=f"text of at most {LONGEST_DESCRIPTION:,} characters without control characters",
    )


class UploadFields(Document):
    """What is said of a file before it is sent, under OpenAI's names."""

    mime_type: Annotated[str, StringConstraints(max_length=100, pattern=NAME)] = Field(
        description=f"one of {MEDIA_TYPES}"
    )
    bytes: _Whole | None = Field(
        default=None, ge=1, lt=2**40, description="the file's size, a whole number of bytes above 0"
    )
    filename: Annotated[str, StringConstraints(max_length=255, pattern=NAME)] | None = Field(
        default=None, description="a name of at most 255 characters without control characters"
    )
    purpose: Annotated[str, StringConstraints(max_length=100, pattern=NAME)] | None = Field(
        default=None, description="text of at most 100 characters; it changes nothing"
    )


ALLOWED = (*Fields.model_fields, *FILES)


_Form = TypeVar("_Form", bound=Document)
_AS_THEY_ARE: Mapping[str, str] = {}


def parse(fields: Mapping[str, Any]) -> Fields:
    """Parse the fields of a create, also under the names of other servers. Raises as `parse_form` does.

    An empty prompt counts as omitted: OpenAI's clients can't leave it out of a request for a topic.
    """
    given = {name: value for name, value in fields.items() if (name, value) != ("prompt", "")}
    return parse_form(Fields, *translate(given))


def parse_form(form: type[_Form], fields: Mapping[str, Any], sent: Mapping[str, str] = _AS_THEY_ARE) -> _Form:
    """Parse the fields of a form. `sent`: the names under which fields were sent, if not under ours.

    Raises InvalidRequest naming the first wrong field as it was sent, the allowed values and the value given.
    """
    try:
        return form.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
    field = str(first["loc"][0])[:100]
    name = sent.get(field, field)
    if field not in form.model_fields:
        allowed = ", ".join(ALLOWED if form is Fields else form.model_fields)
        raise InvalidRequest(f"{name!r} is not a known field; allowed: {allowed}.", param=name)
    allowed = form.model_fields[field].description or ""
    if first["type"] == "missing" and len(first["loc"]) == 1:
        raise InvalidRequest(f"{name} is required: {allowed}.", param=name)
    raise InvalidRequest(f"{name} must be {allowed}; got {_shown(first['input'])}.", param=name)


def _shown(value: Any) -> str:
    text = repr(value)
    if len(text) <= 80:
        return text
    return f"text of {len(value):,} characters" if isinstance(value, str) else f"{text[:80]}…"
