"""Images or video that a clip starts from, besides the prompt."""

from dataclasses import dataclass

from PIL import Image

from containers.diffusion.image import given_frame
from containers.diffusion.request import ClipRequest
from containers.diffusion.video import video_frames


@dataclass(frozen=True)
class Source:
    """The first and last frame, or all frames, of the clip's size; what the request leaves out is None."""

    image: Image.Image | None = None
    last_image: Image.Image | None = None
    video: list[Image.Image] | None = None


def source_of(request: ClipRequest) -> Source:
    """Decode the images in a request. Raises InvalidRequest if they cannot be read or do not fit the clip."""
    size = (request.width, request.height)

    def frame(param: str, data: str | None) -> Image.Image | None:
        return None if data is None else given_frame(data, size, request.film, param=param)

    return Source(
        image=frame("image", request.image),
        last_image=frame("last_image", request.last_image),
        video=None
        if request.video is None
        else video_frames(request.video, size, request.frames, request.film),
    )
