"""Words are found in a recording by another voice's speech.

The speech here is made of sounds of known length; docs/decisions/0079-a-recording-as-narration.md tells of
real voices.
"""

from itertools import accumulate, pairwise

import numpy as np
import pytest

from lambdas.media.alignment import aligned
from lambdas.media.sound_input import RATE
from tests.media.babble import Sound, babble, word
from tests.media.babble import steady as babble_steady

WORDS = list(map(word, ("031", "42", "150", "3", "2541", "04", "513", "2", "1403", "35")))


def spoken(seconds: list[list[float]], pitch: float, *, higher: float = 1.0, seed: int = 0) -> Sound:
    return babble(WORDS, seconds, pitch, higher=higher, seed=seed)


def steady(seconds: float) -> list[list[float]]:
    return babble_steady(WORDS, seconds)


def starts(seconds: list[list[float]]) -> list[float]:
    return [0.0, *accumulate(map(sum, seconds))][: len(WORDS)]


def test_words_are_found_in_another_voice_at_another_pace() -> None:
    rng = np.random.default_rng(7)
    uneven = [[float(rng.uniform(0.06, 0.22)) for _ in word] for word in WORDS]
    recording = spoken(uneven, 210, higher=1.08, seed=1)
    found = aligned(recording, spoken(steady(0.1), 110), starts(steady(0.1)))
    assert found == pytest.approx(starts(uneven), abs=0.06)


def test_pauses_and_noise_of_a_recording_are_passed_over() -> None:
    lengths = steady(0.12)
    sound, begins = spoken(lengths, 180), starts(lengths)
    begins, pauses = [*begins], {0: 0.8, 4: 1.5, 8: 0.4}  # before the words
    pieces = []
    for index, (start, end) in enumerate(pairwise([*begins, len(sound) / RATE])):
        pieces += [
            np.zeros(round(pauses.get(index, 0) * RATE)),
            sound[round(start * RATE) : round(end * RATE)],
        ]
    recording = np.concatenate(pieces)
    recording += 0.001 * np.random.default_rng(3).standard_normal(len(recording))
    true = [
        begin + sum(pause for at, pause in pauses.items() if at <= index)
        for index, begin in enumerate(begins)
    ]
    found = aligned(recording.astype(np.float32), spoken(steady(0.1), 120), starts(steady(0.1)))
    assert found == pytest.approx(true, abs=0.06)


def test_the_same_sound_has_the_same_times() -> None:
    sound = spoken(steady(0.1), 110)
    assert aligned(sound, sound, starts(steady(0.1))) == pytest.approx(starts(steady(0.1)), abs=0.011)


def test_a_recording_that_is_too_short_for_its_words_is_refused() -> None:
    long = spoken(steady(0.3), 110)
    with pytest.raises(ValueError, match=r"it lasts 1\.0 s, but its words take about 7\.5 s"):
        aligned(long[:RATE], long, [0.0])


def test_silence_and_a_single_word_need_no_special_case() -> None:
    second = np.zeros(RATE, np.float32)
    assert aligned(second, second, [0.0]) == [0.0]
    assert aligned(second[:10], second[:10], [0.0]) == [0.0]
