"""Which sound files are accepted as music."""

import numpy as np
import pytest

from lambdas.domain.errors import MusicRejected
from lambdas.media.music import MAX_BYTES, check_music
from tests.unit import clips, sounds
from tests.unit.test_media_images import image_bytes


def sound(seconds: float = 1.5, kind: str = "wav") -> bytes:
    return sounds.encoded(sounds.noise(seconds), kind).getvalue()


@pytest.mark.parametrize(
    ("kind", "found"),
    [("wav", "wav"), ("mp3", "mp3"), ("ogg", "ogg"), ("opus", "ogg"), ("flac", "flac"), ("m4a", "mp4")],
)
def test_music_is_measured_by_decoding_it(kind: str, found: str) -> None:
    info = check_music(sound(kind=kind), "music")
    assert info.kind == found
    assert info.seconds == pytest.approx(1.5, abs=0.06)  # a lossy codec's padding


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is not WAV, MP3"),
        (b"RIFF\x04\x00\x00\x00WAVE", "can't be|no sound"),
        (b"\xff\xfb" + bytes(1000), "can't be|no sound"),
        (image_bytes("PNG"), "it is not WAV, MP3"),
        (clips.clip(8), "no sound track"),
        (sound(0.9), "got 0.90 seconds"),
        (sounds.encoded(np.zeros((1, 96_000))).getvalue(), "got silence"),
        (sound()[:-20_000], "truncated"),
        (sound(kind="m4a")[:-200], "truncated"),
        (sound(kind="flac")[:-2_000], "can't be decoded"),
    ],
    ids=[
        "empty",
        "head",
        "sync word",
        "image",
        "video",
        "short",
        "silence",
        "cut WAV",
        "cut M4A",
        "cut FLAC",
    ],
)
def test_files_other_than_music_are_rejected_with_the_field(data: bytes, says: str) -> None:
    with pytest.raises(MusicRejected, match=says) as refused:
        check_music(data, "music")
    assert refused.value.param == "music"
    assert refused.value.message.startswith("music must be a WAV, MP3")


def test_a_large_file_is_not_even_opened() -> None:
    with pytest.raises(MusicRejected, match="got 104,857,601 bytes"):
        check_music(bytes(MAX_BYTES + 1), "music")
