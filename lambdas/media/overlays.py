"""Pictures laid over a film: a logo, and lower thirds that fade in and out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lambdas.domain.brand import Corner
from lambdas.domain.colours import Colours
from lambdas.domain.film_format import Size
from lambdas.domain.storyboard import LOWER_THIRD_SECONDS
from lambdas.media.caption_design import is_tall, margins
from lambdas.media.lettering import drawable, largest
from lambdas.media.transitions import Planes
from lambdas.media.typesetting import Fonts

REVISION = "2"
"""Increment when the same overlay looks otherwise."""
_CAPTIONS = 0.17  # of the height, for captions below a lower third
_WIDEST_LOGO = 0.4  # of the width
# Of a lower third, as shares of the picture's shorter side: the letters, the subtitle's share of them, the
# plate's padding and the bar. It takes up to this share of the width.
_TITLE, _SUBTITLE, _PAD, _BAR = 0.06, 0.66, 0.028, 0.009
_WIDEST, _WIDEST_TALL = 0.6, 0.78
_PLATE = 0.86  # opacity
_LEADING = 1.2
_Level = TypeVar("_Level", float, NDArray[np.float64])
_DELAY, _FADE = Fraction(1, 2), Fraction(3, 10)  # seconds after the scene's start, and of each fade
_FULL = 256


class Drawing:
    """A picture (RGBA) of a film's size, most of it transparent."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image

    @cached_property
    def patches(self) -> Sequence["_Patch"]:
        """The patches of luma and both chromas, in limited range BT.709."""
        return _patches(self.image)


@dataclass(frozen=True)
class Overlay:
    """A picture over the frames [start, stop) of a film or, in `within`, of a piece's clip. It fades over
    `fade` frames in after `begins` and out before `ends`. `address`: what determines the picture."""

    start: int
    stop: int
    picture: "Drawing"
    address: Any
    begins: int = 0
    ends: int = 0
    fade: int = 0

    @property
    def determines(self) -> list[Any]:
        """Return what determines the pictures that it is laid over."""
        faded = [self.begins, self.ends, self.fade] if self.fade else None
        return [REVISION, self.start, self.stop, faded, self.address]

    def within(self, by: int, start: int, stop: int) -> "Overlay":
        """Return it moved by so many frames, and cut to [start, stop)."""
        moved = (self.start + by, self.stop + by, self.begins + by, self.ends + by)
        return replace(
            self, start=max(start, moved[0]), stop=min(stop, moved[1]), begins=moved[2], ends=moved[3]
        )

    def laid_over(self, planes: Planes, number: int) -> Planes:
        """Return a frame's planes (yuv420p) with the picture over them."""
        seen = 1.0
        if self.fade:
            seen = min(1.0, (number - self.begins + 1) / self.fade, (self.ends - number) / self.fade)
        height, width = planes.shape[0] * 2 // 3, planes.shape[1]
        result = planes.copy()
        for plane, patch in zip(_split(result, width, height), self.picture.patches, strict=True):
            weight = np.rint(patch.weight * seen).astype(np.uint16)
            area = plane[patch.rows, patch.columns]
            area[:] = (area * (_FULL - weight) + patch.colour * weight + _FULL // 2) // _FULL
        return result


def logo_overlay(
    picture: Image.Image, address: Any, film: Size, corner: Corner, size: float, frames: int
) -> Overlay:
    """Return a logo (RGBA) in a corner of all frames, `size` of the shorter side high."""
    width, height = film
    scale = min(size * min(film) / picture.height, _WIDEST_LOGO * width / picture.width)
    wide, high = (max(2, round(side * scale)) for side in picture.size)
    logo = picture.convert("RGBa").resize((wide, high), Image.Resampling.LANCZOS).convert("RGBA")
    head, foot, side = margins(*film)
    top, left = corner.value.split("-")
    x = round(width * side) if left == "left" else width - round(width * side) - wide
    y = round(height * head) if top == "top" else height - round(height * foot) - high
    canvas = Image.new("RGBA", film)
    canvas.paste(logo, (x, y))
    return Overlay(0, frames, Drawing(canvas), address)


def third_overlay(
    title: str,
    subtitle: str,
    colours: Colours,
    film: Size,
    scene: tuple[int, int],
    fps: int,
    fonts: Fonts,
    *,
    captioned: bool,
) -> Overlay | None:
    """Return a lower third over the first seconds of a scene, which is shown in the frames `scene`; None if
    they are too few. `captioned`: there are captions below it."""
    first, last = scene
    delay, fade = round(_DELAY * fps), max(1, round(_FADE * fps))
    if last - first < 4 * delay:
        delay = 0
    start = first + delay
    stop = min(last - delay, start + LOWER_THIRD_SECONDS * fps)
    if stop <= start:
        return None
    image = lower_third(title, subtitle, colours, film, fonts, captioned=captioned)
    address = [title, subtitle, colours.model_dump(), captioned]
    fade = min(fade, (stop - start) // 2)
    return Overlay(start, stop, Drawing(image), address, start, stop, fade)


def lower_third(
    title: str, subtitle: str, colours: Colours, film: Size, fonts: Fonts, *, captioned: bool = False
) -> Image.Image:
    """Return a lower third as a picture (RGBA) of the film's size."""
    width, height = film
    unit = min(film)
    _, foot, side = margins(*film)
    room = round(width * (_WIDEST_TALL if is_tall(*film) else _WIDEST))
    pad, bar = max(2, round(unit * _PAD)), max(2, round(unit * _BAR))
    inner = room - 2 * pad - bar
    usual = round(unit * _TITLE)
    tall = round(3.2 * usual)  # two lines, of tall letters too
    lines, letters = largest(drawable(title, fonts), inner, tall, unit, most=usual, fonts=fonts)
    smaller = round(letters.size * _SUBTITLE)
    below, small = largest(drawable(subtitle, fonts), inner, tall, unit, most=smaller, fonts=fonts)
    leading, small_leading = letters.leading(lines, _LEADING), small.leading(below, _LEADING)
    gap = round(small.size * 0.25) if below else 0
    wide = max([*map(letters.width, lines), *map(small.width, below), pad])
    high = len(lines) * leading + gap + len(below) * small_leading + 2 * pad
    left = round(width * side)
    bottom = height - round(height * (foot + (_CAPTIONS if captioned else 0)))
    top = bottom - high
    picture = Image.new("RGBA", film)
    draw = ImageDraw.Draw(picture)
    red, green, blue = (int(colours.background[at : at + 2], 16) for at in (1, 3, 5))
    right = left + bar + round(wide) + 2 * pad
    draw.rectangle((left, top, right - 1, bottom - 1), fill=(red, green, blue, round(255 * _PLATE)))
    draw.rectangle((left, top, left + bar - 1, bottom - 1), fill=colours.accent)
    sides = left + bar + pad, right - pad
    y = top + pad
    for line in lines:
        letters.draw(picture, sides, y, line, colours.text)
        y += leading
    y += gap
    for line in below:
        small.draw(picture, sides, y, line, colours.text)
        y += small_leading
    return picture


@dataclass(frozen=True)
class _Patch:
    """The part of a plane that a picture covers: its colour, and its weight in 256ths."""

    rows: slice
    columns: slice
    colour: NDArray[np.uint16]
    weight: NDArray[np.float64]


def _patches(image: Image.Image) -> Sequence[_Patch]:
    box = image.getchannel("A").getbbox() or (0, 0, 2, 2)
    left, top = box[0] // 2 * 2, box[1] // 2 * 2
    right, bottom = -(-box[2] // 2) * 2, -(-box[3] // 2) * 2
    pixels = np.asarray(image.crop((left, top, right, bottom)), np.float64) / 255
    alpha = pixels[..., 3]
    luma, *chromas = in_planes(*(pixels[..., channel] for channel in range(3)))
    halved = _halved(alpha)
    found = [_patch(luma, alpha, top, left)]
    for chroma in chromas:
        shown = np.divide(_halved(chroma * alpha), halved, out=np.full_like(halved, 128), where=halved > 0)
        found.append(_patch(shown, halved, top // 2, left // 2))
    return found


def in_planes(red: _Level, green: _Level, blue: _Level) -> tuple[_Level, _Level, _Level]:
    """Return a colour (each part 0 to 1) as luma and both chromas, in limited range BT.709."""
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return 16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748


def _patch(colour: NDArray[np.float64], alpha: NDArray[np.float64], top: int, left: int) -> _Patch:
    height, width = colour.shape
    rows, columns = slice(top, top + height), slice(left, left + width)
    return _Patch(rows, columns, np.rint(colour).astype(np.uint16), alpha * _FULL)


def _halved(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = plane.shape
    halved: NDArray[np.float64] = plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return halved


def _split(planes: Planes, width: int, height: int) -> Iterator[Planes]:
    """Yield views of the three planes of a yuv420p frame."""
    yield planes[:height]
    yield from planes[height:].reshape(2, height // 2, width // 2)
