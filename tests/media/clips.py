"""Small real clips, and helpers that read MP4 bytes."""

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from lambdas.media.encode import encode
from lambdas.media.mp4.muxer import mp4_writer

Pixels = NDArray[np.uint8]


def pictures(count: int, *, seed: int = 0, width: int = 96, height: int = 64) -> Iterator[Pixels]:
    """A coloured noise field that brightens from frame to frame."""
    base = np.random.default_rng(seed).integers(0, 160, (height, width, 3))
    for index in range(count):
        yield np.clip(base + 3 * index, 0, 255).astype(np.uint8)


def clip(count: int, *, seed: int = 0, width: int = 96, height: int = 64, fps: int | Fraction = 8) -> bytes:
    frames = pictures(count, seed=seed, width=width, height=height)
    return encode(frames, width=width, height=height, fps=fps, metadata={})


def reordered_clip(count: int, *, seed: int = 0) -> bytes:
    """Encode at 8 fps, a keyframe every 16 frames, B-frames between: decode and display order differ."""
    output = BytesIO()
    parameters = "bframes=2:b-adapt=0:keyint=16:min-keyint=16:scenecut=0:open-gop=0"
    with mp4_writer(output, fps=Fraction(8), metadata={}) as container:
        track = container.add_stream("libx264", rate=8, options={"x264-params": parameters})
        track.width, track.height, track.pix_fmt = 96, 64, "yuv420p"
        context = track.codec_context
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        for picture in pictures(count, seed=seed):
            container.mux(track.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(track.encode())
    return output.getvalue()


def padded(clip: bytes, room: int) -> bytes:
    """Return the 8 fps clip with bytes in its frames that decoders skip
    (ITU-T H.264, 7.3.2.7: filler data)."""
    filler = room.to_bytes(4) + b"\x0c" + b"\xff" * (room - 2) + b"\x80"
    output = BytesIO()
    with av.open(BytesIO(clip)) as source, mp4_writer(output, fps=Fraction(8), metadata={}) as target:
        track = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.pts is not None:
                large = av.Packet(bytes(packet) + filler)
                large.stream, large.time_base, large.is_keyframe = track, packet.time_base, packet.is_keyframe
                large.pts, large.dts, large.duration = packet.pts, packet.dts, packet.duration
                target.mux_one(large)
    return output.getvalue()


def decoded(mp4: bytes) -> list[Pixels]:
    """Decode every frame as RGB."""
    return [frame.to_ndarray(format="rgb24") for frame in decoded_frames(mp4)]


def decoded_frames(mp4: bytes) -> list[av.VideoFrame]:
    with av.open(BytesIO(mp4), "r", format="mp4") as container:
        return list(container.decode(video=0))


def shown_seconds(mp4: bytes) -> list[Fraction]:
    """Return the exact display time of each frame."""
    return [frame.pts * frame.time_base for frame in decoded_frames(mp4)]


def top_level_boxes(mp4: bytes) -> list[str]:
    names, position = [], 0
    while position < len(mp4):
        size = int.from_bytes(mp4[position : position + 4])
        names.append(mp4[position + 4 : position + 8].decode())
        position += size
    return names


def nal_types(mp4: bytes) -> list[int]:
    """Return the types of the video's NAL units (ITU-T H.264, table 7-1), in order, without headers."""
    kinds = []
    with av.open(BytesIO(mp4), "r", format="mp4") as container:
        for packet in container.demux(video=0):
            data, position = bytes(packet), 0
            while position < len(data):
                kinds.append(data[position + 4] & 31)
                position += 4 + int.from_bytes(data[position : position + 4])
    return kinds


def sound_only() -> bytes:
    output = BytesIO()
    with av.open(output, "w", format="mp4") as container:
        track = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(track.encode(frame))
        container.mux(track.encode())
    return output.getvalue()
