"""Beats that are found in music whose beats are known. More of it: docs/decisions/0077-beats-and-beds.md."""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from lambdas.media.beats import beats
from lambdas.media.sound_input import RATE, Samples, samples
from reelworks.music_beds import bed

SECONDS = 12
NEAR = 0.07  # seconds; as MIREX counts
Mono = NDArray[np.float64]


def blocks(wave: Mono) -> Iterator[Samples]:
    stereo = np.stack([wave, wave]).astype(np.float32)
    return (stereo[:, start : start + RATE] for start in range(0, stereo.shape[1], RATE))


def hits(times: Sequence[float], sound: Mono) -> Mono:
    wave = np.zeros(SECONDS * RATE + sound.size)
    for at in times:
        first = round(min(at, SECONDS) * RATE)
        wave[first : first + sound.size] += sound
    return wave[: SECONDS * RATE]


def decaying(seconds: float, of: float) -> Mono:
    return np.exp(-np.arange(round(seconds * RATE)) / (of * RATE))


def clicks(times: Sequence[float]) -> Mono:
    click = decaying(0.03, 0.008)
    return hits(times, click * np.sin(2 * np.pi * 1000 * np.arange(click.size) / RATE))


def band(times: Sequence[float], seed: int) -> Mono:
    """A drum on each beat, by turns low and noisy; hats between; bass notes, of which a third come late; and
    chords that change every fourth beat."""
    random = np.random.default_rng(seed)
    beat = times[1] - times[0]
    shape = decaying(0.15, 0.05)
    low = shape * np.sin(2 * np.pi * 60 * np.arange(shape.size) / RATE)
    noisy = shape * random.normal(0, 0.5, shape.size)
    wave = 0.8 * (hits(times[::2], low) + hits(times[1::2], noisy))
    hat = np.diff(random.normal(0, 0.5, RATE // 20)) * decaying(RATE // 20 / RATE, 0.0125)[1:]
    wave += 0.15 * hits([*times, *(at + beat / 2 for at in times)], hat)
    for at in times:
        note = decaying(0.9 * beat, 0.3)
        hertz = 110 * 2 ** (random.integers(12) / 12)
        note *= np.sin(2 * np.pi * hertz * np.arange(note.size) / RATE)
        wave += 0.3 * hits([at + (beat / 2 if random.random() < 1 / 3 else 0)], note)
    for at in times[::4]:
        turns = np.outer([1, 1.26, 1.5], np.arange(round(4 * beat * RATE))) / RATE
        wave += 0.12 * hits(
            [at], np.sin(2 * np.pi * 220 * 2 ** (random.integers(12) / 12) * turns).sum(axis=0)
        )
    return wave


def f_measure(found: Sequence[float], true: Sequence[float]) -> float:
    taken: set[int] = set()
    for at in found:
        near = [(abs(at - one), index) for index, one in enumerate(true) if index not in taken]
        if near and min(near)[0] <= NEAR:
            taken.add(min(near)[1])
    return 2 * len(taken) / (len(found) + len(true))


@pytest.mark.parametrize("noise", [0, 0.05])
@pytest.mark.parametrize(("tempo", "phase"), [(60, 0.3), (90, 0), (133, 0.21), (180, 0.1)])
def test_beats_of_clicks(tempo: int, phase: float, noise: float) -> None:
    true = [*np.arange(phase, SECONDS, 60 / tempo)]
    heard = clicks(true) + np.random.default_rng(tempo).normal(0, noise or 1e-4, SECONDS * RATE)
    assert f_measure(beats(blocks(heard)), true) > 0.95


@pytest.mark.parametrize(("tempo", "phase"), [(84, 0.3), (104, 0.45), (160, 0.1)])
def test_beats_of_a_band(tempo: int, phase: float) -> None:
    true = [*np.arange(phase, SECONDS, 60 / tempo)]
    found = beats(blocks(band(true, seed=tempo)))
    assert f_measure(found, true) > 0.95
    late = [min((at - one for one in true), key=abs) for at in found]
    assert abs(float(np.median(late))) < 0.005


def test_a_level_is_no_matter() -> None:
    true = [*np.arange(0.2, SECONDS, 0.5)]
    assert f_measure(beats(blocks(0.001 * band(true, seed=1))), true) > 0.95


def test_music_without_beats_has_none() -> None:
    at = np.arange(SECONDS * RATE) / RATE
    chord = np.sin(2 * np.pi * 220 * at) + np.sin(2 * np.pi * 330 * at)
    for heard in (chord, chord * (1 + np.sin(2 * np.pi * at / 7)), np.zeros(SECONDS * RATE)):
        assert beats(blocks(heard)) == []
    assert beats(blocks(np.random.default_rng(0).normal(0, 0.1, SECONDS * RATE))) == []
    assert beats(iter(())) == []
    assert beats(blocks(clicks([0.5, 1.0])[:RATE])) == [], "too short"


@pytest.mark.parametrize(("piece", "tempo"), [("happy_acoustic_1", 110), ("energetic_electronic_2", 150)])
def test_the_beats_of_the_extra_s_music_are_found(piece: str, tempo: int) -> None:
    """Its tempo is in the package's LICENSE-MUSIC; half and double of it are beats, too."""
    heard = islice(samples(bed(piece), piece), 1_000)
    between = np.median(np.diff(beats(heard)))
    assert any(60 / between == pytest.approx(tempo * share, rel=0.02) for share in (0.5, 1, 2))
