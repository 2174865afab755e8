from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from lambdas.domain.assembly import Fit
from lambdas.domain.errors import ClipMismatch, ClipUnreadable
from lambdas.media.conform import FilmFormat, check_length, conform, conforms
from lambdas.media.mp4.merge import Piece, lay_out
from lambdas.media.probe import ClipInfo, probe
from lambdas.media.source import BytesSource
from tests.media.clips import Pixels, clip, decoded, pictures, shown_seconds
from tests.media.files import flat, patched, recorded, with_sound

FILM = FilmFormat(96, 64, Fraction(8))
RED, GREEN, BLUE, GREY = (200, 30, 60), (30, 180, 40), (20, 40, 190), (120, 120, 120)
BLACK = (0, 0, 0)


def conformed(data: bytes, film: FilmFormat = FILM, fit: Fit = Fit.FIT) -> tuple[ClipInfo, list[Pixels]]:
    output = BytesIO()
    info = conform(data, film, fit, output)
    assert conforms(output, film)
    assert probe(output.getvalue()) == info
    return info, decoded(output.getvalue())


def quarters(width: int, height: int) -> Pixels:
    """Return red and green above, blue and grey below."""
    picture = flat(GREY, width, height)
    picture[: height // 2, : width // 2] = RED
    picture[: height // 2, width // 2 :] = GREEN
    picture[height // 2 :, : width // 2] = BLUE
    return picture


def looks(picture: Pixels, x: float, y: float, colour: tuple[int, int, int], within: int = 8) -> bool:
    """Return whether the pixel at fractions x and y of width and height has about that colour."""
    height, width = picture.shape[:2]
    return bool(np.abs(picture[int(y * height), int(x * width)].astype(int) - colour).max() <= within)


def corners(picture: Pixels) -> list[tuple[int, int, int]]:
    """Return the colours at the centers of the four quarters: above left to right, then below."""
    named = []
    for y in (0.25, 0.75):
        for x in (0.25, 0.75):
            named += [colour for colour in (RED, GREEN, BLUE, GREY, BLACK) if looks(picture, x, y, colour)]
    return named


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "container"),
    [
        ("libx264", "yuv420p", "mp4"),
        ("libx264", "yuv444p", "mp4"),
        ("libx264", "yuv420p10le", "mp4"),
        ("libx264rgb", "rgb24", "mp4"),
        ("libx265", "yuv420p", "mp4"),
        ("libsvtav1", "yuv420p", "mp4"),
        ("libvpx-vp9", "yuv420p", "mp4"),
        ("mpeg4", "yuv420p", "mp4"),
        ("mjpeg", "yuvj420p", "mp4"),
        ("prores_ks", "yuv422p10le", "mov"),
        ("png", "rgb24", "mov"),
    ],
)
def test_codecs_and_pixel_formats_become_the_film_s(codec: str, pix_fmt: str, container: str) -> None:
    data = recorded([quarters(96, 64)] * 3, codec=codec, pix_fmt=pix_fmt, container=container)
    info, frames = conformed(data)
    assert (info.frames, info.has_audio, len(frames)) == (3, False, 3)
    assert corners(frames[-1]) == [RED, GREEN, BLUE, GREY]


@pytest.mark.parametrize("matrix", [Colorspace.ITU709, Colorspace.SMPTE170M, None])
@pytest.mark.parametrize("range_", [ColorRange.MPEG, ColorRange.JPEG])
def test_colours_are_preserved(matrix: Colorspace | None, range_: ColorRange) -> None:
    """Without tags, FFmpeg's encoders mean BT.601."""
    settings: dict[str, Any] = {"color_range": range_} | ({"colorspace": matrix} if matrix else {})
    data = recorded([quarters(96, 64)] * 2, **settings)
    _, (frame, _) = conformed(data)
    for (x, y), colour in zip([(0.25, 0.25), (0.75, 0.25), (0.25, 0.75)], [RED, GREEN, BLUE], strict=True):
        assert looks(frame, x, y, colour, within=4), (frame[int(y * 64), int(x * 96)], colour)


@pytest.mark.parametrize("size", [(40, 64), (192, 40), (97, 65), (33, 17), (1, 1), (2, 200)])
def test_fit_shows_the_whole_picture_with_black_bars(size: tuple[int, int]) -> None:
    width, height = size
    _, frames = conformed(recorded([flat(GREEN, *size)] * 2, pix_fmt="yuv444p"))
    shown = np.abs(frames[0].astype(int) - GREEN).max(axis=2) < 40
    high, wide = shown.any(axis=1).sum(), shown.any(axis=0).sum()
    assert wide == 96 or high == 64
    assert wide == pytest.approx(min(96, 64 * width / height), abs=2)
    assert high == pytest.approx(min(64, 96 * height / width), abs=2)
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    assert abs(rows[0] - (63 - rows[-1])) <= 2, "not in the middle"
    assert abs(columns[0] - (95 - columns[-1])) <= 2, "not in the middle"
    assert frames[0][~shown].max(initial=0) < 70


@pytest.mark.parametrize("size", [(40, 64), (192, 40), (97, 65), (33, 17)])
def test_cover_has_no_black_bars_and_keeps_the_middle(size: tuple[int, int]) -> None:
    picture = flat(RED, *size)
    across, down = size[0] // 4, size[1] // 4
    picture[down:-down, across:-across] = GREEN
    _, (frame, _) = conformed(recorded([picture] * 2, pix_fmt="yuv444p"), fit=Fit.COVER)
    assert looks(frame, 0.5, 0.5, GREEN)
    assert frame.max(axis=2).min() > 90


@pytest.mark.parametrize(("focus", "seen"), [((0, 0), RED), ((1, 0), GREEN), ((0, 1), BLUE), ((1, 1), GREY)])
@pytest.mark.parametrize(("size", "at"), [((256, 64), (0.5, None)), ((96, 256), (None, 0.5))])
def test_cover_keeps_the_focus_in_view(
    focus: tuple[int, int],
    seen: tuple[int, int, int],
    size: tuple[int, int],
    at: tuple[float | None, float | None],
) -> None:
    """In the direction in which it crops; in the other one, all is in view."""
    output = BytesIO()
    data = recorded([quarters(*size)] * 2, pix_fmt="yuv444p")
    conform(data, FILM, Fit.COVER, output, focus=(Fraction(focus[0]), Fraction(focus[1])))
    across, down = at
    x = 0.25 + 0.5 * focus[0] if across is None else across
    y = 0.25 + 0.5 * focus[1] if down is None else down
    assert looks(decoded(output.getvalue())[0], x, y, seen)


@pytest.mark.parametrize("size", [(192, 40), (40, 64)])
def test_blur_shows_all_over_a_blurred_copy(size: tuple[int, int]) -> None:
    data = recorded([quarters(*size)] * 2, pix_fmt="yuv444p")
    _, (bars, _) = conformed(data)
    _, (frame, _) = conformed(data, fit=Fit.BLUR)
    picture = bars.max(axis=2) > 70
    inside = picture.copy()
    for axis in (0, 1):  # not at its edge
        inside &= np.roll(picture, 3, axis) & np.roll(picture, -3, axis)
    assert np.abs(frame[inside].astype(int) - bars[inside]).max() < 40
    outside = frame[~picture]
    assert outside.max(axis=1).min() > 60, "no black bars"
    y = 0.02 if size[0] > size[1] else 0.25
    assert looks(frame, 0.05, y, RED, within=40)
    assert looks(frame, 0.95, y, GREEN, within=40)


def test_stretch_fills_the_frame_with_the_whole_picture() -> None:
    _, (frame, _) = conformed(recorded([quarters(40, 64)] * 2, pix_fmt="yuv444p"), fit=Fit.STRETCH)
    assert corners(frame) == [RED, GREEN, BLUE, GREY]
    assert looks(frame, 0.02, 0.02, RED, within=14)
    assert looks(frame, 0.97, 0.97, GREY, within=14)


def test_pixels_that_are_not_square_are_made_so() -> None:
    """Stored four times as high as wide, and displayed square."""
    data = recorded([flat(GREEN, 32, 128)] * 2, pix_fmt="yuv444p", sample_aspect_ratio=Fraction(4))
    assert not conforms(data, FILM)
    _, (frame, _) = conformed(data)
    columns = np.flatnonzero(np.abs(frame[32].astype(int) - GREEN).max(axis=1) < 30)
    assert len(columns) == pytest.approx(64, abs=2)


# The film shows the clip as FFmpeg's players do: rotated counterclockwise by this many degrees.
@pytest.mark.parametrize(
    ("turned", "expected"),
    [
        (0, [RED, GREEN, BLUE, GREY]),
        (90, [GREEN, GREY, RED, BLUE]),
        (180, [GREY, BLUE, GREEN, RED]),
        (270, [BLUE, RED, GREY, GREEN]),
    ],
)
def test_a_clip_with_a_rotation_is_rotated(turned: int, expected: list[tuple[int, int, int]]) -> None:
    data = recorded([quarters(64, 64)] * 2, turned=turned)
    assert not conforms(data, FilmFormat(64, 64, Fraction(8)))
    _, (frame, _) = conformed(data, FilmFormat(64, 64, Fraction(8)))
    assert corners(frame) == expected


def test_a_rotated_portrait_fills_a_landscape_film() -> None:
    data = recorded([flat(GREEN, 64, 96)] * 2, turned=90)
    _, (frame, _) = conformed(data)
    assert np.abs(frame.astype(int) - GREEN).max() < 8


@pytest.mark.parametrize("signs", [(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)])
def test_a_mirrored_clip_is_mirrored(signs: tuple[int, int, int, int]) -> None:
    a, b, c, d = signs
    data = recorded([quarters(64, 64)] * 2)
    # tkhd: a, b, u, c, d, v … from byte 40 of the content on, 1 is 0x10000 (ISO/IEC 14496-12, 8.3.2)
    one = [sign % 2**16 << 16 for sign in signs]
    data = patched(data, b"tkhd", 40, one[0], one[1], 0, one[2], one[3], 0)
    source = quarters(64, 64)
    expected = np.empty_like(source)
    for y in range(64):
        for x in range(64):
            expected[(b * x + d * y) % 64, (a * x + c * y) % 64] = source[y, x]
    _, (frame, _) = conformed(data, FilmFormat(64, 64, Fraction(8)))
    assert corners(frame) == corners(expected)


def test_a_clip_rotated_by_45_degrees_is_rejected() -> None:
    half = 46341  # sin 45° × 65536
    data = patched(clip(3), b"tkhd", 40, half, half, 0, 2**32 - half, half, 0)
    with pytest.raises(ClipUnreadable, match="rotates it by other than quarter turns"):
        conformed(data)


def steps(times: Sequence[float | Fraction], count: int, fps: int) -> list[int]:
    """Return which of the pictures at `times` is displayed at each of the film's frames."""
    return [sum(time <= Fraction(n, fps) for time in times) - 1 for n in range(count)]


@pytest.mark.parametrize(
    ("times", "fps"),
    [
        ([Fraction(n, 8) for n in range(9)], 8),
        ([Fraction(n, 8) for n in range(9)], 24),
        ([Fraction(n, 24) for n in range(24)], 8),
        ([Fraction(n, 5) for n in range(10)], 8),
        ([Fraction(n) for n in (0, Fraction(1, 8), 1, Fraction(9, 8), Fraction(5, 4), 2)], 8),
    ],
)
def test_each_frame_shows_the_picture_displayed_at_its_time(times: list[Fraction], fps: int) -> None:
    shades = [flat((10 + 9 * n,) * 3, 32, 32) for n in range(len(times))]
    data = recorded(shades, times=times)
    output = BytesIO()
    info = conform(data, FilmFormat(32, 32, Fraction(fps)), Fit.FIT, output)
    frames = decoded(output.getvalue())
    # The last picture lasts an eighth of a second: the encoder was set to 8 fps.
    assert info.frames == round((times[-1] + Fraction(1, 8)) * fps)
    shown = [round((float(frame.mean()) - 10) / 9) for frame in frames]
    assert shown == steps(times, info.frames, fps)
    assert shown_seconds(output.getvalue()) == [Fraction(n, fps) for n in range(len(frames))]


def test_rounding_to_milliseconds_delays_no_frame() -> None:
    """33, 67, 100 ms: rounded thirtieths of a second."""
    times = [Fraction(round(1000 * n / 30), 1000) for n in range(12)]
    shades = [flat((10 + 18 * n,) * 3, 32, 32) for n in range(12)]
    output = BytesIO()
    conform(recorded(shades, times=times, fps=30), FilmFormat(32, 32, Fraction(30)), Fit.FIT, output)
    assert [round((float(frame.mean()) - 10) / 18) for frame in decoded(output.getvalue())] == list(range(12))


def test_sound_is_removed() -> None:
    assert probe(with_sound()).has_audio
    info, frames = conformed(with_sound())
    assert (info.has_audio, len(frames)) == (False, 8)


def test_a_fragmented_clip_is_accepted() -> None:
    data = recorded(pictures(6), movflags="frag_keyframe+empty_moov+default_base_moof")
    assert conformed(data)[0].frames == 6


def test_a_conformed_clip_joins_by_copying_and_has_keyframes_for_transitions() -> None:
    pieces = []
    for number, data in enumerate([recorded(pictures(12, width=50, height=30)), clip(12)]):
        output = BytesIO()
        if conforms(data, FILM):
            output.write(data)
        else:
            conform(data, FILM, Fit.COVER, output)
        pieces.append(Piece(BytesSource(output.getvalue()), number))
    assert lay_out(pieces, metadata={}).frames == 24
    assert lay_out([Piece(pieces[0].source, 0, 4, 8)], metadata={}).frames == 4


def test_what_conforms_and_what_does_not() -> None:
    assert conforms(clip(3), FILM)
    assert conforms(clip(3), FILM, frames=3)
    assert not conforms(clip(3), FILM, frames=4)
    for other in (clip(3, fps=9), clip(3, width=64), recorded(pictures(3), codec="mpeg4")):
        assert not conforms(other, FILM)
    with pytest.raises(ValueError, match="even"):
        FilmFormat(97, 64, Fraction(8))


@pytest.mark.parametrize(
    "other",
    [
        {"colorspace": Colorspace.SMPTE170M},
        {"color_range": ColorRange.JPEG},
        {"pix_fmt": "yuv444p"},
        {"turned": 90},
        {"sample_aspect_ratio": Fraction(4, 3)},
        {"times": [Fraction(n, 8) for n in (0, 1, 2, 4, 7)]},
    ],
    ids=["matrix", "range", "chroma", "turned", "aspect ratio", "varying rate"],
)
def test_any_difference_means_a_clip_does_not_conform(other: dict[str, Any]) -> None:
    data = recorded(list(pictures(5)), **other)
    assert not conforms(data, FILM)
    conformed(data)


@pytest.mark.parametrize("given", [7, 8, 9])
@pytest.mark.parametrize("fps", [8, 16, 24])
def test_one_frame_more_or_less_is_corrected_to_the_plan(given: int, fps: int) -> None:
    output = BytesIO()
    data = clip(given * fps // 8, fps=fps)
    check_length(data, FILM, 8)
    assert conform(data, FILM, Fit.FIT, output, frames=8).frames == 8
    assert len(decoded(output.getvalue())) == 8


@pytest.mark.parametrize(("given", "fps"), [(6, 8), (10, 8), (8, 16), (19, 24)])
def test_a_clip_of_another_length_is_rejected(given: int, fps: int) -> None:
    data = clip(given, fps=fps)
    with pytest.raises(ClipMismatch, match=r"expected 1\.000 s"):
        check_length(data, FILM, 8)
    with pytest.raises(ClipMismatch):
        conform(data, FILM, Fit.FIT, BytesIO(), frames=8)
