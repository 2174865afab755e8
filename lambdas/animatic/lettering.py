"""Draw the scene's text as a lower third or as a card's words, and the draft mark."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from lambdas.animatic.card import Box
from lambdas.animatic.palettes import Colour, lighter
from lambdas.animatic.words import Shot
from lambdas.media.lettering import SMALLEST, Letters, drawable, largest, limited, wrapped

MOST_LINES = 3
MOST_NOTE_LINES = 2  # of a card's shot, and of its camera move


def overlay(size: tuple[int, int], *, title: str, mark: str, accent: Colour) -> Image.Image:
    """Return the static RGBA overlay: darkened edges, the title on a soft shade, the mark."""
    width, height = size
    unit = min(width, height)
    margin = max(3, round(unit * 0.06))
    room = width - 2 * margin - round(unit * 0.04)
    lines, letters = _fit(drawable(title), room, unit)
    leading = letters.leading(lines, 1.24)
    text_height = leading * len(lines)
    picture = _shade(size, text_height + 2 * margin if lines else 0)

    if lines:
        left, top = margin + round(unit * 0.034), height - margin - text_height
        words = Image.new("L", size, 0)
        for index, line in enumerate(lines):
            letters.draw(words, (left, left + room), top + index * leading, line, 255)
        shadow = words.filter(ImageFilter.GaussianBlur(max(0.6, letters.size * 0.09)))
        picture.alpha_composite(_coloured((6, 8, 16), shadow.point(lambda value: value * 0.85)))
        picture.alpha_composite(_coloured((255, 255, 255), words))
        bar = max(1, round(unit * 0.0085))
        box = (
            margin,
            top + round(letters.size * 0.12),
            margin + bar - 1,
            top + text_height - round(letters.size * 0.1),
        )
        ImageDraw.Draw(picture).rectangle(box, fill=(*lighter(accent, 0.25), 255))
    if mark:
        _stamp_mark(picture, mark, unit, margin)
    return picture


def draft_mark(size: tuple[int, int]) -> Image.Image:
    """Return an RGBA picture with nothing but a mark in its upper left corner: for a crop of a draft, which
    may have cut the draft's own."""
    unit = min(size)
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    _stamp_mark(picture, "DRAFT", unit, max(3, round(unit * 0.06)), left=True)
    return picture


def card_overlay(
    size: tuple[int, int], box: Box, words: str, shot: Shot, *, mark: str, accent: Colour
) -> Image.Image:
    """Return the static RGBA overlay of a card: in `box` on a dark ground the scene's words, as large as they
    fit, then its shot and its camera move; and the mark."""
    width, height = size
    unit = min(width, height)
    margin = max(3, round(unit * 0.06))
    picture = _shade(size, 0)
    left, top, right, bottom = (
        round(share * length) for share, length in zip(box, (width, height, width, height), strict=True)
    )
    pad = max(2, round(unit * 0.045))
    inner, room = right - left - 2 * pad, bottom - top - 2 * pad
    small = Letters(max(SMALLEST, round(unit * 0.036)))
    said = [drawable(one) for one in (shot.view, shot.camera)]
    small_leading = small.leading(said, 1.3)
    notes = [limited(wrapped(one, small, inner), MOST_NOTE_LINES, small, inner) for one in said if one]
    gap = round(small.size * 0.7)
    notes_height = sum(len(lines) * small_leading + gap for lines in notes)
    if notes_height > 0.55 * room or small.size <= SMALLEST:
        notes, notes_height = [], 0
    lines, letters = largest(drawable(words), inner, room - notes_height, unit)
    if lines or notes:
        leading = letters.leading(lines, 1.18)
        used = len(lines) * leading + notes_height + 2 * pad
        start = top + max(0, (bottom - top - used) // 2)
        plate = Image.new("L", size, 0)
        area = (left, start, right, start + used)
        ImageDraw.Draw(plate).rounded_rectangle(area, radius=pad // 2, fill=170)
        picture.alpha_composite(_coloured((6, 8, 16), plate))
        draw = ImageDraw.Draw(picture)
        bar = max(1, round(unit * 0.011))
        draw.rectangle((left, start, left + bar - 1, start + used), fill=(*lighter(accent, 0.25), 255))
        sides = left + pad, left + pad + inner
        y = start + pad
        for line in lines:
            letters.draw(picture, sides, y, line, (255, 255, 255, 255))
            y += leading
        for note in notes:
            y += gap
            for line in note:
                small.draw(picture, sides, y, line, (*lighter(accent, 0.85), 255))
                y += small_leading
    if mark:
        _stamp_mark(picture, mark, unit, margin)
    return picture


def _fit(text: str, width: int, unit: int) -> tuple[list[str], Letters]:
    """Return the text in the largest letters that fit two lines, otherwise in three small lines cut with an
    …"""
    most = max(SMALLEST, round(unit * 0.075))
    smallest = max(SMALLEST, round(unit * 0.046))
    for size in range(most, smallest - 1, -1):
        letters = Letters(size)
        lines = wrapped(text, letters, width)
        if len(lines) <= 2:
            # Balance the lines, so that no word is alone on its line.
            widths = (width * share for share in (0.55, 0.65, 0.75, 0.85, 1.0))
            even = (wrapped(text, letters, round(narrower)) for narrower in widths)
            return next(found for found in even if len(found) == len(lines)), letters
    letters = Letters(smallest)
    return limited(wrapped(text, letters, width), MOST_LINES, letters, width), letters


def _shade(size: tuple[int, int], foot: int) -> Image.Image:
    """Return a dark shade, denser in the corners and over the lowest `foot` pixels."""
    width, height = size
    x, y = np.linspace(-1, 1, width)[None, :], np.linspace(-1, 1, height)[:, None]
    corners = 0.4 * np.clip((x**2 + y**2) / 2 - 0.28, 0, 1) ** 1.2
    rows = np.arange(height)[:, None]
    rise = np.clip((rows - (height - 1.5 * foot)) / max(1, 1.3 * foot), 0, 1)
    band = 0.62 * rise * rise * (3 - 2 * rise)
    alpha = 1 - (1 - corners) * (1 - band)
    return _coloured((6, 8, 16), Image.fromarray((alpha * 255).astype(np.uint8), "L"))


def _coloured(colour: Colour, alpha: Image.Image) -> Image.Image:
    picture = Image.new("RGBA", alpha.size, (*colour, 255))
    picture.putalpha(alpha)
    return picture


def _stamp_mark(picture: Image.Image, mark: str, unit: int, margin: int, *, left: bool = False) -> None:
    letters = Letters(max(SMALLEST, round(unit * 0.03)))
    begin, top, end, bottom = letters.box(mark)
    pad = max(1, round(letters.size * 0.45))
    wide, high = end - begin + 2 * pad, bottom - top + 2 * pad
    edge = max(1, round(margin * 0.6))
    plate = Image.new("RGBA", (wide, high), (0, 0, 0, 0))
    draw = ImageDraw.Draw(plate)
    draw.rounded_rectangle((0, 0, wide - 1, high - 1), radius=high // 3, fill=(10, 12, 22, 130))
    letters.draw(plate, (pad - begin, wide), pad - top, mark, (255, 255, 255, 225))
    picture.alpha_composite(plate, (edge if left else max(0, picture.width - edge - wide), edge))
