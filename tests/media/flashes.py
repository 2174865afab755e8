"""Clips that flash and beep at the same moment, and what is found of both in a film."""

from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO

import av
import numpy as np

from lambdas.media.encode import encode
from tests.media.sounds import Wave, decoded

RATE = 48_000
BEEP_SECONDS = 0.05
HERTZ = 1000


def flashing(
    frames: int,
    flashes: Sequence[int] = (),
    *,
    fps: int = 24,
    rate: int = RATE,
    channels: int = 1,
    sound: bool = True,
    codec: str = "aac",
) -> bytes:
    """Return a clip of `frames` black frames that flashes white for one frame at each of `flashes` and beeps
    as the flash begins; `sound` False: without a sound track."""
    pictures = (np.full((64, 96, 3), 255 if number in flashes else 0, np.uint8) for number in range(frames))
    mp4 = encode(pictures, width=96, height=64, fps=fps, metadata={})
    if not sound:
        return mp4
    wave = np.zeros((channels, round(frames * rate / fps)), np.float32)
    beep = 0.5 * np.sin(2 * np.pi * HERTZ * np.arange(round(BEEP_SECONDS * rate)) / rate)
    for number in flashes:
        first = round(number * rate / fps)
        wave[:, first : first + len(beep)] = beep[: wave.shape[1] - first]
    return muxed(mp4, wave, rate, codec)


def muxed(mp4: bytes, wave: Wave, rate: int = RATE, codec: str = "aac", *, late: float = 0) -> bytes:
    """Return the clip with a sound track, as an engine server muxes it. `late`: seconds that it starts after
    the pictures."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(wave)]
    output = BytesIO()
    with av.open(BytesIO(mp4)) as source, av.open(output, "w", format="mp4") as file:
        video = file.add_stream_from_template(source.streams.video[0])
        track = file.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave, np.float32), "fltp", layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), round(late * rate)
        for packet in source.demux(video=0):
            if packet.pts is not None:
                packet.stream = video
                file.mux(packet)
        converted = av.AudioResampler(format=track.codec_context.format, layout=layout, rate=rate)
        for part in converted.resample(frame):
            file.mux(track.encode(part))
        file.mux(track.encode())
    return output.getvalue()


def flashes_in(mp4: bytes, fps: int = 24) -> list[float]:
    """Return the second at which each flash begins: the first of the bright frames."""
    with av.open(BytesIO(mp4), "r", format="mp4") as file:
        bright = [frame.to_ndarray(format="gray").mean() > 60 for frame in file.decode(video=0)]
    return [at / fps for at, now in enumerate(bright) if now and not (at and bright[at - 1])]


def beeps_in(mp4: bytes, hertz: int = HERTZ) -> list[float]:
    """Return the second at which each beep begins: where the level near its pitch rises by half."""
    return beeps_of(decoded(BytesIO(mp4)), hertz)


def beeps_of(wave: Wave, hertz: int = HERTZ) -> list[float]:
    turn = np.exp(-2j * np.pi * hertz * np.arange(wave.shape[1]) / RATE)
    window = RATE // 200
    level = np.abs(np.convolve(wave[0] * turn, np.ones(window) / window, mode="same"))
    loud = level > level.max() / 2
    starts = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    return [float(at) / RATE for at in starts]
