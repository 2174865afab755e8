"""Burn captions into a film's pictures. Only pictures that show a caption, and those up to the next keyframe,
are re-encoded."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lambdas.domain.errors import CaptionsRefused
from lambdas.media.captions import Cue, turns
from lambdas.media.font import composed, font_of, not_drawn
from lambdas.media.mp4.clip import Clip, blame, read_clip
from lambdas.media.mp4.merge import Piece
from lambdas.media.segments import decode, encode_segment, ends, starts
from lambdas.media.source import Source
from lambdas.media.transitions import Planes, mixed

REVISION = "2"
"""Increment when the same pictures and captions produce other pictures."""

# Fractions of the picture's height, as in broadcasters' captions (EBU-TT-D: 1/15 of it per line).
_LETTERS, _LEADING = 0.05, 1.25
# Fraction of the picture; every screen shows what is inside (EBU R 95, graphics safe area).
_MARGIN = 0.05
# In a picture as tall as 9:16, phone apps lay names and buttons over the bottom and the right edge: up to a
# quarter of the height (YouTube Shorts) and a ninth of the width (TikTok).
_TALL = 1.6  # height by width: 9:16 and taller, not 3:4 or 2:3
_TALL_FOOT, _TALL_SIDE = 0.25, 0.11
# In average letter widths: a line readable at a glance, and the shortest that holds most words.
_LONGEST_LINE, _SHORTEST_LINE = 42, 24
_AVERAGE_LETTER = 0.56  # fraction of the letter size, in this font
_SMALLEST = 8  # pixels; smaller letters run together once outlined
_OUTLINE = 0.1  # fraction of the letter size
_SHADE = 0.4  # opacity of the box behind the lines
_BLACK, _WHITE, _GREY = 16, 235, 128  # limited range: luma, and chroma without colour


@dataclass(frozen=True)
class Shown:
    """A caption over the frames [start, stop) of a piece's clip."""

    start: int
    stop: int
    text: str


def burn(
    pieces: Sequence[Piece],
    cues: Sequence[Cue],
    keep: Callable[[Piece, list[Shown], Callable[[], bytes]], Source],
) -> list[Piece]:
    """Return the pieces with the captions burned in, timed as the cues say. Pieces must start at keyframes:
    call `splice` and `even_out` first.

    `keep(part, shown, make)` returns the stored MP4 that replaces a part of a piece, calling `make` if it is
    not stored yet. The MP4 depends on the part, on what is shown over it and on REVISION. Memory: a few
    frames and one encoded part.

    Raises CaptionsRefused; ClipUnreadable, ClipsDiffer with the clip's index.
    """
    for cue in cues:
        if missing := not_drawn(cue.text):
            raise CaptionsRefused(f"“{cue.text[:80]}” can't be burned into the pictures: {missing}")
    result: list[Piece] = []
    first = 0  # frame of the film
    for piece in pieces:
        with blame(piece.clip):
            clip = read_clip(piece.source)
        stop = len(clip.shown) if piece.stop is None else piece.stop
        shown = [
            Shown(
                piece.start + max(0, one.start - first), min(stop, piece.start + one.stop - first), one.text
            )
            for one in _in_frames(cues, clip)
            if one.start < first + stop - piece.start and one.stop > first
        ]
        first += stop - piece.start
        at = piece.start
        for part, texts in _parts(replace(piece, stop=stop), clip, shown):
            if at < part.start:
                result.append(replace(piece, start=at, stop=part.start))
            assert part.stop is not None  # noqa: S101 - _parts sets it
            at = part.stop
            burnt = keep(part, texts, _Burning(part, clip, texts).encoded)
            result.append(Piece(burnt, piece.clip, 0, at - part.start))
        if at < stop:
            result.append(replace(piece, start=at))
    return result


def _in_frames(cues: Sequence[Cue], clip: Clip) -> list[Shown]:
    """Return each caption with the frames of the film during which it is on screen."""
    width, height = clip.picture.size
    size = _letters(width, height)
    widest = round(min(width * (1 - 2 * _side(width, height)), _LONGEST_LINE * _AVERAGE_LETTER * size))
    drawn = [replace(cue, text=composed(cue.text)) for cue in cues]
    found = [
        Shown(math.ceil(turn.start * clip.fps / 1000), math.ceil(turn.end * clip.fps / 1000), turn.text)
        for turn in turns(drawn, most=widest - 2 * _outline(size), width=font_of(size).getlength)
    ]
    return [one for one in found if one.start < one.stop]


def _parts(piece: Piece, clip: Clip, shown: Sequence[Shown]) -> Iterator[tuple[Piece, list[Shown]]]:
    """Yield what must be encoded: from each caption's first frame, or the last point before it where copying
    can end, to the next keyframe after it."""
    assert piece.stop is not None  # noqa: S101 - the caller sets it
    ending = [frame for frame in ends(clip) if piece.start <= frame <= piece.stop]
    beginning = [frame for frame in starts(clip) if piece.start <= frame < piece.stop]
    texts: list[Shown] = []
    start = stop = piece.start
    for one in shown:
        if texts and one.start >= stop:
            yield replace(piece, start=start, stop=stop), texts
            texts = []
        if not texts:
            start = max((frame for frame in ending if stop <= frame <= one.start), default=stop)
        texts = [*texts, one]
        stop = max(stop, min((frame for frame in beginning if frame >= one.stop), default=piece.stop))
    if texts:
        yield replace(piece, start=start, stop=stop), texts


@dataclass(frozen=True)
class _Burning:
    part: Piece
    clip: Clip
    shown: list[Shown]

    def encoded(self) -> bytes:
        with blame(self.part.clip):
            return encode_segment(self._pictures(), self.clip)

    def _pictures(self) -> Iterator[VideoFrame]:
        assert self.part.stop is not None  # noqa: S101 - see _parts
        frames = decode(self.part.source, self.clip, self.part.start, self.part.stop)
        for number, frame in enumerate(frames, self.part.start):
            text = next((one.text for one in self.shown if one.start <= number < one.stop), None)
            if text is None:
                yield frame
                continue
            caption = _caption(text, frame.width, frame.height)
            picture = cast(Planes, frame.to_ndarray())
            planes = mixed(picture, caption.picture, caption.luma, caption.chroma)
            yield VideoFrame.from_ndarray(planes, "yuv420p")


@dataclass(frozen=True)
class _Caption:
    """A picture and its opacity, in 256ths, for its luma and for both chroma planes."""

    picture: Planes
    luma: NDArray[np.uint16]
    chroma: NDArray[np.uint16]


@lru_cache(maxsize=2)
def _caption(text: str, width: int, height: int) -> _Caption:
    letters, outline, box = _masks(text, width, height)
    # From back to front: picture, box, outline, letters.
    around = 1 - (1 - box * _SHADE) * (1 - outline)
    seen = 1 - (1 - around) * (1 - letters)
    share = np.divide(letters, seen, out=np.zeros_like(seen), where=seen > 0)
    picture = np.full((height * 3 // 2, width), _GREY, np.uint8)
    picture[:height] = np.rint(_BLACK + (_WHITE - _BLACK) * share)
    halved = seen.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    luma, chroma = (np.rint(256 * part).astype(np.uint16) for part in (seen, np.tile(halved, (2, 1))))
    return _Caption(picture, luma, chroma)


def _masks(text: str, width: int, height: int) -> list[NDArray[np.float64]]:
    """Return masks (0 to 1) of the letters, the letters with outline, and the box behind the lines."""
    size = _letters(width, height)
    font, outline, leading = font_of(size), _outline(size), round(size * _LEADING)
    lines = text.split("\n")
    foot = height - max(2, round(height * _foot(width, height))) - outline
    masks = [Image.new("L", (width, height)) for _ in range(3)]
    letters, outlined, box = map(ImageDraw.Draw, masks)
    pad = round(size * 0.3)
    for number, line in enumerate(lines):
        # Positioned by the font's baseline, so that descenders don't shift a line.
        left = (width - font.getlength(line)) / 2
        base = foot - round(size * 0.25) - (len(lines) - 1 - number) * leading
        letters.text((left, base), line, fill=255, font=font, anchor="ls")
        outlined.text((left, base), line, fill=255, font=font, anchor="ls", stroke_width=outline)
        right = width - left
        box.rectangle((left - pad, base - size, right + pad, base - size + leading), fill=255)
    return [np.asarray(mask, np.float64) / 255 for mask in masks]


def _letters(width: int, height: int) -> int:
    """Return the letter size in pixels: by the height, or in a narrow picture by what a line must hold."""
    widest = width * (1 - 2 * _side(width, height)) / (_SHORTEST_LINE * _AVERAGE_LETTER)
    return max(_SMALLEST, round(min(height * _LETTERS, widest)))


def _side(width: int, height: int) -> float:
    """Return the fraction of the width to leave free at each side."""
    return _TALL_SIDE if height >= _TALL * width else _MARGIN


def _foot(width: int, height: int) -> float:
    """Return the fraction of the height to leave free below the captions."""
    return _TALL_FOOT if height >= _TALL * width else _MARGIN


def _outline(size: int) -> int:
    return max(1, round(size * _OUTLINE))
