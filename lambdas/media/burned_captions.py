"""Burn captions and overlays into a film's pictures. Only pictures that show one, and those up to the next
keyframe, are re-encoded, once."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, cast

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lambdas.domain.errors import CaptionsRefused
from lambdas.domain.video_request import CaptionStyle
from lambdas.media.captions import LINES, Cue, Turn, turns
from lambdas.media.font import composed, font_of, not_drawn
from lambdas.media.lines import units
from lambdas.media.mp4.clip import Clip, blame, read_clip
from lambdas.media.mp4.merge import Piece
from lambdas.media.overlays import Overlay
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
_LIT, _LIT_CHROMA = 198, (28, 152)  # yellow (#FFDD00) in limited range BT.709
# For `pop`: letters of this fraction of the height, or so large that this many fit between the margins.
_POP_LETTERS, _POP_LINE = 0.12, 14


@dataclass(frozen=True)
class Shown:
    """A caption over the frames [start, stop) of a piece's clip. `lit`: from which of its letters to which
    it is lit."""

    start: int
    stop: int
    text: str
    lit: tuple[int, int] | None = None
    style: CaptionStyle = CaptionStyle.PLAIN

    @property
    def determines(self) -> list[Any]:
        """Return what determines the pictures that show it."""
        return [REVISION, asdict(self)]


Drawn = Shown | Overlay


def burn(
    pieces: Sequence[Piece],
    cues: Sequence[Cue],
    keep: Callable[[Piece, list[Drawn], Callable[[], bytes]], Source],
    style: CaptionStyle = CaptionStyle.PLAIN,
    overlays: Sequence[Overlay] = (),
) -> list[Piece]:
    """Return the pieces with the captions burned in, timed as the cues say; styles other than PLAIN need the
    times of their words. Pieces must start at keyframes:
    call `splice` and `even_out` first. `overlays` are laid over the pictures and the captions.

    `keep(part, shown, make)` returns the stored MP4 that replaces a part of a piece, calling `make` if it is
    not stored yet. The MP4 depends on the part and on what is shown over it. Memory: a few frames and one
    encoded part.

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
            replace(
                one,
                start=piece.start + max(0, one.start - first),
                stop=min(stop, piece.start + one.stop - first),
            )
            for one in _in_frames(cues, clip, style)
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
            burnt = keep(part, texts, _Burning(part, clip, texts).encoded)
            result.append(Piece(burnt, piece.clip, 0, at - part.start))
        if at < stop:
            result.append(replace(piece, start=at))
    return result


def _in_frames(cues: Sequence[Cue], clip: Clip, style: CaptionStyle) -> list[Shown]:
    """Return each caption with the frames of the film during which it is on screen: in `karaoke`, once per
    word that is lit."""
    width, height = clip.picture.size
    pops = style is CaptionStyle.POP
    size = _letters(width, height, style)
    longest = _POP_LINE if pops else _LONGEST_LINE
    widest = round(min(_room(width, height), longest * _AVERAGE_LETTER * size)) - 2 * _outline(size)

    def measured(text: str) -> float:
        length = font_of(size).getlength(text)
        # A long word isn't broken but drawn smaller: its second half would have no time of its own.
        return min(length, widest) if pops and len(units(text)) == 1 else length

    drawn = [
        replace(
            cue, text=composed(cue.text), words=tuple((composed(word), start) for word, start in cue.words)
        )
        for cue in cues
    ]
    found = [
        Shown(math.ceil(start * clip.fps / 1000), math.ceil(end * clip.fps / 1000), turn.text, lit, style)
        for turn in turns(drawn, most=widest, width=measured, lines=1 if pops else LINES)
        for start, end, lit in _lit(turn, style)
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
                    caption = _caption(one.text, one.lit, one.style, frame.width, frame.height)
                    planes = mixed(planes, caption.picture, caption.luma, caption.chroma)
            yield VideoFrame.from_ndarray(planes, "yuv420p")


@dataclass(frozen=True)
class _Caption:
    """A picture and its opacity, in 256ths, for its luma and for both chroma planes."""

    picture: Planes
    luma: NDArray[np.uint16]
    chroma: NDArray[np.uint16]


@lru_cache(maxsize=2)
def _caption(
    text: str, lit: tuple[int, int] | None, style: CaptionStyle, width: int, height: int
) -> _Caption:
    letters, outline, box, bright = _masks(text, lit, style, width, height)
    # From back to front: picture, box, outline, letters.
    around = 1 - (1 - box * _SHADE) * (1 - outline)
    seen = 1 - (1 - around) * (1 - letters)
    picture = np.empty((height * 3 // 2, width), np.uint8)
    picture[:height] = np.rint(
        _BLACK + (_WHITE - _BLACK) * _share(letters, seen) + (_LIT - _WHITE) * _share(bright, seen)
    )
    halved, coloured = _halved(seen), _share(_halved(bright), _halved(seen))
    planes = [np.rint(_GREY + (colour - _GREY) * coloured) for colour in _LIT_CHROMA]
    picture[height:] = np.concatenate(planes).reshape(height // 2, width)
    luma, chroma = (np.rint(256 * part).astype(np.uint16) for part in (seen, np.tile(halved, (2, 1))))
    return _Caption(picture, luma, chroma)


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)


def _halved(mask: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = mask.shape
    halved: NDArray[np.float64] = mask.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return halved


def _masks(
    text: str, lit: tuple[int, int] | None, style: CaptionStyle, width: int, height: int
) -> list[NDArray[np.float64]]:
    """Return masks (0 to 1) of the letters, the letters with outline, the box behind the lines, and the
    letters that are lit."""
    size = _letters(width, height, style)
    lines = text.split("\n")
    pops = style is CaptionStyle.POP
    if pops:
        longest = max(map(font_of(size).getlength, lines)) + 2 * _outline(size)
        size = max(_SMALLEST, math.floor(size * min(1, _room(width, height) / longest)))
    font, outline, leading = font_of(size), _outline(size), round(size * _LEADING)
    foot = height - max(2, round(height * _foot(width, height))) - outline
    if pops:
        foot = (height + len(lines) * leading) // 2
    masks = [Image.new("L", (width, height)) for _ in range(4)]
    letters, outlined, box, bright = map(ImageDraw.Draw, masks)
    pad = round(size * 0.3)
    first = 0  # of the line's letters in the text
    for number, line in enumerate(lines):
        # Positioned by the font's baseline, so that descenders don't shift a line.
        left = (width - font.getlength(line)) / 2
        base = foot - round(size * 0.25) - (len(lines) - 1 - number) * leading
        letters.text((left, base), line, fill=255, font=font, anchor="ls")
        outlined.text((left, base), line, fill=255, font=font, anchor="ls", stroke_width=outline)
        if not pops:
            box.rectangle((left - pad, base - size, width - left + pad, base - size + leading), fill=255)
        if lit is not None:
            begin, end = (min(len(line), max(0, place - first)) for place in lit)
            if begin < end:
                span = [left + font.getlength(line[:place]) for place in (begin, end)]
                bright.rectangle(
                    (round(span[0]), base - size, round(span[1]), base - size + leading), fill=255
                )
        first += len(line) + 1
    drawn = [np.asarray(mask, np.float64) / 255 for mask in masks]
    return [*drawn[:3], drawn[0] * drawn[3]]


def _letters(width: int, height: int, style: CaptionStyle) -> int:
    """Return the letter size in pixels: by the height, or in a narrow picture by what a line must hold."""
    share, held = (_POP_LETTERS, _POP_LINE) if style is CaptionStyle.POP else (_LETTERS, _SHORTEST_LINE)
    return max(_SMALLEST, round(min(height * share, _room(width, height) / (held * _AVERAGE_LETTER))))


def _room(width: int, height: int) -> float:
    """Return the width between the margins, in pixels."""
    return width * (1 - 2 * _side(width, height))


def _side(width: int, height: int) -> float:
    """Return the fraction of the width to leave free at each side."""
    return _TALL_SIDE if height >= _TALL * width else _MARGIN


def _foot(width: int, height: int) -> float:
    """Return the fraction of the height to leave free below the captions."""
    return _TALL_FOOT if height >= _TALL * width else _MARGIN


def _outline(size: int) -> int:
    return max(1, round(size * _OUTLINE))
