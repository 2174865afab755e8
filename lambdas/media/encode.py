"""Pictures to an MP4 clip, always in the same way, so that clips of one size and fps join by copying."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from lambdas.media.mp4.muxer import mp4_writer

# threads: x264's bits depend on their number, and the machine's core count must not change a clip.
# no-mbtree: with it, the same frames gave other bytes in up to one run of two (x264 165 in PyAV 18.1).
# stitchable: x264 writes the same SPS and PPS whatever the content.
X264 = {
    "preset": "veryfast",
    "crf": "21",
    "x264-params": "threads=2:no-mbtree=1:stitchable=1:open-gop=0:force-cfr=1",
}
KEYFRAME_SECONDS = 2


def encode(
    frames: Iterable[NDArray[np.uint8]],
    *,
    width: int,
    height: int,
    fps: int | Fraction,
    metadata: Mapping[str, str],
) -> bytes:
    """RGB frames (height × width × 3, uint8) as H.264 yuv420p BT.709 in a fast-start MP4, frame by frame.

    The same frames give the same bytes. ValueError: odd sizes (yuv420p halves them), a frame of another
    shape, no frames.
    """
    if width % 2 or height % 2:
        raise ValueError(f"width and height must be even for yuv420p, not {width}x{height}")
    rate = Fraction(fps)
    output = BytesIO()
    count = 0
    with mp4_writer(output, fps=rate, metadata=metadata) as container:
        track = container.add_stream("libx264", rate=rate, options=X264)
        track.width, track.height, track.pix_fmt = width, height, "yuv420p"
        track.gop_size = round(KEYFRAME_SECONDS * rate)
        context = track.codec_context
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        for frame in frames:
            if frame.shape != (height, width, 3):
                raise ValueError(f"frame {count} has shape {frame.shape}, not {(height, width, 3)}")
            picture = _to_yuv(frame)
            picture.pts, picture.time_base = count, 1 / rate
            container.mux(track.encode(picture))
            count += 1
        if count == 0:
            raise ValueError("no frames")
        container.mux(track.encode())
    return output.getvalue()


def _to_yuv(frame: NDArray[np.uint8]) -> Any:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        dst_color_primaries=ColorPrimaries.BT709,
        dst_color_trc=ColorTrc.BT709,
    )
