"""Decode the first or last frame of a clip from an untrusted base64 string."""

import base64
import binascii
import contextlib
import io
import warnings

from PIL import Image, ImageCms, ImageOps

from containers.diffusion.errors import InvalidRequest
from containers.diffusion.film import Film
from containers.diffusion.framing import to_rendered

FORMATS = ("PNG", "JPEG", "WEBP")
# More than any phone's full-resolution photo; 150 MB once decoded.
MAX_PIXELS = 50_000_000


def given_frame(
    data: str, size: tuple[int, int], film: Film | None = None, *, param: str = "image"
) -> Image.Image:
    """Decode the image in base64 `data` to sRGB of exactly `size` (width, height): upright, scaled to cover,
    cropped, its colour profile applied. Broken EXIF or an unusable profile is ignored. An image of the film's
    size is a picture of the film, of which the rendered one is made again.

    Raises InvalidRequest, which names the field `param`, unless it is an intact PNG, JPEG or WebP of at most
    MAX_PIXELS pixels.
    """
    try:
        encoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            param, f"{param} must be base64 (with padding, without a data: prefix)"
        ) from None
    image = _open(encoded, param)
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(param, f"{image.width}×{image.height}")
    try:
        image.load()
        profile = image.info.get("icc_profile")
        upright = _upright(image)
        if film and upright.size == film.size:
            return to_rendered(_srgb(_flat(upright), profile), size, film.fit)
        # Crops before scaling, so that a thin strip never becomes a huge image.
        fitted = ImageOps.fit(_flat(upright), size, Image.Resampling.LANCZOS)
        return _srgb(fitted, profile)
    except Exception as error:  # corrupt bytes can make decoders raise anything
        raise InvalidRequest(param, f"{param} is corrupt: {_reason(error)}") from error


def _open(encoded: bytes, param: str) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about broken EXIF
        # Pillow itself rejects images larger than twice its own limit and warns above that limit.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return Image.open(io.BytesIO(encoded), formats=FORMATS)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise _too_large(param, "more") from None
        except Exception as error:
            raise InvalidRequest(param, f"{param} must be a PNG, JPEG or WebP") from error


def _upright(image: Image.Image) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001  broken EXIF makes Pillow raise anything
        return image


def _flat(image: Image.Image) -> Image.Image:
    """Return the image without transparency, as L, RGB or CMYK in its own colour space."""
    if image.mode.startswith("I;16"):
        # Pillow would clip 16 bits to 8 instead of scaling them.
        return image.point(lambda value: value / 256).convert("L")
    grey = image.mode in ("1", "L", "LA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if grey:
        return image.convert("L")
    return image if image.mode == "CMYK" else image.convert("RGB")


_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # by the colour space in a profile's header


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        with contextlib.suppress(ImageCms.PyCMSError, OSError, TypeError, ValueError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = _MODES.get(source.profile.xcolor_space)
            if mode == image.mode or (mode == "RGB" and image.mode == "L"):
                converted = ImageCms.profileToProfile(
                    image.convert(mode),
                    source,
                    ImageCms.createProfile("sRGB"),
                    renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                    outputMode="RGB",
                    flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
                )
                if converted is not None:
                    converted.info.pop("icc_profile", None)
                    return converted
    return image.convert("RGB")


def _too_large(param: str, given: str) -> InvalidRequest:
    return InvalidRequest(param, f"{param} must have at most {MAX_PIXELS:,} pixels; got {given}")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
