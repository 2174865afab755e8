"""Burn captions and overlays into a film's pictures. Only pictures that show one, and those up to the next
keyframe, are re-encoded, once."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from typing import Any, cast

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from lambdas.domain.errors import CaptionsRefused
from lambdas.domain.video_request import CaptionPosition, CaptionStyle
from lambdas.media.caption_design import (
    BOX_COLOUR,
    BOX_OPACITY,
    LIT_COLOUR,
    SMALLEST,
    Design,
    margins,
    room,
)
from lambdas.media.captions import Cue, Turn
from lambdas.media.mp4.clip import Clip, blame, read_clip
from lambdas.media.mp4.merge import Piece
from lambdas.media.overlays import Overlay, in_planes
from lambdas.media.segments import decode, encode_segment, ends, starts
from lambdas.media.source import Source
from lambdas.media.transitions import Planes, mixed
from lambdas.media.typesetting import Line, runs_right_to_left, set_line

REVISION = "3"
"""Increment when the same pictures and captions produce other pictures."""

_STEP = 4  # pixels by which letters are spread at a time: the cost grows with its square

_Mask = NDArray[np.float32]


@dataclass(frozen=True)
class Shown:
    """A caption over the frames [start, stop) of a piece's clip. `lit`: from which of its letters to which
    it is lit."""

    start: int
    stop: int
    text: str
    lit: tuple[int, int] | None = None

    @property
    def determines(self) -> list[Any]:
        """Return what determines the pictures that show it."""
        return [REVISION, asdict(self)]


Drawn = Shown | Overlay


def burn(
    pieces: Sequence[Piece],
    cues: Sequence[Cue],
    keep: Callable[[Piece, list[Drawn], Callable[[], bytes]], Source],
    design: Design,
    overlays: Sequence[Overlay] = (),
) -> list[Piece]:
    """Return the pieces with the captions burned in, timed as the cues say; styles other than PLAIN need the
    times of their words. `overlays` are laid over the pictures and the captions. Pieces must start at
    keyframes: call `splice` and `even_out` first.

    `keep(part, shown, make)` returns the stored MP4 that replaces a part of a piece, calling `make` if it is
    not stored yet. The MP4 depends on the part, on what is shown over it and, with captions, on the design.
    Memory: a few frames and one encoded part.

    Raises CaptionsRefused; ClipUnreadable, ClipsDiffer with the clip's index.
    """
    for cue in cues:
        if missing := design.fonts.lacks(cue.text):
            raise CaptionsRefused(f"“{cue.text[:80]}” can't be drawn into the pictures: {missing}")
    result: list[Piece] = []
    first = 0  # frame of the film
    for piece in pieces:
        with blame(piece.clip):
            clip = read_clip(piece.source)
        stop = len(clip.shown) if piece.stop is None else piece.stop
        shown = [
            replace(
                one,
                start=piece.start + max(0, one.start - first),
                stop=min(stop, piece.start + one.stop - first),
            )
            for one in _in_frames(cues, clip, design)
            if one.start < first + stop - piece.start and one.stop > first
        ]
        laid = [one.within(piece.start - first, piece.start, stop) for one in overlays]
        first += stop - piece.start
        at = piece.start
        drawn: list[Drawn] = [*shown, *(one for one in laid if one.start < one.stop)]
        drawn.sort(key=lambda one: one.start)
        for part, texts in _parts(replace(piece, stop=stop), clip, drawn):
            if at < part.start:
                result.append(replace(piece, start=at, stop=part.start))
            assert part.stop is not None  # noqa: S101 - _parts sets it
            at = part.stop
            burnt = keep(part, texts, _Burning(part, clip, texts, design).encoded)
            result.append(Piece(burnt, piece.clip, 0, at - part.start))
        if at < stop:
            result.append(replace(piece, start=at))
    return result


def _in_frames(cues: Sequence[Cue], clip: Clip, design: Design) -> list[Shown]:
    """Return each caption with the frames of the film during which it is on screen: in `karaoke`, once per
    word that is lit."""
    found = [
        Shown(math.ceil(start * clip.fps / 1000), math.ceil(end * clip.fps / 1000), turn.text, lit)
        for turn in design.turns(cues, clip.picture.size)
        for start, end, lit in _lit(turn, design.style)
    ]
    return [one for one in found if one.start < one.stop]


def _lit(turn: Turn, style: CaptionStyle) -> Iterator[tuple[int, int, tuple[int, int] | None]]:
    """Yield the times of a turn in ms, from one to another, and what is lit then."""
    if style is not CaptionStyle.KARAOKE or not turn.words:
        yield turn.start, turn.end, None
        return
    if turn.start < turn.words[0][1]:
        yield turn.start, turn.words[0][1], None
    following = [*turn.words[1:], (len(turn.text), turn.end)]
    for (begin, at), (end, until) in zip(turn.words, following, strict=True):
        yield at, until, (begin, end)


def _parts(piece: Piece, clip: Clip, shown: Sequence[Drawn]) -> Iterator[tuple[Piece, list[Drawn]]]:
    """Yield what must be encoded: from the first frame of what is shown, or the last point before it where
    copying can end, to the next keyframe after it."""
    assert piece.stop is not None  # noqa: S101 - the caller sets it
    ending = [frame for frame in ends(clip) if piece.start <= frame <= piece.stop]
    beginning = [frame for frame in starts(clip) if piece.start <= frame < piece.stop]
    texts: list[Drawn] = []
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
    shown: list[Drawn]
    design: Design

    def encoded(self) -> bytes:
        with blame(self.part.clip):
            return encode_segment(self._pictures(), self.clip)

    def _pictures(self) -> Iterator[VideoFrame]:
        assert self.part.stop is not None  # noqa: S101 - see _parts
        frames = decode(self.part.source, self.clip, self.part.start, self.part.stop)
        for number, frame in enumerate(frames, self.part.start):
            shown = [one for one in self.shown if one.start <= number < one.stop]
            if not shown:
                yield frame
                continue
            planes = cast(Planes, frame.to_ndarray())
            for one in sorted(shown, key=lambda one: isinstance(one, Overlay)):
                if isinstance(one, Overlay):
                    planes = one.laid_over(planes, number)
                else:
                    caption = _caption(one.text, one.lit, self.design, frame.width, frame.height)
                    planes = mixed(planes, caption.picture, caption.luma, caption.chroma)
            yield VideoFrame.from_ndarray(planes, "yuv420p")


@dataclass(frozen=True)
class _Caption:
    """A picture and its opacity, in 256ths, for its luma and for both chroma planes."""

    picture: Planes
    luma: NDArray[np.uint16]
    chroma: NDArray[np.uint16]


@lru_cache(maxsize=2)
def _caption(text: str, lit: tuple[int, int] | None, design: Design, width: int, height: int) -> _Caption:
    seen: _Mask = np.zeros((height, width), np.float32)
    halved: _Mask = np.zeros((height // 2, width // 2), np.float32)
    inks = [np.zeros_like(seen), np.zeros_like(halved), np.zeros_like(halved)]
    # From back to front, over the picture. Chroma planes have half the size.
    for mask, colour in _layers(text, lit, design, width, height):
        half = _halved(mask)
        for plane, (part, over) in enumerate(zip(_in_planes(colour), (mask, half, half), strict=True)):
            inks[plane] = inks[plane] * (1 - over) + part * over
        seen = 1 - (1 - seen) * (1 - mask)
        halved = 1 - (1 - halved) * (1 - half)
    luma, *chroma = (
        np.divide(ink, whole, out=np.zeros_like(ink), where=whole > 0)
        for ink, whole in zip(inks, (seen, halved, halved), strict=True)
    )
    picture = np.empty((height * 3 // 2, width), np.uint8)
    picture[:height] = np.rint(luma)
    picture[height:] = np.rint(np.concatenate(chroma)).reshape(height // 2, width)
    opacity = (np.rint(256 * part).astype(np.uint16) for part in (seen, np.tile(halved, (2, 1))))
    return _Caption(picture, *opacity)


def _in_planes(colour: str) -> tuple[float, float, float]:
    """Return a colour (#RRGGBB) as luma and both chromas, in limited range BT.709."""
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return in_planes(red, green, blue)


def _halved(mask: _Mask) -> _Mask:
    return (mask[::2, ::2] + mask[1::2, ::2] + mask[::2, 1::2] + mask[1::2, 1::2]) / np.float32(4)


def _layers(
    text: str, lit: tuple[int, int] | None, design: Design, width: int, height: int
) -> Iterator[tuple[_Mask, str]]:
    """Yield masks (0 to 1) and their colours, from back to front: the box behind the lines, the letters with
    their outline, the letters, and those that are lit."""
    look = design.look
    size = design.letters(width, height)
    texts = text.split("\n")
    right_to_left = runs_right_to_left(text)
    lines = [set_line(one, design.fonts, right_to_left=right_to_left) for one in texts]
    if design.style is CaptionStyle.POP:
        longest = max(line.width for line in lines) * size + 2 * design.outline(size)
        size = max(SMALLEST, math.floor(size * min(1, room(width, height) / longest)))
    outline = design.outline(size)
    placed = list(_placed(lines, size, _top(lines, size, outline, design, width, height), width))
    if look.boxed(design.style):
        box = np.zeros((height, width), np.float32)
        pad = round(size * 0.3)
        for line, left, base in placed:
            rows = slice(max(0, round(base - line.ascent * size)), max(0, round(base + line.descent * size)))
            box[rows, max(0, round(left - pad)) : max(0, round(left + line.width * size + pad))] = BOX_OPACITY
        yield box, BOX_COLOUR
    begins = [sum(len(before) + 1 for before in texts[:number]) for number in range(len(texts))]
    masked = partial(_drawn, placed, (width, height), size)
    letters = masked([None] * len(lines))
    if outline:
        yield _spread(letters, outline), look.outline_colour
    yield letters, look.colour
    if lit is not None:
        yield masked([(lit[0] - begin, lit[1] - begin) for begin in begins]), LIT_COLOUR


def _placed(lines: Sequence[Line], size: int, top: float, width: int) -> Iterator[tuple[Line, float, int]]:
    """Yield each line with its left end and its baseline, so that descenders don't shift a line."""
    for line in lines:
        yield line, (width - line.width * size) / 2, round(top + line.ascent * size)
        top += (line.ascent + line.descent) * size


def _drawn(
    placed: Sequence[tuple[Line, float, int]],
    picture: tuple[int, int],
    size: int,
    only: Sequence[tuple[int, int] | None],
) -> _Mask:
    drawn: _Mask = np.zeros(picture[::-1], np.float32)
    for (line, left, base), letters in zip(placed, only, strict=True):
        drawn = np.maximum(drawn, line.mask(picture, size, left, base, letters))
    return drawn


def _top(lines: Sequence[Line], size: int, outline: int, design: Design, width: int, height: int) -> float:
    """Return where the first line's space begins, in pixels from the top."""
    tall = sum(line.ascent + line.descent for line in lines) * size
    head, foot, _ = margins(width, height)
    match design.look.placed(design.style):
        case CaptionPosition.TOP:
            return max(2, round(height * head)) + outline
        case CaptionPosition.MIDDLE:
            return (height - tall) / 2
        case CaptionPosition.BOTTOM:
            return height - max(2, round(height * foot)) - outline - tall


def _spread(mask: _Mask, radius: int) -> _Mask:
    """Return the mask with all that it shows spread by a disc, in small steps."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return mask
    pad = radius + 1
    area = tuple(
        slice(max(0, seen[0] - pad), min(length, seen[-1] + pad + 1))
        for seen, length in zip((rows, columns), mask.shape, strict=True)
    )
    found = mask[area]
    steps = math.ceil(radius / _STEP)
    for _ in range(steps):
        found = _spread_once(found, radius / steps)
    spread = np.zeros_like(mask)
    spread[area] = found
    return spread


def _spread_once(mask: _Mask, radius: float) -> _Mask:
    reach = math.ceil(radius)
    height, width = mask.shape
    around = np.pad(mask, reach)
    found = mask.copy()
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            covered = min(1.0, radius + 1 - math.hypot(down, right))  # of a pixel
            if covered > 0:
                moved = around[reach + down : reach + down + height, reach + right : reach + right + width]
                np.maximum(found, moved * np.float32(covered), out=found)
    return found
