"""What a clip really is, read from its packets and pictures instead of believed from its header."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Never

import av
from av.container import InputContainer
from av.packet import Packet
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
"""A whole MP4: in memory, an open seekable file (read from its start), a path, or wherever it lies."""

DECODERS = "h264,hevc,libdav1d,vp9,mpeg4,mjpeg,prores,png"
"""FFmpeg's, for pictures. It has some two hundred, of which an MP4 may ask for any: the fewer of them a
stranger's file reaches, the better."""
_DECODING = {
    "codec_whitelist": DECODERS,
    "max_pixels": str(MOST_PIXELS),
    "err_detect": "explode",  # a damaged picture is an error, not something patched up
}
_OPENING = _DECODING | {
    # Sound and captions are not decoded, but FFmpeg opens a decoder for each track to learn what is in it.
    "codec_whitelist": DECODERS + ",aac,mp3,ac3,opus,mov_text,text",
    "max_streams": str(MOST_TRACKS),
    "strict": "strict",  # FFmpeg looks for an index in other boxes otherwise
}


@dataclass(frozen=True)
class ClipInfo:
    """One video track of constant frame rate.

    `delay`: how many frames the decoder works ahead of showing: a B-frame follows what it refers to.
    `extradata`: what the decoder is set up with (H.264: `avcC` with SPS and PPS).
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
        """Seconds, exact."""
        return self.frames / self.fps


def probe(source: Source) -> ClipInfo:
    """Reads every packet of the clip's video track, and decodes its first picture.

    Raises ClipUnreadable with the reason for anything that is not a whole MP4 with such a track.
    """
    with open_video(source) as (container, stream):
        time_stamps = [pts for _, pts in packets(container, stream)]
        fps, indexes = frame_rate(stream), shown_indexes(time_stamps, stream)
        if len(indexes) > LONGEST_SECONDS * fps:
            raise ClipUnreadable(f"longer than {LONGEST_SECONDS} s")
        context = stream.codec_context
        container.seek(min(time_stamps), stream=stream)
        first = next(decoded(container, stream), None)
        if first is None:
            raise ClipUnreadable("no pictures")
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
    """The container and its first video track; what FFmpeg refuses inside the block becomes ClipUnreadable.

    FFmpeg is given an open file and the format, never a name, and may open nothing itself: so neither a
    playlist nor a network protocol nor another file can be reached through a clip's content.
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
            if not container.streams.video:
                raise ClipUnreadable("no video track")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ClipUnreadable("the video track's codec is unknown")
            if not (stream.width and stream.height):
                raise ClipUnreadable("the video track has no frame size")
            check_size(stream.width, stream.height)
            stream.codec_context.options = _DECODING
            yield container, stream
    except av.FFmpegError as error:
        raise ClipUnreadable(f"not a readable MP4: {error.strerror}") from error


def _refuse(url: str, flags: int, options: Mapping[str, str]) -> Never:
    raise ClipUnreadable("it refers to another file")


def check_size(width: int, height: int) -> None:
    """ClipUnreadable: pictures of this many pixels are too large."""
    if max(width, height) > WIDEST or width * height > MOST_PIXELS:
        raise ClipUnreadable(f"its pictures of {width}x{height} pixels are too large")


def decoded(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Frames from where the container stands; ClipUnreadable once they are not what the header says, or too
    many."""
    # Taken before the first is decoded: a decoder changes these to what it finds.
    width, height, pix_fmt, pixels = stream.width, stream.height, stream.pix_fmt, 0
    for frame in container.decode(stream):
        if (frame.width, frame.height) != (width, height):
            raise ClipUnreadable(f"a picture of {frame.width}x{frame.height}, the clip has {width}x{height}")
        if frame.format.name != pix_fmt:
            raise ClipUnreadable(f"a picture in {frame.format.name}, the clip is in {pix_fmt}")
        if frame.is_corrupt:
            raise ClipUnreadable("a picture is damaged")
        pixels += width * height
        if pixels > MOST_DECODED_PIXELS:
            raise ClipUnreadable("it has more pictures than may be decoded")
        yield frame


def packets(container: InputContainer, stream: VideoStream) -> Iterator[tuple["Packet[VideoStream]", int]]:
    """The track's packets and their time stamps in decoding order: all of them and all shown, or
    ClipUnreadable."""
    for packet, pts in all_packets(container, stream):
        if packet.is_discard:
            raise ClipUnreadable("a frame is hidden by an edit list")
        yield packet, pts


def all_packets(
    container: InputContainer, stream: VideoStream
) -> Iterator[tuple["Packet[VideoStream]", int]]:
    """Also those that an edit list hides."""
    count = size = 0
    for packet in container.demux(stream):
        if packet.pts is None:  # the flush packet at the end
            continue
        if packet.is_corrupt:
            raise ClipUnreadable(f"truncated: frame {count} of {stream.frames} is incomplete")
        count += 1
        size += packet.size
        if count > MOST_FRAMES:
            raise ClipUnreadable(f"more than {MOST_FRAMES} frames")
        if size > container.size:
            raise ClipUnreadable("its frames take more bytes than the file has")
        yield packet, packet.pts
    if count == 0:
        raise ClipUnreadable("no frames")
    if stream.frames not in (0, count):  # 0: a fragmented file doesn't say
        raise ClipUnreadable(f"truncated: {count} frames of {stream.frames}")


def shown_indexes(time_stamps: list[int], stream: VideoStream) -> list[int]:
    """Which frame of the clip, counted as shown, each packet holds: its time stamp without its rounding."""
    if stream.time_base is None:
        raise ClipUnreadable("no time base")
    start = min(time_stamps)
    per_tick = frame_rate(stream) * stream.time_base
    indexes = [round((stamp - start) * per_tick) for stamp in time_stamps]
    if sorted(indexes) != list(range(len(indexes))):
        raise ClipUnreadable("its frames are not evenly spaced in time")
    return indexes


def frame_rate(stream: VideoStream) -> Fraction:
    """Frames a second: for MP4, FFmpeg computes it from the sample table (frames ÷ duration)."""
    if not stream.average_rate:
        raise ClipUnreadable("no frame rate")
    rate = Fraction(stream.average_rate)
    if not 0 < rate <= HIGHEST_FPS:
        raise ClipUnreadable(f"{rate} frames a second")
    return rate


def as_source(source: Source) -> sources.Source:
    if isinstance(source, bytes):
        return sources.BytesSource(source)
    if isinstance(source, Path):
        return sources.FileSource(source)
    return source if isinstance(source, sources.Source) else sources.HandleSource(source)
