import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lambdas.domain.errors import ImageRejected
from lambdas.media.images import MAX_BYTES, ImageInfo, check_image, cover


def image_bytes(kind: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    file = BytesIO()
    Image.fromarray(noise).convert(mode).save(file, kind, **options)
    return file.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """Return a tiny PNG whose header claims this size."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def animation(kind: str) -> bytes:
    file = BytesIO()
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    red.save(file, kind, save_all=True, append_images=[blue])
    return file.getvalue()


def quarters(**options: object) -> bytes:
    """Return a 40×20 image: red and green above blue and white."""
    image = Image.new("RGB", (40, 20), "white")
    image.paste("red", (0, 0, 20, 10))
    image.paste((0, 255, 0), (20, 0, 40, 10))
    image.paste("blue", (0, 10, 20, 20))
    file = BytesIO()
    image.save(file, "JPEG", quality=100, subsampling=0, **options)
    return file.getvalue()


def rotated_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned 90° clockwise
    return exif


@pytest.mark.parametrize(
    ("kind", "mode", "media_type"),
    [
        ("PNG", "RGB", "image/png"),
        ("PNG", "RGBA", "image/png"),
        ("PNG", "P", "image/png"),
        ("JPEG", "CMYK", "image/jpeg"),
        ("JPEG", "L", "image/jpeg"),
        ("WEBP", "RGB", "image/webp"),
    ],
)
def test_png_jpeg_and_webp_are_recognized_by_content(kind: str, mode: str, media_type: str) -> None:
    data = image_bytes(kind, mode=mode)
    assert check_image(data, "input_reference") == ImageInfo(40, 30, media_type)
    covered = Image.open(BytesIO(cover(data, 64, 48)))
    assert (covered.format, covered.mode, covered.size) == ("PNG", "RGB", (64, 48))


def test_a_phone_photo_with_a_second_picture_is_a_jpeg() -> None:
    assert animation("MPO")[:2] == b"\xff\xd8"
    assert check_image(animation("MPO"), "image").media_type == "image/jpeg"


@pytest.mark.parametrize(
    ("data", "but"),
    [
        (b"", "something else"),
        (b"A bee on a flower", "something else"),
        (image_bytes("GIF"), "something else"),
        (image_bytes("BMP"), "something else"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "something else"),
        (image_bytes("PNG")[:-800], "broken"),
        (image_bytes("JPEG")[:-300], "broken"),
        (image_bytes("WEBP")[:-300], "."),
        (png_claiming(8000, 7000), "8000x7000"),
        (png_claiming(12000, 12000), "more pixels"),
        (png_claiming(60000, 60000), "more pixels"),
        (png_claiming(500, 500), "broken"),
        (animation("PNG"), "animation"),
        (animation("WEBP"), "animation"),
        (bytes(MAX_BYTES + 1), "20,971,521 bytes"),
    ],
)
def test_everything_else_is_rejected_with_field_and_limits(data: bytes, but: str) -> None:
    with pytest.raises(ImageRejected, match=but) as refusal:
        check_image(data, "input_reference")
    assert refusal.value.param == "input_reference"
    assert "PNG, JPEG or WebP" in refusal.value.message


def test_cover_crops_in_the_middle_without_stretching() -> None:
    square = np.asarray(Image.open(BytesIO(cover(quarters(), 20, 20))))
    assert square.shape == (20, 20, 3)
    assert np.abs(square[2, 2].astype(int) - (255, 0, 0)).max() < 12
    assert np.abs(square[17, 17].astype(int) - (255, 255, 255)).max() < 12


def test_exif_orientation_is_applied() -> None:
    data = quarters(exif=rotated_exif())
    assert check_image(data, "image") == ImageInfo(20, 40, "image/jpeg")
    upright = np.asarray(Image.open(BytesIO(cover(data, 20, 40))))
    # Rotated clockwise, lower left (blue) moves to the upper left, upper left (red) to the upper right.
    assert np.abs(upright[5, 3].astype(int) - (0, 0, 255)).max() < 12
    assert np.abs(upright[5, 16].astype(int) - (255, 0, 0)).max() < 12


def test_transparency_becomes_white() -> None:
    file = BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(file, "PNG")
    assert np.asarray(Image.open(BytesIO(cover(file.getvalue(), 8, 8)))).min() == 255


def test_sixteen_bit_greys_keep_their_brightness() -> None:
    file = BytesIO()
    Image.fromarray(np.full((8, 8), 0x8000, np.uint16)).save(file, "PNG")
    assert abs(int(np.asarray(Image.open(BytesIO(cover(file.getvalue(), 8, 8))))[0, 0, 0]) - 128) <= 1
