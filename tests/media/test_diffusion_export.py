import hashlib
import io
from fractions import Fraction

import av
import numpy as np
import pytest

from containers.diffusion.export import Export, mp4
from lambdas.media.join import join
from lambdas.media.probe import probe
from tests.media.clips import decoded, decoded_frames, nal_types, pictures, shown_seconds, top_level_boxes

COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 180, 40))


def frames(count: int, *, seed: int = 0, width: int = 96, height: int = 64) -> np.ndarray:
    return np.stack(list(pictures(count, seed=seed, width=width, height=height)))


@pytest.mark.parametrize(("count", "fps"), [(1, 8), (9, 8), (49, 8), (81, 16), (161, 16)])
def test_frames_size_and_rate_are_exact(count: int, fps: int) -> None:
    clip = mp4(frames(count), fps, {})
    info = probe(clip)
    assert (info.width, info.height, info.frames, info.fps) == (96, 64, count, fps)
    assert info.duration == Fraction(count, fps)
    assert (info.codec, info.pix_fmt, info.has_audio) == ("h264", "yuv420p", False)
    assert shown_seconds(clip) == [Fraction(index, fps) for index in range(count)]


@pytest.mark.parametrize(
    ("count", "fps", "seconds", "keyframes"),
    [
        (49, 8, 0.5, {0, 4, 45}),
        (48, 8, 0.5, {0, 4, 44}),
        (81, 16, 0.5, {0, 8, 73}),
        (49, 8, 1.0, {0, 8, 41}),
        (49, 8, 0.0, {0}),
        (9, 8, 0.5, {0, 4, 5}),
        (8, 8, 0.5, {0}),  # its ends would meet
        (1, 8, 0.5, {0}),
    ],
)
def test_decoding_can_begin_where_a_crossfade_ends_or_begins(
    count: int, fps: int, seconds: float, keyframes: set[int]
) -> None:
    clip = mp4(frames(count), fps, {}, Export(splice_seconds=seconds))
    assert {index for index, frame in enumerate(decoded_frames(clip)) if frame.key_frame} == keyframes
    kinds = [kind for kind in nal_types(clip) if kind in (1, 5)]
    # Type 5 is IDR (ITU-T H.264, table 7-1): nothing after it refers to anything before it.
    assert {index for index, kind in enumerate(kinds) if kind == 5} == keyframes


def test_the_middle_of_a_clip_decodes_alone_and_to_the_same_bits() -> None:
    clip = mp4(frames(49), 8, {})
    with av.open(io.BytesIO(clip)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        decoder = av.CodecContext.create("h264", "r")
        decoder.extradata = container.streams.video[0].codec_context.extradata
        middle = [frame for packet in packets[4:45] for frame in decoder.decode(packet)]
        middle += decoder.decode(None)
    pixels = [frame.to_ndarray().tobytes() for frame in middle]
    assert pixels == [frame.to_ndarray().tobytes() for frame in decoded_frames(clip)[4:45]]


def test_clips_join_by_copying() -> None:
    clips = [mp4(frames(count, seed=count), 8, {}) for count in (49, 9, 8)]
    film = io.BytesIO()
    assert join([io.BytesIO(clip) for clip in clips], film, metadata={}).frames == 66
    shown = [frame.tobytes() for frame in decoded(film.getvalue())]
    assert shown == [frame.tobytes() for clip in clips for frame in decoded(clip)]


def test_quality_is_a_setting() -> None:
    made = frames(9)
    sizes = [len(mp4(made, 8, {}, Export(crf=crf))) for crf in (10, 16, 30)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 2 * sizes[2]


def test_the_index_is_at_the_start_of_the_file() -> None:
    boxes = top_level_boxes(mp4(frames(9), 8, {}))
    assert boxes.index("moov") < boxes.index("mdat")


def test_colours_survive_and_are_tagged_as_bt709() -> None:
    pixels = np.zeros((3, 64, 96, 3), np.uint8)
    for number, colour in enumerate(COLOURS):
        pixels[:, :, number * 24 : number * 24 + 24] = colour
    clip = mp4(pixels, 8, {})
    frame = decoded_frames(clip)[0]
    # BT.709 is number 1 in each of these tables (ITU-T H.273), the limited range FFmpeg's AVCOL_RANGE_MPEG.
    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (1, 1, 1, 1)
    # In the file, where players look first: the colr box (ISO/IEC 14496-12, 12.1.5), nclx, 1, 1, 1, limited.
    assert b"colrnclx" + bytes((0, 1, 0, 1, 0, 1, 0)) in clip
    # And in the stream (its VUI): the only tag left when packets are copied to another file.
    with av.open(io.BytesIO(clip)) as container:
        decoder = av.CodecContext.create("h264", "r")
        decoder.extradata = container.streams.video[0].codec_context.extradata
        packet = next(container.demux(video=0))
        (bare, *_) = [*decoder.decode(packet), *decoder.decode(None)]
    assert (bare.colorspace, bare.color_primaries, bare.color_trc, bare.color_range) == (1, 1, 1, 1)
    shown = decoded(clip)[0]
    for number, colour in enumerate(COLOURS):
        assert np.abs(shown[32, number * 24 + 12].astype(int) - colour).max() <= 3


def test_the_picture_is_preserved() -> None:
    made = frames(9)
    error = np.stack(decoded(mp4(made, 8, {}))).astype(float) - made
    # Most of this noise's loss is colour resolution (yuv420p), which does not affect luma.
    luma = error @ (0.2126, 0.7152, 0.0722)
    assert 10 * np.log10(255**2 / np.mean(luma**2)) > 35


def test_codec_parameters_do_not_depend_on_length_content_or_settings() -> None:
    flat = mp4(np.zeros((1, 64, 96, 3), np.uint8), 8, {})
    other = mp4(frames(49), 8, {}, Export(crf=30, splice_seconds=1))
    assert probe(flat).extradata == probe(other).extradata


def test_the_same_frames_give_the_same_bytes() -> None:
    made = frames(25)
    clips = {hashlib.sha256(mp4(made, 8, {"seed": "1"})).hexdigest() for _ in range(20)}
    assert len(clips) == 1
    assert mp4(frames(25, seed=1), 8, {"seed": "1"}) != mp4(made, 8, {"seed": "1"})


def test_metadata_can_be_read_back() -> None:
    prompt = "Eine Biene ☃ fliegt;\nzwei = Zeilen \\ und # Zeichen."
    said = {"engine": "cogvideox", "model": "nano", "seed": "7", "prompt": prompt}
    clip = mp4(frames(9), 8, said)
    assert probe(clip).metadata.items() >= said.items()


def test_size_must_be_even() -> None:
    with pytest.raises(av.FFmpegError):
        mp4(frames(3, width=95, height=63), 8, {})
