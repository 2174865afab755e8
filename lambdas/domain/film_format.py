"""The film's size and frame rate: what a request may ask for, whatever its engine renders.

An engine renders at a size and rate of its own (lambdas/domain/engines.py); its server makes the film's from
them as it exports (decision 0026).
"""

import math
from enum import StrEnum
from fractions import Fraction

from lambdas.domain.errors import InvalidRequest

Size = tuple[int, int]  # width, height in pixels

SIDE = (256, 2048)  # pixels, inclusive; both sides even, because yuv420p halves them
MOST_PIXELS = 2_200_000  # 1920x1080 has 2,073,600 and OpenAI's largest, 1792x1024, 1,835,008
RATE = (8, 60)  # frames per second, inclusive
SIZES = f"even, {SIDE[0]} to {SIDE[1]} pixels a side, at most {MOST_PIXELS:,} pixels"
RATES = f"{RATE[0]} to {RATE[1]}"
ASPECT = r"^[0-9]{1,5}(\.[0-9]{1,6})?:[0-9]{1,5}(\.[0-9]{1,6})?$"  # width:height

# Shapes that differ by less than this share of the picture count as the same: nobody sees the cut, and the
# number of pixels matters more.
SAME_SHAPE = Fraction(1, 100)


class Framing(StrEnum):
    """How an engine's picture becomes the film's if its shape is another; a request's field `fit`."""

    COVER = "cover"  # fill the film and crop the rest
    CONTAIN = "contain"  # show all of it, with black bars
    BLUR = "blur"  # show all of it; blurred, enlarged copies fill the bars


class FpsMode(StrEnum):
    """How frames of an engine's rate become the film's rate."""

    REPEAT = "repeat"  # each film frame shows the rendered frame that is on screen then
    BLEND = "blend"  # film frames between two rendered ones are mixed from both


def is_film_size(width: int, height: int) -> bool:
    """Return whether a film may have this size with every engine."""
    sides = all(SIDE[0] <= side <= SIDE[1] and side % 2 == 0 for side in (width, height))
    return sides and width * height <= MOST_PIXELS


def nearest_film_size(width: int, height: int) -> Size:
    """Return the allowed size nearest to one that isn't: of its shape as far as possible, and as large."""
    shape = min(max(Fraction(width, height), Fraction(SIDE[0], SIDE[1])), Fraction(SIDE[1], SIDE[0]))
    return _size_of(shape, width * height)


def parse_shape(aspect: str) -> Fraction:
    """Return width ÷ height of an aspect ratio such as 16:9 or 2.39:1.

    Raises InvalidRequest (param `aspect`) if no film has that shape.
    """
    width, _, height = aspect.partition(":")
    if not Fraction(width) or not Fraction(height):
        raise InvalidRequest(f"aspect must be above 0 on both sides; got {aspect}.", param="aspect")
    shape = Fraction(width) / Fraction(height)
    most = Fraction(SIDE[1], SIDE[0])
    if not 1 / most <= shape <= most:
        nearest = f"{most}:1" if shape > most else f"1:{most}"
        raise InvalidRequest(
            f"aspect must be from 1:{most} to {most}:1; got {aspect}. The nearest is {nearest}.",
            param="aspect",
        )
    return shape


def size_of_shape(shape: Fraction, usual: Size) -> Size:
    """Return the film's size of a shape (width ÷ height) that is nearest to an engine's usual size in
    pixels."""
    return _size_of(shape, usual[0] * usual[1])


def same_shape(size: Size, shape: Fraction) -> bool:
    return cut_share(size, shape) <= SAME_SHAPE


def cut_share(rendered: Size, shape: Fraction) -> Fraction:
    """Return the share of a picture's area, 0 to 1, that is cut where it covers a frame of that shape."""
    ratio = Fraction(*rendered) / shape
    return 1 - min(ratio, 1 / ratio)


def cropped(rendered: Size, film: Size, fit: Framing) -> float:
    """Return the share of the rendered picture's area that the film doesn't show, 0 to 1."""
    return round(float(cut_share(rendered, Fraction(*film))), 4) if fit is Framing.COVER else 0.0


def given_size(rendered: Size, film: Size, fit: Framing) -> Size:
    """Return the size of a picture that isn't the film's own (the user's, a still, an upload) when an engine
    starts from it: the size of what the film will show of the engine's picture."""
    return film if fit is Framing.COVER else rendered


def orientation(size: Size) -> str:
    """Return portrait, landscape or square; sizes within SAME_SHAPE of a square are square."""
    if same_shape(size, Fraction(1)):
        return "square"
    return "landscape" if size[0] > size[1] else "portrait"


def engine_frames(frames: int, fps: int, rate: int, mode: FpsMode) -> int:
    """Return how many frames at an engine's `rate` are shown in `frames` of the film at `fps`.

    Film frame i shows rendered frame ⌊i × rate ÷ fps⌋, or is blended up to (i + 1) × rate ÷ fps: see
    containers/diffusion/film.py.
    """
    if mode is FpsMode.BLEND:
        return math.ceil(Fraction(frames * rate, fps))
    return (frames - 1) * rate // fps + 1


def _size_of(shape: Fraction, pixels: int) -> Size:
    """Return the allowed size of that shape nearest to `pixels`: of exactly that shape if one is within a
    tenth of the best in pixels, else the best one rounded to even sides."""
    a, b = shape.numerator, shape.denominator
    sides = range(SIDE[0], SIDE[1] + 1, 2)
    exact = [(height * a // b, height) for height in sides if height * a % b == 0]
    ratio = float(shape)
    rounded = [(side, 2 * round(side / ratio / 2)) for side in sides]
    rounded += [(2 * round(side * ratio / 2), side) for side in sides]

    def distance(size: Size) -> float:
        return abs(math.log(size[0] * size[1] / pixels))

    best = min(
        (size for size in rounded if is_film_size(*size) and same_shape(size, shape)),
        key=lambda size: (distance(size), cut_share(size, shape)),
    )
    nearest = min((size for size in exact if is_film_size(*size)), key=distance, default=best)
    return nearest if distance(nearest) <= distance(best) + 0.1 else best
