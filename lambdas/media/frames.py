"""Extract single pictures from a clip."""

from io import BytesIO
from itertools import islice

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.probe import Source, decoded, frame_rate, open_video

# Of a card in the studio's gallery, which shows a dozen at once; a player soon has the film's first frame.
POSTER_SIDE = 448
POSTER_SECONDS = 2
POSTER_QUALITY = 65
SEEN_SIDE, SEEN_QUALITY = 512, 85  # of what a vision model is shown
_SMALLEST = 6  # the method of WebP's encoder that takes longest


def last_frame(source: Source) -> bytes:
    """Return the last frame as a PNG of the clip's size. A chained clip starts from it.

    Raises ClipUnreadable.
    """
    with open_video(source) as (container, stream):
        last = None
        # Decode only the last group of pictures.
        if stream.duration:
            container.seek(stream.duration, stream=stream)
        for last in decoded(container, stream):  # noqa: B007
            pass
        return _image_bytes(_rgb(last), "PNG")


def poster(source: Source) -> bytes:
    """Return a WebP thumbnail of at most 448 pixels on its longer side: the frame of the first two seconds
    with the most contrast, so that a fade from black does not give a black poster.

    Raises ClipUnreadable.
    """
    image = _clearest(source)
    image.thumbnail((POSTER_SIDE, POSTER_SIDE), Image.Resampling.LANCZOS)
    return _image_bytes(image, "WEBP", quality=POSTER_QUALITY, method=_SMALLEST)


def clearest_frame(source: Source) -> bytes:
    """Return the same frame as a PNG of the clip's size. Raises ClipUnreadable."""
    return _image_bytes(_clearest(source), "PNG")


def three_frames(source: Source) -> bytes:
    """Return the first, the middle and the last frame side by side, each at most 512 pixels wide, as a JPEG.

    Raises ClipUnreadable.
    """
    with open_video(source) as (container, stream):
        wanted = [0, stream.frames // 2, max(0, stream.frames - 1)]
        pictures = []
        for number, frame in enumerate(decoded(container, stream)):
            pictures += [_rgb(frame)] * wanted.count(number)
            if len(pictures) == len(wanted):
                break
    if not pictures:
        raise ClipUnreadable("it has no frames")
    for picture in pictures:
        picture.thumbnail((SEEN_SIDE, SEEN_SIDE), Image.Resampling.LANCZOS)
    width, height = pictures[0].size
    sheet = Image.new("RGB", (len(pictures) * width, height))
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place * width, 0))
    return _image_bytes(sheet, "JPEG", quality=SEEN_QUALITY)


def _clearest(source: Source) -> Image.Image:
    with open_video(source) as (container, stream):
        early = islice(decoded(container, stream), max(1, round(frame_rate(stream) * POSTER_SECONDS)))
        return _rgb(max(early, key=_contrast, default=None))


def _contrast(frame: VideoFrame) -> float:
    return float(np.std(frame.to_ndarray(format="gray")))


def _rgb(frame: VideoFrame | None) -> Image.Image:
    """Convert a frame to RGB by its own colour tags."""
    if frame is None:
        raise ClipUnreadable("it has no frames")
    return Image.fromarray(frame.to_ndarray(format="rgb24"))


def _image_bytes(image: Image.Image, kind: str, **options: int) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
