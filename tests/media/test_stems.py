"""Stems: what each sound adds to the mix, sample by sample."""

import zipfile
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from lambdas.media.background import Bed
from lambdas.media.sound import Placed, mix, silence
from lambdas.media.sound_input import samples
from lambdas.media.stems import pack
from tests.media.sounds import Wave, decoded, encoded, level, tone

RATE = 48_000
SPEECH, CLIPS, MUSIC = 1000, 2500, 220  # Hz


def wav(folder: Path, name: str) -> Wave:
    return np.concatenate(list(samples(folder / f"{name}.wav", name)), axis=1).astype(np.float64)


def decibels(wave: Wave) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(wave**2)) + 1e-9))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Wave]:
    """Return the folder of the stems of a film of 3 seconds in which somebody speaks in the second one, with
    peaks that the limiter lowers; and the film's sound as delivered."""
    folder, clips = tmp_path_factory.mktemp("stems"), tmp_path_factory.mktemp("clips") / "clips"
    speech = tone(1, SPEECH, level=0.05)
    speech[:, 20_000:20_400] *= 15
    clips.write_bytes(encoded(tone(3, CLIPS, level=0.1), "flac").getvalue())
    output = BytesIO()
    voices = [Placed(encoded(speech), Fraction(1))]
    mix(Fraction(3), voices, Bed(encoded(tone(2, MUSIC))), output, clips=clips, stems=folder)
    return folder, decoded(output)


def test_stems_add_up_to_the_mix_sample_by_sample(made: tuple[Path, Wave]) -> None:
    folder, film = made
    mixed = wav(folder, "mix")
    stems = [wav(folder, name) for name in ("narration", "clips", "music")]
    assert {one.shape for one in (mixed, *stems)} == {(2, 3 * RATE)} == {film.shape}
    assert np.abs(mixed - sum(stems)).max() < 1e-6
    assert decibels(film - mixed) < decibels(film) - 30, "the film's sound is the encoded mix, in step"


def test_each_stem_has_its_sound_only_at_its_level_in_the_film(made: tuple[Path, Wave]) -> None:
    folder, film = made
    hertz = {"narration": SPEECH, "clips": CLIPS, "music": MUSIC}
    before, during = slice(2_000, 45_000), slice(RATE + 5_000, RATE + 19_000)
    for name, own in hertz.items():
        stem = wav(folder, name)
        for other in hertz.values():
            heard = level(stem[:, during], other)
            if other == own:
                assert heard == pytest.approx(level(film[:, during], own), abs=0.5), name
            else:
                assert heard < level(film[:, during], other) - 40, (name, other)
    for name in ("clips", "music"):
        assert level(wav(folder, name)[:, before], hertz[name]) > (
            level(wav(folder, name)[:, during], hertz[name]) + 7
        ), f"{name} is lowered while somebody speaks"
    peak = slice(RATE + 20_000, RATE + 20_400)
    assert np.abs(wav(folder, "mix")[:, peak]).max() < 0.9
    assert np.abs(wav(folder, "narration")[:, : RATE - 100]).max() < 1e-6


def test_a_film_of_one_sound_has_one_stem(tmp_path: Path) -> None:
    mix(Fraction(1), [], Bed(encoded(tone(1, MUSIC))), BytesIO(), stems=tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mix.wav", "music.wav"]
    assert np.array_equal(wav(tmp_path, "mix"), wav(tmp_path, "music"))


def test_the_mix_of_a_silent_film_is_silence(tmp_path: Path) -> None:
    silence(Fraction(5, 2), BytesIO(), stems=tmp_path)
    [file] = tmp_path.iterdir()
    assert file.name == "mix.wav"
    assert wav(tmp_path, "mix").shape == (2, 5 * RATE // 2)
    assert not wav(tmp_path, "mix").any()


def test_the_same_stems_are_the_same_bytes(tmp_path: Path) -> None:
    packed = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        silence(Fraction(1), BytesIO(), stems=folder)
        packed.append(pack(folder, tmp_path / f"{name}.zip").read_bytes())
        assert not list(folder.iterdir())
    assert packed[0] == packed[1]
    with zipfile.ZipFile(BytesIO(packed[0])) as file:
        assert file.namelist() == ["mix.wav"]
        assert file.testzip() is None
