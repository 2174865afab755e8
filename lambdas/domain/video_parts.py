"""What the record says of a video's parts: clips, narrations, stills, reviews, assembly."""

from collections.abc import Sequence
from enum import StrEnum

from lambdas.domain.documents import Document
from lambdas.domain.stages import Stage
from lambdas.domain.video_request import Gate


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
