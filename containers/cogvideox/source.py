"""Image or video that a clip starts from, besides the prompt."""

from dataclasses import dataclass

from PIL import Image

from containers.cogvideox.image import first_frame
from containers.cogvideox.request import ClipRequest
from containers.cogvideox.video import video_frames


@dataclass(frozen=True)
class Source:
    """The first frame or all frames, of the clip's size; or neither."""

    image: Image.Image | None = None
    video: list[Image.Image] | None = None


def source_of(request: ClipRequest) -> Source:
    """Decode the images in a request. Raises InvalidRequest if they cannot be read or do not fit the clip."""
    size = (request.width, request.height)
    return Source(
        image=None if request.image is None else first_frame(request.image, size, request.film),
        video=None
        if request.video is None
        else video_frames(request.video, size, request.frames, request.film),
    )
