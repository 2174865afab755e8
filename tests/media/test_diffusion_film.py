"""Rendered frames become the film's: their size, their rate, and the way back. Exported clips are decoded."""

import base64
import io
import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from containers.diffusion.export import film_mp4
from containers.diffusion.film import Film, FpsMode, Instant, Timeline, instants
from containers.diffusion.framing import Fit, contained, covering, to_film, to_rendered
from containers.diffusion.image import given_frame
from containers.diffusion.video import video_frames
from lambdas.domain import film_format
from lambdas.media.join import join
from lambdas.media.probe import probe
from tests.media.clips import decoded

RED, GREEN, BLUE, YELLOW = (220, 30, 40), (30, 180, 60), (40, 60, 210), (220, 200, 40)
Size = tuple[int, int]


def marked(width: int = 720, height: int = 480) -> Image.Image:
    """Return a green picture with a red left, blue right, yellow top and bottom edge, an eighth each."""
    pixels = np.zeros((height, width, 3), np.uint8) + np.array(GREEN, np.uint8)
    pixels[: height // 8] = pixels[-(height // 8) :] = YELLOW
    pixels[:, : width // 8] = RED
    pixels[:, -(width // 8) :] = BLUE
    return Image.fromarray(pixels)


def gradient(width: int, height: int) -> Image.Image:
    """Return a picture whose red grows to the right and whose green grows downwards."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([255 * x / (width - 1), 255 * y / (height - 1), np.full_like(x, 128)], axis=-1)
    return Image.fromarray(pixels.round().astype(np.uint8))


def film(width: int = 72, height: int = 128, fps: int = 8, frames: int = 4, **how: object) -> Film:
    return Film.model_validate({"width": width, "height": height, "fps": fps, "frames": frames, **how})


def exported(picture: Image.Image, asked: Film, rendered: int = 5, *, rate: int = 8) -> np.ndarray:
    """Return the first frame of the clip, decoded."""
    frames = np.stack([np.asarray(picture)] * rendered)
    clip = film_mp4(frames, asked, {}, rate=rate, skip_frames=1)
    info = probe(clip)
    assert (info.width, info.height, info.fps, info.frames) == (*asked.size, asked.fps, asked.frames)
    return decoded(clip)[0].astype(int)


def shows(frame: np.ndarray, x: int, y: int, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(frame[y, x] - np.array(colour)).max() <= 12)


# --- size


def test_cover_cuts_the_sides_and_keeps_the_whole_height() -> None:
    frame = exported(marked(), film(360, 640))
    assert shows(frame, 3, 320, GREEN), "the red edge is cut"
    assert shows(frame, 356, 320, GREEN), "and the blue one"
    for y in (3, 70, 570, 636):
        assert shows(frame, 180, y, YELLOW)
    assert shows(frame, 180, 90, GREEN), "an eighth of the height is yellow"
    assert shows(frame, 180, 550, GREEN)


def test_cover_of_a_wider_film_cuts_top_and_bottom() -> None:
    frame = exported(marked(), film(640, 270))  # 21:9 keeps 307 of 480 rows
    assert shows(frame, 320, 2, GREEN)
    assert shows(frame, 320, 267, GREEN)
    assert shows(frame, 3, 135, RED)
    assert shows(frame, 636, 135, BLUE)


def test_contain_shows_all_of_it_between_black_bars() -> None:
    frame = exported(marked(), film(360, 640, fit="contain"))
    for y in (2, 100, 194, 445, 637):
        assert shows(frame, 180, y, (0, 0, 0)), y
    assert shows(frame, 180, 204, YELLOW), "240 of 640 rows, from 200 on"
    assert shows(frame, 180, 436, YELLOW)
    assert shows(frame, 3, 320, RED)
    assert shows(frame, 356, 320, BLUE)


def test_blur_fills_the_bars_with_the_picture_s_own_colours() -> None:
    frame = exported(marked(), film(360, 640, fit="blur"))
    assert shows(frame, 180, 204, YELLOW)
    assert shows(frame, 3, 320, RED)
    bars = np.concatenate([frame[:196], frame[444:]])
    assert bars[..., :2].mean() > 80, "not black"
    assert np.abs(np.diff(bars[:190].astype(float), axis=0)).max() < 12, "blurred: no edge in it"
    assert np.abs(np.diff(bars[:190, 20:340].astype(float), axis=1)).max() < 12


@pytest.mark.parametrize("fit", Fit)
def test_a_film_of_the_picture_s_shape_shows_all_of_it(fit: Fit) -> None:
    frame = exported(marked(96, 64), film(720, 480, fit=fit))
    assert shows(frame, 4, 240, RED)
    assert shows(frame, 715, 240, BLUE)
    assert shows(frame, 360, 4, YELLOW)
    assert shows(frame, 360, 475, YELLOW)
    assert shows(frame, 360, 240, GREEN)


def test_enlarging_is_smooth() -> None:
    """Nearest-neighbour enlarging would repeat each column 15 times."""
    frame = np.asarray(to_film(gradient(96, 64), (1440, 960), Fit.COVER)).astype(int)
    steps = np.diff(frame[480, :, 0])
    assert steps.max() <= 1
    assert steps.min() >= 0


def test_clips_of_one_film_join_by_copying_whatever_was_rendered() -> None:
    """Not even the fit changes a clip's headers."""
    pictures = [np.stack([np.asarray(marked(96, 64))] * count) for count in (9, 17)]
    clips = [
        film_mp4(frames, film(fps=24, frames=count, fit=fit), {}, rate=8, skip_frames=1)
        for frames, count, fit in zip(pictures, (24, 48), (Fit.COVER, Fit.BLUR), strict=True)
    ]
    joined = io.BytesIO()
    assert join([io.BytesIO(clip) for clip in clips], joined, metadata={}).frames == 72
    assert [f.tobytes() for f in decoded(joined.getvalue())] == [
        f.tobytes() for clip in clips for f in decoded(clip)
    ]


SIDES = st.integers(8, 64).map(lambda n: 32 * n)


@given(SIDES, SIDES, SIDES, SIDES)
def test_geometry(width: int, height: int, film_width: int, film_height: int) -> None:
    picture, frame = (width, height), (film_width, film_height)
    left, top, right, bottom = covering(picture, frame)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert (right - left) / (bottom - top) == pytest.approx(film_width / film_height)
    assert min(left, top) == pytest.approx(0, abs=1e-9), "no more is cut than must be"
    assert left == pytest.approx(width - right), "from both sides alike"
    assert top == pytest.approx(height - bottom)
    # The record's share is what the server does.
    cut = 1 - (right - left) * (bottom - top) / (width * height)
    assert film_format.cropped(picture, frame, film_format.Framing.COVER) == pytest.approx(cut, abs=1e-4)
    box = contained(picture, frame)
    assert all(side % 2 == 0 for side in box)
    assert 0 <= box[0] < box[2] <= film_width
    assert 0 <= box[1] < box[3] <= film_height
    assert (box[2] - box[0] == film_width) or (box[3] - box[1] == film_height)


# --- the way back


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("frame", [(360, 640), (640, 360), (480, 480), (256, 1024), (1024, 256), (362, 640)])
def test_the_film_s_picture_comes_back_as_it_was(fit: Fit, frame: Size) -> None:
    """A chained clip renders on from this picture, and its export must show the film's picture again."""
    shown = to_film(gradient(720, 480), frame, fit)
    back = to_rendered(shown, (720, 480), fit)
    assert back.size == (720, 480)
    again = np.asarray(to_film(back, frame, fit)).astype(int)
    off = np.abs(again - np.asarray(shown).astype(int))
    inner = contained((720, 480), frame) if fit is not Fit.COVER else (0, 0, *frame)
    within = off[inner[1] + 2 : inner[3] - 2, inner[0] + 2 : inner[2] - 2]
    assert within.max() <= 3
    assert within.mean() < 0.6


def test_what_covering_cut_is_continued_without_an_edge() -> None:
    back = np.asarray(to_rendered(gradient(360, 640), (720, 480), Fit.COVER)).astype(int)
    assert np.abs(np.diff(back[240, :, 0])).max() <= 4
    assert np.abs(back[:, 360] - np.asarray(gradient(2, 480).resize((720, 480)))[:, 360])[:, 1].max() <= 3


def test_ten_generations_of_the_way_back_do_not_drift() -> None:
    """A long chained scene takes this way for every clip: the picture must not wander or grow."""
    shown = first = to_film(marked(), (720, 1280), Fit.COVER)
    for _ in range(10):
        shown = to_film(to_rendered(shown, (720, 480), Fit.COVER), (720, 1280), Fit.COVER)
    before, after = np.asarray(first).astype(float)[:, 360, 0], np.asarray(shown).astype(float)[:, 360, 0]
    edge = 125  # half way between yellow and green
    for rows in (slice(0, 640), slice(640, 1280)):
        crossings = [np.nonzero(np.diff(np.sign(part[rows] - edge)))[0] for part in (before, after)]
        assert abs(int(crossings[0][0]) - int(crossings[1][0])) <= 2


def encoded(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_an_image_of_the_film_s_size_is_a_picture_of_the_film() -> None:
    asked = film(360, 640)
    own = given_frame(encoded(gradient(360, 640)), (720, 480), asked)
    shown = np.asarray(to_film(own, asked.size, asked.fit)).astype(int)
    assert np.abs(shown - np.asarray(gradient(360, 640)).astype(int)).max() <= 4
    other = given_frame(encoded(marked(1440, 960)), (720, 480), asked)
    assert np.abs(np.asarray(other).astype(int) - np.asarray(marked()).astype(int)).mean() < 1


@pytest.mark.parametrize("fit", Fit)
def test_a_video_of_the_film_s_size_is_taken_back(fit: Fit) -> None:
    asked = film(64, 128, fps=8, frames=9, fit=fit)
    clip = film_mp4(np.stack([np.asarray(marked(96, 64))] * 9), asked, {}, rate=8, skip_frames=0)
    frames = video_frames(base64.b64encode(clip).decode(), (96, 64), 9, asked)
    assert [frame.size for frame in frames] == [(96, 64)] * 9
    middle = np.asarray(frames[4]).astype(int)
    assert shows(middle, 48, 32, GREEN)
    assert shows(middle, 48, 3, YELLOW)
    assert shows(middle, 5, 32, RED) is (fit is not Fit.COVER), "what covering cut is gone"


# --- rate


@pytest.mark.parametrize("rate", [8, 16])
@pytest.mark.parametrize("fps", [8, 12, 24, 25, 30, 50, 60])
@pytest.mark.parametrize("mode", FpsMode)
def test_the_film_has_exactly_its_frames_and_each_shows_what_is_on_screen(
    rate: int, fps: int, mode: FpsMode
) -> None:
    seconds, skip = 2, 1
    asked = film(64, 64, fps=fps, frames=seconds * fps, fps_mode=mode)
    shown = instants(asked, rate=rate, skip_frames=skip)
    assert len(shown) == seconds * fps
    assert shown[-1].frame <= skip + seconds * rate - 1
    for number, one in enumerate(shown):
        time = Fraction(number, fps)
        if mode is FpsMode.REPEAT:
            assert one == Instant(skip + int(time * rate))
        else:
            # Between the picture before and this one, as far as time has gone.
            position = skip - 1 + (time + Fraction(1, fps)) * rate
            assert one.frame - 1 + one.share == pytest.approx(float(position))
            assert 0 < one.share <= 1
    if fps % rate == 0 and mode is FpsMode.REPEAT:
        counts = [len(list(group)) for _, group in itertools.groupby(shown)]
        assert counts == [fps // rate] * (seconds * rate), "each is shown as often as the others"


@pytest.mark.parametrize("mode", FpsMode)
@pytest.mark.parametrize(("rate", "fps"), [(8, 24), (8, 25), (8, 60), (16, 24), (16, 30), (16, 8), (24, 25)])
def test_the_pipeline_plans_just_the_frames_that_the_server_shows(mode: FpsMode, rate: int, fps: int) -> None:
    for frames in (1, 2, 7, fps, 2 * fps, 6 * fps - 1):
        needed = film_format.engine_frames(frames, fps, rate, film_format.FpsMode(mode))
        shown = instants(film(64, 64, fps=fps, frames=frames, fps_mode=mode), rate=rate, skip_frames=3)
        assert shown[-1].frame == 3 + needed - 1
        assert shown[0].frame >= 3 - (mode is FpsMode.BLEND)


def ramp(count: int) -> np.ndarray:
    """Return frames of one grey each, 8 steps brighter from frame to frame."""
    return np.stack([np.full((64, 96, 3), 20 + 8 * number, np.uint8) for number in range(count)])


def greys(clip: bytes) -> list[float]:
    return [float(frame.mean()) for frame in decoded(clip)]


def test_repeated_frames_are_the_rendered_ones() -> None:
    clip = film_mp4(ramp(17), film(96, 64, fps=24, frames=48), {}, rate=8, skip_frames=1)
    expected = [28 + 8 * (number // 3) for number in range(48)]
    assert greys(clip) == pytest.approx(expected, abs=1.5)
    assert probe(clip).duration == 2


def test_blended_frames_lie_between_and_go_on_evenly_from_the_clip_before() -> None:
    asked = film(96, 64, fps=24, frames=48, fps_mode="blend")
    clip = film_mp4(ramp(17), asked, {}, rate=8, skip_frames=1)
    # The frame before the first is the last picture of the clip before: 20.
    assert greys(clip) == pytest.approx([20 + 8 * (number + 1) / 3 for number in range(48)], abs=1.5)


def test_a_lower_rate_leaves_frames_out() -> None:
    clip = film_mp4(ramp(17), film(96, 64, fps=8, frames=8), {}, rate=16, skip_frames=2)
    assert greys(clip) == pytest.approx([36 + 16 * number for number in range(8)], abs=1.5)


def test_only_frames_that_are_shown_are_scaled() -> None:
    scaled = []

    def prepare(picture: int) -> np.ndarray:
        scaled.append(picture)
        return np.full((2, 2, 3), picture, np.uint8)

    asked = film(64, 64, fps=8, frames=4)
    timeline = Timeline(instants(asked, rate=16, skip_frames=2), prepare)
    made = [int(frame[0, 0, 0]) for number in range(12) for frame in timeline.push(number)]
    assert made == [2, 4, 6, 8]
    assert scaled == [2, 4, 6, 8]


def test_the_same_frames_give_the_same_bytes() -> None:
    asked = film(72, 128, fps=24, frames=24, fit="blur", fps_mode="blend")
    frames = ramp(9)
    assert film_mp4(frames, asked, {}, rate=8, skip_frames=1) == film_mp4(
        frames, asked, {}, rate=8, skip_frames=1
    )
