"""Which videos are accepted for an edit or an extension: those that can be used to their end."""

import random
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import pytest

from lambdas.domain.assembly import Fit
from lambdas.domain.errors import ClipUnreadable
from lambdas.media import conform
from lambdas.media.conform import FilmFormat, check_upload, excerpt
from lambdas.media.mp4.boxes import box
from tests.media.clips import clip, pictures
from tests.media.files import flat, patched, recorded

GREEN = (20, 160, 60)
FILM = FilmFormat(64, 48, Fraction(8))
HALF = 46341  # sin 45° × 65536
ONE = 65536


def check(data: bytes, film: FilmFormat = FILM) -> int:
    return check_upload(data, film, Fit.COVER, longest=60)


def damaged(data: bytes, at: float, filler: bytes, length: int = 200) -> bytes:
    """Overwrite some bytes of the frames, at a share of their length."""
    start = data.index(b"mdat") + 4
    end = len(data) if data.rfind(b"moov") < start else data.rfind(b"moov") - 4
    place = start + int((end - start - length) * at)
    return data[:place] + (filler * length)[:length] + data[place + length :]


def turned(*matrix: int) -> bytes:
    """Set a, b, c and d of the track's matrix (ISO/IEC 14496-12, 6.2.2)."""
    a, b, c, d = (value % 2**32 for value in matrix)
    return patched(clip(3), b"tkhd", 40, a, b, 0, c, d, 0)


@pytest.mark.parametrize(
    "data",
    [
        clip(8),
        recorded(pictures(9), codec="libx265"),
        recorded(pictures(9), codec="mpeg4"),
        recorded(pictures(9), movflags="frag_keyframe+empty_moov"),
        recorded([flat(GREEN, 16, 16)] * 3),
        recorded([flat(GREEN, 640, 16)] * 3),
        turned(0, ONE, -ONE, 0),
        turned(-ONE, 0, 0, ONE),
    ],
    ids=["H.264", "H.265", "MPEG-4", "fragments", "smallest", "strip", "turned", "mirrored"],
)
@pytest.mark.parametrize("film", [FILM, FilmFormat(480, 854, Fraction(24))])
def test_a_video_that_plays_to_its_end_is_accepted(data: bytes, film: FilmFormat) -> None:
    assert check(data, film) > 0


PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x20\0\0\0\x20\x08\x02\0\0\0\xfc\x18\xed\xa3"
"""The start of a PNG of 32x32, enough to be told from other files."""


def with_cover_first(data: bytes) -> bytes:
    """Put a cover picture into the file's metadata, in front of the tracks."""
    cover = box(b"ilst", box(b"covr", box(b"data", (14).to_bytes(4), bytes(4), PICTURE)))
    hdlr = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    udta = box(b"udta", box(b"meta", bytes(4), hdlr, cover))
    start = data.index(b"moov") - 4
    place = start + 8 + int.from_bytes(data[start + 8 : start + 12])  # behind mvhd
    moov = int.from_bytes(data[start : start + 4]) + len(udta)
    moved = data[:start] + moov.to_bytes(4) + data[start + 4 : place] + udta + data[place:]
    chunks = moved.index(b"stco") + 12
    return patched(moved, b"stco", 8, int.from_bytes(moved[chunks : chunks + 4]) + len(udta))


def hidden_before(flags: int) -> bytes:
    """Record three pictures in a first track, whose flags are given, and eight in a second, enabled one."""
    output = BytesIO()
    with av.open(output, "w", format="mp4") as file:
        for _ in range(2):
            track: Any = file.add_stream("libx264", rate=8)
            track.width, track.height, track.pix_fmt = 96, 64, "yuv420p"
        for track, count in zip(file.streams.video, (3, 8), strict=True):
            for number, pixels in enumerate(pictures(count)):
                picture = av.VideoFrame.from_ndarray(pixels, "rgb24")
                picture.pts, picture.time_base = number, Fraction(1, 8)
                file.mux(track.encode(picture))
            file.mux(track.encode())
    first, _, second = output.getvalue().rpartition(b"tkhd")
    return patched(first, b"tkhd", 0, flags) + b"tkhd" + (3).to_bytes(4) + second[4:]


@pytest.mark.parametrize(
    ("data", "frames"),
    [
        (with_cover_first(clip(8)), 8),
        (hidden_before(0), 8),
        (hidden_before(3), 3),
    ],
    ids=["cover picture", "first track disabled", "first track enabled"],
)
def test_the_track_that_players_show_is_used(data: bytes, frames: int) -> None:
    assert check(data) == frames


@pytest.mark.parametrize("kind", [b"pdin", b"meco", b"imda", b"pnot", b"junk", b"sefd"])
def test_other_known_boxes_may_stand_in_a_file(kind: bytes) -> None:
    assert check(clip(8) + box(kind, bytes(12))) == 8


@pytest.mark.parametrize("padding", [7, 8, 64, 4096])
def test_zero_bytes_may_follow(padding: int) -> None:
    assert check(clip(8) + bytes(padding)) == 8


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_a_video_damaged_in_the_middle_is_refused_or_can_be_used(codec: str) -> None:
    """Decoders don't notice every wrong bit; what they don't notice here they don't notice later."""
    whole, chance, refused = recorded(pictures(24), codec=codec), random.Random(5), 0
    assert check(whole) == 24
    for at in (0.05, 0.3, 0.5, 0.7, 0.95):
        for filler in (b"\0", b"\xff", chance.randbytes(200)):
            data = damaged(whole, at, filler)
            try:
                frames = check(data)
            except ClipUnreadable:
                refused += 1
            else:
                assert excerpt(data, FILM, Fit.COVER, start=0, frames=frames, lead=0)
    assert refused >= 3


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_video_with_a_hole_in_the_middle_is_refused(codec: str, at: float) -> None:
    with pytest.raises(ClipUnreadable):
        check(damaged(recorded(pictures(24), codec=codec), at, b"\0", 3_000))


@pytest.mark.parametrize(
    "matrix", [(HALF, HALF, -HALF, HALF), (0, 0, 0, 0), (ONE, ONE, 0, ONE), (ONE, 0, 0, 0), (ONE, 9, -9, ONE)]
)
def test_a_video_turned_otherwise_than_by_quarters_is_refused(matrix: tuple[int, ...]) -> None:
    with pytest.raises(ClipUnreadable, match="display matrix"):
        check(turned(*matrix))


@pytest.mark.parametrize(("width", "height"), [(2, 2), (2, 64), (64, 2), (14, 14), (640, 14)])
def test_a_video_of_tiny_pictures_is_refused(width: int, height: int) -> None:
    with pytest.raises(ClipUnreadable, match=f"at least 16 pixels a side; got {width}x{height}"):
        check(recorded([flat(GREEN, width, height)] * 3))


def test_a_long_video_is_refused_by_its_length() -> None:
    with pytest.raises(ClipUnreadable, match="it must last at most 2 s; got 3 s"):
        check_upload(clip(24), FILM, Fit.COVER, longest=2)


def test_only_so_much_of_a_large_video_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = recorded(pictures(48))
    width, height = 96, 64
    late = damaged(whole, 0.95, b"\0", 2_000)
    monkeypatch.setattr(conform, "MOST_CHECKED_PIXELS", 10 * width * height)
    assert check(late) == 48
    with pytest.raises(ClipUnreadable):
        check(damaged(whole, 0.05, b"\0", 2_000))
