"""Fit a rendered picture into the film's frame, and take a picture of the film back to the rendered size.

All sizes are (width, height) in pixels; pictures are RGB.
"""

import math
from enum import StrEnum

import numpy as np
from PIL import Image, ImageFilter

Size = tuple[int, int]
Box = tuple[float, float, float, float]  # left, top, right, bottom

# The background of BLUR: the picture at about this many pixels on the short side, blurred by this radius.
_BACKGROUND_SIDE = 64
_BACKGROUND_RADIUS = 4


class Fit(StrEnum):
    """How a picture of another shape fills the film's frame."""

    COVER = "cover"
    """Fill the frame and crop the rest."""
    CONTAIN = "contain"
    """Show all of it, with black bars."""
    BLUR = "blur"
    """Show all of it; a blurred, enlarged copy fills the bars."""


def to_film(picture: Image.Image, film: Size, fit: Fit) -> Image.Image:
    """Return a rendered picture as the film's frame of size `film`."""
    if picture.size == film:
        return picture
    if fit is Fit.COVER:
        return _scaled(picture, film, box=covering(picture.size, film))
    place = contained(picture.size, film)
    inner = (place[2] - place[0], place[3] - place[1])
    if inner == film:
        return _scaled(picture, film)
    frame = Image.new("RGB", film) if fit is Fit.CONTAIN else _background(picture, film)
    frame.paste(_scaled(picture, inner), place[:2])
    return frame


def to_rendered(frame: Image.Image, rendered: Size, fit: Fit) -> Image.Image:
    """Return a frame of the film as the rendered picture of which `to_film` makes it again.

    What covering has cut is unknown: the picture is continued there in its own mirror image, so that a model
    sees no edge; the film cuts it again.
    """
    if frame.size == rendered:
        return frame
    if fit is not Fit.COVER:
        # Cut out, not resized from a box: the filter would reach over its edge into the bars.
        return _scaled(frame.crop(contained(rendered, frame.size)), rendered)
    # The rendered picture's size in the film's pixels.
    left, top, right, bottom = covering(rendered, frame.size)
    width = frame.width * rendered[0] / (right - left)
    height = frame.height * rendered[1] / (bottom - top)
    beside, above = (width - frame.width) / 2, (height - frame.height) / 2
    x, y = math.ceil(beside), math.ceil(above)
    wide = Image.fromarray(np.pad(np.asarray(frame), ((y, y), (x, x), (0, 0)), "symmetric"))
    return _scaled(wide, rendered, box=(x - beside, y - above, x - beside + width, y - above + height))


def covering(picture: Size, frame: Size) -> Box:
    """Return the middle part of a picture that has the frame's shape."""
    scale = min(picture[0] / frame[0], picture[1] / frame[1])
    width, height = frame[0] * scale, frame[1] * scale
    left, top = max(0.0, (picture[0] - width) / 2), max(0.0, (picture[1] - height) / 2)
    return left, top, min(picture[0], left + width), min(picture[1], top + height)


def contained(picture: Size, frame: Size) -> tuple[int, int, int, int]:
    """Return where the whole picture lies in the frame: in the middle, on even pixels, since the chroma of
    yuv420p has half the size."""
    scale = min(frame[0] / picture[0], frame[1] / picture[1])
    width, height = (min(frame[i], max(2, 2 * round(picture[i] * scale / 2))) for i in (0, 1))
    left, top = (frame[0] - width) // 4 * 2, (frame[1] - height) // 4 * 2
    return left, top, left + width, top + height


def _background(picture: Image.Image, film: Size) -> Image.Image:
    reduction = max(1.0, min(film) / _BACKGROUND_SIDE)
    small = (max(1, round(film[0] / reduction)), max(1, round(film[1] / reduction)))
    copy = _scaled(picture, small, box=covering(picture.size, film))
    blurred = copy.filter(ImageFilter.GaussianBlur(_BACKGROUND_RADIUS))
    return blurred.resize(film, Image.Resampling.BICUBIC)


def _scaled(picture: Image.Image, size: Size, box: Box | None = None) -> Image.Image:
    return picture.resize(size, Image.Resampling.LANCZOS, box=box)
