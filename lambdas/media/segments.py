"""Decode and re-encode parts of a clip: only what a change to its pictures touches."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import accumulate

import av
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.frame import VideoFrame

from lambdas.domain.errors import ClipsDiffer, ClipUnreadable
from lambdas.media.encode import FILM_CRF, write_pictures
from lambdas.media.limits import MOST_PIXELS
from lambdas.media.mp4.clip import Clip
from lambdas.media.probe import check_size
from lambdas.media.source import Source, stream_ranges

_DECODING = {
    "max_pixels": str(MOST_PIXELS),
    "err_detect": "explode",  # report damaged pictures instead of concealing them
    # Without it, if the headers don't say how far B-frames reorder, FFmpeg guesses and outputs some too
    # early.
    "strict": "strict",
}
_PROFILES = {66: "baseline", 77: "main", 100: "high"}  # ITU-T H.264, A.2


def ends(clip: Clip) -> list[int]:
    """Return the frames at which a copied part of the clip can end: no later frame is decoded before them.
    Without B-frames, these are all frames."""
    latest = accumulate(clip.shown, max, initial=-1)
    return [sample for sample, frame in enumerate(latest) if frame == sample - 1]


def starts(clip: Clip) -> list[int]:
    """Return the frames at which a copied part, or decoding, can begin."""
    keyframes = set(clip.keyframes(0, len(clip.shown)))
    # If a later frame is decoded first, the group of pictures is open: its first frames need the group
    # before.
    return [frame for frame in ends(clip) if frame in keyframes and clip.shown[frame] == frame]


def check_decodable(clip: Clip) -> None:
    """Raise ClipsDiffer unless the clip's pictures have the one format that is decoded and encoded here."""
    picture = clip.picture
    kind = (picture.chroma_format, picture.bit_depths, picture.progressive, picture.colour[3])
    if kind != (1, (8, 8), True, False):
        raise ClipsDiffer("its pictures must be progressive, limited-range yuv420p")
    if picture.profile not in _PROFILES:
        raise ClipsDiffer(f"its H.264 profile must be baseline, main or high; got {picture.profile}")
    check_size(*picture.size)


def decode(source: Source, clip: Clip, start: int, stop: int) -> Iterator[VideoFrame]:
    """Yield frames [start, stop) of the source's clip, as read by `read_clip`, in yuv420p and display order.

    Reading and decoding begin at the last keyframe before them. Memory: the decoder's few frames.

    Raises ClipUnreadable; ClipsDiffer as `check_decodable` does.
    """
    check_decodable(clip)
    if start >= stop:
        return
    first = max(frame for frame in starts(clip) if frame <= start)
    # With B-frames, a picture may be decoded after some that are shown later.
    last = max(sample for sample, frame in enumerate(clip.shown) if frame < stop)
    expected = start
    try:
        for frame in _decoded(source, clip, first, last + 1):
            if frame.pts is None or not start <= frame.pts < stop:
                continue
            if frame.pts != expected or frame.format.name != "yuv420p" or frame.is_corrupt:
                raise ClipUnreadable(f"frame {expected} can't be decoded")
            if (frame.width, frame.height) != clip.picture.size:
                raise ClipUnreadable(
                    f"frame {expected} differs from the clip's size; got {frame.width}x{frame.height}"
                )
            expected += 1
            yield frame
    except av.FFmpegError as error:
        raise ClipUnreadable(f"frame {expected} can't be decoded: {error.strerror}") from error
    if expected != stop:
        raise ClipUnreadable(f"frame {expected} can't be decoded")


def encode_segment(pictures: Iterable[VideoFrame], like: Clip, *, crf: int = FILM_CRF) -> bytes:
    """Return an MP4 of the pictures that joins to `like` by copying, with the headers of engines' clips and
    drafts.

    Raises ClipsDiffer as `check_decodable` does; ValueError if there are no pictures.
    """
    check_decodable(like)
    output = BytesIO()
    write_pictures(
        pictures,
        output,
        width=like.picture.size[0],
        height=like.picture.size[1],
        fps=like.fps,
        crf=crf,
        profile=_PROFILES[like.picture.profile],
        colours=like.picture.colour[:3],
    )
    return output.getvalue()


def _decoded(source: Source, clip: Clip, first: int, stop: int) -> Iterator[VideoFrame]:
    """Decode the samples [first, stop), in decoding order. `pts` is the frame number."""
    # Not `av.open`, which decodes some pictures of each file to identify its content.
    decoder = CodecContext.create("h264", "r")
    decoder.extradata = clip.setup.avcc
    decoder.options = _DECODING
    for number, data in enumerate(_samples(source, clip, first, stop), first):
        packet = Packet(data)
        packet.pts = clip.shown[number]
        yield from decoder.decode(packet)
    yield from decoder.decode(None)


def _samples(source: Source, clip: Clip, first: int, stop: int) -> Iterator[bytes]:
    waiting, number = bytearray(), first
    for chunk in stream_ranges(source, clip.track.ranges(first, stop)):
        waiting += chunk
        while number < stop and len(waiting) >= clip.track.sizes[number]:
            size = clip.track.sizes[number]
            yield bytes(waiting[:size])
            del waiting[:size]
            number += 1
