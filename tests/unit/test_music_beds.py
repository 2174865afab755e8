"""Pieces of music by mood, from the extra `reelworks[music]`."""

import pytest

from reelworks import music_beds
from reelworks.music_beds import BedMissing, bed, pieces


def test_a_mood_has_pieces_and_a_seed_chooses_one() -> None:
    found = pieces()
    assert set(found) == {"calm", "energetic", "happy", "nostalgic", "tender"}
    assert sum(map(len, found.values())) == 28
    assert bed("calm", 7) == bed("calm", 7)
    assert {bed("calm", seed) for seed in range(40)} == set(found["calm"])
    assert bed("calm_acoustic_1").name == "calm_acoustic_1.opus"


def test_unknown_music_is_named_with_what_there_is() -> None:
    with pytest.raises(BedMissing, match=r"no music 'polka'\. Moods: calm, .*Pieces: calm_acoustic_1, "):
        bed("polka")


def test_without_the_extra_its_installation_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(music_beds, "_PACKAGE", "no_such_package")
    with pytest.raises(BedMissing, match=r"pip install -e '\.\[music\]'"):
        bed("calm")
