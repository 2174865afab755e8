"""Convert a clip of any size, fps, pixel format and codec to the film's format."""

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import chain, islice, repeat
from typing import BinaryIO, cast

import numpy as np
from av.filter import Graph
from av.filter.context import FilterContext
from av.sidedata.sidedata import Type as SideData
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from PIL import Image

from lambdas.domain.assembly import Fit
from lambdas.domain.errors import ClipMismatch, ClipsDiffer, ClipUnreadable
from lambdas.domain.shapes import Point
from lambdas.media.encode import BT709, splice_points, write_pictures
from lambdas.media.framing import BACKGROUND_RADIUS, BACKGROUND_SIDE
from lambdas.media.limits import LONGEST_SECONDS, MOST_CHECKED_PIXELS, MOST_DECODED_PIXELS, SMALLEST_SIDE
from lambdas.media.mp4.clip import read_clip
from lambdas.media.mp4.movie import UPRIGHT
from lambdas.media.probe import ClipInfo, Source, all_packets, as_source, decoded, open_video, probe
from lambdas.media.transitions import Planes, mixed

_MIDDLE: Point = (Fraction(1, 2), Fraction(1, 2))
_UNSPECIFIED = 2  # ITU-T H.273, table 4: matrix from RGB to luma and chroma not specified


@dataclass(frozen=True)
class FilmFormat:
    """The format shared by all clips of a film: H.264, yuv420p, limited-range BT.709, and these values.

    Raises ValueError if a side is odd (yuv420p halves it).
    """

    width: int
    height: int
    fps: Fraction

    def __post_init__(self) -> None:
        if self.width % 2 or self.height % 2:
            raise ValueError(f"width and height must be even for yuv420p; got {self.width}x{self.height}")


def conforms(source: Source, film: FilmFormat, *, frames: int | None = None) -> bool:
    """Return whether the clip can join the film unchanged and, if `frames` is given, has that many frames.
    Reads only headers; decodes nothing.

    Raises ClipUnreadable.
    """
    try:
        clip = read_clip(as_source(source))
    except ClipsDiffer:
        return False
    picture = clip.picture
    return (
        (picture.size, clip.fps) == ((film.width, film.height), film.fps)
        and (picture.chroma_format, picture.bit_depths, picture.progressive) == (1, (8, 8), True)
        and picture.colour == (*BT709, False)
        and picture.aspect_ratio == (1, 1)
        and clip.track.matrix == UPRIGHT
        and frames in (None, len(clip.shown))
    )


def check_length(source: Source, film: FilmFormat, frames: int) -> None:
    """Raise ClipMismatch unless the clip is as long as `frames` frames of the film, to within one frame of
    either. Raises ClipUnreadable too."""
    _count(_measure(source), film, frames)


def conform(
    source: Source,
    film: FilmFormat,
    fit: Fit,
    output: BinaryIO,
    *,
    frames: int | None = None,
    focus: Point = _MIDDLE,
    over: Image.Image | None = None,
) -> ClipInfo:
    """Write the clip's pictures in the film's format to `output` (seekable, readable, empty), as an MP4 with
    keyframes half a second from its ends where a transition can begin or end.

    The result has `frames` frames if given, otherwise round(duration × fps), at least one. Each frame shows
    what is on screen at its time, so a variable frame rate becomes constant. Non-square pixels are stretched
    to square; display rotation and mirroring are applied. A clip that doesn't specify its colours is assumed
    to be limited-range BT.601: FFmpeg's default, and therefore that of writers that don't specify them
    (diffusers, ComfyUI). HDR is not tone-mapped. Sound is dropped. Memory: a few frames.

    `focus`: the place in the picture that Fit.COVER keeps as near to the middle as it can. `over`: an RGBA
    picture of the film's size that is laid over each frame.

    Return the new clip as read back. Raises ClipUnreadable; ClipMismatch as `check_length` does.
    """
    length = _measure(source)
    count = _count(length, film, frames)
    with open_video(source) as (container, stream):
        shown = _on_screen(decoded(container, stream), length.start, count, film.fps)
        pictures = _converted(shown, stream, film, fit, focus)
        write_pictures(
            pictures if over is None else _covered(pictures, over),
            output,
            width=film.width,
            height=film.height,
            fps=film.fps,
            keyframes=splice_points(count, film.fps),
        )
    return probe(output)


def check_upload(source: Source, film: FilmFormat, fit: Fit, *, longest: int) -> int:
    """Return how many of the film's frames an uploaded clip becomes, at most `longest` seconds of them.
    Decodes all of it, up to MOST_CHECKED_PIXELS, and converts its first picture.

    Raises ClipUnreadable with the reason unless it can be converted as in `conform`.
    """
    length = _measure(source)
    frames = _count(length, film, None)
    if frames > longest * film.fps:
        raise ClipUnreadable(f"it must last at most {longest} s; got {float(length.seconds):.0f} s")
    with open_video(source) as (container, stream):
        width, height = stream.width, stream.height
        if min(width, height) < SMALLEST_SIDE:
            raise ClipUnreadable(
                f"its pictures must have at least {SMALLEST_SIDE} pixels a side; got {width}x{height}"
            )
        shown, checked = 0, False
        for frame in decoded(container, stream):
            if not checked:
                checked = next(_converted([frame], stream, film, fit), None) is not None
            shown += 1
            if shown * width * height > MOST_CHECKED_PIXELS:
                return frames
    if shown < length.frames:
        raise ClipUnreadable(f"{length.frames - shown} of its {length.frames} pictures can't be decoded")
    return frames


def excerpt(source: Source, film: FilmFormat, fit: Fit, *, start: int, frames: int, lead: int) -> bytes:
    """Return an MP4 of `frames` frames in the film's format, converted as in `conform`, showing the clip from
    frame `start` (counted in the film's frames). The first frame is held for `lead` frames before it moves;
    the last is held if the clip ends early. Raises ClipUnreadable."""
    length, output = _measure(source), BytesIO()
    end = start + frames - lead
    with open_video(source) as (container, stream):
        shown = islice(_on_screen(decoded(container, stream), length.start, end, film.fps), start, None)
        first = next(shown)
        write_pictures(
            _converted(chain(repeat(first, lead + 1), shown), stream, film, fit),
            output,
            width=film.width,
            height=film.height,
            fps=film.fps,
            keyframes=splice_points(frames, film.fps),
        )
    return output.getvalue()


@dataclass(frozen=True)
class _Length:
    """A clip's timing. `start` is the timestamp of the first shown frame; `frames` are shown for
    `seconds`."""

    start: int
    frames: int
    seconds: Fraction


def _measure(source: Source) -> _Length:
    with open_video(source) as (container, stream):
        start, end, frames = math.inf, -math.inf, 0
        for packet, pts in all_packets(container, stream):
            if not packet.is_discard:
                start, end = min(start, pts), max(end, pts + max(packet.duration or 0, 0))
                frames += 1
        if stream.time_base is None or math.isinf(start):
            raise ClipUnreadable("it shows no frame")
        seconds = int(end - start) * stream.time_base
    if seconds > LONGEST_SECONDS:
        raise ClipUnreadable(f"it may last at most {LONGEST_SECONDS} s; got {float(seconds):.0f} s")
    return _Length(int(start), frames, seconds)


def _count(length: _Length, film: FilmFormat, frames: int | None) -> int:
    """Return how many frames of the film a clip becomes."""
    count = max(1, round(length.seconds * film.fps)) if frames is None else frames
    if count * film.width * film.height > MOST_DECODED_PIXELS:
        raise ClipUnreadable(f"it has {count} frames in the film's format, too many for the film's size")
    # The longer of the two frame durations, plus the millisecond to which some writers round.
    allowed = max(1 / film.fps, length.seconds / length.frames) + Fraction(1, 1000)
    if frames is not None and abs(length.seconds - frames / film.fps) > allowed:
        raise ClipMismatch(
            f"it lasts {float(length.seconds):.3f} s; expected {float(frames / film.fps):.3f} s"
        )
    return count


def _on_screen(frames: Iterable[VideoFrame], start: int, count: int, fps: Fraction) -> Iterator[VideoFrame]:
    """Yield, for each of the film's `count` frames, the clip's frame that is on screen then.

    Frames are sampled an eighth of a frame late: some writers round timestamps to milliseconds, which makes
    them up to half a millisecond late (an eighth of a frame at 240 fps), and they must not be missed.
    """
    shown, done = None, 0
    for frame in frames:
        if frame.pts is None or frame.time_base is None:
            raise ClipUnreadable("a picture has no timestamp")
        comes = math.ceil((frame.pts - start) * frame.time_base * fps - Fraction(1, 8))
        while shown is not None and done < min(comes, count):
            yield shown
            done += 1
        shown = frame
    if shown is None:
        raise ClipUnreadable("it has no pictures")
    for _ in range(done, count):
        yield shown


def _converted(
    frames: Iterable[VideoFrame], stream: VideoStream, film: FilmFormat, fit: Fit, focus: Point = _MIDDLE
) -> Iterator[VideoFrame]:
    graph, last = None, None
    for frame in frames:
        if graph is None:
            graph = _graph(frame, stream.sample_aspect_ratio or Fraction(1), film, fit, focus)
        if frame is not last:
            graph.vpush(frame)
            last, result = frame, graph.vpull()
        yield result


def _covered(pictures: Iterable[VideoFrame], over: Image.Image) -> Iterator[VideoFrame]:
    """Lay an RGBA picture over limited-range BT.709 ones."""
    width, height = over.size
    colours = VideoFrame.from_ndarray(np.asarray(over.convert("RGB")), "rgb24").reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
    opaque = np.asarray(over.getchannel("A"), np.float64) / 255
    halved = opaque.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    luma, chroma = (np.rint(256 * part).astype(np.uint16) for part in (opaque, np.tile(halved, (2, 1))))
    for picture in pictures:
        planes = mixed(cast(Planes, picture.to_ndarray()), cast(Planes, colours.to_ndarray()), luma, chroma)
        yield VideoFrame.from_ndarray(planes, "yuv420p")


def _graph(frame: VideoFrame, pixel: Fraction, film: FilmFormat, fit: Fit, focus: Point) -> Graph:
    """Return the filters that convert frames like this one, with pixels `pixel` times as wide as high. For
    `focus` see `conform`."""
    graph = Graph()
    filters = [
        (
            "buffer",
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1"
            f":colorspace={frame.colorspace}:range={frame.color_range}",
        )
    ]
    turn = _orientation(frame)
    filters += [(name, "" if direction is None else f"dir={direction}") for name, direction in turn]
    width, height = frame.width, frame.height
    if any(name == "transpose" for name, _ in turn):
        width, height, pixel = height, width, 1 / pixel
    excess = Fraction(width, height) * pixel / Fraction(film.width, film.height)
    # How much wider, or taller, the picture's aspect is than the film's; 1 if it is not.
    wider, higher = max(Fraction(1), excess), max(Fraction(1), 1 / excess)
    size = film.width, film.height
    filled = max(1, round(width / wider)), max(1, round(height / higher))
    if fit is Fit.COVER:
        left, top = (
            max(0, min(whole - part, round(whole * at - Fraction(part, 2))))
            for whole, part, at in zip((width, height), filled, focus, strict=True)
        )
        filters.append(("crop", f"{filled[0]}:{filled[1]}:{left}:{top}"))
    elif fit in (Fit.FIT, Fit.BLUR):
        size = 2 * max(1, round(film.width / higher / 2)), 2 * max(1, round(film.height / wider / 2))
    matrix = "bt601" if frame.colorspace == _UNSPECIFIED else "auto"
    filters += [
        (
            "scale",
            f"{size[0]}:{size[1]}:flags=bicubic+accurate_rnd+full_chroma_int"
            f":in_color_matrix={matrix}:out_color_matrix=bt709:out_range=tv",
        ),
        ("format", "yuv420p"),
    ]
    if fit is Fit.BLUR and size != (film.width, film.height):
        last = _over_blurred(graph, _linked(graph, filters), size, film)
    else:
        filters.append(("pad", f"{film.width}:{film.height}:(ow-iw)/4*2:(oh-ih)/4*2:color=black"))
        last = _linked(graph, filters)
    _linked(graph, [("setsar", "1"), ("buffersink", "")], last)
    graph.configure()
    return graph


def _over_blurred(
    graph: Graph, picture: FilterContext, size: tuple[int, int], film: FilmFormat
) -> FilterContext:
    """Lay a picture of that size over a blurred copy of itself that fills the film's frame."""
    scale = min(Fraction(size[0], film.width), Fraction(size[1], film.height))
    reduction = max(Fraction(1), Fraction(min(film.width, film.height), BACKGROUND_SIDE))
    small = [2 * max(1, round(side / reduction / 2)) for side in (film.width, film.height)]
    split = graph.add("split")
    picture.link_to(split)
    covering = [
        ("crop", f"{round(film.width * scale)}:{round(film.height * scale)}"),
        ("scale", f"{small[0]}:{small[1]}:flags=area"),
        ("gblur", f"sigma={BACKGROUND_RADIUS}"),
        ("scale", f"{film.width}:{film.height}:flags=bicubic"),
    ]
    background = _linked(graph, covering, split)
    overlay = graph.add("overlay", f"{(film.width - size[0]) // 4 * 2}:{(film.height - size[1]) // 4 * 2}")
    background.link_to(overlay, 0, 0)
    split.link_to(overlay, 1, 1)
    return overlay


def _linked(
    graph: Graph, filters: Sequence[tuple[str, str]], after: FilterContext | None = None
) -> FilterContext:
    """Add filters one after another, the first after the given one. Return the last."""
    for name, arguments in filters:
        node = graph.add(name, arguments or None)
        if after is not None:
            after.link_to(node)
        after = node
    assert after is not None  # noqa: S101 - there is at least one
    return after


_TURNS: dict[tuple[int, int, int, int], list[tuple[str, str | None]]] = {
    (1, 0, 0, 1): [],
    (-1, 0, 0, 1): [("hflip", None)],
    (1, 0, 0, -1): [("vflip", None)],
    (-1, 0, 0, -1): [("hflip", None), ("vflip", None)],
    (0, 1, -1, 0): [("transpose", "clock")],
    (0, -1, 1, 0): [("transpose", "cclock")],
    (0, 1, 1, 0): [("transpose", "cclock_flip")],
    (0, -1, -1, 0): [("transpose", "clock_flip")],
}
"""Filters that apply a display matrix, by the signs of its a, b, c and d: it shows pixel x, y at ax + cy,
bx + dy (ISO/IEC 14496-12, 6.2.2)."""


def _orientation(frame: VideoFrame) -> list[tuple[str, str | None]]:
    matrix = frame.side_data.get(SideData.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return []
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    turn = _TURNS.get((_sign(a), _sign(b), _sign(c), _sign(d)))
    if turn is None:
        raise ClipUnreadable("its display matrix skews it or rotates it by other than quarter turns")
    return turn


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
