"""Find where a recording says the words that another voice says, too.

Both are compared by what a listener hears of the mouth rather than of the voice: mel-frequency cepstral
coefficients (Davis and Mermelstein, 1980), each relative to its mean. Dynamic time warping (Sakoe and Chiba,
1978) then finds the cheapest way through both, in which the recording may pause anywhere.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lambdas.domain.recordings import MOST_TIMES_FASTER
from lambdas.media.sound_input import RATE, Samples

_RATE = 16_000
_STEP = 0.01  # seconds between two frames
_MOST_FRAMES = 12_000  # of a longer recording, frames are further apart: the ways through both take memory
_WINDOW = 400  # samples of a frame
_POINTS = 512  # of its Fourier transform
# Few coefficients: those of higher order tell voices apart, not words.
_BANDS, _COEFFICIENTS = 26, 8
_LOWEST, _HIGHEST = 80.0, 7_600.0  # Hz
_RANGE = 50.0  # dB below the loudest frame; anything quieter counts as silence
_AUDIBLE = 5.0  # dB above the quietest frame
_LOUDNESS = 2.4  # weight of a frame's loudness beside each coefficient
# Percent of the frames that are quieter than the pauses of a recording that has some, and than its speech.
_QUIET_AND_LOUD = (5, 95)
_SILENT = 20.0  # dB by which pauses are quieter than speech
# By how many frames the other voice goes on. Of ways that cost the same, the first is taken.
_STEPS = (1, 0, *range(2, MOST_TIMES_FASTER + 1))

_Sound = NDArray[np.float32]
"""One channel at 48 kHz."""
_Frames = NDArray[np.float32]
"""A row for each frame: what it sounds like, and how that changes."""


def mono(blocks: Iterable[Samples]) -> _Sound:
    return np.concatenate([block.mean(axis=0) for block in blocks])


def aligned(recording: _Sound, spoken: _Sound, times: Sequence[float]) -> list[float]:
    """Return when the recording says what another voice speaks at `times`, all in seconds.

    Raises ValueError if the recording is too short for the words.
    """
    step = max(_STEP, len(recording) / RATE / _MOST_FRAMES)
    (heard, loudness), (said, _) = _frames(recording, step), _frames(spoken, step)
    if len(said) > MOST_TIMES_FASTER * len(heard):
        raise ValueError(
            f"it lasts {len(recording) / RATE:.1f} s, but its words take about {len(spoken) / RATE:.1f} s"
        )
    begins = np.array([min(round(time / step), len(said) - 1) for time in times])
    way = _cheapest_way(heard, said, [*begins, len(said) - 1], _pause(heard, loudness))
    # The last frame in which a word has not gone on: where the pause before it ends.
    places = np.maximum(np.searchsorted(way, begins), np.searchsorted(way, begins, side="right") - 1)
    return [min(float(place) * step, len(recording) / RATE) for place in places]


def _pause(heard: _Frames, loudness: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return what a recording's pauses sound like; None if it has none."""
    quiet, loud = np.percentile(loudness, _QUIET_AND_LOUD)
    found: NDArray[np.float32] = heard[loudness <= quiet].mean(axis=0)
    return found if loud - quiet >= _SILENT else None


def _cheapest_way(
    heard: _Frames, said: _Frames, pauses: Sequence[int], pause: NDArray[np.float32] | None
) -> NDArray[np.int64]:
    """Return the frame of `said` for each frame of `heard`, from both starts to both ends. A frame that is
    passed over costs as much as one that is taken. At the frames `pauses` of `said` there may be a `pause`.
    From one frame of the recording to the next, the other voice goes on by a few frames at most, so each row
    of costs follows from the one before it."""
    count, at = len(said), np.unique(pauses)
    squares = (said**2).sum(axis=1)
    costs = np.full(count, np.inf, np.float32)
    taken = np.zeros((len(heard), count), np.int8)
    choices = np.full((len(_STEPS), count), np.inf, np.float32)
    for row, frame in enumerate(heard):
        distances = np.sqrt(np.maximum(squares - 2 * said @ frame + frame @ frame, 0))
        if pause is not None:
            distances[at] = np.minimum(distances[at], np.linalg.norm(frame - pause))
        if row == 0:
            costs[0] = distances[0]
            continue
        passed = np.concatenate([[0], np.cumsum(distances)])
        for choice, step in enumerate(_STEPS):
            over = passed[step:count] - passed[1 : count - step + 1] if step else 0
            choices[choice, step:] = costs[: count - step] + over
        taken[row] = choices.argmin(axis=0)
        costs = choices.min(axis=0) + distances
    way = np.empty(len(heard), np.int64)
    place = count - 1
    for row in range(len(heard) - 1, -1, -1):
        way[row] = place
        place -= _STEPS[taken[row, place]]
    return way


def _frames(sound: _Sound, step: float) -> tuple[_Frames, NDArray[np.float32]]:
    """Return frames `step` seconds apart, and how loud each is, in dB."""
    third = RATE // _RATE
    low = sound[: len(sound) // third * third].reshape(-1, third).mean(axis=1)
    starts = np.arange(0, max(1, len(low)), step * _RATE).astype(int)
    low = np.pad(low, (_WINDOW // 2, _WINDOW))
    windows = low[starts[:, None] + np.arange(_WINDOW)] * np.hamming(_WINDOW).astype(np.float32)
    power = np.abs(np.fft.rfft(windows, _POINTS)) ** 2
    bands = 10 * np.log10(np.maximum(power @ _mel_filters().T, 1e-12))
    bands = np.maximum(bands, bands.max() - _RANGE)
    loudness = bands.mean(axis=1, keepdims=True)
    rows = np.concatenate([bands @ _cosines().T, loudness], axis=1)
    audible = loudness[:, 0] >= min(loudness.min() + _AUDIBLE, loudness.max())
    rows = (rows - rows[audible].mean(axis=0)) / np.maximum(rows[audible].std(axis=0), 1e-3)
    rows[:, -1] *= _LOUDNESS
    change = np.zeros_like(rows)
    change[1:-1] = rows[2:] - rows[:-2]
    levels = 10 * np.log10(np.maximum(power.sum(axis=1), 1e-12))
    return np.concatenate([rows, change], axis=1).astype(np.float32), levels


@lru_cache(maxsize=1)
def _mel_filters() -> NDArray[Any]:
    edges = _hertz(np.linspace(_mel(_LOWEST), _mel(_HIGHEST), _BANDS + 2))
    bins = np.fft.rfftfreq(_POINTS, 1 / _RATE)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters: NDArray[Any] = np.maximum(0, np.minimum(rising, falling))
    return filters


def _mel(hertz: float) -> float:
    return float(2595 * np.log10(1 + hertz / 700))


def _hertz(mel: NDArray[Any]) -> NDArray[Any]:
    return 700 * (10 ** (mel / 2595) - 1)


@lru_cache(maxsize=1)
def _cosines() -> NDArray[Any]:
    """Return rows of the discrete cosine transform, without the first, which is the loudness."""
    rows, bands = np.arange(1, _COEFFICIENTS + 1)[:, None], np.arange(_BANDS)
    cosines: NDArray[Any] = np.cos(np.pi * rows * (bands + 0.5) / _BANDS) * np.sqrt(2 / _BANDS)
    return cosines
