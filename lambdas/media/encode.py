"""Encode pictures to MP4 clips with fixed settings, so that clips of one size and fps join by copying."""

from collections.abc import Container, Iterable, Iterator, Mapping
from fractions import Fraction
from io import BytesIO
from typing import BinaryIO

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

from lambdas.media.mp4.muxer import mp4_writer

# Headers (SPS, PPS) match those of the engines' clips of the same size and fps, so that a film has one kind:
# containers/diffusion/export.py uses preset medium without B-frames. Of the settings that the faster presets
# used here change, two show in the headers: the reference frames, and the chroma offset that comes with
# medium's psychovisual optimisation.
X264_PARAMETERS = (
    "ref=3:bframes=0:chroma-qp-offset=-2"
    # Makes x264 write the same headers whatever the content.
    ":stitchable=1"
    # x264's output depends on the thread count, and the machine's core count must not change a clip.
    ":threads=2"
    # With mbtree, the same frames gave different bytes in up to half the runs (x264 165 in PyAV 18.1).
    ":no-mbtree=1"
    ":open-gop=0"
)
DRAFT_CRF = 21
FILM_CRF = 16
"""x264 quality (0 lossless to 51) for parts of the film: visually lossless, as the engines use."""
KEYFRAME_SECONDS = 2
SPLICE_SECONDS = Fraction(1, 2)

BT709 = (ColorPrimaries.BT709, ColorTrc.BT709, Colorspace.ITU709)


def encode(
    frames: Iterable[NDArray[np.uint8]],
    *,
    width: int,
    height: int,
    fps: int | Fraction,
    metadata: Mapping[str, str],
    keyframes: Container[int] = (),
) -> bytes:
    """Encode RGB frames (height × width × 3, uint8) as a draft: `write_pictures` in memory, at lower quality.

    The same frames give the same bytes. Raises ValueError as `write_pictures` does, and for a frame of
    another shape.
    """
    output = BytesIO()
    write_pictures(
        in_yuv(frames, (height, width, 3)),
        output,
        width=width,
        height=height,
        fps=Fraction(fps),
        keyframes=keyframes,
        preset="veryfast",
        crf=DRAFT_CRF,
        metadata=metadata,
    )
    return output.getvalue()


def write_pictures(
    pictures: Iterable[VideoFrame],
    output: BinaryIO,
    *,
    width: int,
    height: int,
    fps: Fraction,
    keyframes: Container[int] = (),
    preset: str = "superfast",
    crf: int = FILM_CRF,
    profile: str = "high",
    colours: tuple[int, int, int] = BT709,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write limited-range yuv420p pictures to `output` (seekable, readable, empty) as H.264 in a fast-start
    MP4. Frame n is shown at n / fps.

    Decoding can begin at frame 0, every two seconds, and at the `keyframes`. `preset` must be veryfast or
    faster, otherwise the headers differ. `colours` are primaries, transfer and matrix as numbered in ITU-T
    H.273; they are only tagged, nothing is converted. Raises ValueError for odd sizes (yuv420p halves them)
    or no pictures.
    """
    if width % 2 or height % 2:
        raise ValueError(f"width and height must be even for yuv420p; got {width}x{height}")
    # forced-idr: decoding can begin at a forced keyframe.
    options = {"preset": preset, "crf": str(crf), "profile": profile, "forced-idr": "1"}
    count = 0
    with mp4_writer(output, fps=fps, metadata=metadata or {}) as container:
        track = container.add_stream("libx264", rate=fps, options=options | {"x264-params": X264_PARAMETERS})
        track.width, track.height, track.pix_fmt = width, height, "yuv420p"
        track.gop_size = round(KEYFRAME_SECONDS * fps)
        context = track.codec_context
        context.color_range = ColorRange.MPEG
        context.color_primaries, context.color_trc, context.colorspace = colours
        for picture in pictures:
            picture.pts, picture.time_base = count, 1 / fps
            # Reset: a decoded picture keeps the type that it was encoded with.
            picture.pict_type = PictureType.I if count in keyframes else PictureType.NONE
            container.mux(track.encode(picture))
            count += 1
        if count == 0:
            raise ValueError("at least one frame is required; got none")
        container.mux(track.encode())


def splice_points(frames: int, fps: int | Fraction) -> set[int]:
    """Return the keyframes for a clip of `frames` frames. With them, a transition of up to half a second at
    either end re-encodes only its own frames."""
    end = round(SPLICE_SECONDS * fps)
    return {0, end, frames - end} if 0 < end < frames - end else {0}


def in_yuv(frames: Iterable[NDArray[np.uint8]], shape: tuple[int, int, int]) -> Iterator[VideoFrame]:
    """Yield RGB frames of that shape as `write_pictures` takes them. Raises ValueError for another shape."""
    for number, frame in enumerate(frames):
        if frame.shape != shape:
            raise ValueError(f"frame {number} must have shape {shape}; got {frame.shape}")
        yield av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), "rgb24").reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            dst_color_primaries=ColorPrimaries.BT709,
            dst_color_trc=ColorTrc.BT709,
        )
