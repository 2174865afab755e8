"""A client's request for a video, validated and complete."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from lambdas.domain.assembly import ClipSound, TransitionKind
from lambdas.domain.brand import Brand
from lambdas.domain.brief import Brief, Writing
from lambdas.domain.characters import Image, Role
from lambdas.domain.colours import Colours
from lambdas.domain.control_characters import NAME
from lambdas.domain.documents import LONGEST_FILM, Document, fingerprint
from lambdas.domain.engines import Speed
from lambdas.domain.film_format import FpsMode, Framing, given_size
from lambdas.domain.fonts import Lettered
from lambdas.domain.moods import REVISION, Mood
from lambdas.domain.shapes import Shape
from lambdas.domain.storyboard import Storyboard
from lambdas.domain.webhooks import RequestedWebhook

VoiceEngine = Literal["standard", "neural", "long-form", "generative"]  # Polly's
SampleRate = Literal[8000, 16000, 22050, 24000]
StillQuality = Literal["standard", "premium"]
SHORTEST_TRANSITION, LONGEST_TRANSITION = 0.1, 1.0  # seconds; no engine's clip is shorter than two of them
Tenant = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


_PLAYED = ("level", "start", "fade_in", "fade_out")
LOUDEST_MUSIC, QUIETEST_MUSIC = 0, -40  # dB, against speech
LONGEST_FADE = 30  # seconds
SHORTEST_MUSIC = 1  # second; music is looped, and each loop reopens the file


class Music(Document):
    """Background music: the user's, stored in the input bucket under `key`, or of a `mood`, made by its seed;
    and how it is played: `level` in dB against speech, from second `start` of it on, with fades at the film's
    ends in seconds."""

    key: str | None = None
    sha256: str | None = None
    seconds: float | None = None
    mood: Mood | None = None
    seed: int = 0
    level: float = -6
    start: float = 0
    fade_in: float = 0
    fade_out: float = 3

    @property
    def address(self) -> str | list[Any] | None:
        """Return what determines how it sounds. A film made before it could be set keeps its address."""
        given = (self.level, self.start, self.fade_in, self.fade_out)
        if self.mood is not None:
            return [self.mood, self.seed, REVISION, *given]
        usual = given == tuple(type(self).model_fields[name].default for name in _PLAYED)
        return self.sha256 if usual else [self.sha256, *given]


FASTEST_SPEECH = 2.0  # times the voice's own speed


class NarrationFit(StrEnum):
    """What happens if a scene's narration is longer than the scene."""

    EXTEND = "extend"  # the scene becomes longer
    FASTER = "faster"  # it is spoken up to 1.15 times faster; if that is not enough, the scene becomes longer
    REFUSE = "refuse"  # the film fails before its clips are rendered


class Lora(Document):
    """A LoRA adapter in the folder of the engine's model, and its scale."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NAME)]
    scale: Annotated[float, Field(strict=True, ge=-2, le=2, allow_inf_nan=False)] = 1.0


class Voice(Document):
    """The narrator, unless a scene names another. `name` None: the deployment's voice and its engine."""

    name: str | None = None
    language: str | None = None  # None: the voice's default
    engine: VoiceEngine | None = None
    speed: float = Field(default=1.0, ge=0.5, le=FASTEST_SPEECH, allow_inf_nan=False)
    sample_rate: SampleRate = 24000


class CaptionStyle(StrEnum):
    """How captions follow the voice. All but PLAIN need the time of each word."""

    PLAIN = "plain"  # whole lines
    KARAOKE = "karaoke"  # each word is lit while it is spoken
    POP = "pop"  # a few large words at a time, in the middle


class CaptionPosition(StrEnum):
    BOTTOM = "bottom"
    MIDDLE = "middle"
    TOP = "top"


BOX = "box"
SMALLEST_CAPTIONS, LARGEST_CAPTIONS = 0.5, 2.0  # times their usual size
WIDEST_OUTLINE = 0.25  # of the letter size


class CaptionLook(Lettered):
    """How captions are drawn, besides their style. Without a position or outline, as the style has it."""

    position: CaptionPosition | None = None
    size: float = 1.0  # times the usual one
    colour: str = "#FFFFFF"
    outline: str | None = None  # a colour, or BOX: a black outline on a half-transparent box
    outline_width: float = 0.1  # of the letter size; 0 is none

    def placed(self, style: CaptionStyle) -> CaptionPosition:
        """Return where captions are."""
        usual = CaptionPosition.MIDDLE if style is CaptionStyle.POP else CaptionPosition.BOTTOM
        return self.position or usual

    def boxed(self, style: CaptionStyle) -> bool:
        """Return whether there is a box behind the lines."""
        return self.outline == BOX if self.outline else style is not CaptionStyle.POP

    @property
    def outline_colour(self) -> str:
        return "#000000" if self.outline in (None, BOX) else self.outline


class Gate(StrEnum):
    """A point at which a film waits for the user's approval."""

    STORYBOARD = "storyboard"  # before voices and stills
    PREVIEWS = "previews"  # after voices and stills, before clips
    FILM = "film"  # before it is delivered: see OnWarning.REVIEW


ScenesGate = Literal[Gate.STORYBOARD, Gate.PREVIEWS]
"""A gate at which a film of several scenes waits if the request says so."""


class OnWarning(StrEnum):
    """What happens if the quality report warns."""

    KEEP = "keep"  # the film is delivered with its report
    RETRY_ONCE = "retry_once"  # clips that warn are rendered once more, and the better try is in the film
    REVIEW = "review"  # the film waits at Gate.FILM


class Stills(Document):
    """Settings of the image model that draws each scene's first picture."""

    quality: StillQuality = "standard"


class OriginKind(StrEnum):
    REMIX = "remix"  # the same film, changed as the prompt says
    EDIT = "edit"  # like a remix, but made from the source's pictures if the engine takes a video
    EXTEND = "extend"  # the source's film and its continuation


class Origin(Document):
    """The source of a video: another video, whose plan and storyboard are stored with it, or a file."""

    kind: OriginKind
    prompt: str  # what changes, or what comes next
    video: str | None = None  # the source's id; None: a file
    film: str | None = None  # the key of the source's film in the output bucket
    paragraphs: tuple[str, ...] = ()  # the scenes' paragraphs, if the source is a film of prompts
    storyboard: str | None = None  # SHA-256 of the source's storyboard
    seconds: int | None = None  # the length of the extension
    strength: float | None = None  # for an edit: how much of the source's pictures to re-render, over 0 to 1
    file: str | None = None  # its key in the input bucket
    frames: int | None = None  # the file's length in the film's format
    sound: bool = False  # the file has a sound track


class VideoRequest(Document):
    """A request, validated and completed with the engine's defaults. With a `brief` the film has the scenes
    of a storyboard, and `prompt` says what it is about; else it films the prompt."""

    prompt: str
    engine: str
    seconds: int = Field(ge=1, le=LONGEST_FILM)
    num_frames: int | None = None  # of a film of one prompt; None: seconds × fps
    width: int  # of the film, as is fps
    height: int
    fps: int
    fit: Framing = Framing.COVER
    fps_mode: FpsMode = FpsMode.REPEAT
    rendered_width: int | None = None  # None: as the film
    rendered_height: int | None = None
    rendered_fps: int | None = None
    draft_for: str | None = None  # a draft shows what this engine's picture would leave
    enhance: bool = True
    negative_prompt: str = ""
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    speed: Speed | None = None  # None: the engine's own default
    loras: tuple[Lora, ...] = ()
    image: Image | None = None  # the user's first frame
    last_image: Image | None = None  # the user's last frame
    characters: tuple[Role, ...] = ()
    music: Music | None = None
    cut_on_beats: bool = False  # cuts between scenes fall on the music's beats
    brand: Brand | None = None
    clip_sound: ClipSound = ClipSound.DUCK
    stems: bool = False
    narration_fit: NarrationFit = NarrationFit.EXTEND
    brief: Brief | None = None
    writing: Writing = Writing()
    voice: Voice = Voice()
    captions: bool = False  # as a track of the film and as files
    burn_captions: bool = False  # drawn into the pictures
    caption_style: CaptionStyle = CaptionStyle.PLAIN
    caption_look: CaptionLook = CaptionLook()
    stills: Stills | None = None
    review: tuple[ScenesGate, ...] = ()
    on_warning: OnWarning = OnWarning.KEEP
    vision_check: bool = False  # a vision model says whether clips show what their prompts ask for
    transition: TransitionKind = TransitionKind.NONE
    transition_seconds: float = Field(default=0.5, ge=SHORTEST_TRANSITION, le=LONGEST_TRANSITION)
    even_out: bool = False  # smooth jumps of brightness and colour where one clip starts from another
    fragmented: bool = False  # write the film as a fragmented MP4
    shapes: tuple[Shape, ...] = ()  # in which the film is delivered, too
    focal_point: str | None = None  # what a crop to one of them keeps in view; None: the middle
    origin: Origin | None = None
    webhook: RequestedWebhook | None = None
    max_cost: float | None = None  # USD; a retry may change the video's

    @property
    def frames(self) -> int:
        """The number of frames of a film of one prompt."""
        return self.seconds * self.fps if self.num_frames is None else self.num_frames

    @property
    def colours(self) -> Colours:
        """The colours of title cards and lower thirds."""
        return self.brand.colours if self.brand else Colours()

    @property
    def language(self) -> str:
        """The language of what is said and written in it."""
        return self.brief.language if self.brief else "en-US"

    @property
    def has_outro(self) -> bool:
        return self.brand is not None and self.brand.outro is not None

    @property
    def expected_seconds(self) -> int:
        """The film's length with its intro and outro."""
        return self.seconds + (self.brand.seconds if self.brand else 0)

    @property
    def times_words(self) -> bool:
        """Whether the narration is made with the time of each word."""
        return self.caption_style is not CaptionStyle.PLAIN

    @property
    def rendered_size(self) -> tuple[int, int]:
        """The size in pixels at which the engine renders."""
        return self.rendered_width or self.width, self.rendered_height or self.height

    @property
    def given_size(self) -> tuple[int, int]:
        """The size of pictures for the engine to start from: see film_format.given_size."""
        return given_size(self.rendered_size, (self.width, self.height), self.fit)

    @property
    def uploads(self) -> list[str]:
        """The keys of its files in the input bucket."""
        given = [file.key for file in (self.image, self.last_image, self.music) if file and file.key]
        of_origin = [self.origin.file] if self.origin and self.origin.file else []
        font = self.caption_look.font_file
        of_captions = [font.key] if font else []
        return [*given, *of_origin, *of_captions, *(role.image.key for role in self.characters)]

    def draws_still(self, scene: int, storyboard: Storyboard) -> bool:
        """Return whether an image model draws the scene's first picture: not if the user gave it, nor for a
        scene that continues, which starts from the previous scene's last picture."""
        own = storyboard.scenes[scene]
        opens = self.image is not None and scene == storyboard.first_rendered
        given = own.first_frame is not None or opens or own.own is not None
        return self.stills is not None and not given and not own.continues

    def fingerprint(self) -> str:
        """Return a SHA-256 that two requests share if and only if they ask for the same."""
        return fingerprint(self.model_dump(mode="json"))
