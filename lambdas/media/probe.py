"""What a clip really is, read from its packets instead of believed from its header."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from lambdas.domain.errors import ClipUnreadable

Source = bytes | BinaryIO | Path
"""A whole MP4: in memory, an open seekable file (read from its start), or a path."""


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
    """Reads every packet of the clip's video track, decodes none.

    Raises ClipUnreadable with the reason for anything that is not a whole MP4 with such a track.
    """
    with open_video(source) as (container, stream):
        indexes = shown_indexes([pts for _, pts in packets(container, stream)], stream)
        context = stream.codec_context
        return ClipInfo(
            width=stream.width,
            height=stream.height,
            fps=frame_rate(stream),
            frames=len(indexes),
            codec=context.name,
            pix_fmt=context.pix_fmt or "unknown",
            has_audio=bool(container.streams.audio),
            delay=max(decoded - shown for decoded, shown in enumerate(indexes)),
            metadata=dict(container.metadata),
            extradata=bytes(context.extradata or b""),
        )


@contextmanager
def open_video(source: Source) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video track; what FFmpeg refuses inside the block becomes ClipUnreadable.

    FFmpeg is given an open file and the format, never a name: so neither a playlist nor a network protocol
    nor another file can be reached through a clip's content.
    """
    if isinstance(source, Path):
        with source.open("rb") as opened_file, open_video(opened_file) as opened:
            yield opened
        return
    file: BinaryIO = BytesIO(source) if isinstance(source, bytes) else source
    file.seek(0)
    try:
        with av.open(file, "r", format="mp4", metadata_errors="replace") as container:
            if not container.streams.video:
                raise ClipUnreadable("no video track")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise ClipUnreadable("the video track's codec is unknown")
            if not (stream.width and stream.height):
                raise ClipUnreadable("the video track has no frame size")
            yield container, stream
    except av.FFmpegError as error:
        raise ClipUnreadable(f"not a readable MP4: {error.strerror}") from error


def packets(container: InputContainer, stream: VideoStream) -> Iterator[tuple["Packet[VideoStream]", int]]:
    """The track's packets and their time stamps in decoding order: all of them, or ClipUnreadable."""
    count = 0
    for packet in container.demux(stream):
        if packet.pts is None:  # the flush packet at the end
            continue
        if packet.is_corrupt:
            raise ClipUnreadable(f"truncated: frame {count} of {stream.frames} is incomplete")
        if packet.is_discard:
            raise ClipUnreadable(f"frame {count} is hidden by an edit list")
        count += 1
        yield packet, packet.pts
    if count == 0:
        raise ClipUnreadable("no frames")
    if count != stream.frames:
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
    return Fraction(stream.average_rate)
