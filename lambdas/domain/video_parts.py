"""The parts of a video's record: clips, narrations, stills, reviews, assembly."""

from collections.abc import Sequence
from enum import StrEnum

from lambdas.domain.documents import Document
from lambdas.domain.shapes import Aspect
from lambdas.domain.stages import Stage
from lambdas.domain.video_request import Gate


class Failure(Document):
    """Why a video failed: the step, the scene and clip or the shape, and what to do."""

    step: str
    scene: int | None = None
    clip: int | None = None
    shape: Aspect | None = None
    code: str
    reason: str
    advice: str


class FailedTry(Failure):
    """A try at a clip, narration or still that failed; it may have been tried again since."""

    at_ms: int


class ClipState(StrEnum):
    WAITING = "waiting"
    RENDERING = "rendering"
    DONE = "done"


class ClipProgress(Document):
    """The progress of one clip."""

    state: ClipState = ClipState.WAITING
    seconds: float  # from its start in the film to the start of the next clip
    reused: bool = False  # an existing artifact, not rendered for this attempt
    cost: float | None = None  # USD, set when it is made; 0 if reused
    started_ms: int | None = None
    finished_ms: int | None = None


class PartProgress(Document):
    """The progress of a scene's narration or still."""

    scene: int
    state: ClipState = ClipState.WAITING
    reused: bool = False
    by: str | None = None  # the voice or the image model
    cost: float | None = None  # USD, set when it is made; 0 if reused
    artifact: str | None = None  # its key in the output bucket
    started_ms: int | None = None
    finished_ms: int | None = None


def part_of(parts: Sequence[PartProgress], scene: int) -> PartProgress | None:
    """Return a scene's entry from a film's narrations or stills; None if it has none."""
    return next((part for part in parts if part.scene == scene), None)


class Writer(Document):
    """The author of the storyboard. `by` None: the user. `note` says what was changed, and what to know about
    the author."""

    by: str | None = None
    note: str | None = None
    cost: float | None = None  # USD


class Part(StrEnum):
    """The part of a scene to regenerate."""

    TEXT = "text"  # all its texts
    VOICE = "voice"  # its narration
    STILL = "still"  # its first picture


class Rewrite(Document):
    """The texts of one scene that the text model must rewrite, following the user's note."""

    scene: int
    part: Part
    note: str


class Decision(StrEnum):
    """The user's decision at a gate."""

    APPROVED = "approved"
    CHANGED = "changed"  # the changed parts are made and shown again


class Review(Document):
    """A gate that the film has reached. `decision` None: it waits there until `until_ms`."""

    gate: Gate
    until_ms: int
    decision: Decision | None = None


class Enhancement(Document):
    """The result of enhancing the prompt. `note` says why the original was kept, if it was."""

    prompt: str
    by: str | None = None  # who wrote it: a Bedrock model, a local model, the director
    note: str | None = None
    cost: float | None = None  # USD


class SecondTries(Document):
    """The clips that were rendered once more because they, or a clip that they start from, warn."""

    clips: tuple[int, ...] = ()
    kept: tuple[int, ...] | None = None  # whose second try is in the film; None: not decided yet
    cost: float | None = 0.0  # USD of their first tries in this attempt
    note: str | None = None  # why a clip that warns was not rendered again


class Looked(Document):
    """What a vision model was asked about the clips: see `vision_check`."""

    clips: int = 0  # of which it was asked, in this attempt or before
    cost: float | None = 0.0  # USD in this attempt
    note: str | None = None  # why it was not asked about the others


class ShapeMade(Document):
    """A further shape of the film, made after it."""

    aspect: Aspect
    reused: bool = False
    started_ms: int
    finished_ms: int


class AssemblyProgress(Document):
    """The latest assembly of the film from its clips."""

    reused: bool = False
    cost: float | None = None  # USD, with its further shapes; 0 if all is reused
    warnings: int | None = None  # how many checks of the quality report warn
    content: str | None = None  # SHA-256 in the names of the film and of its report, pictures and captions
    storyboard: str | None = None  # SHA-256 of the storyboard that it was made from
    started_ms: int
    finished_ms: int
    shapes: tuple[ShapeMade, ...] = ()


class DeliveredFilm(Document):
    """The film of one attempt. Its files are in the attempt's folder: see keys.delivered."""

    attempt: int
    seconds: float
    bytes: int
    cost: float | None = None  # USD of what the attempt made; None: a price is unknown
    signed_by: str | None = None  # as in the record
    warnings: int | None = None  # as in AssemblyProgress
    variants: tuple[str, ...]  # the files that it has, by the names of content_variants.VARIANTS
    new_scenes: tuple[int, ...] | None = None  # see manifest.new_scenes; None: there is no film before it


class JoinStep(Document):
    """A jump in brightness or colour where a clip continues the previous one: its first frame minus the frame
    before it, in mean luma (positive is brighter) and in mean Cb and Cr, in 8-bit levels."""

    clip: int
    brightness: float
    colour: tuple[float, float]


class StageEntry(Document):
    """A stage that a video has entered. `failure`: why it failed, also after it was retried."""

    stage: Stage
    at_ms: int
    failure: Failure | None = None
