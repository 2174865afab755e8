"""The request to an engine server: the document of tests/contracts/."""

from pydantic import Field

from lambdas.domain.documents import Document
from lambdas.domain.engines import CATALOGUE, Speed
from lambdas.domain.film_format import FpsMode, Framing
from lambdas.domain.film_plan import Clip, FilmPlan, Scene
from lambdas.domain.video_request import Lora


class FilmClip(Document):
    """What the MP4 has instead of the rendered size, rate and length."""

    width: int
    height: int
    fps: int
    frames: int
    fit: Framing
    fps_mode: FpsMode


class EngineRequest(Document):
    """A request to render. Pictures in it that have the film's size are the film's own: the server takes them
    back to the rendered size."""

    prompt: str
    negative_prompt: str = ""
    width: int
    height: int
    frames: int = Field(ge=1)
    skip_frames: int = Field(ge=0)  # leading frames to leave out of the MP4
    fps: int
    seed: int
    steps: int | None = None  # None: the model's default
    guidance: float | None = None
    image: str | None = None  # base64 of a PNG, JPEG or WebP: the first frame
    last_image: str | None = None  # likewise: the last frame
    video: str | None = None  # base64 of an MP4 with the clip's size and frames, to start from
    strength: float | None = None  # how much of `video` to re-render, over 0 to 1
    audio: str | None = None  # base64 of a WAV or MP3 of frames / fps seconds, for the pictures to follow
    loras: tuple[Lora, ...] = ()
    speed: Speed | None = None  # None: the server's default
    film: FilmClip | None = None  # None: the MP4 is as rendered

    def body(self) -> bytes:
        """Return the JSON; some fields only if they are set, because engines without them and older servers
        reject them."""
        unset = {name for name in ("last_image", "audio", "film") if getattr(self, name) is None}
        return self.model_dump_json(exclude=unset).encode()


def engine_request(
    plan: FilmPlan,
    scene: Scene,
    clip: Clip,
    *,
    image: str | None,
    video: str | None,
    audio: str | None,
    last_image: str | None = None,
) -> EngineRequest:
    """Return the request for one clip; `image`, `last_image`, `video` and `audio` are base64."""
    width, height = plan.rendered_size
    return EngineRequest(
        prompt=clip.prompt,
        negative_prompt=scene.negative_prompt,
        width=width,
        height=height,
        frames=clip.frames,
        skip_frames=clip.skip_frames,
        fps=plan.rate,
        seed=clip.seed,
        steps=plan.steps,
        guidance=plan.guidance,
        image=image,
        last_image=last_image,
        video=video,
        strength=clip.strength,
        audio=audio,
        loras=plan.loras,
        speed=plan.speed,
        film=_film(plan, clip),
    )


def _film(plan: FilmPlan, clip: Clip) -> FilmClip | None:
    """Return the film's format if the clip is rendered in another, or if its workflow may give any size."""
    same = (plan.rendered_size, plan.rate) == ((plan.width, plan.height), plan.fps)
    if same and not CATALOGUE[plan.engine].workflow:
        return None
    return FilmClip(
        width=plan.width,
        height=plan.height,
        fps=plan.fps,
        frames=clip.film_frames,
        fit=plan.fit,
        fps_mode=plan.fps_mode,
    )
