"""Resample and encode speech as Polly delivers it: one channel, in the requested format and sample rate."""

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
from numpy.typing import NDArray


def resampled(samples: NDArray[np.int16], rate: int, wanted: int) -> NDArray[np.int16]:
    if rate == wanted:
        return samples
    resampler = av.AudioResampler(format="s16", layout="mono", rate=wanted)
    frames = [*resampler.resample(_frame(samples, rate)), *resampler.resample(None)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def encoded(samples: NDArray[np.int16], rate: int, container: str, codec: str) -> bytes:
    """Return an MP3 or Ogg file that plays exactly as many samples (gapless header, granule position)."""
    file = BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono", bit_rate=64_000)
        for frame in (_frame(samples, rate), None):
            for packet in stream.encode(frame):
                output.mux(packet)
    return file.getvalue()


def _frame(samples: NDArray[np.int16], rate: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None, :], format="s16", layout="mono")
    frame.sample_rate = rate
    frame.pts = 0
    frame.time_base = Fraction(1, rate)
    return frame
