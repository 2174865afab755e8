"""Parse request fields as clients send them: as JSON values, or as the strings of a form or a file."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import from_json

from lambdas.domain.assembly import ClipSound, TransitionKind
from lambdas.domain.brand import Brand, parse_brand
from lambdas.domain.characters import LARGEST_CAST, LONGEST_DESCRIPTION, LONGEST_NAME
from lambdas.domain.control_characters import NAME, TEXT
from lambdas.domain.documents import LONGEST_FILM, LONGEST_PROMPT, Document
from lambdas.domain.engines import Speed
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.film_format import ASPECT, RATES, FpsMode, Framing
from lambdas.domain.moods import Mood
from lambdas.domain.pronunciation import LEXICON
from lambdas.domain.shapes import FOCAL_POINTS, Aspect, Shape
from lambdas.domain.storyboard import (
    MOST_SCENES,
    FocalPoint,
    GivenLexicon,
    PartialStoryboard,
    VoiceName,
    parse_partial,
)
from lambdas.domain.uploads import MEDIA_TYPES
from lambdas.domain.video_request import (
    BOX,
    LARGEST_CAPTIONS,
    LONGEST_FADE,
    LONGEST_TRANSITION,
    LOUDEST_MUSIC,
    QUIETEST_MUSIC,
    SHORTEST_TRANSITION,
    SMALLEST_CAPTIONS,
    WIDEST_OUTLINE,
    CaptionPosition,
    CaptionStyle,
    Lora,
    NarrationFit,
    OnWarning,
    SampleRate,
    ScenesGate,
    StillQuality,
    VoiceEngine,
)
from lambdas.domain.webhook_address import LONGEST_URL, receiver
from lambdas.domain.webhooks import DEFAULT_EVENT_TYPES, EventType, RequestedWebhook
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


def _brand(value: Any) -> Brand:
    """Parse a brand. Errors name the path of what is wrong in it."""
    try:
        return parse_brand(_from_json(value))
    except ValueError as error:
        raise InvalidRequest(
            f"brand must be an object, or its JSON text in a form; got invalid JSON: {error}.", param="brand"
        ) from error


def _from_digits(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def _listed(value: Any) -> Any:
    """Parse JSON text, or names separated by commas: a form has no lists."""
    if not isinstance(value, str) or value.lstrip().startswith("["):
        return _from_json(value)
    return [name.strip() for name in value.split(",")]


def _of_aspect(value: Any) -> Any:
    """Parse a shape, which may be its aspect alone."""
    return {"aspect": value} if isinstance(value, str) else value


def _each_aspect_once(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    if len({shape.aspect for shape in shapes}) < len(shapes):
        raise ValueError("duplicate aspect")
    return shapes


def _in_order(gates: tuple[ScenesGate, ...]) -> tuple[ScenesGate, ...]:
    if len(set(gates)) < len(gates):
        raise ValueError("duplicate gate")
    return tuple(gate for gate in get_args(ScenesGate) if gate in gates)


def _known_once(types: tuple[EventType, ...]) -> tuple[EventType, ...]:
    if len(set(types)) < len(types):
        raise ValueError("duplicate event type")
    return types


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
_Brand = Annotated[Brand, BeforeValidator(_brand)]
_Gates = Annotated[tuple[ScenesGate, ...], BeforeValidator(_listed), AfterValidator(_in_order)]
EventTypes = Annotated[
    tuple[EventType, ...], BeforeValidator(_listed), Field(min_length=1), AfterValidator(_known_once)
]
_ASPECTS = {"type": "string", "enum": [one.value for one in Aspect]}
_FITS = {"type": "string", "enum": [one.value for one in Framing], "default": Framing.COVER.value}
_SHAPE = {"aspect": _ASPECTS, "fit": _FITS}
_Shape = Annotated[
    Shape,
    BeforeValidator(_of_aspect),
    WithJsonSchema({"anyOf": [_ASPECTS, {"type": "object", "properties": _SHAPE, "required": ["aspect"]}]}),
]
Shapes = Annotated[
    tuple[_Shape, ...],
    BeforeValidator(_listed),
    AfterValidator(_each_aspect_once),
]
_Characters = Annotated[tuple["Named", ...], BeforeValidator(_from_json), AfterValidator(_once)]
MaxCost = Annotated[_Number, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
MAX_COST = "a number of USD above 0, at most 1,000,000"
_MOST_LORAS = 4
_HIGHEST_FPS = 240
_COLOUR = "^#[0-9A-Fa-f]{6}$"
_COLOUR_SAID = "a colour as #RRGGBB, for example #FFDD00"
_FADE = f"a number of seconds from 0 to {LONGEST_FADE}"
_PROMPT = f"text of 1 to {LONGEST_PROMPT:,} characters without control characters"


def _one_of(values: Any) -> str:
    return f"one of {', '.join(map(str, get_args(values)))}"


def _one_of_names(values: Iterable[str]) -> str:
    return f"one of {', '.join(values)}"


_WEBHOOK_URL = f"an https:// URL of at most {LONGEST_URL:,} characters"
_WEBHOOK_EVENT_TYPES = (
    f"a list of {', '.join(EventType)}, each at most once; in a form, its JSON text or the names separated "
    "by commas"
)


SHAPES = (
    f'a list of {", ".join(Aspect)}, each at most once, or of objects {{"aspect": …, "fit": '
    f"{' or '.join(Framing)}}}; in a form, its JSON text or the aspects separated by commas"
)


class Named(Document):
    """A reference to an existing video or character."""

    id: Annotated[str, StringConstraints(max_length=100)]


class Fields(Document):
    """The fields of a create. Numbers may be strings, as OpenAI's client sends them.

    A field's description completes the error message "… must be"; the text under it says what it is for, in
    the API's document. What the engine allows is checked later.
    """

    prompt: Annotated[_Text, StringConstraints(min_length=1)] | None = Field(
        default=None, description=_PROMPT
    )
    """What the film shows. It also has to fit the engine's token budget, unless a text model enhances it.
    Required, unless there is a `topic` or a `storyboard`."""
    topic: Annotated[_Text, StringConstraints(min_length=1)] | None = Field(default=None, description=_PROMPT)
    """What the text model writes a storyboard about: a film of several scenes."""
    storyboard: Annotated[PartialStoryboard, BeforeValidator(_storyboard)] | None = Field(
        default=None, description="an object, or its JSON text in a form"
    )
    """The film's scenes: complete, or with `topic` the parts that should not be written. At most 150,000
    bytes."""
    tone: _Text = Field(
        default="", description=f"text of at most {LONGEST_PROMPT:,} characters without control characters"
    )
    """With `topic` or `storyboard`: how the story is told."""
    scenes: _Whole | None = Field(
        default=None, ge=1, le=MOST_SCENES, description=f"a whole number from 1 to {MOST_SCENES}"
    )
    """With `topic` or `storyboard`: how many. By default as many as the storyboard has, otherwise one per 8
    of the `seconds`, otherwise 4."""
    narrate: bool = Field(default=True, description="true or false")
    """With `topic` or `storyboard`: write narration for every scene that has none. Narration that you give is
    spoken in either case."""
    language: str = Field(
        default="en-US",
        pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$",
        description="a language code, for example en-US or de",
    )
    """With `topic` or `storyboard`: the narration's language."""
    captions: bool = Field(default=False, description="true or false")
    """With `topic` or `storyboard`: captions of the narration, as a track of the film and as files."""
    burn_captions: bool = Field(default=False, description="true or false")
    """With `topic` or `storyboard`: captions drawn into the pictures, with or without `captions`, in every
    script of which a font comes with Reelworks or is installed. Letters that no font has are refused by
    name."""
    caption_style: CaptionStyle = Field(default=CaptionStyle.PLAIN, description=_one_of_names(CaptionStyle))
    """With `captions` or `burn_captions`: `karaoke` lights each word while it is spoken, `pop` shows a few
    large words at a time in the middle of the picture. Both need a voice that says when it speaks each word;
    with one that doesn't, captions are plain and `notes` says so. Drawn by `burn_captions`; with `captions`,
    the WebVTT file has the words' times."""
    caption_position: CaptionPosition | None = Field(default=None, description=_one_of_names(CaptionPosition))
    """Where captions are. By default at the bottom, in style `pop` in the middle."""
    caption_size: _Number = Field(
        default=1.0,
        ge=SMALLEST_CAPTIONS,
        le=LARGEST_CAPTIONS,
        allow_inf_nan=False,
        description=f"a number from {SMALLEST_CAPTIONS:g} to {LARGEST_CAPTIONS:g}",
    )
    """How large the letters of captions are: times their usual size."""
    caption_colour: str = Field(default="#FFFFFF", pattern=_COLOUR, description=_COLOUR_SAID)
    """The colour of captions' letters. In style `karaoke`, the word that is spoken is yellow (#FFDD00)."""
    caption_outline: str | None = Field(
        default=None, pattern=f"^{BOX}$|{_COLOUR}", description=f"{BOX} or {_COLOUR_SAID}"
    )
    """The colour of the letters' outline; `box` is a black outline on a half-transparent black box. By
    default `box`, in style `pop` #000000."""
    caption_outline_width: _Number = Field(
        default=0.1,
        ge=0,
        le=WIDEST_OUTLINE,
        allow_inf_nan=False,
        description=f"a number from 0 to {WIDEST_OUTLINE:g}, a fraction of the letters' size",
    )
    """How wide the outline is; 0 for none."""
    caption_font: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        pattern=NAME,
        description="the name of a font, for example Noto Sans, without control characters",
    )
    """The font of captions, which must come with Reelworks or be installed, and have all their letters. By
    default each letter is in the first font that has it: Inter, Noto's of its script, or one that is
    installed."""
    voice: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        pattern=NAME,
        description="the name of a voice, for example Joanna, without control characters",
    )
    """With `topic` or `storyboard`: who narrates. By default the deployment's voice."""
    voice_engine: VoiceEngine | None = Field(default=None, description=_one_of(VoiceEngine))
    """With `topic` or `storyboard`: the speech service's engine. By default the deployment's."""
    speech_speed: _Number = Field(
        default=1.0, ge=0.5, le=2, allow_inf_nan=False, description="a number from 0.5 to 2"
    )
    """With `topic` or `storyboard`: how fast the voice speaks."""
    sample_rate: Annotated[SampleRate, BeforeValidator(_from_digits)] = Field(
        default=24000, description=_one_of(SampleRate)
    )
    """With `topic` or `storyboard`: the narration's samples per second."""
    lexicon: GivenLexicon = Field(default={}, description=f"{LEXICON}; in a form, its JSON text")
    """With `topic` or `storyboard`: how words are pronounced, for example `{"GIF": "jif", "Nguyen": {"ipa":
    "ŋwiən"}}`. Captions keep the word. One in small letters counts in any case, any other one only as it is
    written. A voice that can't speak phonemes refuses `ipa`."""
    stills: Literal["none"] | StillQuality | None = Field(
        default=None, description=f"one of none, {', '.join(get_args(StillQuality))}"
    )
    """With `topic` or `storyboard`: each scene's first picture, drawn by an image model; not with engines
    that take no image. By default `standard` if the engine needs an image, otherwise `none`. The first scene
    uses `input_reference`, if you send it."""
    review: _Gates = Field(
        default=(),
        description=f"a list of {', '.join(get_args(ScenesGate))}, each at most once; in a form, its JSON "
        "text or the names separated by commas",
    )
    """With `topic` or `storyboard`: where the film waits for you."""
    text_model: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        pattern=NAME,
        description="the name of a text model, 1 to 200 characters without control characters",
    )
    """With `topic` or `storyboard`: another text model than the deployment's, if it allows that."""
    temperature: _Number | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="a number from 0 to 1"
    )
    """With `topic` or `storyboard`, of the text model."""
    top_p: _Number | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="a number from 0 to 1"
    )
    """With `topic` or `storyboard`, of the text model."""
    max_tokens: _Whole | None = Field(
        default=None, ge=1, lt=2**31, description="a whole number of tokens above 0"
    )
    """With `topic` or `storyboard`: the longest answer of the text model."""
    context_size: _Whole | None = Field(
        default=None, ge=512, lt=2**31, description="a whole number of tokens, at least 512"
    )
    """With `topic` or `storyboard`: the context of a model on a PC."""
    model: str | None = Field(
        default=None, max_length=100, description="the name of an available engine (see GET /v1/models)"
    )
    """The engine that renders the clips. By default the deployment's."""
    seconds: _Whole | None = Field(
        default=None,
        ge=1,
        le=LONGEST_FILM,
        description=f"a whole number of seconds from 1 to {LONGEST_FILM:,}",
    )
    """The film's length, with at most 1,000 of the engine's clips. By default 4; for a film of scenes, as
    long as they take."""
    num_frames: _Whole | None = Field(
        default=None,
        ge=1,
        le=LONGEST_FILM * _HIGHEST_FPS,
        description=f"a whole number of frames, at most {LONGEST_FILM:,} seconds of them",
    )
    """The film's exact length in frames, with `prompt` only, instead of `seconds` or with about as many. The
    video's `seconds` are rounded."""
    size: str | None = Field(
        default=None,
        pattern=r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$",
        description="width x height in pixels, for example 1280x720",
    )
    """The film's size: even, 256 to 2048 pixels a side, at most 2,200,000 pixels, or one that the engine
    renders. By default the engine's."""
    aspect: str | None = Field(
        default=None,
        pattern=ASPECT,
        description="width:height, for example 9:16",
    )
    """Instead of `size`: the size of that shape, from 1:8 to 8:1, nearest to the engine's usual pixels."""
    fit: Framing = Field(default=Framing.COVER, description=_one_of_names(Framing))
    """How the engine's picture becomes the film's if its shape is another: cropped, with black bars, or with
    blurred ones."""
    shapes: Shapes = Field(default=(), description=SHAPES)
    """Further shapes in which the film is delivered, from the same clips: cropped (`cover`), with black bars
    or over a blurred copy, with captions set anew in each."""
    focal_point: FocalPoint | None = Field(default=None, description=FOCAL_POINTS)
    """With `shapes`: what a crop keeps in view, in scenes that say nothing else. By default the middle."""
    fps: _Whole | None = Field(
        default=None,
        ge=1,
        le=_HIGHEST_FPS,
        description=f"a whole number of frames per second from {RATES}",
    )
    """The film's frame rate. By default the engine's."""
    fps_mode: FpsMode = Field(default=FpsMode.REPEAT, description=_one_of_names(FpsMode))
    """How frames of the engine's rate become the film's: shown again, or mixed."""
    draft_for: str | None = Field(
        default=None,
        max_length=100,
        description="the name of the engine that the draft stands in for (see GET /v1/models)",
    )
    """With an engine that draws drafts: the engine whose crop or bars the draft shows."""
    enhance: bool = Field(default=True, description="true or false")
    """With `prompt`: have a text model write it out for the engine."""
    negative_prompt: _Text = Field(
        default="", description=f"text of at most {LONGEST_PROMPT:,} characters without control characters"
    )
    """What the pictures must not show, within the engine's token budget."""
    seed: _Whole | None = Field(
        default=None, ge=0, lt=2**63, description=f"a whole number from 0 to {2**63 - 1}"
    )
    """The same request and seed give the same film. By default one per video."""
    steps: _Whole | None = Field(
        default=None, ge=1, le=200, description="a whole number of denoising steps from 1 to 200"
    )
    """By default the engine's."""
    guidance: _Number | None = Field(
        default=None, ge=1, le=20, allow_inf_nan=False, description="a number from 1 to 20"
    )
    """How closely the pictures follow the prompt. By default the engine's."""
    speed: Speed | None = Field(default=None, description=f"one of {', '.join(Speed)}")
    """How much computation the engine may skip; only `exact` skips none. For engines on endpoints."""
    loras: _Loras = Field(
        default=(),
        max_length=_MOST_LORAS,
        description=f'a list of at most {_MOST_LORAS} objects {{"name": …, "scale": -2 to 2}}, each name '
        "once; in a form, its JSON text",
    )
    """Adapters in the engine's model folder."""
    characters: _Characters = Field(
        default=(),
        max_length=LARGEST_CAST,
        description=f'a list of at most {LARGEST_CAST} objects {{"id": …}} of your characters; in a form, '
        "its JSON text",
    )
    """Characters that the whole film is about. `@name` in a text names one, too."""
    transition: TransitionKind = Field(
        default=TransitionKind.NONE, description=f"one of {', '.join(TransitionKind)}"
    )
    """Between scenes, and between clips that don't continue one another; `fade` goes through black."""
    transition_seconds: _Number = Field(
        default=0.5,
        ge=SHORTEST_TRANSITION,
        le=LONGEST_TRANSITION,
        allow_inf_nan=False,
        description=f"a number of seconds from {SHORTEST_TRANSITION:g} to {LONGEST_TRANSITION:g}",
    )
    """Rounded to frames; at most a third of the engine's longest clip."""
    music_mood: Mood | None = Field(default=None, description=_one_of_names(Mood))
    """Instead of `music`: simple music of that mood, made for the film by its seed and free to use."""
    music_level: _Number = Field(
        default=-6,
        ge=QUIETEST_MUSIC,
        le=LOUDEST_MUSIC,
        allow_inf_nan=False,
        description=f"a number of dB from {QUIETEST_MUSIC} to {LOUDEST_MUSIC}",
    )
    """With music: how loud it is against speech. While someone speaks, it is about 10 dB lower."""
    music_start: _Number = Field(
        default=0,
        ge=0,
        le=LONGEST_FILM,
        allow_inf_nan=False,
        description="a number of seconds from 0, at least a second before the end of `music`",
    )
    """With music: where in it it begins, each time that it is played."""
    music_fade_in: _Number = Field(default=0, ge=0, le=LONGEST_FADE, allow_inf_nan=False, description=_FADE)
    """With music: how long it takes to get loud at the film's start."""
    music_fade_out: _Number = Field(default=3, ge=0, le=LONGEST_FADE, allow_inf_nan=False, description=_FADE)
    """With music: how long it takes to get silent at the film's end."""
    cut_on_beats: bool = Field(default=False, description="true or false")
    """With music: let cuts between scenes fall on its beats, as far as narration and clips allow. A scene may
    become up to half a beat shorter or longer; one that lasts as long as its narration, up to a beat
    longer."""
    even_out: bool = Field(default=False, description="true or false")
    """Even out steps of brightness and colour where a clip continues the one before."""
    brand: _Brand | None = Field(
        default=None,
        description="an object with colours, font or font_file, logo, intro and outro; in a form, as JSON",
    )
    """What your films have in common: the colours and the font of title cards and lower thirds, a logo over
    every frame, an intro and an outro."""
    clip_sound: ClipSound = Field(default=ClipSound.DUCK, description=_one_of_names(ClipSound))
    """What becomes of sound that the engine gives its clips, or an uploaded video has: as loud as speech,
    lowered while someone speaks, or not heard."""
    stems: bool = Field(default=False, description="true or false")
    """Deliver the sound apart, too: narration, music and clips, and their mix, as WAV files of the film's
    length."""
    narration_fit: NarrationFit = Field(default=NarrationFit.EXTEND, description=_one_of_names(NarrationFit))
    """What happens if a scene's narration is longer than the scene's `seconds`: the scene is extended, the
    voice speaks up to 1.15 times faster and the scene is extended by what is still missing, or the film fails
    before its clips are rendered."""
    fragmented: bool = Field(default=False, description="true or false")
    """Deliver the film as a fragmented MP4."""
    on_warning: OnWarning = Field(default=OnWarning.KEEP, description=_one_of_names(OnWarning))
    """What happens if the quality report warns: the film is delivered as it is; the clips that warn are
    rendered once more, and the better try is in the film; or the film waits for your review before it is
    delivered."""
    vision_check: bool = Field(default=False, description="true or false")
    """Ask a model that sees pictures whether each clip shows what its prompt asks for. The quality report
    has its opinion, and `on_warning` counts it."""
    max_cost: MaxCost | None = Field(default=None, description=MAX_COST)
    """The film fails before it costs more, with what it has made kept for a retry. Estimated from list
    prices; on a PC everything costs 0."""
    webhook_url: str | None = Field(default=None, description=_WEBHOOK_URL)
    """Where the video's events are sent."""
    webhook_event_types: EventTypes = Field(default=DEFAULT_EVENT_TYPES, description=_WEBHOOK_EVENT_TYPES)
    """The events to send there."""


class RemixFields(Document):
    """What changes or comes next, what it may cost, and where its events are sent. Everything else is taken
    from the source film."""

    prompt: Annotated[_Text, StringConstraints(min_length=1)] = Field(description=_PROMPT)
    """What changes or comes next."""
    clip_sound: ClipSound | None = Field(default=None, description=_one_of_names(ClipSound))
    """What becomes of the clips' own sound. By default as in the source; of a file, `duck`."""
    max_cost: MaxCost | None = Field(default=None, description=MAX_COST)
    """The film fails before it costs more, with what it has made kept for a retry. Estimated from list
    prices; on a PC everything costs 0."""
    webhook_url: str | None = Field(default=None, description=_WEBHOOK_URL)
    """Where the video's events are sent."""
    webhook_event_types: EventTypes = Field(default=DEFAULT_EVENT_TYPES, description=_WEBHOOK_EVENT_TYPES)
    """The events to send there."""


class ShapesFields(Document):
    """Further shapes for a film that exists or is being made."""

    shapes: Annotated[Shapes, Field(min_length=1)] = Field(description=SHAPES)
    """The shapes to add. One that the film has is made anew if its `fit` is another."""


class _OfVideoFields(RemixFields):
    video: Annotated[Named, BeforeValidator(_from_json)] | None = Field(
        default=None, description='{"id": …} of a completed video, or an MP4 file'
    )
    """The source."""


class EditFields(_OfVideoFields):
    strength: _Number | None = Field(
        default=None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="a number above 0, at most 1: how much of the video's pictures is regenerated",
    )
    """How much is redrawn, by engines that take a video. By default 0.8."""


class ExtendFields(_OfVideoFields):
    seconds: _Whole = Field(
        ge=1,
        le=LONGEST_FILM,
        description=f"a whole number of seconds from 1 to {LONGEST_FILM:,} to add to the film",
    )
    """How much longer the film gets."""


def requested_webhook(fields: Fields | RemixFields, *, loopback: bool) -> RequestedWebhook | None:
    """Return where the request wants its video's events sent; None if nowhere. `loopback`: this machine is
    allowed too. Raises InvalidRequest."""
    if fields.webhook_url is None:
        if "webhook_event_types" in fields.model_fields_set:
            raise InvalidRequest(
                "webhook_event_types must be omitted without webhook_url.", param="webhook_event_types"
            )
        return None
    found = receiver(fields.webhook_url, loopback=loopback, param="webhook_url")
    return RequestedWebhook(url=found.url, event_types=fields.webhook_event_types)


class CharacterFields(Document):
    """The fields of a character, besides its picture."""

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_NAME, pattern=NAME)
    ] = Field(
        description=f"a name of 1 to {LONGEST_NAME} characters with a letter or digit, without control "
        "characters",
    )
    """What names it in a text, as `@name`."""
    description: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=LONGEST_DESCRIPTION, pattern=TEXT)
    ] = Field(
        default="",
        description=f"text of at most {LONGEST_DESCRIPTION:,} characters without control characters",
    )
    """How it looks. Without it, a text model describes its picture."""
    voice: VoiceName | None = Field(
        default=None, description="a voice name, for example Joanna, without control characters"
    )
    """What speaks the narration of scenes whose `speaker` it is: one of `GET /v1/voices`."""


class UploadFields(Document):
    """What is said of a file before it is sent, under OpenAI's names."""

    mime_type: Annotated[str, StringConstraints(max_length=100, pattern=NAME)] = Field(
        description=f"one of {MEDIA_TYPES}"
    )
    """What the file is."""
    bytes: _Whole | None = Field(
        default=None, ge=1, lt=2**40, description="the file's size, a whole number of bytes above 0"
    )
    """Its exact size, which the form then asks for."""
    filename: Annotated[str, StringConstraints(max_length=255, pattern=NAME)] | None = Field(
        default=None, description="a name of at most 255 characters without control characters"
    )
    """What you call it."""
    purpose: Annotated[str, StringConstraints(max_length=100, pattern=NAME)] | None = Field(
        default=None, description="text of at most 100 characters; it changes nothing"
    )
    """Taken for OpenAI's clients."""


ALLOWED = (*Fields.model_fields, *FILES)


_Form = TypeVar("_Form", bound=BaseModel)
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
