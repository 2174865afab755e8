"""Helpers to inspect a film: every frame is decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.resampler import AudioResampler


@dataclass
class Film:
    width: int
    height: int
    codec: str
    pixel_format: str
    rate: Fraction
    duration: Fraction  # seconds
    times: list[Fraction]  # of the frames, seconds
    frames: list[npt.NDArray[np.uint8]]
    metadata: dict[str, str]
    fast_start: bool
    sound: Fraction  # seconds of its sound track
    chapters: list[str]  # their titles

    def motion(self) -> float:
        """Return the mean absolute change from frame to frame, out of 255."""
        pairs = zip(self.frames, self.frames[1:], strict=False)
        return float(np.mean([np.abs(b.astype(int) - a.astype(int)).mean() for a, b in pairs]))


def look_at(path: Path, *, scale: int = 4) -> Film:
    """Decode a whole film; keep its frames at 1/scale of their size."""
    data = path.read_bytes()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times, frames = [], []
        for frame in container.decode(stream):
            times.append(frame.pts * frame.time_base)
            small = frame.reformat(frame.width // scale, frame.height // scale, "rgb24")
            frames.append(small.to_ndarray())
        return Film(
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            codec=stream.codec_context.name,
            pixel_format=stream.codec_context.pix_fmt,
            rate=stream.average_rate,
            duration=stream.duration * stream.time_base,
            times=times,
            frames=frames,
            metadata=dict(container.metadata),
            fast_start=0 < data.find(b"moov") < data.find(b"mdat"),
            sound=sum(track.duration * track.time_base for track in container.streams.audio),
            chapters=[chapter["metadata"]["title"] for chapter in container.chapters()],
        )


def loudness(path: Path) -> Callable[[float, float], float]:
    """Return the root mean square of the film's sound between two times in seconds; full scale is 1."""
    with av.open(str(path)) as container:
        mono = AudioResampler(format="flt", layout="mono", rate=48_000)
        blocks = [
            block.to_ndarray()[0] for frame in container.decode(audio=0) for block in mono.resample(frame)
        ]
    samples = np.concatenate(blocks)
    return lambda start, end: float(np.sqrt(np.mean(samples[int(start * 48_000) : int(end * 48_000)] ** 2)))


def unsigned(path: Path) -> bytes:
    """Return a film's bytes without its content credentials, which differ each time it is delivered."""
    data, kept, offset = path.read_bytes(), b"", 0
    while offset < len(data):
        size = int.from_bytes(data[offset : offset + 4])
        if data[offset + 4 : offset + 8] not in (b"uuid", b"free"):
            kept += data[offset : offset + size]
        offset += size
    return kept
