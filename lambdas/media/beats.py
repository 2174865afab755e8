"""Find the beats of music: when it changes, at which tempo it does so, and the beats that fit both.

Onsets are rises of the spectrum; the tempo is the strongest period among them, preferred near 120 beats a
minute; and beats are found by dynamic programming (D. Ellis, Beat Tracking by Dynamic Programming, Journal of
New Music Research 36, 2007). docs/decisions/0077-beats-and-beds.md says why it is ours, and how exact it is.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from lambdas.media.sound_input import RATE, Samples
from lambdas.media.sound_reader import Reader

Curve = NDArray[np.float64]

_HOP = RATE // 100
_PER_SECOND = RATE / _HOP
_WINDOW = 2048
_SHAPE = np.hanning(_WINDOW).astype(np.float32)
_AT_ONCE = 500  # hops
_HERTZ = np.geomspace(40, 10_000, 41)  # between bands; the lowest ones share a frequency of the spectrum
_NOTHING = np.zeros((0, _HERTZ.size - 1), np.float32)
_DEPTH = 1_000  # 60 dB: what is quieter than the loudest by more is nothing
# A window's spectrum rises most when the onset is this far from its start (measured with clicks).
_RISES_AT = 0.72 * _WINDOW / RATE
_SLOWEST, _FASTEST = 50, 200  # beats a minute
_USUAL, _SPREAD = 120, 0.9  # the preferred tempo, and octaves around it
# Twice the tempo is the tempo if onsets in the middle of its beats are nearly as regular.
_AS_REGULAR = 0.85
# How much more a regular beat counts than one on an onset; Ellis: 100, in squared octaves of the period.
_REGULAR = 100.0
_LEAST_RISE = 1.0
"""Sum of the bands' logarithmic rises. Steady tones and slow swells have less."""
_LEAST_REGULAR = 0.2
"""Autocorrelation at the tempo's period below which music has no beat. Noise and clicks at random have up to
0.24 in 12 s and 0.08 in 40 s, a band under noise 0.7 (measured)."""


def beats(music: Iterable[Samples]) -> list[float]:
    """Return the seconds at which the music's beats are; none if it has no regular ones."""
    onsets = _onsets(music)
    if onsets.size < 4 * _PER_SECOND or not onsets.any():
        return []
    period = _period(onsets)
    if period is None:
        return []
    found = _refined(_tracked(onsets, period), onsets)
    return [float(at) for at in found / _PER_SECOND + _RISES_AT if at >= 0]


def _onsets(music: Iterable[Samples]) -> Curve:
    """Return how much the spectrum rises, a hundred times a second, by its local spread."""
    bands = np.concatenate([_NOTHING, *_spectra(music)])
    loudest = float(bands.max(initial=0))
    if loudest <= 0:
        return np.zeros(0)
    levels = np.log1p(bands * np.float32(_DEPTH / loudest))
    curve = np.maximum(0, np.diff(levels, axis=0, prepend=levels[:1])).sum(axis=1).astype(np.float64)
    raised = np.maximum(0, curve - _smoothed(curve, round(_PER_SECOND)) - _LEAST_RISE)
    spread = np.sqrt(_smoothed(raised**2, round(4 * _PER_SECOND)))
    onsets: Curve = raised / np.maximum(spread, 1e-3 * max(1e-9, float(spread.max())))
    return onsets


def _spectra(music: Iterable[Samples]) -> Iterator[NDArray[np.float32]]:
    """Yield the magnitude of bands: hops × bands."""
    hertz = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    edges = _HERTZ[:-1], _HERTZ[1:]
    pooled = ((hertz[:, None] >= edges[0]) & (hertz[:, None] < edges[1])).astype(np.float32)
    reader = Reader("music", 0, iter(music))
    rest = np.zeros(0, np.float32)
    while (block := reader.read(_AT_ONCE * _HOP)).shape[1]:
        mono = np.concatenate([rest, block.mean(axis=0)])
        count = max(0, (mono.size - _WINDOW) // _HOP + 1)
        if count:
            windows = np.lib.stride_tricks.sliding_window_view(mono, _WINDOW)[: count * _HOP : _HOP]
            power = np.abs(np.fft.rfft(windows * _SHAPE)) ** 2
            yield np.sqrt(power.astype(np.float32) @ pooled)
        rest = mono[count * _HOP :]


def _smoothed(curve: Curve, width: int) -> Curve:
    """Return the mean around each point."""
    width = min(width, curve.size)
    sums = np.cumsum(np.concatenate([[0], curve]))
    at = np.arange(curve.size)
    first, last = np.maximum(0, at - width // 2), np.minimum(curve.size, at + width // 2 + 1)
    means: Curve = (sums[last] - sums[first]) / (last - first)
    return means


def _period(onsets: Curve) -> float | None:
    """Return the beat's period in hops; None if nothing repeats."""
    size = 1 << (2 * onsets.size - 1).bit_length()
    level = onsets - onsets.mean()
    spread = np.convolve(level, np.hanning(7), mode="same")  # so that no beat falls between two hops
    repeats = np.fft.irfft(np.abs(np.fft.rfft(spread, size)) ** 2)[: onsets.size]
    if repeats[0] <= 0:
        return None
    repeats /= repeats[0]
    slowest, fastest = round(60 * _PER_SECOND / _SLOWEST), round(60 * _PER_SECOND / _FASTEST)
    periods = np.arange(fastest, min(slowest, onsets.size // 2) + 1)
    tempo = 60 * _PER_SECOND / periods
    preferred = np.exp(-0.5 * (np.log2(tempo / _USUAL) / _SPREAD) ** 2)
    # A beat repeats at its multiples; three quarters of one, as in a dotted rhythm, at every fourth of them.
    near = np.maximum(repeats, np.maximum(np.roll(repeats, 1), np.roll(repeats, -1)))
    multiples = np.minimum(np.outer(np.arange(1, 5), periods), repeats.size - 1)
    best = int(periods[np.argmax(near[multiples].mean(axis=0) * preferred)])
    half = best // 2
    if half >= fastest:
        around = np.arange(half - 1, half + 3)
        if repeats[around].max() >= _AS_REGULAR * repeats[best]:
            best = int(around[np.argmax(repeats[around])])
    if repeats[best] < _LEAST_REGULAR:
        return None
    return _exact(best, repeats)


def _exact(period: int, repeats: Curve) -> float:
    """Return the period to a fraction of a hop, by its multiples."""
    exact = float(period)
    for multiple in (2, 4, 8, 16):
        middle = round(exact * multiple)
        near = np.arange(max(1, middle - multiple // 2 - 1), middle + multiple // 2 + 2)
        if near[-1] >= repeats.size // 2:
            break
        exact = float(near[np.argmax(repeats[near])]) / multiple
    return exact


def _tracked(onsets: Curve, period: float) -> NDArray[np.int64]:
    """Return the hops of the beats: the sequence with the best sum of onsets and of regularity."""
    spread = np.exp(-0.5 * (np.arange(-round(period), round(period) + 1) * 32 / period) ** 2)
    local = np.convolve(onsets, spread, mode="same")
    local /= max(1e-9, float(local.std()))
    back = np.arange(-round(2 * period), -round(period / 2) + 1)
    regular = -_REGULAR * np.log(-back / period) ** 2
    score, link = local.copy(), np.full(local.size, -1, np.int64)
    started = 0.01 * float(local.max())
    begun = False
    for at in range(local.size):
        first = at + back[0]
        if first >= 0:
            paths = score[first : at + back[-1] + 1] + regular
        else:
            paths = np.full(back.size, -np.inf)
            if at + back[-1] >= 0:
                paths[-first:] = score[: at + back[-1] + 1] + regular[-first:]
        best = int(np.argmax(paths))
        if begun or local[at] >= started:
            begun = True
            if paths[best] > 0:
                score[at] += paths[best]
                link[at] = at + back[best]
    last = max(0, local.size - round(period))
    at = last + int(np.argmax(score[last:]))
    found = []
    while at >= 0:
        found.append(at)
        at = int(link[at])
    return np.array(found[::-1], np.int64)


def _refined(found: NDArray[np.int64], onsets: Curve) -> Curve:
    """Return the beats between hops, by the shape of the onset at each."""
    made = []
    for at in found:
        if 0 < at < onsets.size - 1:
            before, peak, after = onsets[at - 1 : at + 2]
            bend = before - 2 * peak + after
            shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
            made.append(at + float(np.clip(shift, -0.5, 0.5)))
        else:
            made.append(float(at))
    return np.array(made)
