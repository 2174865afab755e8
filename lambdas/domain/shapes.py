"""Further shapes of a film: the same clips, sound and length in a frame of another aspect ratio."""

import re
from enum import StrEnum
from fractions import Fraction

from lambdas.domain.documents import Document
from lambdas.domain.film_format import Framing, Size, cropped, parse_shape, size_of_shape

Point = tuple[Fraction, Fraction]  # of a picture: 0, 0 is its top left corner, 1, 1 its bottom right one

_SHARE = r"(0(\.[0-9]{1,4})?|1(\.0{1,4})?)"
FOCAL_POINT = rf"^(center|left|right|top|bottom|(top|bottom)-(left|right)|{_SHARE},{_SHARE})$"
FOCAL_POINTS = (
    "left, right, top, bottom, center, a corner such as top-left, or x,y from 0,0 (top left) to 1,1, for "
    "example 0.3,0.5"
)
_SIDES = {
    "left": (0, None),
    "right": (1, None),
    "top": (None, 0),
    "bottom": (None, 1),
    "center": (None, None),
}


class Aspect(StrEnum):
    """The aspect ratios in which a film is delivered besides its own."""

    WIDE = "16:9"
    TALL = "9:16"
    SQUARE = "1:1"
    PORTRAIT = "4:5"
    CINEMA = "21:9"

    @property
    def variant(self) -> str:
        """Its name in a URL, a file or a form: `9x16`."""
        return self.replace(":", "x")


class Shape(Document):
    """A further shape of a film. `fit`: how the film's picture fills it."""

    aspect: Aspect
    fit: Framing = Framing.COVER

    def size(self, film: Size) -> Size:
        """Return its size in pixels for a film of this size: about as many."""
        return size_of_shape(parse_shape(self.aspect), film)

    def cropped(self, film: Size) -> float:
        """Return the share of the film's picture that it doesn't show, 0 to 1."""
        return cropped(film, self.size(film), self.fit)


def point_of(focal_point: str | None) -> Point:
    """Return the place that a focal point names (see FOCAL_POINTS); None: the middle."""
    if focal_point is not None and (given := re.fullmatch(rf"{_SHARE},{_SHARE}", focal_point)):
        x, y = given[0].split(",")
        return Fraction(x), Fraction(y)
    place: list[Fraction] = [Fraction(1, 2), Fraction(1, 2)]
    for side in (focal_point or "center").split("-"):
        for axis, at in enumerate(_SIDES[side]):
            if at is not None:
                place[axis] = Fraction(at)
    return place[0], place[1]
