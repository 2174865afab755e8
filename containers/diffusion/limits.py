"""Limits of what a checkpoint can render, and checks against them."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from containers.diffusion.errors import InvalidRequest

Size = tuple[int, int]  # width, height in pixels


class Sizes(Protocol):
    """The sizes that a checkpoint renders."""

    @property
    def default(self) -> Size:
        """The size to render where none is asked for."""

    @property
    def largest(self) -> Size:
        """The size with the most pixels: what renders it renders every size."""

    def nearest(self, width: int, height: int) -> Size:
        """Return the size nearest to width × height, which may be any whole numbers."""

    def __str__(self) -> str: ...


@dataclass(frozen=True)
class ListedSizes:
    """These sizes and no others, the default first."""

    sizes: tuple[Size, ...]

    @property
    def default(self) -> Size:
        return self.sizes[0]

    @property
    def largest(self) -> Size:
        return max(self.sizes, key=math.prod)

    def nearest(self, width: int, height: int) -> Size:
        """Return the size whose sides differ least from these, in proportion."""
        # A request's numbers may have hundreds of digits, which fit no float.
        asked = [min(max(side, 1), 100_000) for side in (width, height)]

        def distance(size: Size) -> float:
            return math.hypot(*(math.log(own / side) for own, side in zip(size, asked, strict=True)))

        return min(self.sizes, key=distance)

    def __str__(self) -> str:
        named = [f"{width}×{height}" for width, height in self.sizes]
        return " or ".join(filter(None, [", ".join(named[:-1]), named[-1]]))


@dataclass(frozen=True)
class SizeRange:
    """Every size whose sides are multiples of `multiple` within bounds; either side may be the height."""

    default: Size
    short_side: tuple[int, int]  # inclusive bounds
    long_side: tuple[int, int]
    multiple: int

    @property
    def largest(self) -> Size:
        return self.long_side[1], self.short_side[1]

    def nearest(self, width: int, height: int) -> Size:
        short = self._within(min(width, height), *self.short_side)
        long_ = self._within(max(width, height), max(self.long_side[0], short), self.long_side[1])
        return (long_, short) if width >= height else (short, long_)

    def _within(self, side: int, least: int, most: int) -> int:
        rounded = (side + self.multiple // 2) // self.multiple * self.multiple
        return min(max(rounded, least), most)

    def __str__(self) -> str:
        short, long_ = (self._span(bounds) for bounds in (self.short_side, self.long_side))
        return f"{short} on the short side and {long_} on the long side"

    def _span(self, bounds: tuple[int, int]) -> str:
        if bounds[0] == bounds[1]:
            return str(bounds[0])
        return f"a multiple of {self.multiple} from {bounds[0]} to {bounds[1]}"


@dataclass(frozen=True)
class Limits:
    """Sizes (pixels), lengths (frames), frame rates, prompt length and inputs that a checkpoint was trained
    for."""

    sizes: Sizes
    frame_step: int
    """A clip has frame_step × N + 1 frames."""
    longest: int
    fps: tuple[int, ...]
    """The default first."""
    prompt_tokens: int
    image: Literal["none", "optional", "required"]
    """A first frame."""
    last_image: Literal["none", "optional", "required"] = "none"
    """A last frame."""
    video: Literal["none", "optional"] = "none"
    """A video to start from."""

    def check_size(self, width: int, height: int) -> None:
        """Raise InvalidRequest unless a clip of width × height pixels can be rendered."""
        nearest = self.sizes.nearest(width, height)
        if (width, height) == nearest:
            return
        param = "width" if width != nearest[0] else "height"
        raise InvalidRequest(
            param,
            f"the size must be {self.sizes}; got {width}×{height}, the nearest is {nearest[0]}×{nearest[1]}",
        )

    def check_frames(self, frames: int, skip_frames: int) -> None:
        """Raise InvalidRequest unless `frames` can be rendered and some are left after `skip_frames`."""
        step, longest = self.frame_step, self.longest
        # Integers only: JSON also allows numbers of hundreds of digits, which fit no float.
        blocks = min(max((frames - 1 + step // 2) // step, 1), (longest - 1) // step)
        nearest = blocks * step + 1
        if frames != nearest:
            raise InvalidRequest(
                "frames",
                f"frames must be {step}N+1 up to {longest} ({step + 1}, {2 * step + 1}, …, {longest}); "
                f"{frames} was given, the nearest is {nearest}",
            )
        if skip_frames >= frames:
            raise InvalidRequest(
                "skip_frames",
                f"skip_frames must be less than frames ({frames}); got {skip_frames}, "
                f"the nearest is {frames - 1}",
            )

    def check_fps(self, fps: int) -> None:
        """Raise InvalidRequest unless `fps` is a rate of the videos the model was trained on."""
        if fps not in self.fps:
            allowed = " or ".join(map(str, self.fps))
            nearest = min(self.fps, key=lambda rate: abs(rate - fps))
            advice = f", the nearest is {nearest}" if len(self.fps) > 1 else ""
            raise InvalidRequest("fps", f"fps must be {allowed}; got {fps}{advice}")
