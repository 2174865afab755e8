"""Export frames to an MP4 that every player opens and that joins its neighbours without re-encoding."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray
from PIL import Image

from containers.diffusion.film import RGB, Film, Timeline, instants, sound_start
from containers.diffusion.framing import to_film
from containers.diffusion.sound import BIT_RATE, RATE, Sound

ENCODER = {
    "preset": "medium",
    # no-mbtree: the same frames must give the same bytes, and x264's macroblock tree differs from run to run
    # on one machine (PyAV 18.1: 36 of 240 encodings); without it 240 of 240 were equal.
    # stitchable: the headers depend on the size and rate alone, not on the content or its length.
    "x264-params": "no-mbtree=1:stitchable=1",
    # No B-frames, so no decoding delay that joining clips would have to compensate.
    "bf": "0",
    # Decoding can start at a forced keyframe.
    "forced-idr": "1",
    # The number of threads also changes the bits; the default is the machine's number of cores.
    "threads": "4",
    "flags": "+bitexact+cgop",
}
# One GOP for most clips (up to 10 s at 25 fps), except for requested keyframes and abrupt changes.
KEYFRAME_EVERY = 250


@dataclass(frozen=True)
class Export:
    """Encoder settings for clips."""

    crf: int = 16
    """x264 quality, 0 (lossless, larger) to 51. 16 is visually lossless: the film consists of these bits, and
    most of them are never encoded again."""
    splice_seconds: float = 0.5
    """Longest crossfade that re-encodes only the clip's ends: there are keyframes after the first
    `splice_seconds` and before the last."""

    def keyframes(self, count: int, fps: int) -> set[int]:
        """Return the frames, out of `count`, at which decoding can start."""
        end = round(self.splice_seconds * fps)
        return {0, end, count - end} if 0 < end < count - end else {0}


DEFAULT = Export()


def mp4(
    frames: NDArray[np.uint8],
    fps: int,
    metadata: Mapping[str, str],
    export: Export = DEFAULT,
    *,
    skip_frames: int = 0,
    sound: Sound | None = None,
) -> bytes:
    """Encode RGB `frames` of shape (n, height, width, 3), without the first `skip_frames`, as MP4, index
    first, with H.264 (yuv420p, BT.709, closed GOPs). Of the `sound` of all n frames, it gets what is heard
    with those shown, in AAC.

    The same arguments give the same bytes.
    """
    height, width = frames.shape[1:3]
    shown = frames[skip_frames:]
    heard = sound and sound.during(Fraction(skip_frames, fps), Fraction(len(shown), fps))
    return _mp4(shown, (width, height), len(shown), fps, metadata, export, heard)


def film_mp4(
    frames: Iterable[RGB],
    film: Film,
    metadata: Mapping[str, str],
    export: Export = DEFAULT,
    *,
    rate: int,
    skip_frames: int,
    sound: Sound | None = None,
) -> bytes:
    """Encode the film's frames as `mp4` does. They are made of RGB `frames` of shape (height, width, 3),
    rendered at `rate` frames per second with `sound`, without the first `skip_frames`."""
    timeline: Timeline[RGB] = Timeline(
        instants(film, rate=rate, skip_frames=skip_frames),
        lambda picture: np.asarray(to_film(Image.fromarray(picture), film.size, film.fit)),
    )
    shown = (made for picture in frames for made in timeline.push(picture))
    start = sound_start(film, rate=rate, skip_frames=skip_frames)
    heard = sound and sound.during(start, Fraction(film.frames, film.fps))
    return _mp4(shown, film.size, film.frames, film.fps, metadata, export, heard)


def _mp4(
    frames: Iterable[RGB],
    size: tuple[int, int],
    count: int,
    fps: int,
    metadata: Mapping[str, str],
    export: Export,
    sound: Sound | None,
) -> bytes:
    # To put the index first, the muxer reopens its file, which works only with a real file.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "clip.mp4"
        _write(path, frames, size, count, fps, metadata, export, sound)
        return path.read_bytes()


def _write(
    path: Path,
    frames: Iterable[RGB],
    size: tuple[int, int],
    count: int,
    fps: int,
    metadata: Mapping[str, str],
    export: Export,
    sound: Sound | None,
) -> None:
    options = {
        "movflags": "+faststart+use_metadata_tags",  # the latter keeps keys other than iTunes'
        "fflags": "+bitexact",  # without the library's version
        "movie_timescale": str(fps * 1000),  # the default, 1000, would round the duration at 16 fps
    }
    with av.open(path, "w", format="mp4", options=options) as container:
        container.metadata.update(metadata)
        stream = container.add_stream("libx264", rate=fps, options=ENCODER | {"crf": str(export.crf)})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, fps)
        # Not the clip's length: x264 derives header values from it, and clips of one engine must have the
        # same headers to be joined without re-encoding.
        context.gop_size = KEYFRAME_EVERY
        context.colorspace = Colorspace.ITU709
        context.color_range = ColorRange.MPEG
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        track = None
        if sound:
            track = container.add_stream("aac", rate=RATE, layout=sound.layout)
            track.bit_rate = BIT_RATE
        keyframes = export.keyframes(count, fps)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            frame.pts, frame.time_base, frame.duration = number, Fraction(1, fps), 1
            if number in keyframes:
                frame.pict_type = PictureType.I
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound and track:
            # The muxer's edit list skips the encoder's first samples, which are not part of the sound.
            for heard in sound.frames():
                container.mux(track.encode(heard))
            container.mux(track.encode(None))
