"""The draft engine: draw a clip from its words instead of rendering it with a model."""

import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lambdas.animatic.scene import Scene
from lambdas.animatic.words import read, read_opening, read_shot
from lambdas.domain.film_format import Framing
from lambdas.media.encode import encode, splice_points
from lambdas.media.framing import Frame

# Part of a clip's content address: increment when the same request draws other pictures.
REVISION = "6"
COMMENT = "Draft storyboard clip, not a rendered video"

# Frames drawn in parallel, and frames waiting for the encoder. Pillow releases the GIL.
WORKERS = 2
WAITING = 4


class DraftClip(BaseModel):
    """Clip `index` (from 0) of a scene's `count` clips: its frames from `first`, out of `scene_frames`.

    A scene's clips are one drawing and one camera move if they share prompt, title, seed, size and image:
    where two clips overlap, they show the same picture.
    The drawing follows the title, or the prompt if the title names nothing that can be drawn; the shot and
    the camera's move are the prompt's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    title: str
    language: str = "en-US"  # BCP 47, of the film
    width: int = Field(ge=16, le=4096, multiple_of=2)
    height: int = Field(ge=16, le=4096, multiple_of=2)
    frames: int = Field(ge=1)
    fps: int = Field(ge=1)
    seed: int = Field(ge=0)
    index: int = Field(ge=0)
    count: int = Field(ge=1)
    first: int = Field(ge=0)
    scene_frames: int = Field(ge=1)
    lettered: bool = True  # the title is written into the picture of a place; a card always has its words
    # What of the picture of another engine a film would show; None: draw for the film's size.
    framing: Framing | None = None
    rendered: tuple[int, int] | None = None  # that engine's size in pixels
    image: bytes | None = None  # a checked PNG, JPEG or WebP, shown with a camera move over it
    metadata: Mapping[str, str] = Field(default_factory=dict)  # extra metadata for the MP4

    @model_validator(mode="after")
    def _within_the_scene(self) -> "DraftClip":
        if self.index >= self.count:
            raise ValueError(f"index must be below count ({self.count}); got {self.index}")
        if self.first + self.frames > self.scene_frames:
            raise ValueError(f"first + frames must be at most scene_frames ({self.scene_frames})")
        return self


def draw_clip(request: DraftClip) -> bytes:
    """Return an MP4 (H.264, fast start) with exactly the request's size, frames and fps, always the same
    bytes."""
    scene = _scene(request)
    return encode(
        _drawn_ahead(scene, request),
        width=request.width,
        height=request.height,
        fps=request.fps,
        keyframes=splice_points(request.frames, request.fps),
        metadata={
            **request.metadata,
            "title": request.title,
            "comment": COMMENT,
            "reelworks_engine": "animatic",
            "reelworks_revision": REVISION,
            "reelworks_draft": "true",
        },
    )


def last_picture(request: DraftClip) -> bytes:
    """Return the clip's last frame as a PNG without title and mark; the clip that continues it has its
    own."""
    scene = _scene(request.model_copy(update={"lettered": False}), marked=False)
    file = BytesIO()
    Image.fromarray(scene.picture((request.first + request.frames - 1) / request.fps)).save(file, "PNG")
    return file.getvalue()


def _scene(request: DraftClip, *, marked: bool = True) -> Scene:
    look = read(request.title, request.language)
    if not look.known:
        look = read_opening(request.prompt, request.language)
    words = " ".join(f"{request.title} {request.prompt}".casefold().split())
    frame = _frame(request)
    return Scene(
        look,
        size=frame.canvas if frame else (request.width, request.height),
        seconds=request.scene_frames / request.fps,
        rng=np.random.default_rng([request.seed, zlib.crc32(words.encode())]),
        image=request.image,
        title=request.title if request.lettered else "",
        mark=_mark(request) if marked else "",
        # Well inside a clip, so that joins do not flicker.
        flash_at=(request.first + 0.4 * request.frames) / request.fps,
        frame=frame,
        shot=read_shot(request.prompt),
        words=request.title if marked else "",
    )


def _frame(request: DraftClip) -> Frame | None:
    """Return how an engine's picture fills the film. An image is cut to what a covering picture shows before
    the engine sees it, so it is drawn as it is."""
    film = (request.width, request.height)
    if request.rendered in (None, film) or request.framing is None:
        return None
    if request.framing is Framing.COVER and request.image is not None:
        return None
    return Frame(film, request.rendered, request.framing)


def _mark(request: DraftClip) -> str:
    if request.count == 1:
        return "DRAFT"
    number = f"{request.index + 1}/{request.count}"
    return f"DRAFT · clip {number}" if request.width >= 160 else f"DRAFT {number}"


def _drawn_ahead(scene: Scene, request: DraftClip) -> Iterator[NDArray[np.uint8]]:
    """Yield the clip's frames in order, drawing ahead while the encoder works."""
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting: deque[Future[NDArray[np.uint8]]] = deque()
        for frame in range(request.first, request.first + request.frames):
            waiting.append(pool.submit(scene.picture, frame / request.fps))
            if len(waiting) == WAITING:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
