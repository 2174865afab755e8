"""What is measured of pictures and sound: each measure finds its fault, and nothing where there is none."""

from collections.abc import Callable
from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lambdas.domain.quality import ClipMeasures
from lambdas.media.background import Bed
from lambdas.media.encode import encode
from lambdas.media.quality import measure_clip, measure_sound
from lambdas.media.sound import Placed, mix
from tests.media.flashes import muxed
from tests.media.sounds import Wave, encoded, noise, tone

Picture = NDArray[np.uint8]
WIDTH, HEIGHT, FPS = 192, 128, 8


def scene(number: int, *, step: int = 3) -> Picture:
    """A sharp pattern that moves to the right by `step` pixels a picture."""
    rng = np.random.default_rng(3)
    blocks = rng.integers(40, 210, (HEIGHT // 16, WIDTH // 8)).repeat(16, 0).repeat(16, 1)
    left = number * step % WIDTH
    return np.ascontiguousarray(blocks[:, left : left + WIDTH, None].repeat(3, 2).astype(np.uint8))


def measured(change: Callable[[int, Picture], Picture], frames: int = 32, step: int = 3) -> ClipMeasures:
    pictures = (change(number, scene(number, step=step)) for number in range(frames))
    return measure_clip(encode(pictures, width=WIDTH, height=HEIGHT, fps=FPS, metadata={}))


def blurred(picture: Picture) -> Picture:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(4)))


@pytest.fixture(scope="module")
def good() -> ClipMeasures:
    return measured(lambda _, picture: picture)


def test_a_good_clip_has_nothing_to_report(good: ClipMeasures) -> None:
    assert (good.seconds, good.whole, good.height) == (4, True, HEIGHT)
    assert (good.black, good.frozen, good.flashes, good.sound) == ((), (), 0, None)
    assert good.edge is not None
    assert good.edge < 3
    assert good.low < 60
    assert good.high > 150
    assert good.white < 0.1


def test_black_pictures_are_found_where_they_are() -> None:
    found = measured(lambda number, picture: picture * 0 if 8 <= number < 25 else picture)
    assert found.black == ((1.0, 3.12),)
    assert found.frozen == ()


def test_a_black_picture_between_others_is_found_however_short() -> None:
    found = measured(lambda number, picture: picture * 0 if number == 12 else picture)
    assert found.black == ((1.5, 1.62),)


def test_a_fade_from_black_is_none() -> None:
    found = measured(lambda number, picture: (picture * min(1.0, number / 8)).astype(np.uint8))
    assert found.black == ()


def test_pictures_that_stand_still_are_found_where_they_are() -> None:
    held = scene(5)
    found = measured(lambda number, picture: held if 5 <= number < 24 else picture)
    assert found.frozen == ((0.62, 3.0),)


def test_flashes_are_counted_as_bt_1702_does(good: ClipMeasures) -> None:
    four = measured(lambda number, picture: picture // 4 if number % 2 else picture)
    two = measured(lambda number, picture: picture // 4 if number // 2 % 2 else picture)
    assert four.flashes > 3
    assert 0 < two.flashes <= 3


def test_blur_widens_edges_but_a_soft_background_does_not(good: ClipMeasures) -> None:
    soft = measured(lambda _, picture: blurred(picture))

    def with_subject(_: int, picture: Picture) -> Picture:
        changed = blurred(picture).copy()
        changed[32:96, 64:128] = picture[32:96, 64:128]
        return changed

    sharp = measured(with_subject)
    assert soft.edge is not None
    assert soft.edge > 6
    assert sharp.edge is not None
    assert sharp.edge < 4


def test_a_plain_picture_has_no_edges_to_measure() -> None:
    assert measured(lambda _, picture: picture * 0 + 90).edge is None


@pytest.mark.parametrize(
    ("change", "dark", "bright"),
    [
        (lambda picture: picture // 6, True, False),
        (lambda picture: np.minimum(255, picture.astype(np.int16) * 2 + 130).astype(np.uint8), False, True),
    ],
)
def test_exposure(change: Callable[[Picture], Picture], dark: bool, bright: bool) -> None:
    found = measured(lambda _, picture: change(picture))
    assert (found.high < 60, found.low > 128 and found.white > 0.25) == (dark, bright)


def test_movement_and_the_cameras_share_of_it(good: ClipMeasures) -> None:
    still = measured(lambda _, picture: picture, step=0)
    assert good.moved > 5
    assert still.moved < 0.5
    assert good.camera == pytest.approx(3 * FPS / WIDTH, abs=0.03)
    assert still.camera == 0


def test_the_measures_of_a_clip_fit_into_an_objects_metadata(good: ClipMeasures) -> None:
    spans = ((1.25, 2.25),) * 6
    most = good.model_copy(update={"black": spans, "frozen": spans, "flashes": 3.5, "flashes_at": 1.25})
    assert len(most.stored()) < 1_900
    assert most.stored().isascii()
    assert ClipMeasures.model_validate_json(most.stored()) == most


@pytest.mark.parametrize(
    ("wave", "silent", "clipped"),
    [
        (tone(2, 300), False, False),
        (tone(2, 300) * 0, True, False),
        (np.clip(tone(2, 300, level=4), -1, 1), False, True),
    ],
)
def test_a_clips_own_sound(wave: Wave, silent: bool, clipped: bool) -> None:
    pictures = (scene(number) for number in range(16))
    mp4 = encode(pictures, width=WIDTH, height=HEIGHT, fps=FPS, metadata={})
    sound = measure_clip(muxed(mp4, wave.astype(np.float32))).sound
    assert sound is not None
    assert (sound.silent, sound.clipped > 0.0005) == (silent, clipped)


def test_sound_that_cannot_be_decoded_leaves_the_pictures_measured() -> None:
    pictures = (scene(number) for number in range(16))
    mp4 = encode(pictures, width=WIDTH, height=HEIGHT, fps=FPS, metadata={})
    found = measure_clip(muxed(mp4, tone(2, 300).astype(np.float32), codec="ac3"))
    assert (found.seconds, found.sound) == (2, None)


def faded(wave: Wave) -> Wave:
    return wave * np.minimum(1, np.linspace(8, 0, wave.shape[1]))


def test_each_sentence_is_listened_to() -> None:
    good, mute = faded(noise(0.6)), noise(0.5) * 0
    clipped, cut = faded(np.clip(noise(0.6, level=2), -1, 1)), noise(0.6)
    voices = [
        Placed(encoded(wave), Fraction(start)) for start, wave in enumerate((good, mute, clipped, cut, good))
    ]
    output = BytesIO()
    found = measure_sound(mix(Fraction(5), voices, None, output), output, voices)
    assert (found.mute, found.clipped, found.cut, found.silent) == ((1,), (2,), (3,), ())
    assert found.loudness == pytest.approx(-16, abs=0.5)
    assert found.true_peak is not None
    assert found.true_peak <= -1


def test_silence_in_the_music_is_found_where_it_is() -> None:
    music = np.concatenate([tone(1, 300), noise(2.5) * 0, tone(1, 300)], axis=1)
    output = BytesIO()
    made = mix(Fraction(9, 2), [], Bed(encoded(music)), output)
    ((start, end),) = measure_sound(made, output, [], music=True).silent
    assert (start, end) == (pytest.approx(1, abs=0.1), pytest.approx(3.5, abs=0.1))
    assert measure_sound(made, output, []).silent == ()
