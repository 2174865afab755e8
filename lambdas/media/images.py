"""Images that come from outside: what is let in, and how it is brought to a clip's size."""

import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from lambdas.domain.errors import ImageRejected

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 50_000_000
# MPO is a JPEG with more pictures behind the first (gain maps, depth): many phones' ordinary photo.
MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "WEBP": "image/webp"}
ALLOWED = "a PNG, JPEG or WebP image of at most 20 MB and 50 megapixels"


@dataclass(frozen=True)
class ImageInfo:
    """Size in pixels as shown (EXIF orientation applied)."""

    width: int
    height: int
    media_type: str


def check_image(data: bytes, param: str) -> ImageInfo:
    """Judges an image by its content and decodes it once in full.

    Raises ImageRejected, naming the request's field `param` and what is allowed.
    """
    if len(data) > MAX_BYTES:
        raise _rejected(param, f"{len(data):,} bytes were given")
    try:
        with warnings.catch_warnings():
            # Pillow warns of huge images as it opens them; MAX_PIXELS is lower, so they are refused anyway.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP"))
    except UnidentifiedImageError as error:
        raise _rejected(param, "something else was given") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _rejected(param, "far more pixels were given") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise _rejected(param, "a broken image was given") from error
    if image.width * image.height > MAX_PIXELS:
        raise _rejected(param, f"{image.width}x{image.height} was given")
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise _rejected(param, "an animation was given")
    try:
        image.load()
        shown = ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise _rejected(param, "a truncated or broken image was given") from error
    return ImageInfo(shown.width, shown.height, MEDIA_TYPES[image.format or ""])


def cover(data: bytes, width: int, height: int) -> bytes:
    """A checked image as an RGB PNG of exactly width × height: turned upright, scaled to cover, cropped in
    the middle; what is transparent becomes white."""
    upright = ImageOps.exif_transpose(Image.open(BytesIO(data)))
    if upright.mode.startswith("I"):  # 16-bit greys, which Pillow's own conversion clips to white
        upright = upright.convert("I").point(lambda grey: grey / 256).convert("L")
    image = Image.new("RGBA", upright.size, "white")
    image.alpha_composite(upright.convert("RGBA"))
    file = BytesIO()
    ImageOps.fit(image.convert("RGB"), (width, height), Image.Resampling.LANCZOS).save(file, "PNG")
    return file.getvalue()


def _rejected(param: str, but: str) -> ImageRejected:
    return ImageRejected(f"{param} must be {ALLOWED}; {but}.", param=param)
