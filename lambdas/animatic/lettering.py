"""Draw the scene's text as a lower third or as a card's words, and the draft mark."""

import unicodedata

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from lambdas.animatic.card import Box
from lambdas.animatic.palettes import Colour, lighter
from lambdas.animatic.words import Shot
from lambdas.media.font import SMALLEST, font_of, has_shape
from lambdas.media.lines import filled, fitting, graphemes, units

MOST_LINES = 3
MOST_NOTE_LINES = 2  # of a card's shot, and of its camera move


def overlay(size: tuple[int, int], *, title: str, mark: str, accent: Colour) -> Image.Image:
    """Return the static RGBA overlay: darkened edges, the title on a soft shade, the mark."""
    width, height = size
    unit = min(width, height)
    margin = max(3, round(unit * 0.06))
    lines, font = _fit(drawable(title), width - 2 * margin - round(unit * 0.04), unit)
    leading = round(font.size * 1.24)
    text_height = leading * len(lines)
    picture = _shade(size, text_height + 2 * margin if lines else 0)

    if lines:
        left, top = margin + round(unit * 0.034), height - margin - text_height
        letters = Image.new("L", size, 0)
        draw = ImageDraw.Draw(letters)
        for index, line in enumerate(lines):
            draw.text((left, top + index * leading), line, fill=255, font=font)
        shadow = letters.filter(ImageFilter.GaussianBlur(max(0.6, font.size * 0.09)))
        picture.alpha_composite(_coloured((6, 8, 16), shadow.point(lambda value: value * 0.85)))
        picture.alpha_composite(_coloured((255, 255, 255), letters))
        bar = max(1, round(unit * 0.0085))
        box = (
            margin,
            top + round(font.size * 0.12),
            margin + bar - 1,
            top + text_height - round(font.size * 0.1),
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
    small = font_of(max(SMALLEST, round(unit * 0.036)))
    small_leading = round(small.size * 1.3)
    said = [drawable(one) for one in (shot.view, shot.camera)]
    notes = [_limited(_wrap(one, small, inner), MOST_NOTE_LINES, small, inner) for one in said if one]
    gap = round(small.size * 0.7)
    notes_height = sum(len(lines) * small_leading + gap for lines in notes)
    if notes_height > 0.55 * room or small.size <= SMALLEST:
        notes, notes_height = [], 0
    lines, font = largest(drawable(words), inner, room - notes_height, unit)
    if lines or notes:
        leading = round(font.size * 1.18)
        used = len(lines) * leading + notes_height + 2 * pad
        start = top + max(0, (bottom - top - used) // 2)
        plate = Image.new("L", size, 0)
        area = (left, start, right, start + used)
        ImageDraw.Draw(plate).rounded_rectangle(area, radius=pad // 2, fill=170)
        picture.alpha_composite(_coloured((6, 8, 16), plate))
        draw = ImageDraw.Draw(picture)
        bar = max(1, round(unit * 0.011))
        draw.rectangle((left, start, left + bar - 1, start + used), fill=(*lighter(accent, 0.25), 255))
        y = start + pad
        for line in lines:
            draw.text((left + pad, y), line, fill=(255, 255, 255, 255), font=font)
            y += leading
        for note in notes:
            y += gap
            for line in note:
                draw.text((left + pad, y), line, fill=(*lighter(accent, 0.85), 255), font=small)
                y += small_leading
    if mark:
        _stamp_mark(picture, mark, unit, margin)
    return picture


def largest(
    text: str, width: int, height: int, unit: int, *, most: int | None = None
) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """Return the text in the largest letters that fit the box, without breaking a word; cut with an … if the
    smallest don't. `unit`: the picture's shorter side; `most`: the largest letters, in pixels."""
    first = max(SMALLEST, round(unit * 0.15) if most is None else most)
    sizes = range(first, min(first, max(SMALLEST, round(unit * 0.06 if most is None else most / 2))) - 1, -1)
    for size in sizes:
        font = font_of(size)
        lines = filled(units(text), width, font.getlength)
        whole = all(font.getlength(line) <= width for line in lines)
        if whole and len(lines) * round(size * 1.18) <= height:
            return lines, font
    font = font_of(sizes[-1])
    lines = _wrap(text, font, width)
    most = max(1, height // round(font.size * 1.18))
    return _limited(lines, most, font, width), font


def _limited(lines: list[str], most: int, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Return at most that many lines, the last one cut with an …"""
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], _cut(f"{lines[most - 1]} {lines[most]}", font, width)]


def drawable(text: str) -> str:
    """Return the text on one line, without characters that the font lacks and would draw as boxes; empty if
    no letter or digit is left."""
    plain = unicodedata.normalize("NFC", text)
    kept = " ".join("".join(letter if has_shape(letter) else " " for letter in plain).split())
    return kept if any(map(str.isalnum, kept)) else ""


def _fit(text: str, width: int, unit: int) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """Return the text in the largest letters that fit two lines, otherwise in three small lines cut with an
    …"""
    largest = max(SMALLEST, round(unit * 0.075))
    smallest = max(SMALLEST, round(unit * 0.046))
    for size in range(largest, smallest - 1, -1):
        lines = _wrap(text, font_of(size), width)
        if len(lines) <= 2:
            # Balance the lines, so that no word is alone on its line.
            widths = (width * share for share in (0.55, 0.65, 0.75, 0.85, 1.0))
            even = (_wrap(text, font_of(size), round(narrower)) for narrower in widths)
            return next(found for found in even if len(found) == len(lines)), font_of(size)
    font = font_of(smallest)
    lines = _wrap(text, font, width)
    return _limited(lines, MOST_LINES, font, width), font


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    return filled(fitting(units(text), width, font.getlength), width, font.getlength)


def _cut(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    letters = graphemes(line)
    while letters and font.getlength("".join(letters) + "…") > width:
        letters.pop()
    return "".join(letters).rstrip() + "…"


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
    font = font_of(max(SMALLEST, round(unit * 0.03)))
    begin, top, end, bottom = font.getbbox(mark)
    pad = max(1, round(font.size * 0.45))
    wide, high = int(end - begin) + 2 * pad, int(bottom - top) + 2 * pad
    edge = max(1, round(margin * 0.6))
    plate = Image.new("RGBA", (wide, high), (0, 0, 0, 0))
    draw = ImageDraw.Draw(plate)
    draw.rounded_rectangle((0, 0, wide - 1, high - 1), radius=high // 3, fill=(10, 12, 22, 130))
    draw.text((pad - begin, pad - top), mark, fill=(255, 255, 255, 225), font=font)
    picture.alpha_composite(plate, (edge if left else max(0, picture.width - edge - wide), edge))
