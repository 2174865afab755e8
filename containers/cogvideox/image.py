"""Decode the first frame of an image-to-video clip from an untrusted base64 string."""

import base64
import binascii
import io
import warnings

from PIL import Image, ImageOps

from containers.cogvideox.errors import InvalidRequest
from containers.cogvideox.film import Film
from containers.cogvideox.framing import to_rendered

FORMATS = ("PNG", "JPEG", "WEBP")
# More than any phone's full-resolution photo; 150 MB once decoded.
MAX_PIXELS = 50_000_000


def first_frame(data: str, size: tuple[int, int], film: Film | None = None) -> Image.Image:
    """Decode the image in base64 `data` to RGB of exactly `size` (width, height): upright, scaled to cover,
    cropped. An image of the film's size is a picture of the film, of which the rendered one is made again.

    Raises InvalidRequest unless it is an intact PNG, JPEG or WebP of at most MAX_PIXELS pixels.
    """
    try:
        encoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("image", "image must be base64 (with padding, without a data: prefix)") from None
    image = _open(encoded)
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(f"{image.width}×{image.height}")
    try:
        upright = ImageOps.exif_transpose(image)
        if film and upright.size == film.size:
            return to_rendered(_rgb(upright), size, film.fit)
        # Crops before scaling, so that a thin strip never becomes a huge image.
        return ImageOps.fit(_rgb(upright), size, Image.Resampling.LANCZOS)
    except Exception as error:  # corrupt bytes can make decoders raise anything
        raise InvalidRequest("image", f"image is corrupt: {_reason(error)}") from error


def _open(encoded: bytes) -> Image.Image:
    with warnings.catch_warnings():
        # Pillow itself rejects images larger than twice its own limit and warns above that limit.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return Image.open(io.BytesIO(encoded), formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise _too_large("more") from None
        except Exception as error:
            raise InvalidRequest("image", "image must be a PNG, JPEG or WebP") from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow would clip 16 bits to 8 instead of scaling them.
        return image.point(lambda value: value / 256).convert("L").convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _too_large(given: str) -> InvalidRequest:
    return InvalidRequest("image", f"image must have at most {MAX_PIXELS:,} pixels; got {given}")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
