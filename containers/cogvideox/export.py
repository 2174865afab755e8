"""Frames to an MP4 that every player opens and that joins to its neighbours without re-encoding."""

import tempfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

ENCODER = {
    "preset": "medium",
    # Visually lossless: the film is made of these bits, they are never encoded again.
    "crf": "16",
    # The same frames must give the same bytes. x264's macroblock tree differs from run to run on one machine
    # (PyAV 18.1: 36 of 240 encodings); without it 240 of 240 were equal.
    "x264-params": "no-mbtree=1",
    # No B-frames, so no decoding delay that joining clips would have to even out.
    "bf": "0",
    # The number of threads changes the bits too; the default is the machine's number of cores.
    "threads": "4",
    "flags": "+bitexact+cgop",
}
# More than any clip's frames (161): one GOP unless the picture changes at once.
KEYFRAME_EVERY = 250


def mp4(frames: NDArray[np.uint8], fps: int, metadata: Mapping[str, str]) -> bytes:
    """H.264 (yuv420p, BT.709, closed GOP), index first, of RGB `frames` of shape (n, height, width, 3).

    The same arguments give the same bytes.
    """
    # To put the index first, the muxer opens its file a second time; it can do that only with a real one.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "clip.mp4"
        _write(path, frames, fps, metadata)
        return path.read_bytes()


def _write(path: Path, frames: NDArray[np.uint8], fps: int, metadata: Mapping[str, str]) -> None:
    options = {
        "movflags": "+faststart+use_metadata_tags",  # the latter keeps keys that are not iTunes'
        "fflags": "+bitexact",  # without the library's version
        "movie_timescale": str(fps * 1000),  # the default, 1000, would round the duration at 16 fps
    }
    with av.open(path, "w", format="mp4", options=options) as container:
        container.metadata.update(metadata)
        stream = container.add_stream("libx264", rate=fps, options=ENCODER)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, fps)
        # Not the clip's length: x264 writes what follows from it into the headers, and clips of one engine
        # must have the same headers to be joined without re-encoding.
        context.gop_size = KEYFRAME_EVERY
        context.colorspace = Colorspace.ITU709
        context.color_range = ColorRange.MPEG
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            frame.pts, frame.time_base, frame.duration = number, Fraction(1, fps), 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
