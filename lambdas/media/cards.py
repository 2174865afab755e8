"""Clips of a picture: the user's own, held or slowly enlarged, and title cards."""

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lambdas.domain.colours import Colours
from lambdas.domain.film_format import Framing, Size
from lambdas.domain.film_plan import Card
from lambdas.domain.storyboard import Zoom
from lambdas.media.encode import in_yuv, splice_points, write_pictures
from lambdas.media.images import framed
from lambdas.media.lettering import drawable, largest
from lambdas.media.lines import balanced, units
from lambdas.media.typesetting import Fonts

_CLOSEST = 1.12  # how much a zoom enlarges a picture
# Of a title card. The free share of each side: what every screen shows (EBU R 95), and as much again.
_MARGIN = 0.1
_TITLE_HEIGHT, _SUBTITLE_HEIGHT = 0.45, 0.2  # the most, as shares of the height
_SUBTITLE = 0.46  # the size of the subtitle's letters, as a share of the title's
_LEADING = 1.18
_BAR = (0.14, 0.01)  # the bar under the title, as shares of the shorter side


def card_clip(
    card: Card, picture: bytes | None, size: Size, fps: int, frames: int, fit: Framing, fonts: Fonts
) -> bytes:
    """Return an MP4 of a card, always the same bytes. `picture`: the checked image that it shows, if any.
    `fonts`: of its title.

    Memory: a few frames.
    """
    if picture is None:
        shown = _held(title_card(card.title, card.subtitle, size, card.colours, fonts), frames)
    elif card.zoom is None:
        shown = _held(framed(picture, size, fit), frames)
    else:
        shown = _zoomed(picture, card.zoom, size, frames, fit)
    output = BytesIO()
    width, height = size
    write_pictures(
        in_yuv(shown, (height, width, 3)),
        output,
        width=width,
        height=height,
        fps=Fraction(fps),
        keyframes=splice_points(frames, fps),
    )
    return output.getvalue()


def title_card(title: str, subtitle: str, size: Size, colours: Colours, fonts: Fonts) -> Image.Image:
    """Return a title card: the title as large as it fits, a bar, and the subtitle, in the middle."""
    width, height = size
    unit = min(size)
    room = round(width * (1 - 2 * _MARGIN))
    card = Image.new("RGB", size, colours.background)
    text = drawable(title, fonts)
    lines, letters = largest(text, room, round(height * _TITLE_HEIGHT), unit, fonts=fonts)
    if len(lines) > 1 and not lines[-1].endswith("…"):
        lines = balanced(units(text), room, letters.width)
    below, small = largest(
        drawable(subtitle, fonts),
        room,
        round(height * _SUBTITLE_HEIGHT),
        unit,
        most=round(letters.size * _SUBTITLE),
        fonts=fonts,
    )
    leading, small_leading = letters.leading(lines, _LEADING), small.leading(below, _LEADING * 1.08)
    bar = [max(1, round(unit * share)) for share in _BAR]
    gap = round(letters.size * 0.42)
    used = len(lines) * leading + gap + bar[1] + (gap + len(below) * small_leading if below else 0)
    top = (height - used) // 2
    for line in lines:
        letters.draw(card, (0, width), top, line, colours.text, centred=True)
        top += leading
    top += gap
    left = (width - bar[0]) // 2
    ImageDraw.Draw(card).rectangle((left, top, left + bar[0] - 1, top + bar[1] - 1), fill=colours.accent)
    top += bar[1] + gap
    for line in below:
        small.draw(card, (0, width), top, line, colours.text, centred=True)
        top += small_leading
    return card


def _held(picture: Image.Image, frames: int) -> Iterator[NDArray[np.uint8]]:
    return repeat(np.asarray(picture), frames)


def _zoomed(data: bytes, zoom: Zoom, size: Size, frames: int, fit: Framing) -> Iterator[NDArray[np.uint8]]:
    """Yield the picture's frames, between all of it and its middle, at an even speed."""
    whole = tuple(2 * round(side * _CLOSEST / 2) for side in size)
    picture = framed(data, (whole[0], whole[1]), fit)
    for frame in range(frames):
        done = frame / max(1, frames - 1)
        closeness = _CLOSEST ** (done if zoom is Zoom.IN else 1 - done)
        seen = [side / closeness for side in whole]
        corner = [(side - part) / 2 for side, part in zip(whole, seen, strict=True)]
        box = (corner[0], corner[1], corner[0] + seen[0], corner[1] + seen[1])
        yield np.asarray(picture.resize(size, Image.Resampling.BICUBIC, box=box))
