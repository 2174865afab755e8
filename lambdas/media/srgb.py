"""Convert pictures of other colour spaces to sRGB, the only one that engines know."""

from io import BytesIO

from PIL import Image, ImageCms

_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # by the colour space in a profile's header


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an L, RGB or CMYK image as sRGB, by its ICC profile.

    Without a profile, or with one that is broken or describes other channels than the image has, the image
    counts as sRGB, as in browsers.
    """
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
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
                    return converted
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            pass  # Little CMS can't use the profile.
    return image.convert("RGB")
