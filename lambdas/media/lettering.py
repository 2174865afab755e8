"""Words in pictures: in letters as large as they fit, in every script (see typesetting)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from lambdas.media.lines import filled, fitting, graphemes, units
from lambdas.media.typesetting import Fonts, Line, drawn, runs_right_to_left, set_line

SMALLEST = 7  # pixels; smaller letters are unreadable
_TALL = 1.25  # height of a line of Latin letters; other scripts' lines have more room
_ABOVE = 0.03  # of the letter size: what the line's ascent has above Latin capitals' accents

Ink = int | str | tuple[int, ...]


@dataclass(frozen=True)
class Letters:
    """Letters of `size` pixels."""

    size: int
    fonts: Fonts = field(default_factory=Fonts)

    def width(self, text: str) -> float:
        """Return the width of a line, in pixels."""
        return self._set(text).width * self.size

    def leading(self, lines: Sequence[str], share: float) -> int:
        """Return the distance of lines: `share` of the letter size, and more where letters are taller than
        Latin ones."""
        tallest = max((one.ascent + one.descent for one in map(self._set, lines)), default=_TALL)
        return round(self.size * share * max(1, tallest / _TALL))

    def draw(
        self,
        picture: Image.Image,
        sides: tuple[float, float],
        top: float,
        text: str,
        ink: Ink,
        *,
        centred: bool = False,
    ) -> None:
        """Draw a line between two sides: at the one where its script begins, or in the middle. `ink`: as
        Pillow takes it."""
        mask, around = self._mask(text)
        left, right = sides
        free = right - left - self.width(text)
        start = left + (free / 2 if centred else free if runs_right_to_left(text) else 0)
        picture.paste(ink, (round(start) - around, round(top)), mask)

    def box(self, text: str) -> tuple[int, int, int, int]:
        """Return what a line covers whose left end is at 0, and whose top is: left, top, right and bottom."""
        mask, around = self._mask(text)
        begin, top, end, bottom = mask.getbbox() or (around, 0, around, 0)
        return begin - around, top, end - around, bottom

    def _mask(self, text: str) -> tuple[Image.Image, int]:
        """Return the line's pixels, and how many there are left of where it begins."""
        line = self._set(text)
        around = self.size  # letters may reach beyond their own width
        base = round((line.ascent - _ABOVE) * self.size)
        size = math.ceil(line.width * self.size) + 2 * around, base + math.ceil(line.descent * self.size)
        pixels = np.rint(line.mask(size, self.size, around, base) * 255)
        return Image.fromarray(pixels.astype(np.uint8), "L"), around

    def _set(self, text: str) -> Line:
        return set_line(text, self.fonts, right_to_left=runs_right_to_left(text))


def drawable(text: str, fonts: Fonts | None = None) -> str:
    """Return the text on one line, without letters that no font has; empty if no letter or digit is left."""
    fonts = fonts or Fonts()
    kept = " ".join("".join(one if fonts.face(one) else " " for one in graphemes(drawn(text))).split())
    return kept if any(map(str.isalnum, kept)) else ""


def largest(
    text: str, width: int, height: int, unit: int, *, most: int | None = None, fonts: Fonts | None = None
) -> tuple[list[str], Letters]:
    """Return the text in the largest letters that fit the box, without breaking a word; cut with an … if the
    smallest don't. `unit`: the picture's shorter side; `most`: the largest letters, in pixels."""
    fonts = fonts or Fonts()
    first = max(SMALLEST, round(unit * 0.15) if most is None else most)
    sizes = range(first, min(first, max(SMALLEST, round(unit * 0.06 if most is None else most / 2))) - 1, -1)
    for size in sizes:
        letters = Letters(size, fonts)
        lines = filled(units(text), width, letters.width)
        whole = all(letters.width(line) <= width for line in lines)
        if whole and len(lines) * letters.leading(lines, 1.18) <= height:
            return lines, letters
    letters = Letters(sizes[-1], fonts)
    lines = wrapped(text, letters, width)
    return limited(lines, max(1, height // letters.leading(lines, 1.18)), letters, width), letters


def wrapped(text: str, letters: Letters, width: int) -> list[str]:
    """Return the text in lines of at most that width; a wider word is broken."""
    return filled(fitting(units(text), width, letters.width), width, letters.width)


def limited(lines: list[str], most: int, letters: Letters, width: int) -> list[str]:
    """Return at most that many lines, the last one cut with an …"""
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], _cut(f"{lines[most - 1]} {lines[most]}", letters, width)]


def _cut(line: str, letters: Letters, width: int) -> str:
    kept = graphemes(line)
    while kept and letters.width("".join(kept) + "…") > width:
        kept.pop()
    return "".join(kept).rstrip() + "…"
