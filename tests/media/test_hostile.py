"""Malicious files: each ends in the named error before it costs memory or time."""

import resource
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from lambdas.domain.assembly import Fit
from lambdas.domain.errors import ClipUnreadable, SoundUnreadable
from lambdas.media.conform import FilmFormat, conform
from lambdas.media.frames import last_frame, poster
from lambdas.media.join import join
from lambdas.media.limits import LONGEST_SECONDS, MOST_FRAMES, MOST_INDEX_BYTES, MOST_SAMPLES, WIDEST
from lambdas.media.probe import probe
from lambdas.media.sound_input import samples
from lambdas.media.spritesheet import spritesheet
from tests.media.clips import clip, pictures, sound_only
from tests.media.files import bare, flat, patched, recorded, with_sound

FILM = FilmFormat(96, 64, Fraction(8))


def conformed(data: bytes) -> object:
    return conform(data, FILM, Fit.FIT, BytesIO())


def joined(data: bytes) -> object:
    return join([data], BytesIO(), metadata={})


READERS: list[Callable[[bytes], object]] = [probe, last_frame, poster, spritesheet, conformed, joined]


def refused(data: bytes, reason: str, *readers: Callable[[bytes], object]) -> None:
    for reader in readers or READERS:
        with pytest.raises(ClipUnreadable, match=reason):
            reader(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a readable MP4"),
        (b"\0\0\0\1ftyp", "too short"),
        (b"\0" * 4096, "not a readable MP4"),
        (clip(9)[:200], "truncated"),
        (clip(9)[:-1], "truncated"),
        (sound_only(), "no video track"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.mp4\n", "not a readable MP4"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "not a readable MP4"),
        (b"<?xml version='1.0'?><MPD><BaseURL>file:///etc/passwd</BaseURL></MPD>", "not a readable MP4"),
    ],
)
def test_files_other_than_clips(data: bytes, reason: str) -> None:
    refused(data, reason)


def test_no_file_is_reached_through_a_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data reference (`dref`) names the file that contains the frames."""
    (tmp_path / "other.mp4").write_bytes(clip(9))
    monkeypatch.chdir(tmp_path)
    data = elsewhere(clip(9), b"/x/other.mp4")
    opened = []

    def noted(url: str, flags: int, options: dict[str, str]) -> Any:
        opened.append(url)
        raise OSError(url)

    with (
        pytest.raises(OSError),
        av.open(BytesIO(data), "r", format="mp4", options={"enable_drefs": "1"}, io_open=noted),
    ):
        pass
    assert opened == ["other.mp4"], "the file is not what this test needs"
    refused(data, "another file")


def elsewhere(mp4: bytes, path: bytes) -> bytes:
    """Point the track's frames to the file `path` with a QuickTime alias: up a folder and down again."""
    at = mp4.index(b"dref") - 4
    old = int.from_bytes(mp4[at : at + 4])
    names = bytes(10 + 1 + 27 + 12 + 1 + 63 + 16)  # of volume and file, and their surroundings
    levels = (1).to_bytes(2) * 2 + bytes(16)
    record = (2).to_bytes(2) + len(path).to_bytes(2) + path + b"\xff\xff\0\0"
    alias = b"alis" + bytes(4) + names + levels + record
    content = b"dref" + bytes(4) + (1).to_bytes(4) + (4 + len(alias)).to_bytes(4) + alias
    new = (4 + len(content)).to_bytes(4) + content
    grown = mp4[:at] + new + mp4[at + old :]
    for kind in (b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        start = grown.index(kind) - 4
        size = int.from_bytes(grown[start : start + 4]) + len(new) - old
        grown = grown[:start] + size.to_bytes(4) + grown[start + 4 :]
    return grown


MP4 = recorded(pictures(9))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        # 67 million samples in 7 KB: FFmpeg alone takes 20 s and 4.3 GB.
        (
            patched(
                patched(patched(MP4, b"stsz", 4, 1, 1 << 26), b"stsc", 8, 1, 1 << 26), b"stts", 8, 1 << 26
            ),
            "it claims 67108864 samples",
        ),
        (patched(MP4, b"stsz", 4, 0, 0xFFFFFFFF), "stsz.* too short"),
        (patched(MP4, b"stsz", 4, 1, MOST_SAMPLES + 1), "samples"),
        (patched(MP4, b"stts", 4, 0xFFFFFFFF), "stts.* too short"),
        (patched(MP4, b"stts", 8, 0xFFFFFFFF), "samples"),
        (patched(MP4, b"ctts", 8, 0xFFFFFFFF), "samples"),
        (patched(MP4, b"stco", 4, 0x40000000), "stco.* too short"),
        (patched(MP4, b"stsc", 4, 0x7FFFFFFF), "stsc.* too short"),
        (patched(MP4, b"stss", 4, 0x7FFFFFFF), "stss.* too short"),
        (patched(MP4, b"elst", 4, 0x7FFFFFFF), "elst.* too short"),
        (MP4.replace(b"stts", b"cmov"), "compressed"),
        (MP4.replace(b"moov", b"hoov"), "hoov"),
        (MP4 * (MOST_INDEX_BYTES // len(MP4)), "index|boxes|tracks"),
        (patched(MP4, b"moov", -8, 0xFFFFFFF0), "truncated"),
    ],
)  # fmt: skip
def test_tables_that_claim_too_much(data: bytes, reason: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(data, reason)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        # The header says one second, the pictures an hour and more.
        (patched(bare(MP4), b"stts", 8, 9, 0x7FFFFFFF), "longer than"),
        (patched(bare(MP4), b"mdhd", 12, 1), "longer than"),
        (patched(bare(MP4), b"mdhd", 12, 0xFFFFFFFF), "longer than"),
        # Frames before the first.
        (patched(bare(MP4), b"stts", 8, 9, 0xFFFFFFF0), "its frame rate of"),
    ],
)
def test_impossible_times(data: bytes, reason: str) -> None:
    refused(data, reason, probe, joined)


def test_a_clip_that_would_last_hours_is_not_conformed() -> None:
    refused(patched(bare(MP4), b"stts", 8, 9, 0x7FFFFFFF), f"at most {LONGEST_SECONDS} s", conformed)
    slow = patched(bare(MP4), b"mdhd", 12, 10)  # each frame lasts two minutes
    with pytest.raises(ClipUnreadable, match="too many for the film's size"):
        conform(slow, FilmFormat(8192, 8192, Fraction(60)), Fit.FIT, BytesIO())


def test_zero_ticks_per_second_cause_no_division_by_zero() -> None:
    for reader in READERS:
        with suppress(ClipUnreadable):
            reader(patched(MP4, b"mdhd", 12, 0))


@pytest.mark.parametrize("codec", ["png", "mjpeg"])
def test_pictures_larger_than_the_limit(codec: str) -> None:
    pix_fmt = {"png": "gray", "mjpeg": "yuvj420p"}[codec]
    wide = recorded([flat((9, 9, 9), WIDEST + 16, 16)], codec=codec, pix_fmt=pix_fmt)
    refused(wide, "too large")


def test_pictures_larger_than_the_header_says() -> None:
    """The header says 64x48, the stream's own parameters 96x64: the latter is reported and displayed."""
    at = MP4.index(b"stsd")
    lying = MP4[:at] + patched(MP4[at:], b"avc1", 24, 64 << 16 | 48)
    assert (probe(lying).width, probe(lying).height) == (96, 64)


def test_a_picture_s_size_that_changes_midway() -> None:
    output = BytesIO()
    with av.open(output, "w", format="mp4") as file:
        track: Any = file.add_stream("mjpeg", rate=8)
        track.width, track.height, track.pix_fmt = 96, 64, "yuvj420p"
        other: Any = av.CodecContext.create("mjpeg", "w")
        other.width, other.height, other.pix_fmt, other.time_base = 1920, 1088, "yuvj420p", Fraction(1, 8)
        for number in range(8):
            encoder, width, height = (other, 1920, 1088) if number == 4 else (track, 96, 64)
            picture = av.VideoFrame.from_ndarray(flat((90, 9, 9), width, height), "rgb24")
            picture = picture.reformat(format="yuvj420p")
            picture.pts, picture.time_base = number, Fraction(1, 8)
            for packet in encoder.encode(picture):
                packet.stream = track
                file.mux(packet)
    refused(output.getvalue(), "must all be 96x64; got 1920x1088", poster, conformed)


def test_a_decoder_that_no_engine_needs_is_not_run() -> None:
    data = recorded(pictures(2), codec="qtrle", pix_fmt="rgb24", container="mov")
    refused(data, "not a readable MP4")


def test_damaged_pictures_are_rejected_not_concealed() -> None:
    data = bytearray(with_sound())
    at = data.index(b"mdat")
    rng = np.random.default_rng(3)
    for place in rng.integers(at + 900, at + 9000, 200):
        data[place] ^= 0xFF
    refused(bytes(data), ".", conformed)


def test_frames_that_share_their_bytes() -> None:
    """A 60 KB file can claim gigabytes of frames if they all share the same bytes."""
    mp4 = recorded(
        (np.random.default_rng(n).integers(0, 255, (64, 96, 3), np.uint8) for n in range(9)),
        codec="mjpeg",
        pix_fmt="yuvj420p",
    )
    at = mp4.index(b"stsz") + 4
    whole = int.from_bytes(mp4[mp4.index(b"mdat") - 4 : mp4.index(b"mdat")]) - 8
    shared = mp4[: at + 12] + b"".join([(whole * 2 // 3).to_bytes(4)] * 9) + mp4[at + 48 :]
    at = shared.index(b"stsc") + 4
    refused(shared, ".", probe, conformed)


def test_the_limits_allow_everything_a_request_may_ask_for() -> None:
    assert MOST_FRAMES < MOST_SAMPLES
    assert MOST_FRAMES >= LONGEST_SECONDS * 60


def test_music_that_claims_too_much() -> None:
    music = sound_only()
    assert sum(block.shape[1] for block in samples(BytesIO(music), "the music")) > 0
    lying = patched(patched(music, b"stsz", 4, 1, 1 << 26), b"stsc", 8, 1, 1 << 26)
    with pytest.raises(SoundUnreadable, match="the music can't be used: it claims 67108864 samples"):
        list(samples(BytesIO(lying), "the music"))
