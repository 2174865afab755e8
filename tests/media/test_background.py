"""Music under a film: its level, offset, fades, and loops that one doesn't hear."""

from fractions import Fraction

import numpy as np
import pytest

from lambdas.domain.errors import SoundUnreadable
from lambdas.media.background import Bed, background
from lambdas.media.sound_input import RATE
from tests.media.sounds import Wave, encoded, tone


def played(seconds: float, music: Wave, **how: float) -> Wave:
    bed = Bed(encoded(music, "flac"), **{name: Fraction(str(value)) for name, value in how.items()})
    return np.concatenate(list(background(bed, round(seconds * RATE))), axis=1)


def loudest(wave: Wave, start: float, stop: float) -> float:
    return float(np.abs(wave[:, round(start * RATE) : round(stop * RATE)]).max())


def envelope(wave: Wave, start: float, stop: float) -> list[float]:
    """Return the level of each fiftieth of a second."""
    part = wave[0, round(start * RATE) : round(stop * RATE)]
    return [
        float(np.sqrt(np.mean(np.square(piece))))
        for piece in np.array_split(part, round((stop - start) * 50))
    ]


def jump(wave: Wave) -> float:
    return float(np.abs(np.diff(wave)).max())


def test_it_starts_where_it_is_told_to_each_time() -> None:
    music = np.concatenate([tone(2, 220), tone(2, 880)], axis=-1)
    wave = played(5, music, start=2, fade_out=0)
    low = np.abs(np.fft.rfft(wave[0]))
    assert low[220 * 5] < low[880 * 5] / 1_000, "the first two seconds are not heard in any pass"


@pytest.mark.parametrize("fade", [0.5, 2])
def test_it_fades_in_and_out(fade: float) -> None:
    wave = played(8, tone(8, 440), fade_in=fade, fade_out=fade)
    full = loudest(wave, 3, 5)
    for at in (fade / 4, fade / 2):
        assert loudest(wave, at - 0.01, at) == pytest.approx(full * at / fade, rel=0.05)
        assert loudest(wave, 8 - at, 8 - at + 0.01) == pytest.approx(full * at / fade, rel=0.05)


def test_fades_of_a_short_film_meet_in_its_middle() -> None:
    wave = played(2, tone(3, 440), fade_in=30, fade_out=30)
    assert loudest(wave, 0.9, 1.1) == pytest.approx(
        loudest(played(2, tone(3, 440), fade_out=0), 0, 2), rel=0.05
    )


def test_a_loop_goes_on_without_a_click_and_in_time() -> None:
    music = tone(1.503, 300)  # ends in the middle of a wave
    wave = played(6, music, fade_out=0)
    assert jump(wave) < 1.1 * jump(music)
    levels = envelope(wave, 0.1, 5.9)
    assert min(levels) > 0.6 * max(levels), "no gap"
    beats = np.zeros((1, RATE), np.float32)
    beats[:, :480] = tone(0.01, 1000)
    wave = played(4, np.concatenate([beats, beats], axis=1) + 0.05 * tone(2, 100), fade_out=0)
    loud = np.flatnonzero(np.abs(wave[0]) > 0.1)
    starts = loud[np.flatnonzero(np.diff(loud, prepend=-RATE) > RATE // 4)] / RATE
    assert np.diff(starts) == pytest.approx(1, abs=0.02)


def test_a_tune_that_ends_is_blended_with_its_next_start() -> None:
    ending = tone(6, 440)
    ending = ending * np.minimum(1, (6 - np.arange(ending.shape[-1]) / RATE) / 3)  # fades for three seconds
    music = np.concatenate([ending, np.zeros_like(tone(1, 440))], axis=-1)  # and is silent for one
    levels = envelope(played(12, music, fade_out=0), 4, 9)
    assert min(levels) > 0.1 * max(levels)
    assert min(envelope(music.reshape(1, -1), 4, 7)) == 0


def test_silence_stays_silent() -> None:
    assert loudest(played(5, np.zeros_like(tone(2, 440))), 0, 5) == 0


def test_an_offset_behind_its_end_is_refused() -> None:
    with pytest.raises(SoundUnreadable, match="the music must be at least 1 s long"):
        played(5, tone(2, 440), start=1.5)
