"""Make the pictures of a transition by mixing YUV planes directly, without converting to RGB and back."""

from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from lambdas.domain.assembly import Transition, TransitionKind

Planes = NDArray[np.uint8]
"""A yuv420p picture: `height` rows of luma, then half as many rows of both chroma planes."""
Weights = int | NDArray[np.uint16]
"""Share of the second picture in 256ths, for the whole picture or per column."""

WIPE_EDGE = 8
"""Pixels over which a wipe blends one picture into the other; a moving hard edge flickers."""
_FULL = 256
_BLACK_LUMA, _BLACK_CHROMA = 16, 128  # limited range (ITU-R BT.709)


def transition(
    between: Transition, earlier: Iterable[VideoFrame], later: Iterable[VideoFrame]
) -> Iterator[VideoFrame]:
    """Yield the pictures shown in place of the earlier clip's last `between.tail` frames and the later clip's
    first `between.head`.

    A crossfade or wipe of n frames yields n pictures; picture j (from 1) is j / (n + 1) of the way. A fade
    ends the earlier clip with one black picture.
    """
    match between.kind:
        case TransitionKind.CROSSFADE | TransitionKind.WIPE:
            weights = _wiped if between.kind is TransitionKind.WIPE else _crossfaded
            for number, (before, after) in enumerate(zip(earlier, later, strict=True), 1):
                first, second = _planes(before), _planes(after)
                yield _picture(mixed(first, second, *weights(first, number, between.frames + 1)))
        case TransitionKind.FADE:
            for number, before in enumerate(earlier, 1):
                yield _picture(_darkened(_planes(before), between.tail - number, between.tail))
            for number, after in enumerate(later, 1):
                yield _picture(_darkened(_planes(after), number, between.head + 1))
        case TransitionKind.NONE:
            return


def mixed(first: Planes, second: Planes, luma: Weights, chroma: Weights) -> Planes:
    """Mix two pictures. Integer arithmetic, rounded to nearest, gives the same result on every machine."""
    result = np.empty_like(first)
    for weights, (a, b, out) in zip(
        (luma, chroma), zip(_split(first), _split(second), _split(result), strict=True), strict=True
    ):
        weight = np.asarray(weights, np.uint16)
        out[:] = (a * (_FULL - weight) + b * weight + _FULL // 2) // _FULL
    return result


def _split(planes: Planes) -> tuple[Planes, Planes]:
    """Return views of the luma and of the rows of both chroma planes."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    return planes[:height], planes[height:].reshape(height, width // 2)


def _crossfaded(_: Planes, part: int, whole: int) -> tuple[Weights, Weights]:
    weight = round(_FULL * part / whole)
    return weight, weight


def _wiped(planes: Planes, part: int, whole: int) -> tuple[Weights, Weights]:
    width = planes.shape[1]
    edge = width * part / whole
    return _left_of(edge, np.arange(0.5, width)), _left_of(edge, np.arange(1.0, width, 2))


def _left_of(edge: float, columns: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Return a weight per column centre, in luma pixels: full left of the edge, 0 right of it."""
    return np.rint(_FULL * np.clip((edge - columns) / WIPE_EDGE + 0.5, 0, 1)).astype(np.uint16)


def _darkened(planes: Planes, part: int, whole: int) -> Planes:
    black = np.empty_like(planes)
    for plane, value in zip(_split(black), (_BLACK_LUMA, _BLACK_CHROMA), strict=True):
        plane[:] = value
    weight = round(_FULL * part / whole)
    return mixed(black, planes, weight, weight)


def _planes(picture: VideoFrame) -> Planes:
    return cast(Planes, picture.to_ndarray())


def _picture(planes: Planes) -> VideoFrame:
    return VideoFrame.from_ndarray(planes, "yuv420p")
