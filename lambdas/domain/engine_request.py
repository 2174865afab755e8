"""The request to an engine server: the document of tests/contracts/."""

from pydantic import Field

from lambdas.domain.documents import Document
from lambdas.domain.engines import Speed
from lambdas.domain.film_plan import Clip, FilmPlan, Scene
from lambdas.domain.video_request import Lora


class EngineRequest(Document):
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
    video: str | None = None  # base64 of an MP4 with the clip's size and frames, to start from
    strength: float | None = None  # how much of `video` to re-render, over 0 to 1
    audio: str | None = None  # base64 of a WAV or MP3 of frames / fps seconds, for the pictures to follow
    loras: tuple[Lora, ...] = ()
    speed: Speed | None = None  # None: the server's default

    def body(self) -> bytes:
        """Return the JSON; without `audio` if it is None, because engines without sound reject the field."""
        return self.model_dump_json(exclude={"audio"} if self.audio is None else None).encode()


def engine_request(
    plan: FilmPlan, scene: Scene, clip: Clip, *, image: str | None, video: str | None, audio: str | None
) -> EngineRequest:
    """Return the request for one clip; `image`, `video` and `audio` are base64."""
    return EngineRequest(
        prompt=clip.prompt,
        negative_prompt=scene.negative_prompt,
        width=plan.width,
        height=plan.height,
        frames=clip.frames,
        skip_frames=clip.skip_frames,
        fps=plan.fps,
        seed=clip.seed,
        steps=plan.steps,
        guidance=plan.guidance,
        image=image,
        video=video,
        strength=clip.strength,
        audio=audio,
        loras=plan.loras,
        speed=plan.speed,
    )
