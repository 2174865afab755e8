"""Clips of every kind, and MP4s with false claims."""

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import numpy as np

from tests.media.clips import Pixels, pictures


def recorded(
    frames: Iterable[Pixels],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: Sequence[Fraction] | None = None,
    fps: int = 8,
    container: str = "mp4",
    movflags: str = "",
    **settings: Any,
) -> bytes:
    """Encode RGB frames as another program may store them. `times`: display time of each frame in seconds.
    `settings`: of the encoder (`colorspace`, `color_range` …; `sample_aspect_ratio`), `turned` in degrees."""
    output = BytesIO()
    options = {"movflags": movflags} if movflags else {}
    with av.open(output, "w", format=container, options=options) as file:
        track: Any = file.add_stream(codec, rate=fps, options=_QUIET.get(codec, {}))
        turned = settings.pop("turned", None)
        for number, pixels in enumerate(frames):
            if number == 0:
                track.height, track.width = pixels.shape[:2]
                track.pix_fmt = pix_fmt
                track.codec_context.time_base = Fraction(1, 1000 * fps)
                for name, value in settings.items():
                    setattr(track.codec_context, name, value)
                if turned is not None:
                    track.set_display_rotation(turned)
            picture = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(
                format=pix_fmt,
                dst_colorspace=settings.get("colorspace"),
                dst_color_range=settings.get("color_range"),
            )
            seconds = times[number] if times else Fraction(number, fps)
            picture.time_base = Fraction(1, 1000 * fps)
            picture.pts = round(seconds / picture.time_base)
            file.mux(track.encode(picture))
        file.mux(track.encode())
    return output.getvalue()


_QUIET = {
    "libx265": {"x265-params": "log-level=none"},
    "libsvtav1": {"svtav1-params": "lp=1", "preset": "10"},
    "libx264": {"crf": "4"},
    "libx264rgb": {"crf": "4"},
    "libvpx-vp9": {"crf": "4", "b": "0", "deadline": "realtime"},
    "mpeg4": {"qmax": "2"},
}


def flat(colour: tuple[int, int, int], width: int, height: int) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


def with_sound(seconds: int = 1) -> bytes:
    """Encode eight pictures per second and a tone."""
    output = BytesIO()
    with av.open(output, "w", format="mp4") as file:
        video: Any = file.add_stream("libx264", rate=8)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        sound: Any = file.add_stream("aac", rate=16000, layout="mono")
        for number, pixels in enumerate(pictures(8 * seconds)):
            picture = av.VideoFrame.from_ndarray(pixels, "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 8)
            file.mux(video.encode(picture))
        tone = np.sin(np.arange(16000 * seconds) / 5).astype(np.float32)
        for start in range(0, len(tone) - 1023, 1024):
            block = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], "fltp", "mono")
            block.sample_rate, block.pts, block.time_base = 16000, start, Fraction(1, 16000)
            file.mux(sound.encode(block))
        file.mux(video.encode())
        file.mux(sound.encode())
    return output.getvalue()


def patched(mp4: bytes, kind: bytes, offset: int, *numbers: int) -> bytes:
    """Replace 32-bit numbers at `offset` in the content of the first box of that kind."""
    at = mp4.index(kind) + 4 + offset
    new = struct.pack(f">{len(numbers)}I", *numbers)
    return mp4[:at] + new + mp4[at + len(new) :]


def bare(mp4: bytes) -> bytes:
    """Remove the edit list and composition times, which FFmpeg would otherwise use too."""
    return mp4.replace(b"edts", b"free").replace(b"ctts", b"free")
