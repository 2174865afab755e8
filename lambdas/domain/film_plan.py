"""The plan of a film: its scenes and the clips that they are cut into."""

from pydantic import Field

from lambdas.domain.assembly import Transition, TransitionKind
from lambdas.domain.documents import Document, fingerprint
from lambdas.domain.engines import Engine, Renderer, Speed
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.video import Lora, Video, VideoRequest

# Step Functions keeps 25,000 events of an execution, of which a clip takes 10 and each retry 4 more.
MOST_CLIPS = 1_000


class Clip(Document):
    """One clip to render. `frames` are rendered, the first `skip_frames` of them are left out."""

    index: int  # in the film, from 0
    prompt: str
    frames: int
    skip_frames: int
    seed: int
    key_hash: str  # SHA-256 of all that determines the clip's bytes
    starts_from: int | None = None  # index of the clip whose last frame it starts from

    @property
    def film_frames(self) -> int:
        return self.frames - self.skip_frames


class Scene(Document):
    index: int
    text: str  # what the scene is about, as a viewer would read it
    clips: list[Clip]
    chained: bool  # its clips are rendered one after the other


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
    engine: str
    renderer: Renderer
    width: int
    height: int
    fps: int
    steps: int | None
    guidance: float | None
    negative_prompt: str
    image: str | None  # key of the user's first frame in the input bucket
    speed: Speed | None = None
    loras: tuple[Lora, ...] = ()
    scenes: list[Scene] = Field(min_length=1)
    assembly: Assembly = Assembly()

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
        return [None if clip.starts_from is not None else made for clip in self.clips[1:]]

    @property
    def joints_to_encode(self) -> int:
        """How many joints of clips can't be made by copying."""
        evened = sum(clip.starts_from is not None for clip in self.clips) if self.assembly.even_out else 0
        return evened + sum(transition is not None for transition in self.transitions)

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

    def clip(self, index: int) -> tuple[Scene, Clip]:
        """The clip of that index, with its scene."""
        return next((scene, clip) for scene in self.scenes for clip in scene.clips if clip.index == index)


def cut(frames: int, longest: int, overlap: int = 0) -> list[int]:
    """Splits a scene of `frames` into the fewest parts of at most `longest` frames, as even as may be, of
    which each shares its last `overlap` frames with the next."""
    count = max(1, -(-(frames - overlap) // (longest - overlap)))
    rendered = frames + (count - 1) * overlap
    return [rendered // count + (1 if i < rendered % count else 0) for i in range(count)]


def clip_lengths(request: VideoRequest, engine: Engine) -> list[int]:
    """The frames that each clip gives: together the film's, and those that a transition shows twice.

    Raises InvalidRequest for a transition that is too long for the engine's clips, or a film that takes more
    of them than can be made.
    """
    frames, longest = request.seconds * request.fps, engine.longest_clip * request.fps
    if engine.chained or request.transition is TransitionKind.NONE:
        return _within_limit(cut(frames, longest), engine)
    transition = _transition_frames(request)
    # So the shortest of them still has room for two, however the scene is cut.
    if 3 * transition > longest:
        raise InvalidRequest(
            f"transition_seconds must be at most {longest // 3 / request.fps:g} with engine {engine.name}, "
            f"whose clips last {engine.longest_clip} s; {request.transition_seconds:g} was given.",
            param="transition_seconds",
        )
    overlap = transition if request.transition.overlaps else 0
    return _within_limit(cut(frames, longest, overlap), engine)


def _within_limit(lengths: list[int], engine: Engine) -> list[int]:
    if len(lengths) > MOST_CLIPS:
        raise InvalidRequest(
            f"seconds must be fewer with engine {engine.name}: the film would take {len(lengths):,} of its "
            f"clips of {engine.longest_clip} s, and at most {MOST_CLIPS:,} can be made.",
            param="seconds",
        )
    return lengths


def _transition_frames(request: VideoRequest) -> int:
    return max(1, round(request.transition_seconds * request.fps))


def make_plan(video: Video, engine: Engine, prompts: list[str]) -> FilmPlan:
    """The plan of a video of one scene, `prompts` in the order of its clips (`clip_lengths`)."""
    request = video.request
    parts = clip_lengths(request, engine)
    clips: list[Clip] = []
    for index, (part, prompt) in enumerate(zip(parts, prompts, strict=True)):
        frames = engine.frames_to_render(part)
        before = clips[-1] if engine.chained and clips else None
        seed = (video.seed + index) % 2**63  # engines take no larger one
        first_frame = before.key_hash if before else request.image.sha256 if request.image else None
        clips.append(
            Clip(
                index=index,
                prompt=prompt,
                frames=frames,
                skip_frames=frames - part,
                seed=seed,
                starts_from=before.index if before else None,
                key_hash=fingerprint(
                    {
                        "engine": engine.name,
                        "revision": engine.revision,
                        "prompt": prompt,
                        "negative_prompt": request.negative_prompt,
                        "size": [request.width, request.height],
                        "fps": request.fps,
                        "frames": [frames, frames - part],
                        "seed": seed,
                        "steps": request.steps or engine.steps,
                        "guidance": request.guidance,
                        "speed": request.speed,
                        "loras": [lora.model_dump() for lora in request.loras],
                        "first_frame": first_frame,
                        # A draft draws the scene's text and its place in the scene.
                        "draft": [request.prompt, index, len(parts)] if engine.draft else None,
                    }
                ),
            )
        )
    return FilmPlan(
        video_id=video.id,
        tenant=video.tenant,
        engine=engine.name,
        renderer=engine.renderer,
        width=request.width,
        height=request.height,
        fps=request.fps,
        steps=request.steps or engine.steps,
        guidance=request.guidance,
        negative_prompt=request.negative_prompt,
        image=request.image.key if request.image else None,
        speed=request.speed,
        loras=request.loras,
        scenes=[Scene(index=0, text=request.prompt, clips=clips, chained=engine.chained)],
        assembly=Assembly(
            transition=request.transition,
            transition_frames=_transition_frames(request),
            even_out=request.even_out,
            fragmented=request.fragmented,
        ),
    )


def film_hash(plan: FilmPlan) -> str:
    """SHA-256 of all that determines the film's bytes: its clips, how they are joined, and the texts in its
    metadata and chapters."""
    scenes = [[scene.text, [clip.key_hash for clip in scene.clips]] for scene in plan.scenes]
    assembly = plan.assembly.model_dump(mode="json")
    return fingerprint({"film": 2, "scenes": scenes, "assembly": assembly})
