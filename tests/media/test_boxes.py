"""Boxes and tables with false claims; each test changes one named field."""

import struct
from collections.abc import Callable

import pytest

from lambdas.domain.errors import ClipsDiffer, ClipUnreadable
from lambdas.media.limits import MOST_INDEX_BYTES
from lambdas.media.mp4.boxes import BoxReader, box, box_header, children, runs
from lambdas.media.mp4.clip import read_clip
from lambdas.media.source import BytesSource
from tests.media.clips import clip, reordered_clip

WHOLE = reordered_clip(20)


def changed(kind: bytes, offset: int, form: str, *values: int | bytes) -> bytes:
    """Return the clip with a changed box field, `offset` bytes after the box's name."""
    at = WHOLE.index(kind) + 4 + offset
    fields = struct.pack(form, *values)
    return WHOLE[:at] + fields + WHOLE[at + len(fields) :]


def renamed(kind: bytes, to: bytes) -> bytes:
    return WHOLE.replace(kind, to, 1)


def test_boxes_are_read_as_they_are_written() -> None:
    written = box(b"free", b"12") + box(b"mdat") + box(b"free", b"3")
    assert {kind: [bytes(one) for one in found] for kind, found in children(memoryview(written)).items()} == {
        b"free": [b"12", b"3"],
        b"mdat": [b""],
    }
    assert [span.kind for span in BoxReader(BytesSource(written)).spans()] == [b"free", b"mdat", b"free"]


def test_a_box_over_4_gib_has_a_length_of_64_bits() -> None:
    assert box_header(b"mdat", 2**32 - 9) == struct.pack(">I4s", 2**32 - 1, b"mdat")
    assert box_header(b"mdat", 2**32 - 8) == struct.pack(">I4sQ", 1, b"mdat", 2**32 + 8)
    wide = struct.pack(">I4sQ", 1, b"free", 17) + b"x"
    assert children(memoryview(wide)) == {b"free": [memoryview(b"x")]}


def test_the_last_box_may_reach_to_the_end_of_the_file() -> None:
    open_ended = changed(b"mdat", -8, ">I", 0)
    assert read_clip(BytesSource(open_ended)).track.chunks == read_clip(BytesSource(WHOLE)).track.chunks


def test_equal_values_are_written_once() -> None:
    assert runs([5, 5, 5, 7]) == struct.pack(">5I", 2, 3, 5, 1, 7)


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (lambda: b"", "empty"),
        (lambda: WHOLE[:7], "empty or too short"),
        (lambda: WHOLE[:100], "truncated: box 'moov'"),
        (lambda: WHOLE[:-1], "truncated: box 'mdat'"),
        (lambda: changed(b"moov", -8, ">I", 4), "box 'moov' is too short: 4 bytes"),
        (lambda: changed(b"trak", -8, ">I", 2**31), "truncated: box 'trak' is 2147483648 bytes long"),
        (lambda: renamed(b"moov", b"free"), "0 boxes 'moov'"),
        (lambda: WHOLE + box(b"moov"), "2 boxes 'moov'"),
        (lambda: box(b"moov", bytes(MOST_INDEX_BYTES + 1)), "box 'moov' is too long: 16777217 bytes"),
        (lambda: box(b"free") * 1001, "more than 1000 boxes"),
        (lambda: box(b"moov", box(b"free") * 1001), "a box contains more than 1000 boxes"),
        (lambda: renamed(b"vide", b"soun"), "no video track"),
        (lambda: renamed(b"stsz", b"free"), "0 boxes 'stsz'"),
        (lambda: changed(b"mvhd", 0, ">B", 2), "mvhd version must be 0 or 1; got 2"),
        (lambda: changed(b"mdhd", 12, ">I", 0), "mdhd has 0 ticks per second"),
        (lambda: changed(b"stsz", 8, ">I", 0), "no frames"),
        (lambda: changed(b"stsz", 4, ">II", 1, 2**32 - 1), "too many frames: 4294967295"),
        (lambda: changed(b"stsz", 8, ">I", 900_000), "stsz is too short"),
        (lambda: changed(b"stsz", 12, ">I", 2**31), "a frame is too large: 2147483648 bytes"),
        (lambda: changed(b"stsz", 12, ">I", 2**29), "truncated: its frames are"),
        (lambda: changed(b"stts", 4, ">I", 2**32 - 1), "stts is too short"),
        (lambda: changed(b"stts", 8, ">I", 2**32 - 1), "stts describes 4294967295 frames; expected 20"),
        (lambda: changed(b"stts", 12, ">I", 0), "its frame rate of 0 "),
        (lambda: changed(b"stts", 12, ">I", 1), "its frame rate of 10000 "),
        (lambda: changed(b"ctts", 8, ">I", 21), "ctts describes"),
        (lambda: changed(b"stss", 8, ">I", 0), "stss must list frame numbers"),
        (lambda: changed(b"stss", 12, ">I", 21), "stss lists frame 20, but there are only 20"),
        (lambda: changed(b"stss", 8, ">I", 2), "its first frame is not a keyframe"),
        (lambda: changed(b"stsc", 8, ">I", 2), "stsc lists chunks"),
        (lambda: changed(b"stsc", 12, ">I", 21), "stsc describes more frames"),
        (lambda: changed(b"stsc", 12, ">I", 19), "stsc describes 19 frames; expected 20"),
        (lambda: changed(b"stco", 4, ">I", 2**31), "more chunks than frames: 2147483648 for 20"),
        (lambda: changed(b"stco", 8, ">I", 0), "outside the file's data"),
        (lambda: changed(b"stco", 8, ">I", 2**32 - 1), "outside the file's data"),
        (lambda: changed(b"url ", 0, ">I", 0), "in another file"),
        (lambda: renamed(b"url ", b"alis"), "in another file"),
        (lambda: changed(b"avcC", 0, ">B", 2), "avcC version must be 1; got 2"),
        (lambda: changed(b"avcC", 5, ">B", 0xE0), "avcC must have one SPS and at least one PPS; got 0 "),
        (lambda: changed(b"avcC", 6, ">H", 2**16 - 1), "avcC is too short"),
        (lambda: changed(b"avcC", 9, ">8s", bytes(8)), "SPS"),
    ],
)
def test_a_file_with_false_claims_is_rejected_with_the_reason(broken: Callable[[], bytes], what: str) -> None:
    with pytest.raises(ClipUnreadable, match=what):
        read_clip(BytesSource(broken()))


@pytest.mark.parametrize(
    ("odd", "what"),
    [
        (lambda: changed(b"ctts", 12, ">I", 3750), "not evenly spaced"),
        (lambda: changed(b"elst", 12, ">i", 2**31 - 1), "an edit list hides some of its frames"),
        (lambda: changed(b"elst", 8, ">I", 1), "an edit list hides some of its frames"),
        (lambda: changed(b"elst", 16, ">I", 2 << 16), "changes the order or speed"),
        (lambda: changed(b"elst", 4, ">I", 3), "changes the order"),
        (lambda: renamed(b"avc1\0", b"hev1\0"), "its codec is 'hev1'"),
    ],
)
def test_an_unmergeable_clip_is_distinguished_from_a_broken_one(odd: Callable[[], bytes], what: str) -> None:
    with pytest.raises(ClipsDiffer, match=what):
        read_clip(BytesSource(odd()))


@pytest.mark.parametrize("size", [(64, 48), (98, 50), (112, 66)])
def test_frame_sizes_are_display_sizes(size: tuple[int, int]) -> None:
    # The encoder stores whole 16x16 blocks; the SPS says how much to crop.
    assert read_clip(BytesSource(clip(1, width=size[0], height=size[1]))).picture.size == size


def test_a_clip_is_described_by_its_index() -> None:
    found = read_clip(BytesSource(WHOLE))
    assert (found.fps, found.picture.size, found.picture.colour) == (8, (96, 64), (1, 1, 1, False))
    assert sorted(found.shown) == list(range(20))
    assert found.keyframes(0, 20) == [0, 16]
    data = b"".join(WHOLE[start : start + length] for start, length in found.track.ranges(0, 20))
    assert data == WHOLE[WHOLE.index(b"mdat") + 4 :]
