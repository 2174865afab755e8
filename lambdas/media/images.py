"""Check uploaded images and scale them to a clip's size."""

import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from lambdas.domain.errors import ImageRejected

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 50_000_000
# MPO is a JPEG with extra pictures after the first (gain maps, depth), the default photo of many phones.
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "WEBP": "image/webp"}
ALLOWED = "a PNG, JPEG or WebP image of at most 20 MB and 50 megapixels"


@dataclass(frozen=True)
class ImageInfo:
    """An image's media type, and its size in pixels as shown (EXIF orientation applied)."""

    width: int
    height: int
    media_type: str


def check_image(data: bytes, param: str) -> ImageInfo:
    """Check an image by its content, decoding it fully once.

    Raises ImageRejected, naming the request's field `param` and what is allowed.
    """
    if len(data) > MAX_BYTES:
        raise _rejected(param, f"got {len(data):,} bytes")
    try:
        with warnings.catch_warnings():
            # Pillow warns about huge images on opening. MAX_PIXELS is lower, so they are rejected anyway.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
    except UnidentifiedImageError as error:
        raise _rejected(param, "got something else") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _rejected(param, "got far more pixels") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise _rejected(param, "got a broken image") from error
    if image.width * image.height > MAX_PIXELS:
        raise _rejected(param, f"got {image.width}x{image.height}")
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise _rejected(param, "got an animation")
    try:
        image.load()
        shown = ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise _rejected(param, "got a truncated or broken image") from error
    return ImageInfo(shown.width, shown.height, MEDIA_TYPES[image.format or ""])


def cover(data: bytes, width: int, height: int) -> bytes:
    """Return a checked image as an RGB PNG of exactly width × height: rotated upright, scaled to cover and
    center-cropped, with transparency filled white."""
    upright = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    if upright.mode.startswith("I"):  # 16-bit grey, which Pillow's own conversion clips to white
        upright = upright.convert("I").point(lambda grey: grey / 256).convert("L")
    image = Image.new("RGBA", upright.size, "white")
    image.alpha_composite(upright.convert("RGBA"))
    file = BytesIO()
    ImageOps.fit(image.convert("RGB"), (width, height), Image.Resampling.LANCZOS).save(file, "PNG")
    return file.getvalue()


def _rejected(param: str, but: str) -> ImageRejected:
    return ImageRejected(f"{param} must be {ALLOWED}; {but}.", param=param)
