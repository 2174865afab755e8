"""The video: what was asked, where it stands, and which step may follow which."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lambdas.domain.assembly import TransitionKind
from lambdas.domain.direction import Brief, Writing
from lambdas.domain.documents import LONGEST_FILM, Document, fingerprint
from lambdas.domain.engines import Speed
from lambdas.domain.prices import total
from lambdas.domain.storyboard import Storyboard

SHORTEST_TRANSITION, LONGEST_TRANSITION = 0.1, 1.0  # seconds; no engine's clip is shorter than two of them

VoiceEngine = Literal["standard", "neural", "long-form", "generative"]  # Polly's
SampleRate = Literal[8000, 16000, 22050, 24000]
StillQuality = Literal["standard", "premium"]

Tenant = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Stage(StrEnum):
    QUEUED = "queued"
    PLANNING = "planning"
    REVIEWING = "reviewing"  # it waits for the user
    PREPARING = "preparing"  # voices and stills
    RENDERING = "rendering"
    ASSEMBLING = "assembling"
    PUBLISHING = "publishing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


CLOSED = frozenset({Stage.COMPLETED, Stage.FAILED, Stage.CANCELLED})
_ENDS = frozenset({Stage.FAILED, Stage.CANCELLED})

# Each open stage may be entered again (a step retried), and every one may go back to queued: a new attempt,
# after the execution was lost, or asked for by the user (a retry, an edited storyboard).
NEXT: dict[Stage, frozenset[Stage]] = {
    Stage.QUEUED: frozenset({Stage.QUEUED, Stage.PLANNING}) | _ENDS,
    Stage.PLANNING: frozenset(
        {Stage.PLANNING, Stage.REVIEWING, Stage.PREPARING, Stage.RENDERING, Stage.QUEUED}
    )
    | _ENDS,
    # From its first gate the film goes on to its voices and stills, from the second to its clips; from either
    # it goes back to be written anew.
    Stage.REVIEWING: frozenset({Stage.REVIEWING, Stage.PLANNING, Stage.PREPARING, Stage.QUEUED}) | _ENDS,
    Stage.PREPARING: frozenset({Stage.PREPARING, Stage.REVIEWING, Stage.RENDERING, Stage.QUEUED}) | _ENDS,
    Stage.RENDERING: frozenset({Stage.RENDERING, Stage.ASSEMBLING, Stage.QUEUED}) | _ENDS,
    Stage.ASSEMBLING: frozenset({Stage.ASSEMBLING, Stage.PUBLISHING, Stage.QUEUED}) | _ENDS,
    Stage.PUBLISHING: frozenset({Stage.PUBLISHING, Stage.COMPLETED, Stage.QUEUED}) | _ENDS,
    Stage.COMPLETED: frozenset({Stage.QUEUED}),
    Stage.FAILED: frozenset({Stage.QUEUED}),
    Stage.CANCELLED: frozenset({Stage.QUEUED}),
}


def stages_before(stage: Stage) -> frozenset[Stage]:
    """The stages from which `stage` may be entered."""
    return frozenset(before for before, after in NEXT.items() if stage in after)


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


class Source(Document):
    """The object of a drop folder that asked for the video; the film is put beside it."""

    bucket: str
    key: str
    etag: str


class Failure(Document):
    """Why a video failed: which step, of which scene and clip, and what to do."""

    step: str
    scene: int | None = None
    clip: int | None = None
    code: str
    reason: str
    advice: str


class ClipState(StrEnum):
    WAITING = "waiting"
    RENDERING = "rendering"
    DONE = "done"


class ClipProgress(Document):
    """One clip of the film as the record shows it."""

    state: ClipState = ClipState.WAITING
    seconds: float  # of the film, up to where the next one begins
    reused: bool = False  # an artifact made before, not rendered for this attempt
    cost: float | None = None  # USD, once it is made; of a reused one 0
    started_ms: int | None = None
    finished_ms: int | None = None


class PartProgress(Document):
    """A scene's narration or still as the record shows it."""

    scene: int
    state: ClipState = ClipState.WAITING
    reused: bool = False
    by: str | None = None  # the voice, or the model that drew
    cost: float | None = None  # USD, once it is made; of a reused one 0
    artifact: str | None = None  # its key in the output bucket
    started_ms: int | None = None
    finished_ms: int | None = None


def part_of(parts: Sequence[PartProgress], scene: int) -> PartProgress | None:
    """A scene's among a film's narrations or stills; None: it has none."""
    return next((part for part in parts if part.scene == scene), None)


class Writer(Document):
    """Who wrote the storyboard; None: the user. `note` says what was changed."""

    by: str | None = None
    note: str | None = None
    cost: float | None = None  # USD


class Part(StrEnum):
    """What of a scene is made anew."""

    TEXT = "text"  # all of its texts
    VOICE = "voice"  # what is said
    STILL = "still"  # what its first picture shows


class Rewrite(Document):
    """Texts of one scene that the text model is to write anew, as the user's note says."""

    scene: int
    part: Part
    note: str


class Decision(StrEnum):
    """The user's, at a gate."""

    APPROVED = "approved"
    CHANGED = "changed"  # what was changed is made, and shown again


class Review(Document):
    """A gate that the film has come to. `decision` None: it waits there, until `until_ms`."""

    gate: Gate
    until_ms: int
    decision: Decision | None = None


class Enhancement(Document):
    """What became of the prompt. `note` says why the original was kept, where it was."""

    prompt: str
    by: str | None = None  # who wrote it: a Bedrock model, a local model, the director
    note: str | None = None
    cost: float | None = None  # USD


class AssemblyProgress(Document):
    """The last making of the film from its clips."""

    reused: bool = False
    cost: float | None = None  # USD, of a reused one 0
    started_ms: int
    finished_ms: int


class JoinStep(Document):
    """A step of light where a clip goes on from the one before: by how much its first frame is brighter (mean
    luma) than the last before it, and of another colour (mean Cb, Cr), in 8-bit levels."""

    clip: int
    brightness: float
    colour: tuple[float, float]


class StageEntry(Document):
    stage: Stage
    at_ms: int


class Video(Document):
    """The record of a video. Times are milliseconds since the epoch."""

    id: str
    tenant: Tenant
    request: VideoRequest
    created_ms: int
    updated_ms: int
    expires_ms: int
    stage: Stage = Stage.QUEUED
    version: int = 1  # grows with every change of the record
    attempt: int = 1  # a new one when the execution was lost
    source: Source | None = None
    enhancement: Enhancement | None = None
    writer: Writer | None = None
    storyboard: str | None = None  # SHA-256 of the one that stands: see keys.storyboard
    filmed: str | None = None  # SHA-256 of the one that the film was made from
    rewrite: Rewrite | None = None  # asked for and not yet done
    review: Review | None = None
    approved: tuple[Gate, ...] = ()
    narrations: list[PartProgress] = []  # of the scenes that have one, in their order; so the stills
    stills: list[PartProgress] = []
    clips: list[ClipProgress] = []
    build: str | None = None  # the build that assembles the film, where a function's time is too short
    steps: list[JoinStep] = []  # that can be seen, as the engine gave the clips
    assembled: int = 0  # how much of the assembling stage is done, in per cent
    assembly: AssemblyProgress | None = None  # once it is done
    film: str | None = None  # key of the film in the output bucket
    thumbnail: str | None = None
    spritesheet: str | None = None
    captions: str | None = None  # WebVTT
    captions_srt: str | None = None
    delivered_storyboard: str | None = None
    manifest: str | None = None
    film_bytes: int | None = None
    draft: bool = False
    failure: Failure | None = None
    history: list[StageEntry] = []

    @property
    def closed(self) -> bool:
        return self.stage in CLOSED

    @property
    def progress(self) -> int:
        """0 to 100, as the wire format has it; rendering takes 5 to 90, assembling 91 to 97."""
        done = sum(clip.state is ClipState.DONE for clip in self.clips)
        match self.stage:
            case Stage.QUEUED:
                return 0
            case Stage.PLANNING:
                return 2
            case Stage.PREPARING:
                return 3
            case Stage.REVIEWING:
                return 4 if self.review and self.review.gate is Gate.PREVIEWS else 2
            case Stage.RENDERING:
                return 5 + (85 * done // len(self.clips) if self.clips else 0)
            case Stage.ASSEMBLING:
                return 91 + 6 * self.assembled // 100
            case Stage.PUBLISHING:
                return 97
            case Stage.COMPLETED:
                return 100
            case Stage.FAILED | Stage.CANCELLED:
                return 5 + 85 * done // len(self.clips) if self.clips else 0

    @property
    def cost(self) -> float | None:
        """USD of all that this attempt has made by now, an estimate by list prices. None: nothing yet, or
        some of it has no known price."""
        parts: list[PartProgress | ClipProgress] = [*self.narrations, *self.stills, *self.clips]
        once: list[Enhancement | Writer | AssemblyProgress | None] = [
            self.enhancement,
            self.writer,
            self.assembly,
        ]
        costs = [part.cost for part in parts if part.state is ClipState.DONE]
        costs += [one.cost for one in once if one is not None]
        return total(costs) if costs else None

    @property
    def seconds(self) -> int:
        """As asked; of scenes that last as long as their narration, an estimate until they are planned."""
        if self.request.brief is None or not self.clips:
            return self.request.seconds
        return round(sum(clip.seconds for clip in self.clips))

    @property
    def gates(self) -> list[Gate]:
        """At which it has yet to wait, in their order."""
        return [gate for gate in Gate if gate in self.request.review and gate not in self.approved]

    @property
    def seed(self) -> int:
        """The request's seed, or one that stays the same for this video."""
        if self.request.seed is not None:
            return self.request.seed
        return int(hashlib.sha256(self.id.encode()).hexdigest()[:8], 16)


def unchanged_parts(video: Video, before: Storyboard, after: Storyboard) -> dict[str, list[PartProgress]]:
    """The narrations and stills of the record that are still of their scenes: another's are heard and seen by
    nobody, who would take them for what the storyboard says."""
    pairs = list(enumerate(zip(before.scenes, after.scenes, strict=False)))
    said = {index for index, (old, new) in pairs if old.narration == new.narration}
    drawn = {index for index, (old, new) in pairs if old.image == new.image and before.style == after.style}
    return {
        "narrations": [part for part in video.narrations if part.scene in said],
        "stills": [part for part in video.stills if part.scene in drawn],
    }


def video_id(tenant: str, nonce: str) -> str:
    """The id of a video: the same tenant and nonce (an idempotency key, a drop object's version or a
    random value) always give the same id, which makes creating idempotent by one conditional write."""
    return "video_" + fingerprint([tenant, nonce])[:32]


def execution_name(video: str, attempt: int) -> str:
    """The execution that produces a video: named by its id, so that starting twice starts one."""
    return video if attempt == 1 else f"{video}-{attempt}"
