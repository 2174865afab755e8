import random
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lambdas.domain.errors import ImageRejected
from lambdas.media.image_chunks import MOST_PARTS, MOST_SCANS
from lambdas.media.images import LARGEST_PROFILE, MAX_BYTES, ImageInfo, check_image, cover
from tests.unit import colour_profiles


def image_bytes(kind: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    file = BytesIO()
    Image.fromarray(noise).convert(mode).save(file, kind, **options)
    return file.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_claiming(width: int, height: int) -> bytes:
    """Return a tiny PNG whose header claims this size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def png_with(name: bytes, body: bytes, *, at_end: bool = False) -> bytes:
    """Return a PNG of 40×30 with one more chunk, before or behind its pixels."""
    png = image_bytes("PNG")
    at = png.index(b"IEND" if at_end else b"IDAT") - 4
    return png[:at] + chunk(name, body) + png[at:]


def scanned(count: int, size: tuple[int, int] = (40, 30)) -> bytes:
    """Return a progressive JPEG whose last scan is repeated until there are `count`."""
    jpeg = image_bytes("JPEG", size, progressive=True)
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * (count - jpeg.count(b"\xff\xda")) + jpeg[-2:]


def shown(data: bytes) -> tuple[int, int, int]:
    """Return the colour of a picture's middle as engines get it."""
    pixel = Image.open(BytesIO(cover(data, 8, 8))).getpixel((4, 4))
    assert isinstance(pixel, tuple)
    red, green, blue = pixel
    return int(red), int(green), int(blue)


def animation(kind: str) -> bytes:
    file = BytesIO()
    red, blue = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    red.save(file, kind, save_all=True, append_images=[blue])
    return file.getvalue()


def png_without_palette() -> bytes:
    data = image_bytes("PNG", mode="P")
    start = data.index(b"PLTE") - 4
    return data[:start] + data[start + 12 + int.from_bytes(data[start : start + 4]) :]


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
        (png_without_palette(), "broken"),
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


# --- colour profiles

RED = (200, 40, 40)
EXACT: dict[str, dict[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 100, "subsampling": 0},
    "WEBP": {"lossless": True},
}


def flat(kind: str, mode: str, colour: object, **options: object) -> bytes:
    file = BytesIO()
    Image.new(mode, (16, 16), colour).save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize("space", colour_profiles.SPACES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("colour", [RED, (60, 150, 100), (128, 128, 128), (255, 255, 255), (0, 0, 0)])
def test_a_profile_s_colours_become_srgb(space: str, kind: str, colour: tuple[int, int, int]) -> None:
    stored = colour_profiles.stored_in(space, colour)
    profile = colour_profiles.rgb_profile(space)
    got = shown(flat(kind, "RGB", stored, icc_profile=profile, **EXACT[kind]))
    assert got == pytest.approx(colour, abs=4), f"stored as {stored}"


def test_display_p3_is_not_taken_for_srgb() -> None:
    stored = colour_profiles.stored_in("Display P3", RED)
    assert stored == pytest.approx((184, 56, 48), abs=6), "what an engine would get without conversion"
    assert shown(flat("PNG", "RGB", stored)) == stored, "without a profile it is sRGB"


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_profiles_also_apply_to_transparent_and_palette_images(mode: str) -> None:
    stored = colour_profiles.stored_in("Adobe RGB", RED)
    image = Image.new("RGB", (16, 16), stored)
    file = BytesIO()
    image = image.quantize(4) if mode == "P" else image.convert(mode)
    image.save(file, "PNG", icc_profile=colour_profiles.rgb_profile("Adobe RGB"))
    assert shown(file.getvalue()) == pytest.approx(RED, abs=3)


def test_transparency_is_white_in_every_colour_space() -> None:
    profile = colour_profiles.rgb_profile("ProPhoto")
    assert shown(flat("PNG", "RGBA", (9, 9, 9, 0), icc_profile=profile)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_profile_is_applied(mode: str) -> None:
    stored = {"L": 100, "LA": (100, 255), "I;16": 100 * 257}[mode]
    light = (100 / 255) ** 1.0  # a linear profile stores light itself
    expected = round(255 * (1.055 * light ** (1 / 2.4) - 0.055))
    profile = colour_profiles.grey_profile(colour_profiles.power(1.0))
    assert shown(flat("PNG", mode, stored, icc_profile=profile)) == pytest.approx((expected,) * 3, abs=2)


def test_a_printer_s_profile_is_applied() -> None:
    lab = (48.0, 60.0, 40.0)
    profile = colour_profiles.ink_profile({(0, 0, 0, 0): (100, 0, 0), (0, 1, 1, 0): lab})
    data = flat("JPEG", "CMYK", (0, 255, 255, 0), icc_profile=profile, quality=100, subsampling=0)
    assert shown(data) == pytest.approx(colour_profiles.of_lab(*lab), abs=6)
    assert shown(flat("JPEG", "CMYK", (0, 0, 0, 0), icc_profile=profile)) == (255, 255, 255)


@pytest.mark.parametrize(
    "profile",
    [
        b"not a profile",
        colour_profiles.rgb_profile("ProPhoto")[:200],
        colour_profiles.rgb_profile("ProPhoto").replace(b"rXYZ", b"xXYZ"),
        colour_profiles.grey_profile(colour_profiles.power(1.0)),
        colour_profiles.ink_profile({(0, 0, 0, 0): (100, 0, 0)}),
        bytes(128),
    ],
    ids=["text", "cut", "no red", "of greys", "of inks", "zeros"],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_unusable_profile_is_ignored(kind: str, profile: bytes) -> None:
    data = flat(kind, "RGB", RED, icc_profile=profile, **EXACT[kind])
    assert check_image(data, "image").width == 16
    assert shown(data) == pytest.approx(RED, abs=2)


# --- what only describes a picture can be long or broken


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize(
    ("name", "body"),
    [
        (b"tEXt", b"key\0" + b"a" * 3_000_000),
        (b"zTXt", b"key\0\0" + zlib.compress(b"a" * 3_000_000)),
        (b"iTXt", b"key\0\1\0\0\0" + zlib.compress(b"a" * 50_000_000)),
        (b"iCCP", b"profile\0\0" + zlib.compress(random.Random(0).randbytes(3_000_000))),
        *((b"eXIf", b"MM\0*\0\0\0\x08\0\0"[:length]) for length in range(11)),
        *((name, b"") for name in (b"gAMA", b"pHYs", b"cHRM", b"sRGB", b"tIME", b"iCCP", b"tRNS", b"prVt")),
        (b"iCCP", b"no end"),
        (b"iCCP", b"method\0\x07abc"),
        (b"iCCP", b"broken\0\0abc"),
    ],
    ids=lambda value: f"{value[:10]!r} of {len(value)}",
)
def test_a_png_may_describe_itself_as_it_likes(name: bytes, body: bytes, at_end: bool) -> None:
    data = png_with(name, body, at_end=at_end)
    assert check_image(data, "image") == ImageInfo(40, 30, "image/png")
    assert cover(data, 40, 30) == cover(image_bytes("PNG"), 40, 30)


@pytest.mark.parametrize("name", [b"eXIf", b"iCCP", b"tEXt"])
def test_a_note_with_a_wrong_checksum_is_left_out(name: bytes) -> None:
    data = image_bytes("PNG")
    data = data[:33] + struct.pack(">I", 4) + name + b"II*\0" + bytes(4) + data[33:]
    assert cover(data, 40, 30) == cover(image_bytes("PNG"), 40, 30)


def test_a_transparent_colour_that_is_cut_is_left_out() -> None:
    assert cover(png_with(b"tRNS", b"\0\0\0"), 40, 30) == cover(image_bytes("PNG"), 40, 30)


@pytest.mark.parametrize(
    ("marker", "note"),
    [
        (0xE0, b"JFIF\0"),
        (0xE0, b"JFIF\0\1"),
        (0xEE, b"Adobe"),
        (0xED, b"Photoshop 3.0\x008BIM\3\xed\0\0\0\0\0\xff"),
    ],
)
def test_a_note_of_a_jpeg_may_be_cut(marker: int, note: bytes) -> None:
    data = image_bytes("JPEG")
    data = data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(note) + 2) + note + data[2:]
    assert check_image(data, "image") == ImageInfo(40, 30, "image/jpeg")
    assert cover(data, 40, 30) == cover(image_bytes("JPEG"), 40, 30)


def test_a_png_s_large_profile_is_used() -> None:
    profile = colour_profiles.rgb_profile("Display P3")
    profile += random.Random(0).randbytes(3_000_000)  # behind the tags
    profile = struct.pack(">I", len(profile)) + profile[4:]
    stored = colour_profiles.stored_in("Display P3", RED)
    assert shown(flat("PNG", "RGB", stored, icc_profile=profile)) == pytest.approx(RED, abs=3)


def test_a_profile_that_is_a_bomb_is_refused_by_name() -> None:
    data = png_with(b"iCCP", b"profile\0\0" + zlib.compress(bytes(LARGEST_PROFILE + 1)))
    with pytest.raises(ImageRejected, match="a colour profile of more than 32 MiB"):
        check_image(data, "image")


def broken_exif() -> Iterator[bytes]:
    """Yield 500 JPEGs of 40×20 whose EXIF was damaged in one to six places."""
    exif = rotated_exif()
    exif[0x010F] = "maker"
    exif[0x011A] = exif[0x011B] = 72.0
    exif[0x0128] = 2
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    jpeg = quarters(exif=exif)
    start = jpeg.index(b"Exif\0\0") + 6
    length = struct.unpack(">H", jpeg[start - 8 : start - 6])[0] - 8
    chance = random.Random(10)
    for _ in range(500):
        damaged = bytearray(jpeg)
        for _ in range(chance.randint(1, 6)):
            damaged[start + chance.randrange(length)] = chance.choice(
                (0, 1, 3, 4, 5, 255, chance.randrange(256))
            )
        yield bytes(damaged)


def test_broken_exif_never_refuses_a_picture() -> None:
    for jpeg in broken_exif():
        info = check_image(jpeg, "image")
        assert (info.width, info.height) in ((40, 20), (20, 40))
        assert Image.open(BytesIO(cover(jpeg, 20, 20))).size == (20, 20)


@pytest.mark.parametrize("type_", range(14))
@pytest.mark.parametrize("value", [6, 0, 9, 0xFFFFFFFF])
def test_an_orientation_of_any_type_is_read_or_ignored(type_: int, value: int) -> None:
    entry = struct.pack(">2sHIHHHII", b"MM", 42, 8, 1, 0x0112, type_, 1, value)
    info = check_image(quarters(exif=b"Exif\0\0" + entry + bytes(4)), "image")
    assert (info.width, info.height) in ((40, 20), (20, 40))


def test_the_pictures_behind_the_first_may_be_broken() -> None:
    photo, chance = animation("MPO"), random.Random(3)
    start = photo.index(b"MPF\0") + 4
    for _ in range(200):
        damaged = bytearray(photo)
        for _ in range(4):
            damaged[start + chance.randrange(80)] = chance.randrange(256)
        assert check_image(bytes(damaged), "image") == ImageInfo(8, 8, "image/jpeg")


# --- files whose decoding takes long


def test_a_progressive_jpeg_may_have_as_many_scans_as_encoders_write() -> None:
    assert check_image(image_bytes("JPEG", progressive=True), "image").media_type == "image/jpeg"
    assert check_image(scanned(MOST_SCANS), "image").media_type == "image/jpeg"


@pytest.mark.parametrize("count", [MOST_SCANS + 1, 20_000])
def test_a_jpeg_of_many_scans_is_refused_before_decoding(count: int) -> None:
    with pytest.raises(ImageRejected, match="more than 100 scans"):
        check_image(scanned(count)[:-2], "image")  # also unfinished


def test_scans_of_a_thumbnail_or_a_second_picture_do_not_count() -> None:
    hidden = b"\xff\xe2\xff\xff" + (b"\xff\xda" * 40_000)[: 0xFFFF - 2]
    jpeg = quarters()
    assert check_image(jpeg[:2] + hidden + jpeg[2:] + scanned(500), "image").width == 40


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff\xd8" + b"\xff\xe1\0\2" * (MOST_PARTS + 9) + quarters()[2:], "segments"),
        (png_with(b"IDAT", b"")[:-12] + chunk(b"IDAT", b"") * (MOST_PARTS + 9), "chunks"),
    ],
    ids=["JPEG", "PNG"],
)
def test_a_file_of_very_many_parts_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ImageRejected, match=f"more than 100,000 {says}"):
        check_image(data, "image")
