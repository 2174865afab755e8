"""Measure brightness and colour steps where one clip continues another, and even them out.

An engine that starts a clip from the previous clip's last frame repeats that frame first, often slightly
brighter or with another tint. The engine server already leaves out the repeated frame when encoding
(`skip_frames`, decision 0005), so the pipeline's clips need nothing here for that. For other clips,
`repeats_last_frame` detects it, and a piece that starts one frame later leaves it out. A later start also
leaves out an engine's bad first frames: `splice` encodes the frames up to the next keyframe.
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
"""Increment when the same clips produce other corrections."""
LEAST_STEP = 1.0
"""Levels. 8 bits can't change by less, and less is invisible."""
MOST_BRIGHTNESS, MOST_COLOUR = 16.0, 8.0
"""Levels. A larger step is another picture rather than engine drift; at most this much is evened out."""
# Distance between two consecutive frames, in levels.
_STILL, _NEAR = 0.75, 2.0
_BLOCK = 8  # pixels; grain and compression noise average out over a block

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class Step:
    """Difference between the last frame before `clip` and its first frame: brightness (mean luma) and colour
    (mean Cb, Cr), in 8-bit levels."""

    clip: int
    brightness: float
    colour: tuple[float, float]

    @property
    def is_seen(self) -> bool:
        return max(abs(self.brightness), *map(abs, self.colour)) >= LEAST_STEP


def measure_steps(pieces: Sequence[Piece]) -> list[Step]:
    """Return one step for each place where a clip follows another; a cut to another scene counts too.

    Decodes the groups of pictures that hold each clip's first and last frame.
    Raises ClipUnreadable, ClipsDiffer, with the clip's index.
    """
    return [_step(before, after) for before, after in pairwise(pieces) if before.clip != after.clip]


def even_out(
    pieces: Sequence[Piece], chained: Collection[int], keep: Callable[[int, Callable[[], bytes]], Source]
) -> list[Piece]:
    """Return the pieces without the steps at the start of `chained` clips (by index), those that continue the
    clip before. Such a clip's first frame gets the brightness and tint of the frame before it; the correction
    fades out by the clip's next keyframe or its end. Only these frames are encoded.

    `keep(i, make)` returns the stored MP4 that replaces the start of piece i, calling `make` if it is not
    stored yet. It depends on pieces i - 1 and i and on REVISION. Pieces must start at keyframes: call
    `splice` first.

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
    """Return whether the first frame of `after` repeats the last one of `before`: nearly the same picture
    while the surrounding frames move. False where nothing moves: a repeat is then undetectable and harmless.

    A step in brightness or colour does not count. Raises ClipUnreadable, ClipsDiffer.
    """
    ending, beginning = _frames(before, -2), _frames(after, 2)
    movement = max((_distance(*two) for two in (ending, beginning) if len(two) == 2), default=0.0)
    distance = _distance(ending[-1], beginning[0])
    return movement > _STILL and distance < min(_NEAR, movement / 2)


@dataclass(frozen=True)
class _Head:
    """A piece's frames before `until`, and the step to the first of them."""

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
    """Return the piece's clip and the frame it stops before."""
    with blame(piece.clip):
        clip = read_clip(piece.source)
    return clip, len(clip.shown) if piece.stop is None else piece.stop


def _frames(piece: Piece, count: int) -> list[Planes]:
    """Return up to `count` frames from the piece's start or, if negative, up to its end."""
    clip, stop = _read(piece)
    first, last = (piece.start, piece.start + count) if count > 0 else (stop + count, stop)
    with blame(piece.clip):
        found = decode(piece.source, clip, max(first, piece.start), min(last, stop))
        return [_planes(frame) for frame in found]


def _planes(frame: VideoFrame) -> Planes:
    """Return the luma of a yuv420p picture and its half-size Cb and Cr."""
    height, width = frame.height, frame.width
    packed: NDArray[np.uint8] = frame.to_ndarray().astype(np.uint8, copy=False)
    luma, chroma = packed[:height], packed[height:].reshape(2, height // 2, width // 2)
    return luma, chroma[0], chroma[1]


def _distance(one: Planes, other: Planes) -> float:
    """Return the root mean square difference of luma blocks, each picture taken about its own mean."""
    blocks = []
    for luma, _, _ in (one, other):
        height, width = (side - side % _BLOCK or side for side in luma.shape)
        across, down = min(width, _BLOCK), min(height, _BLOCK)
        cut = luma[:height, :width].reshape(height // down, down, width // across, across)
        means = cut.mean(axis=(1, 3))
        blocks.append(means - means.mean())
    return float(np.sqrt(np.mean((blocks[0] - blocks[1]) ** 2)))


def _shifted(frame: VideoFrame, step: Step, weight: float) -> VideoFrame:
    """Remove `weight` of the step. Luma is scaled, so that black stays black; chroma is offset."""
    levels = np.arange(256, dtype=np.float64)
    luma, *chroma = _planes(frame)
    above_black = max(float(luma.mean()) - 16, 1.0)
    brighter = float(np.clip(step.brightness, -MOST_BRIGHTNESS, MOST_BRIGHTNESS)) * weight
    gain = min(2.0, max(0.5, 1 - brighter / above_black))
    tables = [16 + (levels - 16) * gain]
    tables += [levels - float(np.clip(one, -MOST_COLOUR, MOST_COLOUR)) * weight for one in step.colour]
    limits = ((16, 235), (16, 240), (16, 240))  # limited range
    shifted = [
        np.clip(np.rint(table), *limit).astype(np.uint8)[plane].ravel()
        for plane, table, limit in zip((luma, *chroma), tables, limits, strict=True)
    ]
    packed = np.concatenate(shifted).reshape(frame.height * 3 // 2, frame.width)
    return VideoFrame.from_ndarray(packed, "yuv420p")
