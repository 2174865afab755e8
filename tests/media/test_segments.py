from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from io import BytesIO

import av
import numpy as np
import pytest

from containers.diffusion.export import Export, mp4
from lambdas.domain.errors import ClipsDiffer, ClipUnreadable
from lambdas.media.encode import splice_points
from lambdas.media.mp4.clip import Clip, read_clip
from lambdas.media.segments import decode, encode_segment, ends, starts
from lambdas.media.source import BytesSource
from tests.media.clips import clip, decoded_frames, pictures


def read(mp4: bytes) -> Clip:
    return read_clip(BytesSource(mp4))


def with_b_frames(count: int, **options: str) -> bytes:
    """Encode a keyframe every 8 frames, with frames between in the order I P B P B …"""
    output = BytesIO()
    with av.open(output, "w", format="mp4") as container:
        parameters = {"bf": "1", "x264-params": "b-adapt=0:scenecut=0:threads=1"}
        track = container.add_stream("libx264", rate=8, options=parameters | options)
        track.width, track.height, track.pix_fmt, track.gop_size = 96, 64, "yuv420p", 8
        for pixels in pictures(count):
            container.mux(track.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(track.encode())
    return output.getvalue()


class Counting(BytesSource):
    """Count the bytes read."""

    taken = 0

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        self.taken += length
        return super().stream(offset, length)


@pytest.mark.parametrize("make", [clip, with_b_frames])
@pytest.mark.parametrize(("start", "stop"), [(0, 20), (0, 1), (3, 11), (7, 9), (16, 20), (19, 20), (5, 5)])
def test_the_requested_frames(make: type[object], start: int, stop: int) -> None:
    file = make(20)
    expected = [frame.to_ndarray() for frame in decoded_frames(file)][start:stop]
    found = [frame.to_ndarray() for frame in decode(BytesSource(file), read(file), start, stop)]
    np.testing.assert_array_equal(found, expected)


def test_decoding_begins_at_the_last_keyframe() -> None:
    file = mp4(np.stack(list(pictures(24))), 8, {})
    source, clip = Counting(file), read(file)
    list(decode(source, clip, 21, 23))
    assert source.taken == sum(clip.track.sizes[20:23])


def test_where_a_copied_part_can_begin_and_end() -> None:
    without, with_b = read(mp4(np.stack(list(pictures(24))), 8, {})), read(with_b_frames(20))
    assert (starts(without), ends(without)) == ([0, 4, 20], list(range(25)))
    assert starts(with_b) == [0, 8, 16]
    assert set(ends(with_b)) >= {0, 1, 3, 5, 8, 16, 20}
    # Frame 1 is decoded after frame 2.
    assert 2 not in ends(with_b)


def test_decoding_does_not_begin_in_an_open_group_of_pictures() -> None:
    file = with_b_frames(
        20, **{"x264-params": "open-gop=1:b-adapt=0:scenecut=0:threads=1:keyint=8:min-keyint=8"}
    )
    assert starts(read(file)) == [0]
    assert read(file).keyframes(0, 20) == [0, 7, 15]
    with pytest.raises(ValueError, match="must be whole groups"):
        read(file).cut(7, None)
    found = [frame.to_ndarray() for frame in decode(BytesSource(file), read(file), 14, 20)]
    np.testing.assert_array_equal(found, [frame.to_ndarray() for frame in decoded_frames(file)][14:])


@pytest.mark.parametrize(
    ("width", "height", "fps"), [(64, 48, 8), (720, 480, 8), (1360, 768, 16), (1280, 720, 24)]
)
def test_headers_equal_the_engines_byte_for_byte(width: int, height: int, fps: int) -> None:
    engine = read(mp4(np.zeros((2, height, width, 3), np.uint8), fps, {}))
    draft = clip(1, width=width, height=height, fps=fps)
    segment = encode_segment(decoded_frames(draft), engine)
    assert engine.setup.avcc == read(segment).setup.avcc == read(draft).setup.avcc


@pytest.mark.parametrize("frames", [1, 8, 9, 49, 161])
def test_keyframes_for_splicing_match_the_engines(frames: int) -> None:
    assert splice_points(frames, Fraction(16)) == Export().keyframes(frames, 16)


@pytest.mark.parametrize("profile", ["baseline", "main", "high"])
def test_a_segment_has_the_size_rate_profile_and_colours_of_its_clip(profile: str) -> None:
    original = with_b_frames(5, profile=profile, bf="0")
    like = replace(read(original), fps=Fraction(30000, 1001))
    segment = read(encode_segment(decoded_frames(original), like))
    assert (segment.picture, segment.fps) == (like.picture, like.fps)


def test_no_frame_is_dropped_or_typed_by_its_former_encoding() -> None:
    frames = decoded_frames(with_b_frames(20))
    segment = encode_segment(iter(frames), read(clip(1)))
    assert len(decoded_frames(segment)) == 20
    assert starts(read(segment)) == [0, 16]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"colour": (1, 1, 1, True)}, "must be progressive, limited-range yuv420p"),
        ({"profile": 110}, "profile must be baseline, main or high; got 110"),
    ],
)
def test_other_kinds_of_pictures_are_rejected(change: dict[str, object], why: str) -> None:
    file = clip(1)
    kind = replace(read(file), picture=replace(read(file).picture, **change))
    with pytest.raises(ClipsDiffer, match=why):
        list(decode(BytesSource(file), kind, 0, 1))


def test_false_headers_are_detected() -> None:
    small, large = clip(3), clip(3, width=128)
    with pytest.raises(ClipUnreadable, match="frame 0 can't be decoded"):
        list(decode(BytesSource(small), replace(read(small), setup=read(large).setup), 0, 1))
    with pytest.raises(ClipUnreadable, match="frame 0 differs from the clip's size; got 96x64"):
        list(decode(BytesSource(small), replace(read(small), picture=read(large).picture), 0, 1))
