"""Probe a clip by its packets and pictures rather than trusting its header."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Never

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from lambdas.domain.errors import ClipUnreadable
from lambdas.media import source as sources
from lambdas.media.limits import (
    HIGHEST_FPS,
    LONGEST_SECONDS,
    MOST_DECODED_PIXELS,
    MOST_FRAMES,
    MOST_PIXELS,
    MOST_TRACKS,
    WIDEST,
)
from lambdas.media.mp4.index_check import check_index

Source = bytes | BinaryIO | Path | sources.Source
"""A whole MP4: bytes, an open seekable file (read from its start), a path, or any other source."""

DECODERS = "h264,hevc,libdav1d,vp9,mpeg4,mjpeg,prores,png"
"""FFmpeg decoders allowed for pictures. FFmpeg has some two hundred, and an MP4 may select any of them: the
fewer an untrusted file reaches, the better."""
_DECODING = {
    "codec_whitelist": DECODERS,
    "max_pixels": str(MOST_PIXELS),
    "err_detect": "explode",  # report damaged pictures instead of concealing them
}
_OPENING = _DECODING | {
    # Sound and captions are not decoded, but FFmpeg opens a decoder for each track to identify it.
    "codec_whitelist": DECODERS + ",aac,mp3,ac3,opus,mov_text,text",
    "max_streams": str(MOST_TRACKS),
    "strict": "strict",  # otherwise FFmpeg looks for an index in other boxes
}


@dataclass(frozen=True)
class ClipInfo:
    """One video track with a constant frame rate.

    `delay` is how many frames decoding runs ahead of display, because a B-frame follows what it refers to.
    `extradata` is the decoder's setup (H.264: `avcC` with SPS and PPS).
    """

    width: int
    height: int
    fps: Fraction
    frames: int
    codec: str
    pix_fmt: str
    has_audio: bool
    delay: int
    metadata: Mapping[str, str] = field(repr=False)
    extradata: bytes = field(repr=False)

    @property
    def duration(self) -> Fraction:
        """Return the exact length in seconds."""
        return self.frames / self.fps


def probe(source: Source) -> ClipInfo:
    """Read every packet of the clip's video track and decode its first picture.

    Raises ClipUnreadable with the reason unless the source is a complete MP4 with such a track.
    """
    with open_video(source) as (container, stream):
        time_stamps = [pts for _, pts in packets(container, stream)]
        fps, indexes = frame_rate(stream), shown_indexes(time_stamps, stream)
        if len(indexes) > LONGEST_SECONDS * fps:
            raise ClipUnreadable(f"it is longer than {LONGEST_SECONDS} s")
        context = stream.codec_context
        container.seek(min(time_stamps), stream=stream)
        first = next(decoded(container, stream), None)
        if first is None:
            raise ClipUnreadable("it has no pictures")
        return ClipInfo(
            width=first.width,
            height=first.height,
            fps=fps,
            frames=len(indexes),
            codec=context.name,
            pix_fmt=first.format.name,
            has_audio=bool(container.streams.audio),
            delay=max(decoded - shown for decoded, shown in enumerate(indexes)),
            metadata=dict(container.metadata),
            extradata=bytes(context.extradata or b""),
        )


@contextmanager
def open_video(source: Source) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the container and its first video track. FFmpeg errors inside the block become ClipUnreadable.

    FFmpeg gets an open file and the format, never a name, and may not open anything itself, so a clip's
    content cannot reach a playlist, a network protocol or another file.
    """
    source = as_source(source)
    check_index(source)
    try:
        with av.open(
            sources.opened(source),
            "r",
            format="mp4",
            options=_OPENING,
            metadata_errors="replace",
            io_open=_refuse,
        ) as container:
            stream = _shown_stream(container)
            if stream.codec_context is None:
                raise ClipUnreadable("the video track's codec is unknown")
            if not (stream.width and stream.height):
                raise ClipUnreadable("the video track has no frame size")
            check_size(stream.width, stream.height)
            stream.codec_context.options = _DECODING
            yield container, stream
    except av.FFmpegError as error:
        raise ClipUnreadable(f"not a readable MP4: {error.strerror}") from error


def _shown_stream(container: InputContainer) -> VideoStream:
    """Return the video track that players show: the first that is enabled (14496-12, 8.3.2; FFmpeg calls it
    default), otherwise the first. The cover picture of a file's metadata is none, though FFmpeg lists it as
    one."""
    tracks = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not tracks:
        raise ClipUnreadable("it has no video track")
    return next((one for one in tracks if one.disposition & Disposition.default), tracks[0])


def _refuse(url: str, flags: int, options: Mapping[str, str]) -> Never:
    raise ClipUnreadable("it refers to another file")


def check_size(width: int, height: int) -> None:
    """Raise ClipUnreadable if pictures of this size are too large."""
    if max(width, height) > WIDEST or width * height > MOST_PIXELS:
        raise ClipUnreadable(f"its pictures of {width}x{height} pixels are too large")


def decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Yield frames from the container's current position. Raises ClipUnreadable if they differ from the
    header or are too many."""
    # Read before decoding, because the decoder overwrites these with what it finds.
    width, height, pix_fmt, pixels = stream.width, stream.height, stream.pix_fmt, 0
    for frame in container.decode(stream):
        if (frame.width, frame.height) != (width, height):
            raise ClipUnreadable(
                f"its pictures must all be {width}x{height}; got {frame.width}x{frame.height}"
            )
        if frame.format.name != pix_fmt:
            raise ClipUnreadable(f"its pictures must all be {pix_fmt}; got {frame.format.name}")
        if frame.is_corrupt:
            raise ClipUnreadable("a picture is damaged")
        pixels += width * height
        if pixels > MOST_DECODED_PIXELS:
            raise ClipUnreadable("it has too many pictures to decode")
        yield frame


def packets(container: InputContainer, stream: VideoStream) -> Iterator[tuple["Packet[VideoStream]", int]]:
    """Yield all of the track's packets with their timestamps, in decoding order. Raises ClipUnreadable if one
    is missing or hidden."""
    for packet, pts in all_packets(container, stream):
        if packet.is_discard:
            raise ClipUnreadable("an edit list hides a frame")
        yield packet, pts


def all_packets(
    container: InputContainer, stream: VideoStream
) -> Iterator[tuple["Packet[VideoStream]", int]]:
    """Yield packets as `packets` does, including those that an edit list hides."""
    count = size = 0
    for packet in container.demux(stream):
        if packet.pts is None:  # the flush packet at the end
            continue
        if packet.is_corrupt:
            raise ClipUnreadable(f"truncated: frame {count} of {stream.frames} is incomplete")
        count += 1
        size += packet.size
        if count > MOST_FRAMES:
            raise ClipUnreadable(f"it has more than {MOST_FRAMES} frames")
        if size > container.size:
            raise ClipUnreadable("its frames claim more bytes than the file has")
        yield packet, packet.pts
    if count == 0:
        raise ClipUnreadable("it has no frames")
    if stream.frames not in (0, count):  # 0: a fragmented file doesn't say
        raise ClipUnreadable(f"truncated: {count} of {stream.frames} frames found")


def shown_indexes(time_stamps: list[int], stream: VideoStream) -> list[int]:
    """Return the frame, in display order, that each packet holds: its timestamp without rounding."""
    if stream.time_base is None:
        raise ClipUnreadable("it has no time base")
    start = min(time_stamps)
    per_tick = frame_rate(stream) * stream.time_base
    indexes = [round((stamp - start) * per_tick) for stamp in time_stamps]
    if sorted(indexes) != list(range(len(indexes))):
        raise ClipUnreadable("its frames are not evenly spaced in time")
    return indexes


def frame_rate(stream: VideoStream) -> Fraction:
    """Return the frames per second. For MP4, FFmpeg computes it from the sample table (frames ÷ duration)."""
    if not stream.average_rate:
        raise ClipUnreadable("it has no frame rate")
    rate = Fraction(stream.average_rate)
    if not 0 < rate <= HIGHEST_FPS:
        raise ClipUnreadable(f"its frame rate of {rate} fps is not supported")
    return rate


def as_source(source: Source) -> sources.Source:
    if isinstance(source, bytes):
        return sources.BytesSource(source)
    if isinstance(source, Path):
        return sources.FileSource(source)
    return source if isinstance(source, sources.Source) else sources.HandleSource(source)
