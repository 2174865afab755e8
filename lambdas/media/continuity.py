"""Where one clip goes on from another: how far the picture jumps at the join, and jumps of light made even.

An engine that starts a clip from the last frame of the one before gives that frame again as its first, and
often a little brighter or of another tint. The repeated frame is already left out when the engine encodes
(`skip_frames`, decision 0005), so clips of the pipeline need nothing here for that. For clips that come
otherwise, `repeats_last_frame` tells, and a piece that starts a frame later leaves it out. In the same way a
later start leaves out an engine's bad first frames: `splice` encodes what then lies before the next keyframe.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from lambdas.media.mp4.clip import Clip, blame, read_clip
from lambdas.media.mp4.merge import Piece
from lambdas.media.segments import decode, encode_segment, starts
from lambdas.media.source import Source

REVISION = "1"
"""Raise it when the same clips give other corrections."""
LEAST_STEP = 1.0
"""Levels: 8 bits can't be moved by less, and nobody sees it."""
MOST_BRIGHTNESS, MOST_COLOUR = 16.0, 8.0
"""Levels: what lies beyond is another picture rather than an engine's drift; only so much is made even."""
# Of the distance between two frames that follow each other, in levels.
_STILL, _NEAR = 0.75, 2.0
_BLOCK = 8  # pixels: grain and compression differ from frame to frame, and average out over them

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class Step:
    """From the last frame before `clip` to its first: how much brighter it is (mean luma), and by how much
    its colour differs (mean Cb, Cr), in 8-bit levels."""

    clip: int
    brightness: float
    colour: tuple[float, float]

    @property
    def is_seen(self) -> bool:
        return max(abs(self.brightness), *map(abs, self.colour)) >= LEAST_STEP


def measure_steps(pieces: Sequence[Piece]) -> list[Step]:
    """One for each place where a clip follows another; a cut to another scene is a step too.

    Decodes of each clip the groups of pictures of its first and last frame.
    Raises ClipUnreadable, ClipsDiffer, with the clip's index.
    """
    return [_step(before, after) for before, after in pairwise(pieces) if before.clip != after.clip]


def even_out(
    pieces: Sequence[Piece], chained: Collection[int], keep: Callable[[int, Callable[[], bytes]], Source]
) -> list[Piece]:
    """The pieces, without the steps at the start of `chained` clips: those (by index) that go on from the one
    before. Such a clip's first frame becomes as bright and of the same tint as the last before it, and until
    its next keyframe, or its end, that fades to what the clip is. Only these frames are encoded.

    `keep(i, make)` gives the MP4 that replaces the start of piece i, stored, and calls `make` for it if it is
    not yet; it depends on pieces i - 1 and i and on REVISION. Pieces must start at keyframes: `splice` first.

    Raises ClipUnreadable, ClipsDiffer, with the clip's index.
    """
    result = list(pieces[:1])
    for index, (before, after) in enumerate(pairwise(pieces), 1):
        joined = before.clip != after.clip and after.clip in chained
        step = _step(before, after) if joined else None
        if step is None or not step.is_seen:
            result.append(after)
            continue
        clip, stop = _read(after)
        until = min((frame for frame in starts(clip) if after.start < frame < stop), default=stop)
        head = _Head(after, clip, until, step)
        result.append(Piece(keep(index, head.evened), after.clip, 0, until - after.start))
        if until < stop:
            result.append(replace(after, start=until))
    return result


def repeats_last_frame(before: Piece, after: Piece) -> bool:
    """Whether the first frame of `after` shows the last one of `before` again: nearly the same picture, while
    the frames around move on. Where nothing moves it can't be told and does no harm: False.

    A step in brightness or colour does not count. Raises ClipUnreadable, ClipsDiffer.
    """
    ending, beginning = _frames(before, -2), _frames(after, 2)
    movement = max((_distance(*two) for two in (ending, beginning) if len(two) == 2), default=0.0)
    distance = _distance(ending[-1], beginning[0])
    return movement > _STILL and distance < min(_NEAR, movement / 2)


@dataclass(frozen=True)
class _Head:
    """The frames of a piece before `until`, and the step to the first of them."""

    piece: Piece
    clip: Clip
    until: int
    step: Step

    def evened(self) -> bytes:
        return encode_segment(self._pictures(), self.clip)

    def _pictures(self) -> Iterator[VideoFrame]:
        start = self.piece.start
        with blame(self.piece.clip):
            for number, frame in enumerate(decode(self.piece.source, self.clip, start, self.until)):
                yield _shifted(frame, self.step, 1 - number / (self.until - start))


def _step(before: Piece, after: Piece) -> Step:
    ending, beginning = _frames(before, -1)[-1], _frames(after, 1)[0]
    luma, *chroma = (float(there.mean() - here.mean()) for here, there in zip(ending, beginning, strict=True))
    return Step(after.clip, luma, (chroma[0], chroma[1]))


def _read(piece: Piece) -> tuple[Clip, int]:
    """The piece's clip, and the frame it stops before."""
    with blame(piece.clip):
        clip = read_clip(piece.source)
    return clip, len(clip.shown) if piece.stop is None else piece.stop


def _frames(piece: Piece, count: int) -> list[Planes]:
    """At most `count` frames from the piece's start, or, where negative, up to its end."""
    clip, stop = _read(piece)
    first, last = (piece.start, piece.start + count) if count > 0 else (stop + count, stop)
    with blame(piece.clip):
        found = decode(piece.source, clip, max(first, piece.start), min(last, stop))
        return [_planes(frame) for frame in found]


def _planes(frame: VideoFrame) -> Planes:
    """Of a yuv420p picture: luma, and of half the size Cb and Cr."""
    height, width = frame.height, frame.width
    packed: NDArray[np.uint8] = frame.to_ndarray().astype(np.uint8, copy=False)
    luma, chroma = packed[:height], packed[height:].reshape(2, height // 2, width // 2)
    return luma, chroma[0], chroma[1]


def _distance(one: Planes, other: Planes) -> float:
    """Root mean square over blocks of luma, each picture taken about its own mean."""
    blocks = []
    for luma, _, _ in (one, other):
        height, width = (side - side % _BLOCK or side for side in luma.shape)
        across, down = min(width, _BLOCK), min(height, _BLOCK)
        cut = luma[:height, :width].reshape(height // down, down, width // across, across)
        means = cut.mean(axis=(1, 3))
        blocks.append(means - means.mean())
    return float(np.sqrt(np.mean((blocks[0] - blocks[1]) ** 2)))


def _shifted(frame: VideoFrame, step: Step, weight: float) -> VideoFrame:
    """Without `weight` of the step. Luma is scaled, so that black stays black; chroma is moved."""
    levels = np.arange(256, dtype=np.float64)
    luma, *chroma = _planes(frame)
    above_black = max(float(luma.mean()) - 16, 1.0)
    brighter = float(np.clip(step.brightness, -MOST_BRIGHTNESS, MOST_BRIGHTNESS)) * weight
    gain = min(2.0, max(0.5, 1 - brighter / above_black))
    tables = [16 + (levels - 16) * gain]
    tables += [levels - float(np.clip(one, -MOST_COLOUR, MOST_COLOUR)) * weight for one in step.colour]
    limits = ((16, 235), (16, 240), (16, 240))  # of limited range
    shifted = [
        np.clip(np.rint(table), *limit).astype(np.uint8)[plane].ravel()
        for plane, table, limit in zip((luma, *chroma), tables, limits, strict=True)
    ]
    packed = np.concatenate(shifted).reshape(frame.height * 3 // 2, frame.width)
    return VideoFrame.from_ndarray(packed, "yuv420p")
