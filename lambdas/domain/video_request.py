"""What a client asks for: the request of a video, checked and in full."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lambdas.domain.assembly import TransitionKind
from lambdas.domain.brief import Brief, Writing
from lambdas.domain.documents import LONGEST_FILM, Document, fingerprint
from lambdas.domain.engines import Speed
from lambdas.domain.storyboard import Storyboard

VoiceEngine = Literal["standard", "neural", "long-form", "generative"]  # Polly's
SampleRate = Literal[8000, 16000, 22050, 24000]
StillQuality = Literal["standard", "premium"]
SHORTEST_TRANSITION, LONGEST_TRANSITION = 0.1, 1.0  # seconds; no engine's clip is shorter than two of them
Tenant = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Image(Document):
    """A first frame that the user gave; its bytes lie in the input bucket under `key`."""

    key: str
    sha256: str
    width: int
    height: int


class Music(Document):
    """Sound that the user gave to lie under the film; its bytes lie in the input bucket under `key`."""

    key: str
    sha256: str
    seconds: float


class Lora(Document):
    """An adapter in the folder of the engine's model, and how much of it."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
    scale: Annotated[float, Field(strict=True, ge=-2, le=2, allow_inf_nan=False)] = 1.0


class Voice(Document):
    """Who narrates, where a scene names no other. `name` None: the deployment's voice, and its engine."""

    name: str | None = None
    language: str | None = None  # None: the voice's own
    engine: VoiceEngine | None = None
    speed: float = Field(default=1.0, ge=0.5, le=2.0, allow_inf_nan=False)
    sample_rate: SampleRate = 24000


class Gate(StrEnum):
    """Where a film of several scenes waits until the user approves."""

    STORYBOARD = "storyboard"  # before voices and stills
    PREVIEWS = "previews"  # of voices and stills, before clips


class Stills(Document):
    """Each scene's first picture is drawn by an image model."""

    quality: StillQuality = "standard"


class OriginKind(StrEnum):
    REMIX = "remix"  # the same film but for what the prompt says
    EDIT = "edit"  # as that, and made of the source's pictures where the engine takes a video
    EXTEND = "extend"  # the source's film, and how it goes on


class Origin(Document):
    """What a video is made of: another video, whose plan and storyboard are kept beside it, or a file."""

    kind: OriginKind
    prompt: str  # what changes, or what comes next
    video: str | None = None  # the source's id; None: a file
    paragraphs: tuple[str, ...] = ()  # from which the scenes of a film of prompts were filmed
    storyboard: str | None = None  # SHA-256 of the source's
    seconds: int | None = None  # by which it is extended
    strength: float | None = None  # of an edit: how much of the source's pictures is made anew, over 0 to 1
    file: str | None = None  # its key in the input bucket
    frames: int | None = None  # that the file has in the film's format


class VideoRequest(Document):
    """What was asked, checked and completed with the engine's defaults. With a `brief` the film has the
    scenes of a storyboard, and `prompt` is what it is about; else it films the prompt."""

    prompt: str
    engine: str
    seconds: int = Field(ge=1, le=LONGEST_FILM)
    width: int
    height: int
    fps: int
    enhance: bool = True
    negative_prompt: str = ""
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    speed: Speed | None = None  # None: the engine's own default
    loras: tuple[Lora, ...] = ()
    image: Image | None = None
    music: Music | None = None
    brief: Brief | None = None
    writing: Writing = Writing()
    voice: Voice = Voice()
    captions: bool = False  # as a track of the film, and as files
    burn_captions: bool = False  # drawn into its pictures
    stills: Stills | None = None
    review: tuple[Gate, ...] = ()
    transition: TransitionKind = TransitionKind.NONE
    transition_seconds: float = Field(default=0.5, ge=SHORTEST_TRANSITION, le=LONGEST_TRANSITION)
    even_out: bool = False  # the steps of brightness and colour where one clip starts from another
    fragmented: bool = False  # the film as a fragmented MP4
    origin: Origin | None = None

    def draws_still(self, scene: int, storyboard: Storyboard) -> bool:
        """The user's own picture is the first scene's; one that continues has the last of the one before."""
        given = scene == 0 and self.image is not None
        return self.stills is not None and not given and not storyboard.scenes[scene].continues

    def fingerprint(self) -> str:
        """SHA-256 that two requests share exactly if they ask for the same."""
        return fingerprint(self.model_dump(mode="json"))
