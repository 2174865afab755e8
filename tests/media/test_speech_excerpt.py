import io
import wave
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from lambdas.domain.errors import SoundUnreadable
from lambdas.media.sound import Placed
from lambdas.media.speech_excerpt import excerpt
from tests.media.sounds import encoded, tone


def heard(wav: bytes) -> NDArray[np.float64]:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 48_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767


def level(sound: NDArray[np.float64], start: float, end: float) -> float:
    """Return the root mean square between two times in seconds."""
    return float(np.sqrt(np.mean(sound[round(start * 48_000) : round(end * 48_000)] ** 2)))


@pytest.mark.parametrize(("kind", "rate"), [("wav", 48_000), ("mp3", 24_000), ("wav", 8_000)])
def test_speech_starts_where_it_is_placed(kind: str, rate: int) -> None:
    voice = encoded(tone(0.5, 300, rate=rate), kind, rate=rate)
    sound = heard(excerpt([Placed(voice, Fraction(1, 4))], Fraction(33, 8)))
    assert len(sound) == 33 * 6000
    assert level(sound, 0, 0.2) < 0.001
    assert level(sound, 0.35, 0.65) == pytest.approx(0.3 / 2**0.5, rel=0.05)
    assert level(sound, 1, 4) < 0.001


def test_speech_outside_the_excerpt_is_cut_off() -> None:
    whole = tone(1, 300)
    began, ends = encoded(whole), encoded(whole)
    sound = heard(excerpt([Placed(began, Fraction(-3, 4)), Placed(ends, Fraction(3, 4))], Fraction(1)))
    expected = np.zeros(48_000)
    expected[:12_000] = whole[0, 36_000:]
    expected[36_000:] = whole[0, :12_000]
    assert np.abs(sound - expected).max() < 0.001


def test_silence_and_simultaneous_speech() -> None:
    assert not heard(excerpt([], Fraction(1, 8))).any()
    loud = [Placed(encoded(tone(0.1, 300, level=0.9)), Fraction(0)) for _ in range(3)]
    sound = heard(excerpt(loud, Fraction(1, 10)))
    assert (sound.max(), sound.min()) == (1, -1)


def test_an_undecodable_sound_is_named() -> None:
    good, bad = encoded(tone(0.1, 300)), io.BytesIO(b"none")
    with pytest.raises(SoundUnreadable, match="narration 1"):
        excerpt([Placed(good, Fraction(0)), Placed(bad, Fraction(0))], Fraction(1))
