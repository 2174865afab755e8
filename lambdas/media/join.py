"""Join clips end to end into one film, copying their encoded frames unchanged."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import BinaryIO

from lambdas.domain.errors import ClipsDiffer, ClipUnreadable
from lambdas.media.mp4.muxer import mp4_writer
from lambdas.media.probe import ClipInfo, Source, open_video, packets, probe, shown_indexes


def join(clips: Sequence[Source], output: BinaryIO, *, metadata: Mapping[str, str]) -> ClipInfo:
    """Write the clips' pictures, in order, to `output` (seekable, readable, empty) as one fast-start MP4.

    Frame times are computed from frame numbers rather than summed, so the film lasts exactly frames ÷ fps for
    any number of clips. Only pictures are joined; the clips' sound is dropped. Memory: the packets of one
    clip.

    Return the film as read back. Raises ClipUnreadable or ClipsDiffer, both with the clip's index from 0,
    before anything is written. Raises ValueError if there are no clips.
    """
    if not clips:
        raise ValueError("a film needs at least one clip")
    infos = [_probe(index, clip) for index, clip in enumerate(clips)]
    first = infos[0]
    for index, info in enumerate(infos):
        _refuse_difference(index, first, info)

    with mp4_writer(output, fps=first.fps, metadata=metadata) as container:
        with open_video(clips[0]) as (_, stream):
            track = container.add_stream_from_template(stream)
        track.time_base = 1 / first.fps
        decode_times, shown = count(-max(info.delay for info in infos)), 0
        for clip, info in zip(clips, infos, strict=True):
            with open_video(clip) as (source, stream):
                batch = list(packets(source, stream))
                indexes = shown_indexes([pts for _, pts in batch], stream)
                for (packet, _), index in zip(batch, indexes, strict=True):
                    packet.stream = track
                    packet.time_base = 1 / first.fps
                    packet.pts, packet.dts, packet.duration = shown + index, next(decode_times), 1
                    container.mux_one(packet)
            shown += info.frames
    return probe(output)


def _probe(index: int, clip: Source) -> ClipInfo:
    try:
        return probe(clip)
    except ClipUnreadable as error:
        raise ClipUnreadable(f"clip {index}: {error.message}", clip=index) from error


def _refuse_difference(index: int, first: ClipInfo, other: ClipInfo) -> None:
    """Raise ClipsDiffer unless the decoder setup is equal: a decoder is set up once per track."""
    for what, expected, found in (
        ("codec", first.codec, other.codec),
        ("size", f"{first.width}x{first.height}", f"{other.width}x{other.height}"),
        ("fps", first.fps, other.fps),
        ("pixel format", first.pix_fmt, other.pix_fmt),
        ("codec parameters", first.extradata.hex(), other.extradata.hex()),
    ):
        if found != expected:
            raise ClipsDiffer(
                f"clip {index} can't be joined to clip 0: its {what} is {found}; clip 0's is {expected}",
                clip=index,
            )
