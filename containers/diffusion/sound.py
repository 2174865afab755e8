"""A clip's sound: cut to the frames that the clip shows, and encoded beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

# Every clip's track, so that the tracks of a film join.
RATE = 48_000
BIT_RATE = 192_000
_FRAME = 1024  # samples of one AAC packet


@dataclass(frozen=True)
class Sound:
    """`samples` has the shape (channels, n), with 1 or 2 channels, from -1 to 1; `rate` is in Hz."""

    samples: NDArray[np.float32]
    rate: int

    @property
    def layout(self) -> str:
        return "mono" if len(self.samples) == 1 else "stereo"

    def during(self, start: Fraction, seconds: Fraction) -> "Sound":
        """Return what is heard from `start` for `seconds`: silence before the first and after the last
        sample."""
        first, count = round(start * self.rate), round(seconds * self.rate)
        cut = np.zeros((len(self.samples), count), np.float32)
        there = self.samples[:, max(first, 0) : max(first + count, 0)]
        begin = max(-first, 0)
        cut[:, begin : begin + there.shape[1]] = there
        return Sound(cut, self.rate)

    def frames(self) -> Iterable[av.AudioFrame]:
        """Yield the sound at RATE, in frames of an encoder's size."""
        fifo = av.AudioFifo()
        whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(self.samples), "fltp", self.layout)
        whole.sample_rate = self.rate
        resampler = av.AudioResampler(format="fltp", layout=self.layout, rate=RATE)
        for frame in (*resampler.resample(whole), *resampler.resample(None)):
            frame.pts = None
            fifo.write(frame)
        written = 0
        while (frame := fifo.read(_FRAME, partial=True)) is not None:
            frame.pts, frame.time_base = written, Fraction(1, RATE)
            written += frame.samples
            yield frame
