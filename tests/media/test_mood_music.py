"""Music that is made: what a mood sounds like, measured."""

from fractions import Fraction
from functools import cache
from itertools import islice

import numpy as np
import pytest

from lambdas.domain.moods import TEMPOS, Mood
from lambdas.media.background import Bed, background
from lambdas.media.beats import beats
from lambdas.media.mood_music import BARS, BEATS, Tune, play
from lambdas.media.sound_input import RATE, Samples

RHYTHMIC = Mood.PLAYFUL


@cache
def loop(mood: Mood) -> Samples:
    seconds = BARS * BEATS * 60 / TEMPOS[mood]
    heard = np.concatenate([*islice(play(Tune(mood, 1)), round(seconds + 1))], axis=1)
    return heard[:, : round(seconds * RATE)]


def brightness(wave: Samples) -> float:
    """Return the middle of the spectrum's power, in Hz."""
    power = np.abs(np.fft.rfft(wave[0, : 8 * RATE])) ** 2
    return float(np.fft.rfftfreq(8 * RATE, 1 / RATE)[np.searchsorted(np.cumsum(power), power.sum() / 2)])


@pytest.mark.parametrize("mood", Mood)
def test_a_loop_is_loud_does_not_clip_and_has_no_seam(mood: Mood) -> None:
    wave = loop(mood)
    assert RATE * 60 % TEMPOS[mood] == 0, "a beat is a whole number of samples"
    assert np.abs(wave).max() == pytest.approx(0.8, abs=1e-3)
    assert 0.1 < wave.std() < 0.3
    assert np.abs(wave.mean(axis=1)).max() < 1e-3
    around = np.concatenate([wave[:, -RATE:], wave[:, :RATE]], axis=1)
    steps = np.abs(np.diff(around, axis=1)).max(axis=0)
    assert steps[RATE - 1] <= np.abs(np.diff(wave, axis=1)).max(), "no click"
    loudness = [np.sqrt(np.mean(part**2)) for part in np.split(around, 8, axis=1)]
    assert min(loudness) > 0.01, "it doesn't pause at its end"
    assert 60 < brightness(wave) < 1500


def test_beats_are_where_they_are_said_to_be() -> None:
    beat = 60 / TEMPOS[RHYTHMIC]
    wave = loop(RHYTHMIC)[:, : 15 * RATE]
    found = beats(wave[:, start : start + RATE] for start in range(0, wave.shape[1], RATE))
    assert len(found) >= 0.9 * 15 / beat
    assert max(abs(at / beat - round(at / beat)) * beat for at in found) < 0.02


def test_the_same_seed_makes_the_same_music_and_another_one_other_music() -> None:
    first = next(play(Tune(RHYTHMIC, 1)))
    other = next(play(Tune(RHYTHMIC, 2)))
    assert np.array_equal(first, loop(RHYTHMIC)[:, :RATE])
    assert not np.allclose(other, first, atol=0.01)


def test_it_goes_on_for_the_whole_film_from_its_start_on_and_fades() -> None:
    wave = loop(RHYTHMIC)
    bed = Bed(Tune(RHYTHMIC, 1), start=Fraction(2), fade_out=Fraction(1))
    total = wave.shape[1] + 3 * RATE
    heard = np.concatenate([*background(bed, total)], axis=1)
    assert heard.shape == (2, total)
    expected = np.concatenate([wave[:, 2 * RATE :], wave], axis=1)[:, :total]
    assert np.allclose(heard[:, : total - RATE], expected[:, : total - RATE], atol=1e-6)
    assert np.abs(heard[:, -100:]).max() < 0.01
