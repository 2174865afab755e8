"""A clip of any size, fps, pixel format and codec, brought to those of the film."""

import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

from av.filter import Graph
from av.sidedata.sidedata import Type as SideData
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from lambdas.domain.assembly import Fit
from lambdas.domain.errors import ClipUnreadable
from lambdas.media.encode import splice_points, write_pictures
from lambdas.media.limits import LONGEST_SECONDS, MOST_DECODED_PIXELS
from lambdas.media.probe import ClipInfo, Source, all_packets, decoded, open_video, probe

_UNSPECIFIED = 2  # ITU-T H.273, table 4: nobody said how red, green and blue make luma and chroma


@dataclass(frozen=True)
class FilmFormat:
    """What all clips of a film have in common: H.264, yuv420p, BT.709 of limited range, and these.

    ValueError: a side is odd (yuv420p halves it).
    """

    width: int
    height: int
    fps: Fraction

    def __post_init__(self) -> None:
        if self.width % 2 or self.height % 2:
            raise ValueError(f"width and height must be even for yuv420p, not {self.width}x{self.height}")


def conforms(info: ClipInfo, film: FilmFormat) -> bool:
    """Whether the clip can be part of the film as it is."""
    return (
        (info.width, info.height, info.fps) == (film.width, film.height, film.fps)
        and (info.codec, info.pix_fmt) == ("h264", "yuv420p")
        and info.plain
    )


def conform(source: Source, film: FilmFormat, fit: Fit, output: BinaryIO) -> ClipInfo:
    """Writes the clip's pictures in the film's format to `output` (seekable, readable, empty) as an MP4 with
    keyframes half a second from its ends, which a transition can begin or end at.

    It has round(duration × fps) frames, at least one; each shows what is on the screen at its time, so a
    variable frame rate becomes a constant one. Pixels that are not square are stretched to be, and a clip
    that is to be turned or mirrored when it is shown, is. A clip that doesn't say how its colours are stored
    is taken to be BT.601 of limited range: FFmpeg's default, and so that of the writers that don't say
    (diffusers, ComfyUI). HDR is not toned down. Sound is left out. Memory: a few frames.

    Returns the new clip as read back. Raises ClipUnreadable.
    """
    start, count = _measure(source, film)
    with open_video(source) as (container, stream):
        shown = _on_screen(decoded(container, stream), start, count, film.fps)
        write_pictures(
            _converted(shown, stream, film, fit),
            output,
            width=film.width,
            height=film.height,
            fps=film.fps,
            keyframes=splice_points(count, film.fps),
        )
    return probe(output)


def _measure(source: Source, film: FilmFormat) -> tuple[int, int]:
    """The time stamp of the frame that is shown first, and how many frames of the film the clip lasts."""
    with open_video(source) as (container, stream):
        start, end = math.inf, -math.inf
        for packet, pts in all_packets(container, stream):
            if not packet.is_discard:
                start, end = min(start, pts), max(end, pts + max(packet.duration or 0, 0))
        if stream.time_base is None or math.isinf(start):
            raise ClipUnreadable("no frame is shown")
        seconds = int(end - start) * stream.time_base
    if seconds > LONGEST_SECONDS:
        raise ClipUnreadable(f"it lasts {float(seconds):.0f} s, {LONGEST_SECONDS} s are allowed")
    count = max(1, round(seconds * film.fps))
    if count * film.width * film.height > MOST_DECODED_PIXELS:
        raise ClipUnreadable(f"it has {count} frames in the film's format, which are too many at its size")
    return int(start), count


def _on_screen(frames: Iterable[VideoFrame], start: int, count: int, fps: Fraction) -> Iterator[VideoFrame]:
    """For each of the film's `count` frames the one that is on the screen then.

    "Then" is an eighth of a frame late: some writers round time stamps to milliseconds, so they may be half a
    millisecond late, an eighth of a frame at 240 fps, and must not be missed for that.
    """
    shown, done = None, 0
    for frame in frames:
        if frame.pts is None or frame.time_base is None:
            raise ClipUnreadable("a picture without a time")
        comes = math.ceil((frame.pts - start) * frame.time_base * fps - Fraction(1, 8))
        while shown is not None and done < min(comes, count):
            yield shown
            done += 1
        shown = frame
    if shown is None:
        raise ClipUnreadable("no pictures")
    for _ in range(done, count):
        yield shown


def _converted(
    frames: Iterable[VideoFrame], stream: VideoStream, film: FilmFormat, fit: Fit
) -> Iterator[VideoFrame]:
    graph, last = None, None
    for frame in frames:
        if graph is None:
            graph = _graph(frame, stream.sample_aspect_ratio or Fraction(1), film, fit)
        if frame is not last:
            graph.vpush(frame)
            last, result = frame, graph.vpull()
        yield result


def _graph(frame: VideoFrame, pixel: Fraction, film: FilmFormat, fit: Fit) -> Graph:
    """The filters from frames such as this one, of pixels `pixel` times as wide as high, to the film's."""
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
    # How much wider, or higher, in its proportions the picture is than the film's; 1 if it is not.
    wider, higher = max(Fraction(1), excess), max(Fraction(1), 1 / excess)
    size = film.width, film.height
    if fit is Fit.COVER:
        filters.append(("crop", f"{max(1, round(width / wider))}:{max(1, round(height / higher))}"))
    elif fit is Fit.FIT:
        size = 2 * max(1, round(film.width / higher / 2)), 2 * max(1, round(film.height / wider / 2))
    matrix = "bt601" if frame.colorspace == _UNSPECIFIED else "auto"
    filters += [
        (
            "scale",
            f"{size[0]}:{size[1]}:flags=bicubic+accurate_rnd+full_chroma_int"
            f":in_color_matrix={matrix}:out_color_matrix=bt709:out_range=tv",
        ),
        ("format", "yuv420p"),
        ("pad", f"{film.width}:{film.height}:(ow-iw)/4*2:(oh-ih)/4*2:color=black"),
        ("setsar", "1"),
        ("buffersink", ""),
    ]
    nodes = [graph.add(name, arguments or None) for name, arguments in filters]
    graph.link_nodes(*nodes).configure()
    return graph


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
"""The filters that do what a display matrix tells, by the signs of its a, b, c and d: it shows the pixel x, y
at ax + cy, bx + dy (ISO/IEC 14496-12, 6.2.2)."""


def _orientation(frame: VideoFrame) -> list[tuple[str, str | None]]:
    matrix = frame.side_data.get(SideData.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return []
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    turn = _TURNS.get((_sign(a), _sign(b), _sign(c), _sign(d)))
    if turn is None:
        raise ClipUnreadable("it is to be shown turned by less than a quarter, or skewed")
    return turn


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
