import base64
import contextlib
import io

import numpy as np
import pytest
from PIL import Image

from containers.diffusion.errors import InvalidRequest
from containers.diffusion.image import given_frame
from tests.png_bomb import bomb
from tests.unit import colour_profiles

SIZE = (96, 64)
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def frame_of(data: bytes) -> Image.Image:
    return given_frame(base64.b64encode(data).decode(), SIZE)


def stripes(width: int, height: int, *colours: tuple[int, int, int]) -> Image.Image:
    """Return vertical stripes of equal width."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for number, part in enumerate(np.array_split(np.arange(width), len(colours))):
        pixels[:, part] = colours[number]
    return Image.fromarray(pixels)


def near(image: Image.Image, x: int, y: int, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.subtract(image.getpixel((x, y)), colour)).max() <= 8)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_each_format_becomes_rgb_of_the_requested_size(kind: str) -> None:
    frame = frame_of(encoded(Image.new("RGB", (300, 200), (10, 120, 230)), kind))
    assert (frame.mode, frame.size) == ("RGB", SIZE)
    assert near(frame, 48, 32, (10, 120, 230))


def test_an_image_of_the_requested_size_is_kept_bit_by_bit() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    assert np.array_equal(np.asarray(frame_of(encoded(Image.fromarray(pixels)))), pixels)


def test_an_image_of_another_aspect_is_center_cropped_and_not_squeezed() -> None:
    frame = frame_of(encoded(stripes(288, 64, RED, GREEN, BLUE)))
    assert near(frame, 2, 32, GREEN)
    assert near(frame, 93, 32, GREEN)


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # rotated by half a turn
    frame = frame_of(encoded(stripes(96, 64, RED, BLUE), "JPEG", exif=exif, quality=95))
    assert near(frame, 10, 32, BLUE)
    assert near(frame, 85, 32, RED)


def test_transparent_parts_become_white() -> None:
    assert near(frame_of(encoded(Image.new("RGBA", SIZE, (255, 0, 0, 0)))), 48, 32, (255, 255, 255))


def test_sixteen_bits_are_scaled_to_eight() -> None:
    grey = Image.fromarray(np.full((64, 96), 128 * 257, np.uint16))
    assert near(frame_of(encoded(grey)), 48, 32, (128, 128, 128))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK"])
def test_other_colour_modes_are_accepted(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    assert frame_of(encoded(Image.new("RGB", SIZE, "white").convert(mode), kind)).mode == "RGB"


def test_a_thin_strip_is_not_blown_up() -> None:
    assert frame_of(bomb(1, 1_000_000)).size == SIZE


@pytest.mark.parametrize("side", [7_100, 10_000, 30_000])
def test_a_decompression_bomb_is_rejected_before_decoding(side: int) -> None:
    with pytest.raises(InvalidRequest, match="image must have at most 50,000,000 pixels"):
        frame_of(bomb(side, side))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"This is a text file.",
        encoded(Image.new("RGB", SIZE), "GIF"),
        encoded(Image.new("RGB", SIZE), "TIFF"),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x89PNG\r\n\x1a\n",
    ],
)
def test_formats_other_than_png_jpeg_and_webp_are_rejected(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="image must be a PNG, JPEG or WebP") as refusal:
        frame_of(data)
    assert refusal.value.param == "image"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_truncated_image_is_rejected(kind: str, part: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(InvalidRequest, match=r"image (is corrupt|must be a PNG)"):
        frame_of(data[: int(len(data) * part)])


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_are_rejected_or_decoded_but_never_crash(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kind = ("PNG", "JPEG", "WEBP")[seed % 3]
    data = bytearray(encoded(stripes(96, 64, RED, GREEN, BLUE), kind))
    for position in rng.integers(0, len(data), 8):
        data[position] = rng.integers(0, 256)
    with contextlib.suppress(InvalidRequest):
        assert frame_of(bytes(data)).size == SIZE


@pytest.mark.parametrize("data", ["not base64!", "data:image/png;base64,iVBORw0KGgo=", "abc", "é"])
def test_invalid_base64_is_rejected(data: str) -> None:
    with pytest.raises(InvalidRequest, match="image must be base64"):
        given_frame(data, SIZE)


@pytest.mark.parametrize("space", colour_profiles.SPACES)
def test_a_colour_profile_is_applied(space: str) -> None:
    stored = colour_profiles.stored_in(space, (200, 40, 40))
    profile = colour_profiles.rgb_profile(space)
    frame = frame_of(encoded(Image.new("RGB", SIZE, stored), icc_profile=profile))
    assert frame.getpixel((48, 32)) == pytest.approx((200, 40, 40), abs=3)
    assert "icc_profile" not in frame.info


@pytest.mark.parametrize(
    "profile", [b"no profile", colour_profiles.rgb_profile("ProPhoto")[:200], bytes(128)]
)
def test_an_unusable_profile_is_ignored(profile: bytes) -> None:
    frame = frame_of(encoded(Image.new("RGB", SIZE, RED), icc_profile=profile))
    assert frame.getpixel((48, 32)) == RED


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0MM\0*", b"Exif\0\0" + b"\xff" * 30, b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12"]
)
def test_broken_exif_is_ignored(exif: bytes) -> None:
    frame = frame_of(encoded(Image.new("RGB", SIZE, RED), "JPEG", exif=exif, quality=95))
    assert near(frame, 48, 32, RED)
