"""The storyboard: the narration, still and motion of each scene of a film.

A text model or the user writes it, in whole or in part; the user reviews and edits it before anything costly
is made.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, StringConstraints, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lambdas.domain import keys
from lambdas.domain.control_characters import NAME, TEXT
from lambdas.domain.documents import LONGEST_FILM, LONGEST_PROMPT, Document, fingerprint
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.pronunciation import LEXICON, Lexicon, parse_lexicon
from lambdas.domain.sentences import can_be_spoken
from lambdas.domain.shapes import FOCAL_POINT, FOCAL_POINTS
from lambdas.domain.spoken_text import LONGEST_PAUSE, pauses, spoken_text
from lambdas.domain.uploads import SOUND_TYPES
from lambdas.domain.wrong_fields import wrong_fields

MOST_SCENES = 50
LONGEST_TITLE = 200  # characters
LOWER_THIRD_SECONDS = 5  # how long a lower third is shown
LONGEST_LINE = 80  # characters of a lower third's line
# Seconds of silence in a scene: before the narration, between its sentences, and after it.
LEAD, PAUSE, TAIL = 0.4, 0.25, 0.6
LONGEST_NARRATION = 3_000  # characters; also Polly's limit per call
SILENT = "♪"  # the narration of a scene in which nobody speaks, as captions write it


def text_of(least: int, most: int) -> Any:
    """Return the annotations of a text field of `least` to `most` characters."""
    span = f"{least} to {most:,}" if least else f"at most {most:,}"
    return (
        StringConstraints(strip_whitespace=True, min_length=least, max_length=most, pattern=TEXT),
        Field(description=f"text of {span} characters without control characters"),
    )


_Title = Annotated[str, *text_of(1, LONGEST_TITLE)]
_Subtitle = Annotated[str, *text_of(0, LONGEST_TITLE)]
_Prompt = Annotated[str, *text_of(1, LONGEST_PROMPT)]
_Note = Annotated[str, *text_of(0, LONGEST_PROMPT)]
_Said = Annotated[str, *text_of(1, LONGEST_NARRATION)]
VoiceName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=NAME,
        description="a voice name, for example Joanna, without control characters",
    ),
]
SpeakerName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=NAME,
        description="the name of one of your characters, for example @mossy, without control characters",
    ),
]
_Language = Annotated[
    str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$", description="a language code, for example en-US or de")
]
Speed = Annotated[
    float, Field(strict=True, ge=0.5, le=2.0, allow_inf_nan=False, description="a number from 0.5 to 2")
]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32, description=f"a whole number from 0 to {2**32 - 1}")]
_Seconds = Annotated[
    float,
    Field(
        strict=True,
        gt=0,
        le=LONGEST_FILM,
        allow_inf_nan=False,
        description=f"a number of seconds above 0, at most {LONGEST_FILM:,}",
    ),
]

GivenLexicon = Annotated[Lexicon, BeforeValidator(parse_lexicon), Field(description=LEXICON)]
FocalPoint = Annotated[str, Field(pattern=FOCAL_POINT, description=FOCAL_POINTS)]
_Flag = Annotated[bool, Field(strict=True, description="true or false")]


class Prompts(Document):
    """What a picture or clip must and must not show. `seed` None: `seed_of` derives one; a different seed
    gives a different picture for the same text."""

    positive_prompt: _Prompt
    negative_prompt: _Note = ""
    seed: Seed | None = None


EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}
FRAME = (
    'an object with a file_id of an upload, an image_url "data:image/png;base64,…", or, as in a storyboard '
    "that was read, a sha256 and a media_type"
)
_RECORDING = (
    'an object with a file_id of an upload, an audio_url "data:audio/mpeg;base64,…", or, as in a storyboard '
    "that was read, a sha256, kind and seconds"
)
_OWN_CLIP = (
    'an object with a file_id of an upload, a video_url "data:video/mp4;base64,…", or, as in a storyboard '
    "that was read, a sha256, seconds and sound"
)
FIRST, LAST, CLIP, PICTURE, TITLE = "first_frame", "last_frame", "clip", "picture", "title"
RECORDING = "recording"
_FILES = (FIRST, LAST, CLIP, PICTURE)  # of a scene, besides that of its narration
OWN = (CLIP, PICTURE, TITLE)  # what a scene may show instead of what an engine renders
CARD_SECONDS = 4  # of a title card, or of a picture, without narration
SHORTEST_RECORDING, LONGEST_RECORDING = 0.5, 300  # seconds
LONGEST_CARD = 120  # seconds; one function draws it


class _Completed(Document):
    """A document whose required fields may be omitted where it is sent: `with_own` fills them in."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        del schema["required"]
        return schema


class SentFile(Document):
    """A file that the user gave to a scene. Where it is sent, it may be a `file_id` or a data URL instead."""

    url: ClassVar[str]  # the field of the data URL

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="64 hexadecimal digits")]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        schema["properties"] |= {
            "file_id": {"type": "string", "description": "The id of an upload; only sent."},
            cls.url: {"type": "string", "description": "A data URL; only sent.", "pattern": "^data:"},
        }
        del schema["required"]
        return schema


class Frame(SentFile):
    """A picture that the user gave to a scene. Where it is sent, it may be a `file_id` or an `image_url`
    instead, which lambdas/intake/scene_frames.py replaces."""

    url = "image_url"

    media_type: Annotated[
        Literal["image/png", "image/jpeg", "image/webp"], Field(description=f"one of {', '.join(EXTENSIONS)}")
    ]

    def key(self, tenant: str) -> str:
        """Return its key in the input bucket."""
        return keys.upload(tenant, self.sha256, EXTENSIONS[self.media_type])


class OwnClip(SentFile):
    """A clip of the user's own that a scene shows. `seconds`: its length; `sound`: it has some. Where it is
    sent, it may be a `file_id` or a `video_url` instead."""

    url = "video_url"

    seconds: _Seconds
    sound: _Flag

    def key(self, tenant: str) -> str:
        """Return its key in the input bucket."""
        return keys.upload(tenant, self.sha256, "mp4")


class Recording(SentFile):
    """A recording of the user's own that a scene plays as its narration. `seconds`: its length. Where it is
    sent, it may be a `file_id` or an `audio_url` instead."""

    url = "audio_url"

    kind: Annotated[Literal["wav", "mp3", "ogg", "flac", "mp4"], Field(description="its file format")]
    seconds: _Seconds

    def key(self, tenant: str) -> str:
        """Return its key in the input bucket."""
        return keys.upload(tenant, self.sha256, self.kind)

    @property
    def media_type(self) -> str:
        return SOUND_TYPES[self.kind]

    @property
    def scene_seconds(self) -> float:
        """The minimum length of its scene."""
        return LEAD + self.seconds + TAIL


class Narration(_Completed):
    """The narration of a scene. Its own voice, speed or language overrides the film's. `speaker`: the
    character that says it, in its voice unless there is an own one.

    `recording`: the user's own sound instead of a voice's. Where it is sent, `text` may be omitted; captions
    show a text, whose words are found in the recording.
    """

    text: _Said
    voice: VoiceName | None = None
    language: _Language | None = None
    speed: Speed | None = None
    speaker: SpeakerName | None = None
    recording: Recording | None = Field(default=None, description=_RECORDING)

    @property
    def spoken(self) -> str:
        """What the voice says and captions show: the text without mark-up and emoji. May be empty."""
        return spoken_text(self.text)

    @property
    def has_words(self) -> bool:
        """Whether its text has anything to say; SILENT and "***" have not."""
        return can_be_spoken(self.spoken)


_Start = Annotated[
    float,
    Field(
        strict=True,
        ge=0,
        le=LONGEST_FILM,
        allow_inf_nan=False,
        description=f"a number of seconds from 0 to {LONGEST_FILM:,}",
    ),
]


class Zoom(StrEnum):
    """How a picture that a scene shows moves, slowly."""

    IN = "in"
    OUT = "out"


class Title(Document):
    """The words of a title card."""

    text: _Title
    subtitle: _Subtitle = ""


class LowerThird(Document):
    """Who or what a scene shows: two lines over its first seconds."""

    title: Annotated[str, *text_of(1, LONGEST_LINE)]
    subtitle: Annotated[str, *text_of(0, LONGEST_LINE)] = ""


class Scene(_Completed):
    """One scene.

    `seconds`: its length; None: as long as its narration, else its share of the film. `continues`: it
    continues the previous scene with a cut, starting from that scene's last picture. `meets_next`: it ends on
    the next scene's first picture. `first_frame`, `last_frame`: the pictures that it starts from and ends on,
    instead of its still and of the film's. `focal_point`: what a crop to another shape keeps in view, instead
    of the film's.

    No engine renders a scene that shows the user's own `clip` or `picture`, or a card with a `title`; where
    it is sent, `image` and `video` may be omitted. `clip_start`: the second of the clip at which the scene
    begins; `zoom`: how the picture moves. `lower_third` is laid over any scene.
    """

    narration: Narration | None = None
    image: Prompts
    video: Prompts
    seconds: _Seconds | None = None
    continues: _Flag = False
    meets_next: _Flag = False
    first_frame: Frame | None = Field(default=None, description=FRAME)
    last_frame: Frame | None = Field(default=None, description=FRAME)
    focal_point: FocalPoint | None = None
    clip: OwnClip | None = Field(default=None, description=_OWN_CLIP)
    clip_start: _Start | None = None
    picture: Frame | None = Field(default=None, description=FRAME)
    zoom: Zoom | None = Field(default=None, description=f"one of {', '.join(Zoom)}")
    title: Title | None = None
    lower_third: LowerThird | None = None

    @property
    def own(self) -> str | None:
        """The field that says what the scene shows, if no engine renders it."""
        return own_of(self)

    @property
    def is_spoken(self) -> bool:
        """Whether its narration is heard; SILENT or "***" leaves a scene without recording silent."""
        return self.narration is not None and (
            self.narration.recording is not None or self.narration.has_words
        )

    @property
    def has_text_to_say(self) -> bool:
        """Whether it has narration that a voice says, which a text model may rewrite."""
        return self.narration is not None and self.narration.recording is None


class Storyboard(Document):
    """The storyboard of a film. `style`: the looks and characters that every scene shares. `lexicon`: how
    words of the narration are pronounced."""

    title: _Title
    style: _Note = ""
    scenes: list[Scene] = Field(
        min_length=1, max_length=MOST_SCENES, description=f"a list of 1 to {MOST_SCENES} scenes"
    )
    lexicon: GivenLexicon = {}

    @property
    def sha256(self) -> str:
        return fingerprint(self.model_dump(mode="json"))

    @property
    def scene_texts(self) -> list[str]:
        """What the prompts of each scene say, with the style that all of them share."""
        return [
            f"{scene.video.positive_prompt}\n{scene.image.positive_prompt}\n{self.style}"
            for scene in self.scenes
        ]

    @property
    def first_rendered(self) -> int | None:
        """The index of the first scene that an engine renders."""
        return next((index for index, scene in enumerate(self.scenes) if scene.own is None), None)

    def timed(self, lengths: Sequence[float | None]) -> "Storyboard":
        """Return the storyboard with these scene lengths in seconds."""
        scenes = [
            scene.model_copy(update={"seconds": length})
            for scene, length in zip(self.scenes, lengths, strict=True)
        ]
        return self.model_copy(update={"scenes": scenes})

    def continued(self, prompt: str, seconds: float | None, at: int | None = None) -> "Storyboard":
        """Return the storyboard with one more scene, at index `at` or at the end, that continues the one
        before it and has only the user's text. It has narration, with the same voice, if other scenes do."""
        at = len(self.scenes) if at is None else at
        spoken = [scene.narration for scene in self.scenes if scene.narration and scene.is_spoken]
        said = spoken[-1].model_copy(update={"text": prompt, RECORDING: None}) if spoken else None
        prompts = Prompts(positive_prompt=prompt)
        scene = Scene(narration=said, image=prompts, video=prompts, seconds=seconds, continues=True)
        return self.model_copy(update={"scenes": [*self.scenes[:at], scene, *self.scenes[at:]]})


def seed_of(prompts: Sequence[Prompts], scene: int, film: int) -> int:
    """Return the seed of a scene's picture or clips, from all scenes' prompts and the film's seed.

    It is the scene's own seed, else one derived from its text. So it stays the same if scenes are added or
    removed before it, and its artifacts are found again. Its position counts only if an earlier scene has the
    same text, which then gets a different picture.
    """
    own = prompts[scene]
    if own.seed is not None:
        return own.seed
    repeated = any(one.positive_prompt == own.positive_prompt for one in prompts[:scene])
    return film + int(fingerprint([own.positive_prompt, scene if repeated else 0])[:8], 16)


# --- the parts a user may give; None: not given


class PartialPrompts(Document):
    positive_prompt: _Prompt | None = None
    negative_prompt: _Note | None = None
    seed: Seed | None = None


class PartialNarration(Document):
    text: _Said | None = None
    voice: VoiceName | None = None
    language: _Language | None = None
    speed: Speed | None = None
    speaker: SpeakerName | None = None
    recording: Recording | None = Field(default=None, description=_RECORDING)


class PartialScene(Document):
    narration: PartialNarration | None = None
    image: PartialPrompts | None = None
    video: PartialPrompts | None = None
    seconds: _Seconds | None = None
    continues: _Flag | None = None
    meets_next: _Flag | None = None
    first_frame: Frame | None = Field(default=None, description=FRAME)
    last_frame: Frame | None = Field(default=None, description=FRAME)
    focal_point: FocalPoint | None = None
    clip: OwnClip | None = Field(default=None, description=_OWN_CLIP)
    clip_start: _Start | None = None
    picture: Frame | None = Field(default=None, description=FRAME)
    zoom: Zoom | None = Field(default=None, description=f"one of {', '.join(Zoom)}")
    title: Title | None = None
    lower_third: LowerThird | None = None


class PartialStoryboard(Document):
    title: _Title | None = None
    style: _Note | None = None
    scenes: list[PartialScene] = Field(
        default=[], max_length=MOST_SCENES, description=f"a list of at most {MOST_SCENES} scenes"
    )
    lexicon: GivenLexicon = {}

    def given(self) -> dict[str, Any]:
        """Return only the given fields."""
        return self.model_dump(exclude_defaults=True)


_Parsed = TypeVar("_Parsed", Storyboard, PartialStoryboard)


def parse_storyboard(value: Any) -> Storyboard:
    """Parse a complete storyboard.

    Raises InvalidRequest that names the path of the first invalid field, for example
    `scenes[2].video.positive_prompt`, and what is allowed.
    """
    return _parse(Storyboard, value)


def parse_partial(value: Any) -> PartialStoryboard:
    """Parse a storyboard in which anything may be missing. Raises errors as `parse_storyboard` does."""
    return _parse(PartialStoryboard, value)


def _parse(document: type[_Parsed], value: Any) -> _Parsed:
    try:
        storyboard = document.model_validate(value)
    except ValidationError as error:
        first = wrong_fields(document, error, "storyboard")[0]
        raise InvalidRequest(first.message, param=first.path or "storyboard") from None
    if storyboard.scenes and storyboard.scenes[0].continues:
        path = "scenes[0].continues"
        raise InvalidRequest(f"{path} must be false or omitted: no scene comes before it.", param=path)
    _check_meets(storyboard.scenes, whole=document is Storyboard)
    _check_frames(storyboard.scenes)
    _check_pauses(storyboard.scenes)
    _check_speeds(storyboard.scenes)
    _check_own(storyboard.scenes)
    return storyboard


def own_of(scene: "Scene | PartialScene") -> str | None:
    """Return the field that says what a scene shows, if no engine renders it."""
    return next((name for name in OWN if getattr(scene, name) is not None), None)


def length_of(scene: "Scene | PartialScene") -> float | None:
    """Return how many seconds a scene lasts, as far as that is known before its narration is spoken."""
    recording = scene.narration.recording if scene.narration else None
    if scene.seconds is not None or recording is None:
        return scene.seconds
    return recording.scene_seconds


def card_texts(scene: "Scene | PartialScene") -> dict[str, str]:
    """Return what is written into a scene's pictures, by the fields that say it."""
    texts: dict[str, str] = {}
    if scene.title is not None:
        texts |= {"title.text": scene.title.text, "title.subtitle": scene.title.subtitle}
    if (third := scene.lower_third) is not None:
        texts |= {"lower_third.title": third.title, "lower_third.subtitle": third.subtitle}
    return texts


def frames_of(scenes: Sequence[Scene | PartialScene]) -> Iterator[tuple[str, Frame]]:
    """Yield the pictures that the user gave to scenes, each with its path."""
    for index, scene in enumerate(scenes):
        for name, frame in ((FIRST, scene.first_frame), (LAST, scene.last_frame)):
            if frame is not None:
                yield f"scenes[{index}].{name}", frame


def files_of(scenes: Sequence[Scene | PartialScene]) -> Iterator[Frame | OwnClip | Recording]:
    """Yield all files that the user gave to scenes."""
    for scene in scenes:
        recording = scene.narration.recording if scene.narration else None
        for file in (scene.first_frame, scene.last_frame, scene.clip, scene.picture, recording):
            if file is not None:
                yield file


def with_scene_files(document: Any, change: Callable[[Any, str], Any]) -> Any:
    """Return a storyboard's document, of any form, with each file of its scenes as `change` returns it for it
    and its path."""
    scenes = document.get("scenes") if isinstance(document, dict) else None
    if not isinstance(scenes, list) or len(scenes) > MOST_SCENES:
        return document

    def changed(scene: Any, index: int) -> Any:
        if not isinstance(scene, dict):
            return scene
        given = {name: scene[name] for name in _FILES if scene.get(name) is not None}
        files = {name: change(one, f"scenes[{index}].{name}") for name, one in given.items()}
        said = scene.get("narration")
        if isinstance(said, dict) and said.get(RECORDING) is not None:
            path = f"scenes[{index}].narration.{RECORDING}"
            files["narration"] = {**said, RECORDING: change(said[RECORDING], path)}
        return {**scene, **files}

    return {**document, "scenes": [changed(scene, index) for index, scene in enumerate(scenes)]}


def with_own(document: Any) -> Any:
    """Return a storyboard's document, of any form, in which scenes with the user's own material have what may
    be omitted of them: the text of a recording, and of what they show, prompts that say it, the length, and
    that nobody speaks.

    The files must be those that are stored (`with_scene_files`).
    """
    scenes = document.get("scenes") if isinstance(document, dict) else None
    if not isinstance(scenes, list):
        return document
    return {**document, "scenes": [_with_own(scene) for scene in scenes]}


def _with_own(scene: Any) -> Any:
    if not isinstance(scene, dict):
        return scene
    said = scene.get("narration")
    if isinstance(said, dict) and said.get(RECORDING) is not None and said.get("text") is None:
        scene = {**scene, "narration": {**said, "text": SILENT}}
    own = next((name for name in OWN if isinstance(scene.get(name), dict)), None)
    if own is None:
        return scene
    shown = scene[own]
    text = shown.get("text")
    is_said = isinstance(text, str) and 0 < len(text.strip()) <= LONGEST_TITLE  # else parsing refuses it
    prompts = {"positive_prompt": text if is_said else _SHOWS[own]}
    silent = scene.get("narration") is None
    seconds: Any = CARD_SECONDS if silent else None
    if own == CLIP:
        length, start = shown.get("seconds"), scene.get("clip_start") or 0
        numbers = isinstance(length, int | float) and isinstance(start, int | float)
        seconds = round(length - start, 2) if numbers and length > start else None  # else parsing refuses it
    usual = {
        "narration": {"text": SILENT},
        "image": prompts,
        "video": prompts,
        **({} if seconds is None else {"seconds": seconds}),
    }
    filled = {name: value for name, value in usual.items() if scene.get(name) is None}
    # A card's prompts say what it says, also after an edit.
    told = {"image": prompts, "video": prompts} if own == TITLE else {}
    return scene | filled | told


_SHOWS = {CLIP: "The user's own clip.", PICTURE: "The user's own picture.", TITLE: "A title card."}


def _check_own(scenes: Sequence[Scene | PartialScene]) -> None:
    """Check that a scene shows one thing, and nothing asks an engine for more of it."""
    for index, scene in enumerate(scenes):
        path, own = f"scenes[{index}]", own_of(scene)
        for name, of in (("zoom", PICTURE), ("clip_start", CLIP)):
            if getattr(scene, name) is not None and own != of:
                raise _omit(f"{path}.{name}", f"it goes with a {of}, which the scene doesn't show")
        if own is None:
            continue
        for name in (*OWN, "continues", "meets_next", FIRST, LAST):
            if name != own and getattr(scene, name):
                raise _omit(f"{path}.{name}", f"the scene shows its {own}")
        if index and scenes[index - 1].meets_next:
            raise _omit(f"scenes[{index - 1}].meets_next", f"the next scene shows its {own}")
        _check_own_length(scene, path)


def _check_own_length(scene: Scene | PartialScene, path: str) -> None:
    clip, start = scene.clip, scene.clip_start or 0
    if clip is not None and start >= clip.seconds:
        raise InvalidRequest(
            f"{path}.clip_start must be below {clip.seconds:g}, the clip's seconds; got {start:g}.",
            param=f"{path}.clip_start",
        )
    if scene.seconds is None:
        return
    most = LONGEST_CARD if clip is None else clip.seconds - start
    if scene.seconds > most + _ROUNDED:
        what = "for a scene that shows a card or picture" if clip is None else "what is left of its clip"
        raise InvalidRequest(
            f"{path}.seconds must be at most {most:g}, {what}; got {scene.seconds:g}.",
            param=f"{path}.seconds",
        )


_ROUNDED = 0.05  # seconds; lengths are rounded to tenths


def _omit(path: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"{path} must be omitted: {why}.", param=path)


def _check_frames(scenes: Sequence[Scene | PartialScene]) -> None:
    """Check that a scene doesn't start from, or end on, two pictures."""
    for index, scene in enumerate(scenes):
        for given, other, name, why in (
            (scene.first_frame, scene.continues, FIRST, "the scene continues the one before it"),
            (scene.last_frame, scene.meets_next, LAST, "the scene meets the next one"),
        ):
            if given and other:
                path = f"scenes[{index}].{name}"
                raise InvalidRequest(f"{path} must be omitted: {why}.", param=path)


def _check_pauses(scenes: Sequence[Scene | PartialScene]) -> None:
    """Check that no pause of a narration is longer than a voice can make it."""
    for index, scene in enumerate(scenes):
        longest = max(pauses(scene.narration.text or ""), default=0) if scene.narration else 0
        if longest > LONGEST_PAUSE:
            path = f"scenes[{index}].narration.text"
            raise InvalidRequest(
                f"{path} must have pauses of at most {LONGEST_PAUSE:g} s; got {longest:g} s.", param=path
            )


def _check_speeds(scenes: Sequence[Scene | PartialScene]) -> None:
    for index, scene in enumerate(scenes):
        if scene.narration and scene.narration.recording and scene.narration.speed is not None:
            raise _omit(f"scenes[{index}].narration.speed", "a recording plays at its own speed")


def _check_meets(scenes: Sequence[Scene | PartialScene], *, whole: bool) -> None:
    """Check that a scene which meets the next one has one that starts from its own picture. `whole`: no more
    scenes will be written."""
    for index, scene in enumerate(scenes):
        following = scenes[index + 1] if index + 1 < len(scenes) else None
        if not scene.meets_next:
            continue
        if following is None and whole:
            raise no_next(index)
        if following is not None and following.continues:
            path = f"scenes[{index}].meets_next"
            raise InvalidRequest(
                f"{path} must be false or omitted: scene {index + 1} continues this one, so it starts from "
                "this one's last picture.",
                param=path,
            )


def no_next(scene: int) -> InvalidRequest:
    """Return the error of a last scene that is to meet the next one."""
    path = f"scenes[{scene}].meets_next"
    return InvalidRequest(f"{path} must be false or omitted: no scene comes after it.", param=path)


def complete(partial: PartialStoryboard, written: Storyboard) -> Storyboard:
    """Return the written storyboard with every field that the user gave in place.

    Raises ValueError if the user gave more scenes than were written, or only the voice of a scene without
    narration.
    """
    if len(partial.scenes) > len(written.scenes):
        raise ValueError(f"{len(partial.scenes)} scenes are given, {len(written.scenes)} are written")
    return Storyboard.model_validate(_over(written.model_dump(), partial.given()))


def _over(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {name: _over(below.get(name), value) for name, value in above.items()}
    if isinstance(below, list) and isinstance(above, list):
        return [_over(*pair) for pair in zip(below, above, strict=False)] + below[len(above) :]
    return above
