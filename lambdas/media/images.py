"""Check uploaded images and scale them to a clip's size."""

import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import ExifTags, Image, ImageOps, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError

from lambdas.domain.errors import ImageRejected
from lambdas.domain.film_format import Framing, Size
from lambdas.media.framing import Frame
from lambdas.media.image_chunks import JPEG, PNG, TooManyParts, check_scans, essential, without_notes
from lambdas.media.srgb import to_srgb

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 50_000_000
LARGEST_PROFILE = 32 * 1024 * 1024
"""Bytes of a PNG's colour profile, once decompressed. Pillow's own limit is 1 MiB, less than the profiles of
some printers and scanners have."""
LONGEST_SIDE = 2_048  # pixels of a portrait: the largest side of a film
LARGEST_PORTRAIT = 3_700_000
"""Bytes: Converse takes images of at most 3.75 MB and 8,000 pixels a side
(docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ImageBlock.html)."""
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}
ALLOWED = "a PNG, JPEG or WebP image of at most 20 MB and 50 megapixels"

PngImagePlugin.MAX_TEXT_CHUNK = LARGEST_PROFILE

_UPRIGHT = 1
_TURNS = {  # by EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_THEIR_SIDE = (5, 6, 7, 8)


@dataclass(frozen=True)
class ImageInfo:
    """An image's media type, and its size in pixels as shown (EXIF orientation applied)."""

    width: int
    height: int
    media_type: str


def check_image(data: bytes, param: str) -> ImageInfo:
    """Check an image by its content, decoding it fully once. Its EXIF and colour profile may be broken: it
    then counts as upright and sRGB.

    Raises ImageRejected, naming the request's field `param` and what is allowed.
    """
    if len(data) > MAX_BYTES:
        raise _rejected(param, f"got {len(data):,} bytes")
    try:
        if data.startswith(JPEG):
            check_scans(data)
        image = _opened(data)
    except TooManyParts as error:
        raise _rejected(param, f"got {error}") from error
    except UnidentifiedImageError as error:
        raise _rejected(param, "got something else") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _rejected(param, "got far more pixels") from error
    except Exception as error:  # a broken file makes decoders raise anything
        raise _rejected(param, _flaw(error, "a broken image")) from error
    if image.width * image.height > MAX_PIXELS:
        raise _rejected(param, f"got {image.width}x{image.height}")
    if getattr(image, "is_animated", False):
        raise _rejected(param, "got an animation")
    try:
        image.load()
        if image.mode == "P" and image.palette is None:  # which Pillow only notices when it converts it
            raise ValueError("the palette is missing")
    except Exception as error:
        raise _rejected(param, _flaw(error, "a truncated or broken image")) from error
    width, height = image.size
    if _orientation(image) in _ON_THEIR_SIDE:
        width, height = height, width
    return ImageInfo(width, height, MEDIA_TYPES[image.format or ""])


@dataclass(frozen=True)
class Portrait:
    """A JPEG in sRGB, upright and without EXIF; sizes in pixels."""

    jpeg: bytes
    width: int
    height: int


def portrait(data: bytes) -> Portrait:
    """Return a checked image as a picture that models take as a reference: scaled down to LONGEST_SIDE and
    compressed to LARGEST_PORTRAIT."""
    flat, profile = _upright(data)
    flat.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    shown = to_srgb(flat, profile).convert("RGB")
    for quality in (95, 85, 70, 50):
        file = BytesIO()
        shown.save(file, "JPEG", quality=quality, subsampling=0, icc_profile=None)
        if file.tell() <= LARGEST_PORTRAIT:
            break
    return Portrait(file.getvalue(), shown.width, shown.height)


def cover(data: bytes, width: int, height: int) -> bytes:
    """Return a checked image as an sRGB PNG of exactly width × height: rotated upright, scaled to cover and
    center-cropped, with transparency filled white and converted from its colour profile."""
    flat, profile = _upright(data)
    file = BytesIO()
    # Scaled first, because converting the colours of 50 megapixels takes seconds.
    fitted = ImageOps.fit(flat, (width, height), Image.Resampling.LANCZOS)
    to_srgb(fitted, profile).save(file, "PNG", icc_profile=None)
    return file.getvalue()


def framed(data: bytes, film: Size, fit: Framing) -> Image.Image:
    """Return a checked image as an RGB picture of exactly the size `film`: as `cover`, or whole with bars."""
    flat, profile = _upright(data)
    frame = Frame(film, flat.size, fit)
    scaled = to_srgb(flat.resize(frame.canvas, Image.Resampling.LANCZOS), profile).convert("RGB")
    return frame.show(scaled)


def with_alpha(data: bytes) -> Image.Image:
    """Return a checked image upright, in sRGB, with its transparency (RGBA)."""
    flat, profile = _upright(data)
    shown = to_srgb(flat, profile).convert("RGBA")
    image = _opened(data)
    if not image.has_transparency_data:
        return shown
    whole = image.convert("RGBA")
    turn = _TURNS.get(_orientation(image))
    whole = whole if turn is None else whole.transpose(turn)
    if not image.info.get("icc_profile"):
        return whole  # as `flat` is over white, its edges would be lighter
    shown.putalpha(whole.getchannel("A"))
    return shown


def _upright(data: bytes) -> tuple[Image.Image, bytes | None]:
    """Return a checked image upright and without transparency, and its colour profile."""
    image = _opened(data)
    image.load()
    turn = _TURNS.get(_orientation(image))
    return _flat(image if turn is None else image.transpose(turn)), image.info.get("icc_profile")


def _opened(data: bytes) -> Image.Image:
    """Read an image's header. Raises whatever Pillow raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about broken EXIF
        # Pillow warns about huge images on opening. MAX_PIXELS is lower, so they are rejected anyway.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        if data.startswith(JPEG):
            # Image.open would also read the index of the pictures behind the first (MPO, the default photo of
            # many phones: gain maps, depth), which aren't needed and may be broken.
            try:
                return JpegImagePlugin.JpegImageFile(BytesIO(data))
            except Image.DecompressionBombWarning:
                raise
            except Exception:  # noqa: BLE001  broken notes make Pillow raise anything
                return JpegImagePlugin.JpegImageFile(BytesIO(without_notes(data)))
        return Image.open(BytesIO(essential(data) if data.startswith(PNG) else data), formats=("PNG", "WEBP"))


def _orientation(image: Image.Image) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001  broken EXIF makes Pillow raise anything
        return _UPRIGHT
    return found if isinstance(found, int) and found in _TURNS else _UPRIGHT


def _flat(image: Image.Image) -> Image.Image:
    """Return the image without transparency, as L, RGB or CMYK in its own colour space."""
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow's own conversion clips to white
        return image.convert("I").point(lambda grey: grey / 256).convert("L")
    grey = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    if grey:
        return image.convert("L")
    return image if image.mode == "CMYK" else image.convert("RGB")


def _flaw(error: Exception, otherwise: str) -> str:
    if "MAX_TEXT_CHUNK" in str(error):  # Pillow names the limit that is exceeded
        return f"got a PNG with a colour profile of more than {LARGEST_PROFILE // 2**20} MiB"
    return f"got {otherwise}"


def _rejected(param: str, but: str) -> ImageRejected:
    return ImageRejected(f"{param} must be {ALLOWED}; {but}.", param=param)
