"""Sounds to mix, and independent meters, so that FFmpeg's output is not only checked by FFmpeg."""

from fractions import Fraction
from io import BytesIO

import av
import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float64]  # channels × samples, full scale ±1

# Format and encoder by file name extension.
KINDS = {
    "wav": ("wav", "pcm_s16le", "s16"),
    "mp3": ("mp3", "libmp3lame", "fltp"),
    "ogg": ("ogg", "vorbis", "fltp"),
    "opus": ("ogg", "libopus", "flt"),
    "flac": ("flac", "flac", "s16"),
    "m4a": ("mp4", "aac", "fltp"),
    "float wav": ("wav", "pcm_f32le", "flt"),
}


def noise(seconds: float, *, level: float = 0.05, rate: int = 48_000, seed: int = 0) -> Wave:
    """Return white mono noise; `level` is its standard deviation."""
    return np.random.default_rng(seed).normal(0, level, (1, round(seconds * rate)))


def tone(seconds: float, hertz: float, *, level: float = 0.3, rate: int = 48_000) -> Wave:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)[None]


def encoded(wave: Wave, kind: str = "wav", *, rate: int = 48_000) -> BytesIO:
    container_format, codec, sample_format = KINDS[kind]
    if codec == "vorbis":  # FFmpeg's own encoder for it only supports stereo
        wave = np.concatenate([wave, wave])
    layout = {1: "mono", 2: "stereo"}[len(wave)]
    file = BytesIO()
    with av.open(file, "w", format=container_format) as container:
        track = container.add_stream(codec, rate=rate, layout=layout, options={"strict": "experimental"})
        if wave.size:
            planes = wave.astype(np.float32)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes), "fltp", layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            resampler = av.AudioResampler(format=sample_format, layout=layout, rate=rate)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                container.mux(track.encode(part))
        container.mux(track.encode())
    file.seek(0)
    return file


def decoded(file: BytesIO) -> Wave:
    """Return the samples that play: from the edit list's first sample to the track's end."""
    file.seek(0)
    with av.open(file, "r", format="mp4") as container:
        (track,) = container.streams.audio
        frames = list(container.decode(track))
        assert frames[0].pts == 0
        wave = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
        return wave[:, : round(track.duration * track.time_base * track.rate)].astype(np.float64)


def loudness(wave: Wave) -> float:
    """Return integrated loudness in LUFS by ITU-R BS.1770-4, annex 1, with its filters for 48 kHz."""
    weighted = _filtered(
        wave,
        ([1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585]),
        ([1.0, -2.0, 1.0], [1, -1.99004745483398, 0.99007225036621]),
    )
    block, step = 19_200, 4_800
    starts = range(0, wave.shape[1] - block + 1, step)
    power = np.array([np.mean(weighted[:, start : start + block] ** 2, axis=1).sum() for start in starts])
    power = power[_lufs(power) > -70]
    if not power.size:
        return -70.0
    return float(_lufs(power[_lufs(power) > _lufs(power.mean()) - 10].mean()))


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return -0.691 + 10 * np.log10(np.maximum(power, 1e-12))


def _filtered(wave: Wave, *biquads: tuple[list[float], list[float]]) -> Wave:
    """Filter by frequency response; the padding absorbs the ringing."""
    length = wave.shape[1] + 48_000
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(length))
    spectrum = np.fft.rfft(wave, length)
    for above, below in biquads:
        spectrum = spectrum * np.polyval(above[::-1], turn) / np.polyval(below[::-1], turn)
    return np.fft.irfft(spectrum, length)[:, : wave.shape[1]]


def true_peak(wave: Wave) -> float:
    """Return the true peak in dBTP, also between samples (4x oversampled by Fourier interpolation)."""
    padded = np.pad(wave, ((0, 0), (1000, 1000)))
    count = padded.shape[1]
    finer = np.fft.irfft(np.fft.rfft(padded), 4 * count) * 4
    return float(20 * np.log10(np.abs(finer).max()))


def level(wave: Wave, hertz: float) -> float:
    """Return the level of one tone in the first channel, in dB."""
    turn = np.exp(-2j * np.pi * hertz * np.arange(wave.shape[1]) / 48_000)
    return float(20 * np.log10(2 * abs(np.mean(wave[0] * np.hanning(wave.shape[1]) * 2 * turn))))
