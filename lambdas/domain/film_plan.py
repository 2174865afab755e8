"""The plan of a film: its scenes and the clips they are cut into."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

from pydantic import Field

from lambdas.domain import keys
from lambdas.domain.assembly import ClipSound, Transition, TransitionKind
from lambdas.domain.brand import Corner
from lambdas.domain.characters import Appearance
from lambdas.domain.colours import Colours
from lambdas.domain.documents import Document, fingerprint
from lambdas.domain.engines import Renderer, Speed
from lambdas.domain.film_format import FpsMode, Framing, given_size
from lambdas.domain.fonts import Lettered
from lambdas.domain.narration import Sentence
from lambdas.domain.shapes import Shape
from lambdas.domain.storyboard import LEAD, LowerThird, Zoom
from lambdas.domain.video_request import CaptionLook, CaptionStyle, Lora, Music

_CARD = 2  # increment when the same card looks otherwise
_CAPTIONING = 3  # increment when the same narration is captioned in another way


class Footage(Document):
    """Existing pictures: the clip artifact named `clip`, or an uploaded `file` (its key in the input bucket),
    from the frame `start` on."""

    clip: str | None = None
    file: str | None = None
    start: int = 0


class Heard(Document):
    """A sentence in the sound that a clip's pictures follow. `start`: seconds from the start of that sound;
    negative if the sentence started before it."""

    sound: str  # SHA-256 in its artifact's name
    start: float


class Picture(Document):
    """A stored picture. `uploaded`: in the input bucket, else in the output bucket."""

    key: str
    sha256: str
    uploaded: bool = False


class Try(Document):
    """A clip as it was rendered from another seed."""

    seed: int
    key_hash: str


class Card(Document):
    """What a clip shows that is drawn here: the user's picture, or a title card."""

    picture: Picture | None = None
    zoom: Zoom | None = None
    title: str = ""
    subtitle: str = ""
    colours: Colours = Colours()
    lettered: Lettered = Lettered()
    language: str = "en-US"

    @property
    def address(self) -> list[Any]:
        """Return what determines how it looks."""
        if self.picture is not None:
            return [_CARD, self.picture.sha256, self.zoom]
        letters = self.lettered.address_in(self.language)
        return [_CARD, self.title, self.subtitle, self.colours.model_dump(), letters]


class PlacedLogo(Document):
    """The brand's logo over every frame: see brand.Logo."""

    picture: Picture
    corner: Corner
    size: float


class Clip(Document):
    """One clip to render. The engine renders `frames`; the film omits the first `skip_frames` of them. Both
    count frames of the engine's rate."""

    index: int  # in the film, from 0
    prompt: str
    frames: int
    skip_frames: int
    shown: int | None = None  # its frames in the film, if the film's rate is another
    seed: int
    key_hash: str  # SHA-256 of everything that determines the clip's bytes
    starts_from: int | None = None  # index of the clip whose last frame it starts from
    footage: Footage | None = None  # its source, changed by `strength`; without a strength, the clip itself
    fit: Framing = Framing.COVER  # how footage that is the clip itself fills the film
    card: Card | None = None
    strength: float | None = None  # how much of the footage to re-render, over 0 to 1
    sound: bool = False  # it may have sound of its own
    sound_of: Footage | None = None  # what it sounds like, if it has none of its own
    heard: list[Heard] | None = None  # speech during its `frames`; None: the engine takes no sound
    other_try: Try | None = None  # the first one, until `chosen`; then the one that is not in the film
    chosen: bool = False  # the better of two tries, which is not tried again

    @property
    def film_frames(self) -> int:
        """Its number of frames in the film."""
        return self.frames - self.skip_frames if self.shown is None else self.shown

    @property
    def is_footage(self) -> bool:
        """Whether the clip is the footage itself, which no engine renders."""
        return self.footage is not None and self.strength is None

    @property
    def is_own(self) -> bool:
        """Whether no engine renders the clip: it is the user's own footage or a card."""
        return self.is_footage or self.card is not None


class Scene(Document):
    index: int
    text: str  # what the scene is about, in words for a viewer
    negative_prompt: str
    clips: list[Clip]
    chained: bool  # its clips are rendered one after another
    still: str | None = None  # key of its first picture in the output bucket
    continues: bool = False  # it continues the previous scene without a transition
    narration: list[Sentence] = []
    recording: str | None = None  # key in the input bucket of the user's own narration
    starts_on: Picture | None = None  # the user's picture that it starts from
    picture: str | None = None  # key in the input bucket of the character's picture that it starts from
    ends_on: Picture | None = None  # the last frame of its last clip
    characters: tuple[Appearance, ...] = ()
    focal_point: str | None = None  # what a crop to another shape keeps in view; None: the film's
    lower_third: LowerThird | None = None

    @property
    def title(self) -> str:
        """The title of its chapter: the first sentence of the narration, else the scene's text."""
        return self.said[0].text if self.said else self.text

    @property
    def said(self) -> list[Sentence]:
        """What captions show of its narration."""
        return [sentence for sentence in self.narration if sentence.text]


class Assembly(Document):
    """How the clips become the film."""

    transition: TransitionKind = TransitionKind.NONE  # used if a clip doesn't start from the previous one
    transition_frames: int = 0
    even_out: bool = False
    fragmented: bool = False


class FilmPlan(Document):
    """The plan of a film: everything that the render, assemble and publish steps need."""

    video_id: str
    tenant: str
    inputs: str = ""  # SHA-256 of its inputs that may change: the storyboard, voices and stills
    engine: str
    revision: str = ""  # of the engine
    renderer: Renderer
    width: int  # of the film, as is fps
    height: int
    fps: int
    fit: Framing = Framing.COVER
    fps_mode: FpsMode = FpsMode.REPEAT
    rendered_width: int | None = None  # None: as the film
    rendered_height: int | None = None
    rendered_fps: int | None = None
    draft_for: str | None = None
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
    caption_style: CaptionStyle = CaptionStyle.PLAIN  # plain, too, if a sentence lacks the times of its words
    caption_look: CaptionLook = CaptionLook()
    language: str = "en-US"  # of the narration
    music: Music | None = None
    beats_note: str | None = None  # which cuts are not on the music's beats, if that was asked for
    clip_sound: ClipSound = ClipSound.DROP
    stems: bool = False  # the sound is delivered apart, too
    focal_point: str | None = None  # of scenes that have none of their own; None: the middle
    shape: Shape | None = None  # the plan is that of this further shape: see in_shape
    colours: Colours = Colours()  # of title cards and lower thirds
    lettered: Lettered = Lettered()  # their font
    logo: PlacedLogo | None = None

    def in_shape(self, shape: Shape) -> "FilmPlan":
        """Return the plan of the same film in a further shape, which its clips are made to fill, and
        which has the film's sound."""
        width, height = shape.size((self.width, self.height))
        return self.model_copy(update={"width": width, "height": height, "shape": shape, "stems": False})

    @property
    def focal_points(self) -> list[str | None]:
        """What a crop of each scene keeps in view; None: its middle."""
        return [scene.focal_point or self.focal_point for scene in self.scenes]

    @property
    def clips_heard(self) -> ClipSound:
        """How loud the clips are in the film: dropped if none may have sound, and not ducked if nobody
        speaks."""
        if not any(clip.sound or clip.sound_of for clip in self.clips):
            return ClipSound.DROP
        return ClipSound.KEEP if self.clip_sound is ClipSound.DUCK and not self.narration else self.clip_sound

    @property
    def rendered_size(self) -> tuple[int, int]:
        """The size in pixels at which the engine renders."""
        return self.rendered_width or self.width, self.rendered_height or self.height

    @property
    def given_size(self) -> tuple[int, int]:
        """The size of pictures for the engine to start from: see film_format.given_size."""
        return given_size(self.rendered_size, (self.width, self.height), self.fit)

    @property
    def rate(self) -> int:
        """The frames per second that the engine renders."""
        return self.rendered_fps or self.fps

    @property
    def clips(self) -> list[Clip]:
        return [clip for scene in self.scenes for clip in scene.clips]

    @property
    def transitions(self) -> list[Transition | None]:
        """One entry per joint, the first between clips 0 and 1. None: the second clip continues the first."""
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
        """The number of joints that stream copy can't make."""
        evened = sum(clip.starts_from is not None for clip in self.clips) if self.assembly.even_out else 0
        return evened + sum(transition is not None for transition in self.transitions)

    @property
    def parts_to_encode(self) -> int:
        """The approximate number of parts to encode: joints, and what is drawn into the pictures."""
        if self.logo is not None:
            return self.joints_to_encode + len(self.clips)
        captions = len(self.narration) if self.burn_captions else 0
        return self.joints_to_encode + captions + sum(scene.lower_third is not None for scene in self.scenes)

    @property
    def starts(self) -> list[int]:
        """The frame of the film at which each clip starts."""
        starts = [0]
        for clip, transition in zip(self.clips, self.transitions, strict=False):
            starts.append(starts[-1] + clip.film_frames - (transition.overlap if transition else 0))
        return starts

    @property
    def frames(self) -> int:
        """The film's length in frames."""
        return self.starts[-1] + self.clips[-1].film_frames

    @property
    def clip_seconds(self) -> list[float]:
        """For each clip, the seconds from its start in the film to the start of the next one."""
        starts = self.starts
        film = starts[-1] + self.clips[-1].film_frames
        return [(end - start) / self.fps for start, end in pairwise([*starts, film])]

    @property
    def narration(self) -> list[tuple[Fraction, Sentence]]:
        """Each sentence with the second of the film at which it starts."""
        begins = [(self.scene_start(scene), scene) for scene in self.scenes if scene.narration]
        return [
            (start + Fraction(str(LEAD)) + Fraction(str(sentence.start)), sentence)
            for start, scene in begins
            for sentence in scene.narration
        ]

    @property
    def artifacts(self) -> list[str]:
        """The keys in the output bucket of what the film is made from."""
        clips = [clip.key_hash for clip in self.clips]
        clips += [one.clip for one in self._footage if one.clip]
        sounds = [sentence.sound for scene in self.scenes for sentence in scene.narration]
        stills = [scene.still for scene in self.scenes if scene.still]
        stills += [picture.key for picture in self._pictures if not picture.uploaded]
        return [
            *(keys.clip(self.tenant, clip) for clip in clips),
            *(keys.speech(self.tenant, sound) for sound in sounds),
            *stills,
        ]

    @property
    def uploads(self) -> list[str]:
        """The keys in the input bucket of what the film is made from."""
        given = [self.image, self.music.key if self.music else None]
        given += [file for scene in self.scenes for file in (scene.picture, scene.recording)]
        given += [picture.key for picture in self._pictures if picture.uploaded]
        given += [one.file for one in self._footage]
        fonts = (self.caption_look.font_file, self.lettered.font_file)
        given += [font.key for font in fonts if font]
        return [key for key in given if key]

    @property
    def _pictures(self) -> list[Picture]:
        given = [one for scene in self.scenes for one in (scene.starts_on, scene.ends_on) if one]
        given += [clip.card.picture for clip in self.clips if clip.card and clip.card.picture]
        return [*given, self.logo.picture] if self.logo else given

    @property
    def _footage(self) -> list[Footage]:
        return [one for clip in self.clips for one in (clip.footage, clip.sound_of) if one]

    @property
    def first_rendered(self) -> int | None:
        """The index of the first scene that an engine renders; the user's first picture is its."""
        return next((scene.index for scene in self.scenes if not scene.clips[0].is_own), None)

    def scene_start(self, scene: Scene) -> Fraction:
        """Return the second of the film at which the scene's first frame appears."""
        return Fraction(self.starts[scene.clips[0].index], self.fps)

    def is_lettered(self, scene: Scene) -> bool:
        """Return whether a draft draws the scene's text: with captions over it, neither would be readable."""
        return not ((self.captions or self.burn_captions) and scene.said)

    def clip(self, index: int) -> tuple[Scene, Clip]:
        """Return the clip with that index and its scene."""
        return next((scene, clip) for scene in self.scenes for clip in scene.clips if clip.index == index)


def _laid_over(plan: FilmPlan) -> dict[str, Any]:
    """Return what is laid over the pictures; nothing if nothing is, so that a film made before it could be
    keeps its address."""
    found: dict[str, Any] = {}
    if plan.logo is not None:
        found["logo"] = [plan.logo.picture.sha256, plan.logo.corner, plan.logo.size]
    thirds = {scene.index: scene.lower_third.model_dump() for scene in plan.scenes if scene.lower_third}
    if thirds:
        letters = plan.lettered.address_in(plan.language)
        found["lower_thirds"] = [[*thirds.items()], plan.colours.model_dump(), letters]
    return found


def film_hash(plan: FilmPlan) -> str:
    """Return the SHA-256 of everything that determines the film's bytes: its clips, how they are joined, and
    the texts in its metadata and chapters."""
    scenes = [
        [
            scene.title,
            [clip.key_hash for clip in scene.clips],
            [said.address for said in scene.narration],
            *(["continues"] if scene.continues else []),
        ]
        for scene in plan.scenes
    ]
    assembly = plan.assembly.model_dump(mode="json")
    captions = [_CAPTIONING, plan.language] if plan.captions else None
    return fingerprint(
        {
            "film": 5,
            "title": plan.title,
            "scenes": scenes,
            "assembly": assembly,
            "captions": captions,
            "burnt": _CAPTIONING if plan.burn_captions else False,
            "music": plan.music.address if plan.music else None,
        }
        # Not if they can't be heard, so that a film made before they could be keeps its address.
        | ({} if plan.clips_heard is ClipSound.DROP else {"clip_sound": plan.clips_heard})
        | ({} if plan.caption_style is CaptionStyle.PLAIN else {"caption_style": plan.caption_style})
        | ({} if plan.caption_look == CaptionLook() else {"caption_look": plan.caption_look.model_dump()})
        | ({} if plan.shape is None else {"shape": _shaped(plan, plan.shape)})
        | _laid_over(plan)
    )


def _shaped(plan: FilmPlan, shape: Shape) -> list[Any]:
    """Return what determines the pictures of a further shape, besides the film's clips."""
    points = plan.focal_points if shape.fit is Framing.COVER else None
    return [plan.width, plan.height, shape.fit, points]
