"""The plan of a film: its scenes and the clips that they are cut into."""

from fractions import Fraction
from itertools import pairwise

from pydantic import Field

from lambdas.domain.assembly import Transition, TransitionKind
from lambdas.domain.documents import Document, fingerprint
from lambdas.domain.engines import Renderer, Speed
from lambdas.domain.narration import Sentence
from lambdas.domain.storyboard import LEAD
from lambdas.domain.video_request import Lora, Music


class Footage(Document):
    """Pictures that there are already: of the clip artifact named `clip`, or of an uploaded `file` (its key
    in the input bucket), from the frame `start` on."""

    clip: str | None = None
    file: str | None = None
    start: int = 0


class Heard(Document):
    """A sentence in the sound that a clip is filmed to. `start`: seconds from where the sound begins, below 0
    for one that began before."""

    sound: str  # SHA-256 that its artifact is named by
    start: float


class Clip(Document):
    """One clip to render. `frames` are rendered, the first `skip_frames` of them are left out."""

    index: int  # in the film, from 0
    prompt: str
    frames: int
    skip_frames: int
    seed: int
    key_hash: str  # SHA-256 of all that determines the clip's bytes
    starts_from: int | None = None  # index of the clip whose last frame it starts from
    footage: Footage | None = None  # what it is made of, by `strength`; without one it is the footage itself
    strength: float | None = None  # how much of the footage is made anew, over 0 to 1
    heard: list[Heard] | None = None  # while its `frames` are shown; None: the engine takes no sound

    @property
    def film_frames(self) -> int:
        return self.frames - self.skip_frames

    @property
    def is_footage(self) -> bool:
        """No engine makes it."""
        return self.footage is not None and self.strength is None


class Scene(Document):
    index: int
    text: str  # what the scene is about, as a viewer would read it
    negative_prompt: str
    clips: list[Clip]
    chained: bool  # its clips are rendered one after the other
    still: str | None = None  # key of its first picture in the output bucket
    continues: bool = False  # it goes on where the scene before it ends, without a transition
    narration: list[Sentence] = []

    @property
    def title(self) -> str:
        """Of its chapter: what is said first, else what it is about."""
        return self.narration[0].text if self.narration else self.text


class Assembly(Document):
    """How the clips become the film."""

    transition: TransitionKind = TransitionKind.NONE  # where a clip doesn't start from the one before
    transition_frames: int = 0
    even_out: bool = False
    fragmented: bool = False


class FilmPlan(Document):
    """The plan of a film: everything the render, assemble and publish steps need to know."""

    video_id: str
    tenant: str
    inputs: str = ""  # SHA-256 of what it was made from and may change: the storyboard, voices and stills
    engine: str
    revision: str = ""  # of the engine
    renderer: Renderer
    width: int
    height: int
    fps: int
    steps: int | None
    guidance: float | None
    image: str | None  # key of the user's first frame in the input bucket
    speed: Speed | None = None
    loras: tuple[Lora, ...] = ()
    title: str
    scenes: list[Scene] = Field(min_length=1)
    assembly: Assembly = Assembly()
    captions: bool = False
    burn_captions: bool = False
    language: str = "en-US"  # of the narration
    music: Music | None = None

    @property
    def clips(self) -> list[Clip]:
        return [clip for scene in self.scenes for clip in scene.clips]

    @property
    def transitions(self) -> list[Transition | None]:
        """By joint: the first lies between the clips 0 and 1. None: the one goes on from the other."""
        between = self.assembly
        if between.transition is TransitionKind.NONE:
            return [None] * (len(self.clips) - 1)
        made = Transition(between.transition, between.transition_frames)
        continuing = {scene.clips[0].index for scene in self.scenes if scene.continues}
        return [
            None if clip.starts_from is not None or clip.index in continuing else made
            for clip in self.clips[1:]
        ]

    @property
    def joints_to_encode(self) -> int:
        """How many joints of clips can't be made by copying."""
        evened = sum(clip.starts_from is not None for clip in self.clips) if self.assembly.even_out else 0
        return evened + sum(transition is not None for transition in self.transitions)

    @property
    def parts_to_encode(self) -> int:
        """About how many: also where a caption is drawn."""
        return self.joints_to_encode + (len(self.narration) if self.burn_captions else 0)

    @property
    def starts(self) -> list[int]:
        """In which frame of the film each clip begins to be shown."""
        starts = [0]
        for clip, transition in zip(self.clips, self.transitions, strict=False):
            starts.append(starts[-1] + clip.film_frames - (transition.overlap if transition else 0))
        return starts

    @property
    def frames(self) -> int:
        """The film's length."""
        return self.starts[-1] + self.clips[-1].film_frames

    @property
    def clip_seconds(self) -> list[float]:
        """By clip: from where it begins in the film to where the next one does."""
        starts = self.starts
        film = starts[-1] + self.clips[-1].film_frames
        return [(end - start) / self.fps for start, end in pairwise([*starts, film])]

    @property
    def narration(self) -> list[tuple[Fraction, Sentence]]:
        """Each sentence with the second of the film at which it begins."""
        begins = [(self.scene_start(scene), scene) for scene in self.scenes if scene.narration]
        return [
            (start + Fraction(str(LEAD)) + Fraction(str(sentence.start)), sentence)
            for start, scene in begins
            for sentence in scene.narration
        ]

    def scene_start(self, scene: Scene) -> Fraction:
        """In seconds, of the first frame in which the scene is seen."""
        return Fraction(self.starts[scene.clips[0].index], self.fps)

    def is_lettered(self, scene: Scene) -> bool:
        """Whether a draft has the scene's text in its pictures: under captions neither can be read."""
        return not ((self.captions or self.burn_captions) and scene.narration)

    def clip(self, index: int) -> tuple[Scene, Clip]:
        """The clip of that index, with its scene."""
        return next((scene, clip) for scene in self.scenes for clip in scene.clips if clip.index == index)


def film_hash(plan: FilmPlan) -> str:
    """SHA-256 of all that determines the film's bytes: its clips, how they are joined, and the texts in its
    metadata and chapters."""
    scenes = [
        [
            scene.title,
            [clip.key_hash for clip in scene.clips],
            [said.model_dump() for said in scene.narration],
            *(["continues"] if scene.continues else []),
        ]
        for scene in plan.scenes
    ]
    assembly = plan.assembly.model_dump(mode="json")
    captions = plan.language if plan.captions else None
    return fingerprint(
        {
            "film": 4,
            "title": plan.title,
            "scenes": scenes,
            "assembly": assembly,
            "captions": captions,
            "burnt": plan.burn_captions,
            "music": plan.music.sha256 if plan.music else None,
        }
    )
