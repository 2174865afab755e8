"""The storyboard: the scenes of a film and the clips that they are cut into."""

from pydantic import Field

from lambdas.domain.engines import Engine, Renderer
from lambdas.domain.video import Document, Video, fingerprint


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


class Storyboard(Document):
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
    scenes: list[Scene] = Field(min_length=1)

    @property
    def clips(self) -> list[Clip]:
        return [clip for scene in self.scenes for clip in scene.clips]

    def clip(self, index: int) -> tuple[Scene, Clip]:
        """The clip of that index, with its scene."""
        return next((scene, clip) for scene in self.scenes for clip in scene.clips if clip.index == index)


def cut(frames: int, longest: int) -> list[int]:
    """Splits a scene of `frames` into the fewest parts of at most `longest` frames, as even as may be."""
    count = -(-frames // longest)
    return [frames // count + (1 if i < frames % count else 0) for i in range(count)]


def plan(video: Video, engine: Engine, prompts: list[str]) -> Storyboard:
    """The storyboard of a video of one scene, `prompts` in the order of its clips (`clip_count` of them)."""
    request = video.request
    parts = cut(request.seconds * request.fps, engine.longest_clip * request.fps)
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
                        "first_frame": first_frame,
                        # A draft draws the scene's text and its place in the scene.
                        "draft": [request.prompt, index, len(parts)] if engine.draft else None,
                    }
                ),
            )
        )
    return Storyboard(
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
        scenes=[Scene(index=0, text=request.prompt, clips=clips, chained=engine.chained)],
    )


def clip_count(seconds: int, engine: Engine) -> int:
    """How many clips a scene of that length takes."""
    return -(-seconds // engine.longest_clip)


def film_hash(storyboard: Storyboard) -> str:
    """SHA-256 of all that determines the film's bytes: its clips, and the texts in its metadata."""
    texts = [scene.text for scene in storyboard.scenes]
    return fingerprint({"film": 1, "texts": texts, "clips": [clip.key_hash for clip in storyboard.clips]})
