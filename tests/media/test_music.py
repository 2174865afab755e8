"""Which sound files are accepted as music."""

import random
import struct
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest

from lambdas.domain.errors import MusicRejected
from lambdas.media.music import MAX_BYTES, check_music
from lambdas.media.sound_input import samples
from tests.media import clips, sounds
from tests.media.test_images import image_bytes


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


# --- headers that don't know the length

STEREO = np.concatenate([sounds.noise(1.5), sounds.noise(1.5, seed=1)])


def wav_claiming(length: int, *, riff: int | None = None, rest: bytes = b"") -> bytes:
    """Return a stereo WAV of 1.5 s whose header claims another length, with `rest` behind the sound."""
    wav = sounds.encoded(STEREO).getvalue()
    at = wav.index(b"data") + 4
    riff = length if riff is None else riff
    return wav[:4] + struct.pack("<I", riff) + wav[8:at] + struct.pack("<I", length) + wav[at + 4 :] + rest


def rf64(length: int, *, magic: bytes = b"RF64", cut: int = 0) -> bytes:
    wav = sounds.encoded(STEREO).getvalue()
    at = wav.index(b"data") + 4
    sizes = b"ds64" + struct.pack("<IQQQI", 28, 0, length, 0, 0)
    whole = magic + b"\xff" * 4 + b"WAVE" + sizes + wav[12:at] + b"\xff" * 4 + wav[at + 4 :]
    return whole[: len(whole) - cut]


@pytest.mark.parametrize("rest", [b"", b"\1", b"\1\2\3"], ids=["whole", "one byte more", "three bytes more"])
@pytest.mark.parametrize(
    "length", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF - 36, 0x7FFFF000, 0x80000000, 0xFFFFFFFF - 44]
)
def test_a_wav_from_a_pipe_lasts_to_its_end(length: int, rest: bytes) -> None:
    data = wav_claiming(length, rest=rest)
    assert check_music(data, "music") == check_music(wav_claiming(288_000), "music")
    decoded = np.concatenate(list(samples(BytesIO(data), "it")), axis=1)
    assert decoded.shape == STEREO.shape
    assert np.abs(decoded - STEREO).max() < 2 / 32768


def test_the_length_of_the_whole_file_does_not_matter() -> None:
    assert check_music(wav_claiming(288_000, riff=0xFFFFFFFF), "music").seconds == 1.5


@pytest.mark.parametrize("data", [rf64(288_000), rf64(0), rf64(2**64 - 1), rf64(288_000, magic=b"BW64")])
def test_long_wavs_are_wavs(data: bytes) -> None:
    info = check_music(data, "music")
    assert (info.seconds, info.kind) == (1.5, "wav")


@pytest.mark.parametrize(
    "data", [wav_claiming(300_000), wav_claiming(0x7FFE0000), wav_claiming(288_004), rf64(288_000, cut=9_000)]
)
def test_a_wav_that_knows_its_length_must_have_it(data: bytes) -> None:
    with pytest.raises(MusicRejected, match="truncated"):
        check_music(data, "music")


# --- tags and other bytes around the sound

ID3 = b"ID3\4\0\0" + bytes([0, 0, 8, 0]) + bytes(1024)
ID3_FOOTER = b"ID3\4\0\x10" + bytes([0, 0, 0, 100]) + bytes(100) + b"3DI\4\0\x10" + bytes([0, 0, 0, 100])
ID3_BEHIND = b"ID3\4\0\x10" + bytes([0, 0, 0, 100]) + bytes(100) + b"3DI\4\0\x10" + bytes([0, 0, 0, 100])
ID3V1 = b"TAG" + b"A title".ljust(125, b" ")
LYRICS_1 = b"LYRICSBEGIN" + b"[00:01]la la\r\n" * 40 + b"LYRICSEND"
LYRICS_2 = b"LYRICSBEGIN" + b"LYR00012la la la la " + b"000031LYRICS200"
COVER = random.Random(0).randbytes(60_000)  # has the sync words of some sixty frames


def ape(content: bytes, *, header: bool) -> bytes:
    def end(flags: int) -> bytes:
        return b"APETAGEX" + struct.pack("<IIII", 2000, len(content) + 32, 1, flags) + bytes(8)

    return (end(0xA0000000) if header else b"") + content + end(0x80000000 if header else 0)


@pytest.mark.parametrize(
    "behind",
    [
        bytes(1),
        bytes(5_000),
        bytes(1_000_000),
        b"\r\n",
        b"Downloaded from somewhere.\n" * 30,
        ID3V1,
        LYRICS_1,
        LYRICS_1 + ID3V1,
        LYRICS_2,
        LYRICS_2 + ID3V1,
        ape(COVER, header=True),
        ape(COVER, header=False) + ID3V1,
        ape(COVER, header=True) + LYRICS_2 + ID3V1,
        ID3V1 + ape(COVER, header=True),
        ID3_BEHIND,
        bytes(700) + ID3V1,
        ID3V1 + bytes(700),
    ],
    ids=lambda value: f"{value[:11]!r} of {len(value)}",
)
def test_an_mp3_may_have_anything_behind_it(behind: bytes) -> None:
    info = check_music(sound(kind="mp3") + behind, "music")
    assert info.kind == "mp3"
    assert info.seconds == pytest.approx(1.5, abs=0.06)


@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg", "opus", "flac", "m4a"])
@pytest.mark.parametrize(
    "before", [ID3, ID3 + ID3, ID3_FOOTER, ID3 + bytes(300)], ids=["tag", "two", "footer", "padding"]
)
def test_a_tag_may_stand_before_any_sound(kind: str, before: bytes) -> None:
    info = check_music(before + sound(kind=kind), "music")
    assert info == check_music(sound(kind=kind), "music")
    assert info.seconds == pytest.approx(1.5, abs=0.06)


@pytest.mark.parametrize("behind", [ID3V1, bytes(2_000), ape(b"cover", header=True), LYRICS_2 + ID3V1])
def test_a_flac_may_have_tags_behind_it(behind: bytes) -> None:
    assert check_music(sound(kind="flac") + behind, "music").seconds == 1.5


@pytest.mark.parametrize("behind", [ID3V1, bytes(2_000), b"Made by me.\r\n" * 9])
def test_an_m4a_may_have_anything_behind_it(behind: bytes) -> None:
    whole = check_music(sound(kind="m4a"), "music")
    assert check_music(sound(kind="m4a") + behind, "music") == whole


def test_a_tag_may_stand_behind_zero_bytes() -> None:
    assert check_music(bytes(3_000) + ID3 + sound(kind="mp3"), "music").seconds == pytest.approx(
        1.5, abs=0.06
    )


def test_an_mp3_behind_a_tag_of_a_wrong_length_is_found() -> None:
    assert check_music(b"ID3\4\0\0" + b"\x7f" * 4 + sound(kind="mp3"), "music").kind == "mp3"


def test_joined_mp3s_play_to_the_end_of_the_last() -> None:
    joined = sound(kind="mp3") + ID3V1 + ID3 + sound(kind="mp3")
    assert check_music(joined, "music").seconds == pytest.approx(3, abs=0.1)


def mp3_with_hole() -> bytes:
    mp3 = sound(3, "mp3")
    return mp3[:20_000] + bytes(3_000) + mp3[23_000:]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (mp3_with_hole(), "damaged in the middle"),
        (mp3_with_hole() + ID3V1, "damaged in the middle"),
        (sound(3, "mp3")[:-5_000], "truncated: .* frames found"),
        (sound(3, "mp3")[:-5_000] + LYRICS_2 + ID3V1, "truncated: .* frames found"),
        (ID3 + sound(kind="flac")[:-2_000], "can't be decoded"),
        (ID3, "it is not WAV, MP3"),
        (ID3 + b"text", "can't be|no sound"),
        (bytes(100_000), "it is not WAV, MP3"),
    ],
)
def test_what_is_missing_in_the_middle_is_still_told(data: bytes, says: str) -> None:
    with pytest.raises(MusicRejected, match=says):
        check_music(data, "music")


def test_a_flac_that_ends_between_two_frames_is_truncated() -> None:
    flac = sound(kind="flac")
    starts = [at for at in range(len(flac)) if flac[at : at + 2] in (b"\xff\xf8", b"\xff\xf9")]
    refused = 0
    for at in starts[len(starts) // 2 :]:  # some are only bytes within a frame
        with pytest.raises(MusicRejected) as refusal:
            check_music(flac[:at], "music")
        refused += "samples found" in refusal.value.message
    assert refused


@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg", "flac", "m4a"])
def test_the_start_of_a_file_is_refused_at_every_byte(kind: str) -> None:
    data = ID3[:100] + sound(kind=kind)
    for length in (*range(80), 110, 127, 128, 129, 200):
        for start in (0, 100):
            with pytest.raises(MusicRejected):
                check_music(data[start : start + length], "music")


# --- files whose decoding takes long


def silent_flac(seconds: int, *, rate: int, layout: str, block: int = 4_096) -> bytes:
    file = BytesIO()
    with av.open(file, "w", format="flac") as container:
        track = container.add_stream("flac", rate=rate, layout=layout, options={"frame_size": str(block)})
        channels = len(av.AudioLayout(layout).channels)
        wave = np.zeros((1, rate * channels), np.int16)
        for second in range(seconds):
            frame = av.AudioFrame.from_ndarray(wave, "s16", layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, second * rate, Fraction(1, rate)
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return file.getvalue()


def claiming_samples(flac: bytes, count: int) -> bytes:
    """Set STREAMINFO's number of samples (0: unknown)."""
    old = int.from_bytes(flac[21:26], "big")
    return flac[:21] + (old >> 36 << 36 | count).to_bytes(5, "big") + flac[26:]


@pytest.mark.parametrize(
    ("rate", "layout", "seconds"),
    [(192_000, "7.1", 3_600), (192_000, "stereo", 3_600), (48_000, "7.1", 3_500)],
)
def test_much_work_is_refused_before_decoding(rate: int, layout: str, seconds: int) -> None:
    flac = claiming_samples(silent_flac(2, rate=rate, layout=layout), seconds * rate)
    with pytest.raises(
        MusicRejected, match=r"channels × sample rate × length .* convert it to 48 kHz stereo"
    ):
        check_music(flac, "music")


def test_much_work_that_a_file_conceals_is_refused_while_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.media.sound_input.MOST_WORK", 3_000_000)
    flac = claiming_samples(silent_flac(4, rate=192_000, layout="7.1"), 0)
    with pytest.raises(MusicRejected, match="channels × sample rate × length"):
        check_music(flac, "music")


def test_very_many_packets_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.media.sound_input.MOST_SAMPLES", 100)
    with pytest.raises(MusicRejected, match="more than 100 packets"):
        check_music(silent_flac(2, rate=48_000, layout="mono", block=64), "music")


def test_a_flac_from_a_pipe_lasts_to_its_end() -> None:
    assert check_music(claiming_samples(sound(kind="flac"), 0), "music").seconds == 1.5
