"""The film's format in a request, and how rendered frames and pictures become the film's."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from containers.diffusion.framing import Fit

Picture = TypeVar("Picture")
RGB = NDArray[np.uint8]


class FpsMode(StrEnum):
    """How frames of the rendered rate become the film's rate."""

    REPEAT = "repeat"
    """Each film frame shows the rendered frame that is on screen then."""
    BLEND = "blend"
    """Film frames between two rendered ones are mixed from both."""


class Film(BaseModel):
    """What the MP4 has instead of the rendered size (pixels), rate and length."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    # Even, because H.264's chroma has half the size.
    width: Annotated[int, Field(ge=16, le=4096, multiple_of=2)]
    height: Annotated[int, Field(ge=16, le=4096, multiple_of=2)]
    fps: Annotated[int, Field(ge=1, le=120)]
    frames: Annotated[int, Field(ge=1, le=3600)]
    fit: Annotated[Fit, Field(strict=False)] = Fit.COVER
    fps_mode: Annotated[FpsMode, Field(strict=False)] = FpsMode.REPEAT

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


@dataclass(frozen=True)
class Instant:
    """What one film frame shows: rendered frame `frame`, mixed with the one before it unless `share` is 1."""

    frame: int
    share: float = 1.0


def instants(film: Film, *, rate: int, skip_frames: int) -> list[Instant]:
    """Return what each of the film's frames shows of a clip that is rendered at `rate`, without its first
    `skip_frames`.

    Repeating shows the frame that is on screen at the film frame's time. Blending ends where the rendered
    clip ends and begins one film frame after its frame `skip_frames` - 1, which in a chained clip is the last
    picture of the clip before: so motion goes on evenly from clip to clip.
    """
    step = Fraction(rate, film.fps)
    if film.fps_mode is FpsMode.REPEAT:
        return [Instant(skip_frames + math.floor(number * step)) for number in range(film.frames)]
    times = [max(Fraction(0), skip_frames - 1 + (number + 1) * step) for number in range(film.frames)]
    return [Instant(frame := math.ceil(time), float(1 - (frame - time))) for time in times]


def sound_start(film: Film, *, rate: int, skip_frames: int) -> Fraction:
    """Return the time in the rendered clip, in seconds, of what is heard with the film's first frame (see
    `instants`); negative if that is before the clip begins."""
    if film.fps_mode is FpsMode.REPEAT:
        return Fraction(skip_frames, rate)
    return Fraction(skip_frames - 1, rate) + Fraction(1, film.fps)


class Timeline(Generic[Picture]):
    """Turns rendered frames into the film's, one at a time. `prepare` turns a rendered frame into RGB of the
    film's size; it is called once for each frame that the film shows."""

    def __init__(self, shown: Sequence[Instant], prepare: Callable[[Picture], RGB]) -> None:
        self._shown = shown
        self._prepare = prepare
        self._needed = {frame for one in shown for frame in (one.frame, one.frame - (one.share < 1))}
        self._next = 0
        self._count = 0
        self._before: RGB | None = None

    def push(self, picture: Picture) -> Iterator[RGB]:
        """Take the next rendered frame, and yield the film's frames that it completes."""
        number = self._count
        self._count += 1
        prepared = self._prepare(picture) if number in self._needed else None
        while self._next < len(self._shown) and self._shown[self._next].frame == number:
            assert prepared is not None  # noqa: S101 - it is needed
            yield _mixed(self._before, prepared, self._shown[self._next].share)
            self._next += 1
        self._before = prepared


def _mixed(before: RGB | None, after: RGB, share: float) -> RGB:
    if before is None or share >= 1:
        return after
    mixed = before.astype(np.float32) * (1 - share) + after.astype(np.float32) * share
    rounded: RGB = np.rint(mixed).astype(np.uint8)
    return rounded
