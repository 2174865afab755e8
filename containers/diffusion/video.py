"""Decode the video of a video-to-video clip from an untrusted base64 string."""

import base64
import binascii
import io

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from containers.diffusion.errors import InvalidRequest
from containers.diffusion.film import Film
from containers.diffusion.framing import to_rendered

CODEC = "h264"
# The two BT.601 matrices in H.264 (ITU-T H.273): for 625 lines and for 525 lines.
BT_601 = (5, 6)


def video_frames(
    data: str, size: tuple[int, int], frames: int, film: Film | None = None
) -> list[Image.Image]:
    """Return the RGB frames of `size` (width, height) of the MP4 in base64 `data`: H.264 of that size, or of
    the film's, whose pictures are taken back to `size`; `frames` of them.

    Raises InvalidRequest for anything else; nothing is cut or repeated here.
    """
    try:
        encoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest("video", "video must be base64 (with padding, without a data: prefix)") from None
    try:
        # Naming the demuxer keeps others (playlists, concat scripts) from ever reading the bytes.
        # The file's metadata is ignored, so it may be in any encoding.
        with av.open(io.BytesIO(encoded), format="mp4", metadata_errors="ignore") as container:
            return _decode(container, size, frames, film)
    except av.FFmpegError as error:
        raise InvalidRequest("video", f"video must be a decodable MP4: {error.strerror}") from error


def _decode(
    container: InputContainer, size: tuple[int, int], frames: int, film: Film | None
) -> list[Image.Image]:
    if not container.streams.video:
        raise InvalidRequest("video", "video has no video track")
    stream = container.streams.video[0]
    context: VideoCodecContext | None = stream.codec_context  # None for a codec that FFmpeg doesn't know
    codec = context.name if context else "unknown"
    if codec != CODEC:
        raise InvalidRequest("video", f"video must be H.264 in MP4; got codec {codec}")
    own = size
    if film and (stream.width, stream.height) == film.size:
        own = film.size
    else:
        _check_size((stream.width, stream.height), size)
    images: list[Image.Image] = []
    for frame in container.decode(stream):
        # Checked again because a stream may change its size and its header may lie.
        _check_size((frame.width, frame.height), own)
        picture = _rgb(frame)
        images.append(to_rendered(picture, size, film.fit) if film and own == film.size else picture)
        if len(images) > frames:
            raise InvalidRequest("video", f"video must have {frames} frames, like the clip; got more")
    if len(images) < frames:
        raise InvalidRequest("video", f"video must have {frames} frames, like the clip; got {len(images)}")
    return images


def _check_size(given: tuple[int, int], size: tuple[int, int]) -> None:
    if given != size:
        raise InvalidRequest(
            "video",
            f"video must be {size[0]}×{size[1]}, like the clip; got {given[0]}×{given[1]}",
        )


def _rgb(frame: av.VideoFrame) -> Image.Image:
    # A video that does not state its colours is assumed to be what engines make: BT.709.
    colours = Colorspace.ITU601 if frame.colorspace in BT_601 else Colorspace.ITU709
    rgb = frame.reformat(format="rgb24", src_colorspace=colours, dst_color_range=ColorRange.JPEG)
    return Image.fromarray(rgb.to_ndarray())
