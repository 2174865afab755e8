"""Read one clip's pictures for cutting and joining without decoding."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

from lambdas.domain.errors import ClipMismatch, ClipsDiffer, ClipUnreadable
from lambdas.media.limits import HIGHEST_FPS
from lambdas.media.mp4.boxes import Boxes, child, children, name, optional_child, unpack
from lambdas.media.mp4.h264 import UNSPECIFIED, Picture, Setup, read_setup
from lambdas.media.mp4.tables import Edit, Track, read_track
from lambdas.media.mp4.timescale import timescale
from lambdas.media.source import Source

_MOST_REORDERED = 16  # frames; an H.264 decoder holds no more (ITU-T H.264, A.3.1)
# Keep all times of a film within their fields.
_MOST_TICKS, _MOST_FRAME_TICKS = (1 << 31) - 1, 1 << 25
# `avc1` (ISO/IEC 14496-15, 5.4.2.1): all parameter sets are in `avcC`, none in the frames.
_CODEC = b"avc1"
_ENTRY_FIELDS = 78  # bytes of a visual sample entry before its boxes (14496-12, 12.1.3)


@dataclass(frozen=True)
class Clip:
    """A clip's pictures. `shown` is each sample's frame number, in decoding order."""

    track: Track
    setup: Setup
    picture: Picture
    fps: Fraction
    shown: "array[int]"

    def keyframes(self, start: int, stop: int) -> list[int]:
        """Return the samples in [start, stop) at which decoding can begin."""
        marked = self.track.keyframes
        if marked is None:
            return list(range(start, stop))
        return list(marked[bisect_left(marked, start) : bisect_left(marked, stop)])

    def cut(self, start: int, stop: int | None) -> tuple[int, int]:
        """Return the range of samples that holds frames [start, stop) and is decodable on its own.

        Raises ValueError if there is none.
        """
        stop = len(self.shown) if stop is None else stop
        if not 0 <= start < stop <= len(self.shown):
            raise ValueError(f"frames {start} to {stop} are outside the clip's {len(self.shown)}")
        piece = self.shown[start:stop]
        # As many samples as frames come before it, and they correspond unless a GOP is open or cut. If the
        # first sample is a later frame, the frames shown before it refer to the previous GOP.
        if piece[0] != start or min(piece) != start or max(piece) != stop - 1:
            raise ValueError(f"frames {start} to {stop} must be whole groups of pictures")
        if not self.keyframes(start, start + 1):
            raise ValueError(f"frame {start} is not a keyframe")
        return start, stop


def read_clip(source: Source) -> Clip:
    """Read a clip. Raises ClipUnreadable, or ClipsDiffer if the clip is valid but can't be joined this
    way."""
    track = read_track(source, "video", b"vide")
    if track.codec != _CODEC:
        raise ClipsDiffer(f"its codec is {name(track.codec)}; expected {name(_CODEC)}")
    boxes = children(track.entry[_ENTRY_FIELDS:])
    setup = read_setup(bytes(child(boxes, b"avcC")))
    fps, shown = _shown(track)
    if track.keyframes is not None and (not track.keyframes or track.keyframes[0] != 0):
        raise ClipUnreadable("its first frame is not a keyframe")
    return Clip(track, setup, _tagged(setup.picture, boxes), fps, shown)


def _tagged(picture: Picture, boxes: Boxes) -> Picture:
    """Fill in the container's tags where the stream has none."""
    colr, pasp = optional_child(boxes, b"colr"), optional_child(boxes, b"pasp")
    if pasp is not None and picture.aspect_ratio == (1, 1):
        across, down = unpack(">II", pasp, 0, "pasp")
        picture = replace(picture, aspect_ratio=(across, down) if across and down else (1, 1))
    if colr is not None and bytes(colr[:4]) == b"nclx" and picture.colour[:3] == (UNSPECIFIED,) * 3:
        primaries, transfer, matrix, full = unpack(">HHHB", colr, 4, "colr")
        picture = replace(picture, colour=(primaries, transfer, matrix, full >= 128))
    return picture


def _shown(track: Track) -> tuple[Fraction, "array[int]"]:
    """Return the frames per second, and each sample's frame number with timestamp rounding removed."""
    count, total = len(track.sizes), sum(track.durations)
    fps = Fraction(count * track.timescale, total) if total else Fraction(0)
    if not 0 < fps <= HIGHEST_FPS or timescale(fps) > _MOST_TICKS or timescale(fps) / fps > _MOST_FRAME_TICKS:
        raise ClipUnreadable(f"its frame rate of {fps} fps is not supported")
    decoded = accumulate(track.durations, initial=0)
    delays = track.delays or array("i", bytes(4 * count))
    stamps = [time + delay for time, delay in zip(decoded, delays, strict=False)]
    first = min(stamps)
    if track.edit is not None:
        _refuse_hidden(track.edit, track.timescale, first, max(stamps))
    # Round to the nearest frame: 33, 33, 34 ms are evenly spaced too.
    indexes = [(2 * (stamp - first) * count + total) // (2 * total) for stamp in stamps]
    if sorted(indexes) != list(range(count)):
        raise ClipsDiffer("its frames are not evenly spaced in time")
    if any(abs(frame - sample) > _MOST_REORDERED for sample, frame in enumerate(indexes)):
        raise ClipUnreadable(f"a frame is shown more than {_MOST_REORDERED} frames away from its decoding")
    return fps, array("I", indexes)


def _refuse_hidden(edit: Edit, ticks: int, first: int, last: int) -> None:
    if edit.begins > first or (edit.seconds is not None and edit.begins + edit.seconds * ticks <= last):
        raise ClipsDiffer("an edit list hides some of its frames")


@contextmanager
def blame(clip: int | None, what: str = "clip") -> Iterator[None]:
    """Add the clip's index, or the name of what it is, to errors raised inside the block."""
    try:
        yield
    except (ClipMismatch, ClipUnreadable, ClipsDiffer) as error:
        if error.clip is not None:
            raise
        whose = what if clip is None else f"{what} {clip}"
        raise type(error)(f"{whose}: {error.message}", clip=clip) from error
