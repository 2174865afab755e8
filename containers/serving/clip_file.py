"""Convert the file that a server of the user's gave to the requested clip, or report what differs."""

import io
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.video.frame import PictureType
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from PIL import Image

from containers.diffusion.errors import Broken
from containers.diffusion.export import DEFAULT, ENCODER, KEYFRAME_EVERY
from containers.diffusion.film import RGB, Film, Timeline, instants, sound_start
from containers.diffusion.framing import to_film
from containers.diffusion.sound import BIT_RATE, RATE
from containers.serving.clip_request import ClipRequest

# BT.601's matrices (ITU-T H.273: 5 and 6; 2 is "unspecified"): FFmpeg's converter assumes one if none is
# stated, and ComfyUI's own nodes wrote one before they stated BT.709.
BT_601 = (2, 5, 6)
# Matroska and WebM round a frame's time to a millisecond.
ROUNDING_SECONDS = 0.0015


@dataclass(frozen=True)
class Source:
    """Where a video comes from, for messages."""

    owner: str
    """Whose video it is, for example "the workflow"."""
    remedy: str
    """What to do if it is not what was requested."""


def clip(
    video: bytes, request: ClipRequest, metadata: Mapping[str, str], source: Source, *, exact: bool = False
) -> bytes:
    """Convert `video` (MP4, MOV, WebM or MKV) to the format of the engines' clips: an MP4, index first, of
    H.264 (yuv420p, BT.709, no B-frames, closed GOPs) and AAC if it has sound, without the first `skip_frames`
    frames.

    If the request has a film, the clip has the film's size, rate and length. Otherwise it keeps its size: the
    pipeline fits a picture of other proportions into the film.

    Raises Broken if it can't be decoded, has an odd size (yuv420p halves it) that it must keep, or
    differs from the requested length or rate, or with `exact` from the requested size.
    """
    try:
        # Naming the demuxer keeps others (playlists, concat scripts) from ever reading the bytes.
        with av.open(io.BytesIO(video), format=_container(video, source)) as file:
            if not file.streams.video:
                raise Broken(f"{source.owner}'s file has no video track")
            if exact:
                _check_size(file.streams.video[0], request, source)
            return _converted(file, request, metadata, source)
    except av.FFmpegError as error:
        raise Broken(f"{source.owner}'s video can't be decoded: {error}") from error


def _check_size(stream: VideoStream, request: ClipRequest, source: Source) -> None:
    given = stream.codec_context.width, stream.codec_context.height
    if given != (request.width, request.height):
        raise _differs("size", f"{given[0]}x{given[1]}", f"{request.width}x{request.height}", source)


def _container(video: bytes, source: Source) -> str:
    if video[4:8] == b"ftyp":
        return "mp4"
    if video[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    raise Broken(f"{source.owner}'s file must be MP4, MOV, WebM or MKV")


def _converted(
    file: InputContainer, request: ClipRequest, metadata: Mapping[str, str], source: Source
) -> bytes:
    # To put the index first, the muxer reopens its file, which works only with a real file.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "clip.mp4"
        options = {
            "movflags": "+faststart+use_metadata_tags",  # the latter keeps keys other than iTunes'
            "fflags": "+bitexact",
            "movie_timescale": str(_format(request)[0] * 1000),
        }
        with av.open(str(path), "w", format="mp4", options=options) as output:
            output.metadata.update(metadata)
            pictures = _Pictures(output, request, file.streams.video[0], source)
            sound = _Sound(output, request, file.streams.audio[0]) if file.streams.audio else None
            for frame in _decoded(file):
                if isinstance(frame, av.VideoFrame):
                    pictures.take(frame)
                elif sound:
                    sound.take(frame)
            pictures.end()
            if sound:
                sound.end()
        return path.read_bytes()


def _decoded(file: InputContainer) -> Iterator[av.VideoFrame | av.AudioFrame]:
    """Yield the frames of the first video and the first audio track, in the file's order."""
    streams: list[VideoStream | AudioStream] = [file.streams.video[0], *file.streams.audio[:1]]
    file.streams.video[0].thread_type = "AUTO"
    for packet in file.demux(streams):
        for frame in packet.decode():
            assert isinstance(frame, av.VideoFrame | av.AudioFrame)  # noqa: S101  of such streams
            yield frame


def _format(request: ClipRequest) -> tuple[int, int]:
    """Return the clip's frames per second and its number of frames."""
    if request.film:
        return request.film.fps, request.film.frames
    return request.fps, request.frames - request.skip_frames


class _Pictures:
    """Checks the frames against the request, and encodes them as containers.diffusion.export does."""

    def __init__(
        self, output: OutputContainer, request: ClipRequest, stream: VideoStream, source: Source
    ) -> None:
        self._output, self._request, self._source = output, request, source
        self._size = stream.codec_context.width, stream.codec_context.height
        film = request.film
        if film is None and (self._size[0] % 2 or self._size[1] % 2):
            raise Broken(
                f"{source.owner}'s video is {self._size[0]}×{self._size[1]}; width and height must be even"
            )
        self._fps, count = _format(request)
        self._stream = _video_stream(output, self._fps, film.size if film else self._size)
        self._keyframes = DEFAULT.keyframes(count, self._fps)
        # None: its frames are the clip's, and no more than their colours may change.
        self._timeline = (
            None if film is None or _is_in(film, request, self._size) else _timeline(film, request)
        )
        self._written = 0
        self._rate = stream.average_rate
        self._count = 0
        self._first: float | None = None
        self._last: float | None = None

    def take(self, frame: av.VideoFrame) -> None:
        request = self._request
        if (frame.width, frame.height) != self._size:
            raise Broken(f"{self._source.owner}'s video changes its size midway")
        self._count += 1
        if frame.time is not None:
            self._first, self._last = frame.time if self._first is None else self._first, frame.time
        if self._timeline:
            for picture in self._timeline.push(frame):
                self._write(_encodable(picture))
        elif request.skip_frames < self._count <= request.frames:
            self._write(frame if _as_encoded(frame) else _recoloured(frame))

    def end(self) -> None:
        request = self._request
        if self._count != request.frames:
            raise _differs("length", f"{self._count} frames", f"{request.frames}", self._source)
        # From the frames' times: the header's rate is a guess in WebM, and VideoHelperSuite's may be 23.976.
        if self._first is not None and self._last is not None:
            seconds, asked = self._last - self._first, (request.frames - 1) / request.fps
            if abs(seconds - asked) > ROUNDING_SECONDS:
                given = float(self._rate) if self._rate else (self._count - 1) / max(seconds, 0.001)
                raise _differs("rate", f"{given:g} frames a second", f"{request.fps}", self._source)
        self._output.mux(self._stream.encode(None))

    def _write(self, frame: av.VideoFrame) -> None:
        frame.pts, frame.time_base, frame.duration = self._written, Fraction(1, self._fps), 1
        frame.pict_type = PictureType.I if self._written in self._keyframes else PictureType.NONE
        self._output.mux(self._stream.encode(frame))
        self._written += 1


class _Sound:
    """Encodes the sound from the first kept frame to the end of the last."""

    def __init__(self, output: OutputContainer, request: ClipRequest, stream: AudioStream) -> None:
        self._output = output
        layout = "mono" if stream.channels == 1 else "stereo"
        self._stream = output.add_stream("aac", rate=RATE, layout=layout)
        self._stream.bit_rate = BIT_RATE
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=RATE)
        self._fifo = av.AudioFifo()
        start = _sound_start(request)
        self._skip = round(max(start, Fraction(0)) * RATE)
        if start < 0:
            self._fifo.write(_silence(round(-start * RATE), layout))
        fps, frames = _format(request)
        self._left = round(Fraction(frames * RATE, fps))
        self._written = 0

    def take(self, frame: av.AudioFrame) -> None:
        frame.pts = None  # samples are counted from the start instead
        self._queue(self._resampler.resample(frame))
        self._encode(self._stream.codec_context.frame_size or 1024)

    def end(self) -> None:
        self._queue(self._resampler.resample(None))
        self._encode(1)
        self._output.mux(self._stream.encode(None))

    def _queue(self, frames: list[av.AudioFrame]) -> None:
        for frame in frames:
            frame.pts = None
            self._fifo.write(frame)
        if self._skip:
            skipped = self._fifo.read(min(self._skip, self._fifo.samples))
            self._skip -= skipped.samples if skipped else 0

    def _encode(self, least: int) -> None:
        """Encode what is ready, in frames of the encoder's size; the last one has `least` samples or more."""
        size = self._stream.codec_context.frame_size or 1024
        while self._left and self._fifo.samples >= min(least, self._left):
            frame = self._fifo.read(min(size, self._left), partial=True)
            if frame is None:
                return
            frame.pts, frame.time_base = self._written, Fraction(1, RATE)
            self._written += frame.samples
            self._left -= frame.samples
            self._output.mux(self._stream.encode(frame))


def _sound_start(request: ClipRequest) -> Fraction:
    if request.film:
        return sound_start(request.film, rate=request.fps, skip_frames=request.skip_frames)
    return Fraction(request.skip_frames, request.fps)


def _silence(samples: int, layout: str) -> av.AudioFrame:
    channels = 1 if layout == "mono" else 2
    silence = av.AudioFrame.from_ndarray(np.zeros((channels, samples), np.float32), "fltp", layout)
    silence.sample_rate = RATE
    return silence


def _video_stream(output: OutputContainer, fps: int, size: tuple[int, int]) -> VideoStream:
    stream = output.add_stream("libx264", rate=fps, options=ENCODER | {"crf": str(DEFAULT.crf)})
    assert isinstance(stream, VideoStream)  # noqa: S101  of a video codec
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, fps)
    context.gop_size = KEYFRAME_EVERY
    context.colorspace = Colorspace.ITU709
    context.color_range = ColorRange.MPEG
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    return stream


def _is_in(film: Film, request: ClipRequest, size: tuple[int, int]) -> bool:
    """Return whether a video of that size has the film's size, rate and length already."""
    length = request.frames - request.skip_frames
    return (size, request.fps, length) == (film.size, film.fps, film.frames)


def _timeline(film: Film, request: ClipRequest) -> Timeline[av.VideoFrame]:
    shown = instants(film, rate=request.fps, skip_frames=request.skip_frames)
    return Timeline(
        shown, lambda frame: np.asarray(to_film(Image.fromarray(_rgb(frame)), film.size, film.fit))
    )


def _rgb(frame: av.VideoFrame) -> RGB:
    rgb: RGB = frame.reformat(format="rgb24", **_colours(frame)).to_ndarray()
    return rgb


def _encodable(picture: RGB) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )


def _as_encoded(frame: av.VideoFrame) -> bool:
    limited = frame.color_range != ColorRange.JPEG
    return frame.format.name == "yuv420p" and frame.colorspace not in BT_601 and limited


def _recoloured(frame: av.VideoFrame) -> av.VideoFrame:
    # Through 16-bit RGB: FFmpeg's direct conversion between matrices darkens by a level, and so do 8 bits.
    return frame.reformat(format="gbrp16le", **_colours(frame)).reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )


def _colours(frame: av.VideoFrame) -> dict[str, Any]:
    """Return the arguments of a conversion from the frame's colours to full-range RGB."""
    return {
        "src_colorspace": Colorspace.ITU601 if frame.colorspace in BT_601 else Colorspace.ITU709,
        "src_color_range": ColorRange.JPEG if frame.color_range == ColorRange.JPEG else ColorRange.MPEG,
        "dst_color_range": ColorRange.JPEG,
    }


def _differs(what: str, given: str, asked: str, source: Source) -> Broken:
    return Broken(f"the {what} of {source.owner}'s video must be {asked}; got {given}. {source.remedy}")
