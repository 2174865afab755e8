"""The manifest of a film: everything it was made from, with each piece's position, duration and cost."""

from collections.abc import Mapping
from itertools import pairwise

from lambdas.domain import keys
from lambdas.domain.assembly import ClipSound, TransitionKind
from lambdas.domain.content_variants import VARIANTS
from lambdas.domain.documents import Document
from lambdas.domain.engines import CATALOGUE
from lambdas.domain.film_format import FpsMode, Framing, cropped
from lambdas.domain.film_plan import Clip, FilmPlan, Picture, Scene, film_hash
from lambdas.domain.moods import Mood
from lambdas.domain.shapes import Aspect, Shape
from lambdas.domain.storyboard import LEAD
from lambdas.domain.video import Video
from lambdas.domain.video_parts import AssemblyProgress, ClipProgress, PartProgress, ShapeMade, part_of


class Artifact(Document):
    """A piece of the film. `sha256` is its content address: the hash of everything that determines it, not of
    its bytes. The same address means the same piece, made once."""

    sha256: str
    bytes: int | None  # None: it is no longer stored
    reused: bool = False  # made earlier, for a previous attempt or another film
    by: str | None = None  # the model, voice or engine; None: it was not made for this film
    took: float | None = None  # seconds from start to finish
    cost: float | None = None  # USD, estimated from list prices; None: unknown


class Span(Document):
    """A span of the film, in seconds."""

    start: float
    end: float


class StoryboardMade(Document):
    """The storyboard and its author. `by` None: the user."""

    sha256: str
    by: str | None = None
    note: str | None = None
    cost: float | None = None


class PromptWritten(Document):
    """The enhanced prompt of a film without a storyboard. `by` None: the original prompt was kept; `note`
    says why."""

    prompt: str
    by: str | None = None
    note: str | None = None
    cost: float | None = None


class NarrationMade(Artifact):
    text: str
    at: Span


class ClipMade(Artifact):
    """A clip of the film. `frames` counts its frames in the film. Its file begins with `skipped` frames more,
    at the engine's rate, which the film leaves out."""

    index: int
    prompt: str
    negative_prompt: str
    seed: int
    skipped: int = 0
    frames: int
    at: Span


class SceneMade(Document):
    index: int
    at: Span
    narration: NarrationMade | None = None
    still: Artifact | None = None
    first_frame: str | None = None  # SHA-256 of the user's picture that it starts from
    last_frame: str | None = None  # SHA-256 of the user's picture that it ends on
    clips: list[ClipMade]


class Delivered(Document):
    """A file that GET …/content?variant={variant} returns."""

    variant: str
    media_type: str
    bytes: int


class ShapeOfFilm(Document):
    """A further shape of the film. `sha256` is its content address, as that of an Artifact."""

    aspect: Aspect
    size: str
    fit: Framing
    cropped: float  # the share of the film's picture that it doesn't show, 0 to 1
    focal_points: list[str | None] = []  # of each scene, if it is cropped; None: the middle
    sha256: str
    reused: bool = False
    took: float | None = None


class Manifest(Document):
    """The manifest of a film. `cost` is the total; None if any cost is unknown."""

    video: str
    title: str
    engine: str
    revision: str  # of the engine: another revision renders different clips from the same prompts
    draft: bool
    size: str
    fps: int
    rendered_size: str  # what the engine rendered; the film's size and rate were made from it
    rendered_fps: int
    fit: Framing
    fps_mode: FpsMode
    cropped: float  # the share of the rendered picture's area that the film doesn't show, 0 to 1
    frames: int
    seconds: float
    attempt: int
    image: str | None = None  # SHA-256 of the user's first frame
    last_image: str | None = None  # SHA-256 of the user's last frame
    music: str | None = None  # SHA-256 of the user's music
    music_mood: Mood | None = None  # of music that was made
    clip_sound: ClipSound = ClipSound.DROP  # `drop` also if no clip may have sound
    transition: TransitionKind = TransitionKind.NONE
    transition_frames: int = 0
    storyboard: StoryboardMade | None = None
    prompt: PromptWritten | None = None
    scenes: list[SceneMade]
    film: Artifact
    shapes: list[ShapeOfFilm] = []
    delivered: list[Delivered]
    cost: float | None


def artifact_keys(video: Video, plan: FilmPlan) -> list[str]:
    """Return the keys in the output bucket of the pieces whose sizes the manifest states, except delivered
    files."""
    parts = [part.artifact for part in [*video.narrations, *video.stills] if part.artifact]
    clips = [keys.clip(plan.tenant, clip.key_hash) for clip in plan.clips]
    return [*parts, *clips, keys.film(plan.tenant, film_hash(plan))]


def make_manifest(
    video: Video, plan: FilmPlan, sizes: Mapping[str, int | None], delivered: Mapping[str, int]
) -> Manifest:
    """Return the manifest of a film.

    `sizes`: bytes by artifact key (`artifact_keys`), None if the artifact is gone. `delivered`: bytes by
    variant name.
    """
    pieces = _Pieces(video, plan, sizes)
    return Manifest(
        video=video.id,
        title=plan.title,
        engine=plan.engine,
        revision=plan.revision,
        draft=CATALOGUE[plan.engine].draft,
        size=f"{plan.width}x{plan.height}",
        fps=plan.fps,
        rendered_size="{}x{}".format(*plan.rendered_size),
        rendered_fps=plan.rate,
        fit=plan.fit,
        fps_mode=plan.fps_mode,
        cropped=cropped(plan.rendered_size, (plan.width, plan.height), plan.fit),
        frames=plan.frames,
        seconds=plan.frames / plan.fps,
        attempt=video.attempt,
        image=video.request.image.sha256 if video.request.image else None,
        last_image=video.request.last_image.sha256 if video.request.last_image else None,
        music=plan.music.sha256 if plan.music else None,
        music_mood=plan.music.mood if plan.music else None,
        clip_sound=plan.clips_heard,
        transition=plan.assembly.transition,
        transition_frames=plan.assembly.transition_frames,
        storyboard=_storyboard(video),
        prompt=_prompt(video),
        scenes=pieces.scenes(),
        film=pieces.film(),
        shapes=[_shape(video, plan, shape) for shape in video.shapes],
        delivered=[
            Delivered(variant=name, media_type=VARIANTS[name].media_type, bytes=size)
            for name, size in delivered.items()
        ],
        cost=video.cost,
    )


def new_scenes(film: Manifest, before: Manifest) -> tuple[int, ...]:
    """Return the indexes of the scenes that the film before did not have: with another clip or narration."""
    known = {_pieces_of(scene) for scene in before.scenes}
    return tuple(scene.index for scene in film.scenes if _pieces_of(scene) not in known)


def _shape(video: Video, plan: FilmPlan, shape: Shape) -> ShapeOfFilm:
    shaped, film = plan.in_shape(shape), (plan.width, plan.height)
    made = next(
        (one for one in (video.assembly.shapes if video.assembly else ()) if one.aspect == shape.aspect), None
    )
    return ShapeOfFilm(
        aspect=shape.aspect,
        size=f"{shaped.width}x{shaped.height}",
        fit=shape.fit,
        cropped=shape.cropped(film),
        focal_points=plan.focal_points if shape.fit is Framing.COVER else [],
        sha256=film_hash(shaped),
        reused=made.reused if made else False,
        took=_took(made) if made else None,
    )


def _pieces_of(scene: SceneMade) -> tuple[str | None, ...]:
    narration = None if scene.narration is None else scene.narration.sha256
    return narration, *(clip.sha256 for clip in scene.clips)


def _given(picture: Picture | None) -> str | None:
    return picture.sha256 if picture and picture.uploaded else None


def _storyboard(video: Video) -> StoryboardMade | None:
    if video.storyboard is None:
        return None
    writer = video.writer.model_dump() if video.writer else {}
    return StoryboardMade(sha256=video.storyboard, **writer)


def _prompt(video: Video) -> PromptWritten | None:
    return PromptWritten(**video.enhancement.model_dump()) if video.enhancement else None


class _Pieces:
    def __init__(self, video: Video, plan: FilmPlan, sizes: Mapping[str, int | None]) -> None:
        self._video = video
        self._plan = plan
        self._sizes = sizes
        self._starts = [frame / plan.fps for frame in plan.starts]  # each clip's start in seconds

    def scenes(self) -> list[SceneMade]:
        firsts = [self._starts[scene.clips[0].index] for scene in self._plan.scenes]
        film = self._plan.frames / self._plan.fps
        spans = [Span(start=start, end=end) for start, end in pairwise([*firsts, film])]
        return [self._scene(scene, at) for scene, at in zip(self._plan.scenes, spans, strict=True)]

    def film(self) -> Artifact:
        content, made = film_hash(self._plan), self._video.assembly
        return Artifact(
            sha256=content,
            bytes=self._sizes[keys.film(self._plan.tenant, content)],
            reused=made.reused if made else False,
            took=_took(made) if made else None,
            cost=made.cost if made else None,
        )

    def _scene(self, scene: Scene, at: Span) -> SceneMade:
        still = part_of(self._video.stills, scene.index)
        return SceneMade(
            index=scene.index,
            at=at,
            narration=self._narration(scene, at.start + LEAD),
            still=self._part(still, still.artifact) if still and still.artifact else None,
            first_frame=_given(scene.starts_on),
            last_frame=_given(scene.ends_on),
            clips=[self._clip(scene, clip) for clip in scene.clips],
        )

    def _narration(self, scene: Scene, start: float) -> NarrationMade | None:
        part = part_of(self._video.narrations, scene.index)
        if part is None or part.artifact is None or not scene.narration:
            return None
        last = scene.narration[-1]
        return NarrationMade(
            **self._part(part, part.artifact).model_dump(),
            text=" ".join(said.text for said in scene.said),
            at=Span(start=start, end=start + last.start + last.seconds),
        )

    def _part(self, part: PartProgress, artifact: str) -> Artifact:
        return Artifact(
            sha256=artifact.rpartition("/")[2].partition(".")[0],
            bytes=self._sizes[artifact],
            reused=part.reused,
            by=part.by,
            took=_took(part),
            cost=part.cost,
        )

    def _clip(self, scene: Scene, clip: Clip) -> ClipMade:
        progress, start = self._video.clips[clip.index], self._starts[clip.index]
        return ClipMade(
            sha256=clip.key_hash,
            bytes=self._sizes[keys.clip(self._plan.tenant, clip.key_hash)],
            reused=progress.reused,
            by=None if clip.is_own else self._plan.engine,
            took=_took(progress),
            cost=progress.cost,
            index=clip.index,
            prompt=clip.prompt,
            negative_prompt=scene.negative_prompt,
            seed=clip.seed,
            skipped=clip.skip_frames,
            frames=clip.film_frames,
            at=Span(start=start, end=start + clip.film_frames / self._plan.fps),
        )


def _took(made: PartProgress | ClipProgress | AssemblyProgress | ShapeMade) -> float | None:
    if made.started_ms is None or made.finished_ms is None:
        return None
    return (made.finished_ms - made.started_ms) / 1000
