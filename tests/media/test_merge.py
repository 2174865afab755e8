import struct
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from containers.diffusion.export import mp4 as exported
from lambdas.domain.errors import ClipsDiffer, ClipUnreadable, MediaError
from lambdas.media.join import join
from lambdas.media.mp4.clip import read_clip
from lambdas.media.mp4.merge import Chapter, Piece, lay_out
from lambdas.media.mp4.tables import read_track
from lambdas.media.source import BytesSource, FileSource
from tests.media.clips import (
    clip,
    decoded,
    nal_types,
    pictures,
    reordered_clip,
    shown_seconds,
    sound_only,
    top_level_boxes,
)

SAID = {"title": "Film ü", "description": "Two scenes", "comment": "Draft", "reelworks_engine": "animatic"}
BOTH_FORMS = pytest.mark.parametrize("fragmented", [False, True])


def of(*clips: bytes) -> list[Piece]:
    return [Piece(BytesSource(data), index) for index, data in enumerate(clips)]


def merged(*pieces: Piece, **more: Any) -> bytes:
    layout = lay_out(pieces, **{"metadata": SAID} | more)
    film = b"".join(layout.stream())
    assert len(film) == layout.size
    return film


def joined(*clips: bytes) -> bytes:
    output = BytesIO()
    join(clips, output, metadata=SAID)
    return output.getvalue()


@cache
def engine_clip(count: int, seed: int = 0) -> bytes:
    """Export as an engine server does: no B-frames, keyframes half a second from both ends."""
    return exported(np.stack(list(pictures(count, seed=seed))), 8, {})


@cache
def reordered(count: int, seed: int = 0) -> bytes:
    return reordered_clip(count, seed=seed)


def foreign_clip(count: int, *, codec: str = "libx264", pix_fmt: str = "yuv420p", **options: str) -> bytes:
    output = BytesIO()
    with av.open(output, "w", format="mp4") as container:
        track = container.add_stream(codec, rate=8, options=options)
        track.width, track.height, track.pix_fmt = 96, 64, pix_fmt
        for picture in pictures(count):
            container.mux(track.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(track.encode())
    return output.getvalue()


@cache
def sound(seconds: int) -> bytes:
    output = BytesIO()
    with av.open(output, "w", format="mp4") as container:
        track = container.add_stream("aac", rate=16_000, layout="mono")
        noise = np.random.default_rng(0).normal(0, 0.1, (1, seconds * 16_000)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(noise, "fltp", "mono")
        frame.sample_rate = 16_000
        container.mux(track.encode(frame))
        container.mux(track.encode())
    return output.getvalue()


def timed_text(*cues: tuple[int, int, str]) -> bytes:
    """Return start and duration in ms."""
    output = BytesIO()
    with av.open(output, "w", format="mp4") as container:
        track = container.add_stream("mov_text")
        track.codec_context.subtitle_header = b"[Script Info]\n"
        track.time_base = Fraction(1, 1000)
        for start, duration, text in cues:
            packet = av.Packet(struct.pack(">H", len(text)) + text.encode())
            packet.stream, packet.time_base = track, Fraction(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = duration
            container.mux(packet)
    return output.getvalue()


def sounds(film: bytes) -> list[tuple[Fraction, Any]]:
    with av.open(BytesIO(film)) as container:
        return [(frame.pts * frame.time_base, frame.to_ndarray()) for frame in container.decode(audio=0)]


def same(frames: list[Any], others: list[Any]) -> bool:
    return all(np.array_equal(*pair) for pair in zip(frames, others, strict=True))


def packets(film: bytes, kind: str) -> Iterator[av.Packet]:
    with av.open(BytesIO(film)) as container:
        (stream,) = (stream for stream in container.streams if stream.type == kind)
        for packet in container.demux(stream):
            if packet.size:
                yield packet


@BOTH_FORMS
@pytest.mark.parametrize("made", [reordered, engine_clip])
@pytest.mark.parametrize("lengths", [[9], [20, 1, 9, 18], [3 + index % 5 for index in range(20)]])
def test_a_merged_film_equals_one_joined_packet_by_packet(
    lengths: list[int], made: Any, fragmented: bool
) -> None:
    clips = [made(length, index) for index, length in enumerate(lengths)]
    film = merged(*of(*clips), fragmented=fragmented)
    assert same(decoded(film), decoded(joined(*clips)))
    assert shown_seconds(film) == [Fraction(index, 8) for index in range(sum(lengths))]


def test_the_layout_describes_the_film() -> None:
    layout = lay_out(of(clip(9), clip(4)), metadata={})
    assert (layout.frames, layout.fps, layout.width, layout.height) == (13, 8, 96, 64)


def test_boxes_of_a_film() -> None:
    assert top_level_boxes(merged(*of(clip(3)))) == ["ftyp", "moov", "mdat"]
    boxes = top_level_boxes(merged(*of(engine_clip(40), engine_clip(40)), fragmented=True))
    assert boxes[:3] == ["ftyp", "moov", "sidx"]
    assert boxes[3:] == ["moof", "mdat"] * (len(boxes[3:]) // 2)
    assert len(boxes) > 5


@BOTH_FORMS
def test_a_merged_film_can_be_merged_as_a_clip(fragmented: bool) -> None:
    film = merged(*of(clip(9), clip(9)), sound=BytesSource(sound(2)))
    again = merged(*of(film, clip(9)), fragmented=fragmented)
    assert same(decoded(again), decoded(film) + decoded(clip(9)))


@pytest.mark.parametrize("fps", [24, Fraction(30_000, 1001)])
def test_a_thousand_clips_do_not_drift(fps: Fraction) -> None:
    small = clip(2, width=64, height=48, fps=fps)
    film = merged(*of(*[small] * 1000))
    shown = sorted(packet.pts * packet.time_base for packet in packets(film, "video"))
    assert shown == [index / Fraction(fps) for index in range(2000)]
    with av.open(BytesIO(film)) as container:
        track = container.streams.video[0]
        assert track.duration * track.time_base == 2000 / Fraction(fps)


def test_clips_with_and_without_reordered_frames_share_one_delay() -> None:
    plain, late = engine_clip(9), reordered(9)
    for film in (merged(*of(plain, late, plain)), merged(*of(late, plain, late))):
        assert shown_seconds(film) == [Fraction(index, 8) for index in range(27)]
        times = [packet.dts for packet in packets(film, "video")]
        assert {after - before for before, after in pairwise(times)} == {times[1] - times[0]}


@BOTH_FORMS
def test_clips_of_other_encoders_have_in_band_parameter_sets(fragmented: bool) -> None:
    ours, theirs = reordered(20), engine_clip(20)
    setups = [read_clip(BytesSource(data)).setup for data in (ours, theirs)]
    assert setups[0].avcc != setups[1].avcc
    # The first clip's parameter sets must be repeated: by then the decoder has the second's.
    film = merged(*of(ours, theirs, ours), fragmented=fragmented)
    assert same(decoded(film), decoded(ours) + decoded(theirs) + decoded(ours))
    assert shown_seconds(film) == [Fraction(index, 8) for index in range(60)]
    starts = [read_clip(BytesSource(data)).keyframes(0, 20) for data in (ours, theirs, ours)]
    assert nal_types(film).count(7) == sum(map(len, starts))


def test_equal_clips_are_copied_unchanged() -> None:
    assert 7 not in nal_types(merged(*of(clip(9), clip(9, seed=1))))


def test_a_film_with_parameter_sets_in_band_can_be_decoded_from_any_clip() -> None:
    ours, theirs = reordered(9), engine_clip(9)
    film = merged(*of(ours, theirs, ours))
    with av.open(BytesIO(film)) as container:
        track = container.streams.video[0]
        for second, number in ((Fraction(18, 8), 18), (Fraction(9, 8), 9), (Fraction(0), 0)):
            container.seek(int(second / track.time_base), stream=track)
            frame = next(container.decode(track))
            assert frame.pts * frame.time_base == second
            assert np.array_equal(frame.to_ndarray(format="rgb24"), decoded(film)[number])


def test_pieces_are_cut_at_keyframes() -> None:
    data = engine_clip(20)
    source = BytesSource(data)
    assert read_clip(source).keyframes(0, 20) == [0, 4, 16]
    film = merged(Piece(source, 0, 4, 16), Piece(source, 0, 16), Piece(source, 0, 0, 3))
    frames = decoded(data)
    assert same(decoded(film), frames[4:16] + frames[16:] + frames[:3])


def test_pieces_of_a_clip_with_reordered_frames_are_cut_at_keyframes() -> None:
    data = reordered(36)
    source = BytesSource(data)
    assert read_clip(source).keyframes(0, 36) == [0, 16, 32]
    film = merged(Piece(source, 0, 16, 32), Piece(source, 0, 0, 16))
    frames = decoded(data)
    assert same(decoded(film), frames[16:32] + frames[:16])
    assert shown_seconds(film) == [Fraction(index, 8) for index in range(32)]


@pytest.mark.parametrize(
    ("start", "stop", "what"),
    [
        (1, 9, "frame 1 is not a keyframe"),
        (0, 21, "frames 0 to 21 are outside the clip's 20"),
        (4, 4, "frames 4 to 4 are outside the clip's 20"),
    ],
)
def test_a_piece_that_cannot_be_cut_is_an_error_of_the_caller(start: int, stop: int, what: str) -> None:
    with pytest.raises(ValueError, match=f"clip 3: {what}"):
        merged(Piece(BytesSource(engine_clip(20)), 3, start, stop))


def test_a_piece_does_not_end_where_its_frames_are_reordered() -> None:
    source, frames = BytesSource(reordered(16)), decoded(reordered(16))
    shown = list(read_clip(source).shown)
    whole = {stop for stop in range(1, 17) if max(shown[:stop]) == stop - 1}
    assert 1 < len(whole) < 16
    for stop in range(1, 17):
        if stop in whole:
            assert same(decoded(merged(Piece(source, 0, 0, stop))), frames[:stop])
        else:
            with pytest.raises(ValueError, match="whole groups of pictures"):
                merged(Piece(source, 0, 0, stop))


@BOTH_FORMS
def test_sound_plays_as_long_as_the_pictures(fragmented: bool) -> None:
    alone = sound(3)
    film = merged(*of(clip(9), clip(9)), sound=BytesSource(alone), fragmented=fragmented)
    heard, expected = sounds(film), sounds(alone)
    assert [time for time, _ in heard] == [time for time, _ in expected][: len(heard)]
    frames = 18 * 16_000 // 8 // 1024  # whole ones within the film
    assert same([samples for _, samples in heard][:frames], [samples for _, samples in expected][:frames])
    assert frames <= len(heard) <= frames + 2


def test_sound_and_pictures_have_the_same_duration() -> None:
    film = merged(*of(clip(9), clip(9)), sound=BytesSource(sound(3)))
    for what, handler in (("sound", b"soun"), ("video", b"vide")):
        edit = read_track(BytesSource(film), what, handler).edit
        assert edit is not None
        assert edit.seconds == Fraction(18, 8)


def test_sound_and_pictures_are_interleaved() -> None:
    film = merged(*of(*[clip(9)] * 4), sound=BytesSource(sound(4)))
    picture = read_track(BytesSource(film), "video", b"vide")
    heard = read_track(BytesSource(film), "sound", b"soun")
    order = sorted([(at, "p") for _, at in picture.chunks] + [(at, "s") for _, at in heard.chunks])
    assert "".join(kind for _, kind in order)[:8] == "pspspsps"


@BOTH_FORMS
def test_captions_can_be_read_back_with_their_times(fragmented: bool) -> None:
    source = BytesSource(timed_text((0, 500, "Hello"), (500, 250, ""), (750, 1500, "World")))
    film = merged(*of(clip(18)), captions=[source], fragmented=fragmented)
    seen = [
        (packet.pts * packet.time_base, packet.duration * packet.time_base, bytes(packet)[2:])
        for packet in packets(film, "subtitle")
        if len(bytes(packet)) > 2
    ]
    assert seen == [(0, Fraction(1, 2), b"Hello"), (Fraction(3, 4), Fraction(3, 2), b"World")]


@BOTH_FORMS
def test_chapters_can_be_read_back(fragmented: bool) -> None:
    marks = [Chapter(Fraction(0), "One"), Chapter(Fraction(9, 8), "Zwei ü" * 100)]
    film = merged(*of(clip(9), clip(9)), chapters=marks, fragmented=fragmented)
    with av.open(BytesIO(film)) as container:
        found = [
            (part["start"] * part["time_base"], part["end"] * part["time_base"], part["metadata"]["title"])
            for part in container.chapters()
        ]
    assert [(start, end) for start, end, _ in found] == [
        (0, Fraction(9, 8)),
        (Fraction(9, 8), Fraction(18, 8)),
    ]
    assert found[0][2] == "One"
    assert found[1][2].startswith("Zwei ü")


@pytest.mark.parametrize("starts", [[1], [0, 0], [0, 2]])
def test_chapters_ascend_from_the_start_to_before_the_end(starts: list[int]) -> None:
    marks = [Chapter(Fraction(start), "Part") for start in starts]
    with pytest.raises(ValueError, match="chapters must ascend"):
        lay_out(of(clip(16)), chapters=marks, metadata={})


@BOTH_FORMS
def test_metadata_matches_the_other_muxer_s(fragmented: bool) -> None:
    own = {"major_brand", "minor_version", "compatible_brands", "encoder"}
    found = []
    for film in (joined(clip(3)), merged(*of(clip(3)), fragmented=fragmented)):
        with av.open(BytesIO(film)) as container:
            found.append({key: value for key, value in container.metadata.items() if key not in own})
    assert found[0] == found[1] == SAID


@BOTH_FORMS
def test_colours_are_tagged(fragmented: bool) -> None:
    with av.open(BytesIO(merged(*of(clip(3)), fragmented=fragmented))) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (
            1,
            1,
            1,
            1,
        )


@settings(deadline=None, max_examples=60)
@given(data=st.data(), fragmented=st.booleans())
def test_the_film_streams_from_any_byte(data: st.DataObject, fragmented: bool) -> None:
    layout, film = _three_tracks(fragmented)
    offset = data.draw(st.integers(0, layout.size))
    assert b"".join(layout.stream(offset)) == film[offset:]


@cache
def _three_tracks(fragmented: bool) -> tuple[Any, bytes]:
    layout = lay_out(
        of(reordered(20), engine_clip(20), reordered(20)),
        sound=BytesSource(sound(7)),
        captions=[BytesSource(timed_text((0, 500, "Hello"), (2000, 1500, "World")))],
        chapters=[Chapter(Fraction(0), "One"), Chapter(Fraction(3), "Two")],
        metadata=SAID,
        fragmented=fragmented,
    )
    return layout, b"".join(layout.stream())


def test_nothing_can_be_read_after_the_last_byte() -> None:
    layout = lay_out(of(clip(3)), metadata={})
    assert list(layout.stream(layout.size)) == []
    with pytest.raises(ValueError):
        next(layout.stream(layout.size + 1))


class Recorded(BytesSource):
    """Record which ranges are read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads: list[str] = []

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append("read")
        return super().read(offset, length)

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        self.reads.append("stream")
        return super().stream(offset, length)


@BOTH_FORMS
def test_a_clip_costs_one_request_for_its_index_and_one_for_its_frames(fragmented: bool) -> None:
    source, heard = Recorded(engine_clip(40)), Recorded(sound(4))
    merged(Piece(source, 0), sound=heard, fragmented=fragmented)
    assert source.reads == ["read", "stream"]
    assert heard.reads.count("stream") == 1


class Giant(BytesSource):
    """An MP4 with a gigabyte of zeros after its index."""

    def __init__(self, index: bytes, zeros: int) -> None:
        super().__init__(index)
        self._index, self.size = len(index), len(index) + zeros

    def read(self, offset: int, length: int) -> bytes:
        return b"".join(self.stream(offset, length))

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        inside = max(0, min(length, self._index - offset))
        yield self._data[offset : offset + inside]
        while inside < length:
            yield bytes(min(1 << 20, length - inside))
            inside += min(1 << 20, length - inside)


def test_a_film_beyond_4_gib_has_offsets_of_64_bits() -> None:
    film = merged(*of(clip(4)))
    # Its frames become 300 MB each; boxes before `mdat` keep their position.
    moov, at = film.index(b"mdat") - 4, film.index(b"stsz") + 16
    index = bytearray(film[:moov] + struct.pack(">I4s", 8 + 4 * 300_000_000, b"mdat"))
    index[at : at + 16] = struct.pack(">4I", *[300_000_000] * 4)
    source = Giant(bytes(index), 4 * 300_000_000)
    layout = lay_out([Piece(source, number) for number in range(4)], metadata={})
    assert layout.size > 16 * 300_000_000
    made = Giant(next(layout.stream()), layout.size - len(next(layout.stream())))
    track = read_track(made, "video", b"vide")
    assert [*track.ranges(15, 16)] == [(layout.size - 300_000_000, 300_000_000)]


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (lambda: clip(3, width=64), r"its size is \(64, 64\); clip 0's is \(96, 64\)"),
        (lambda: clip(3, fps=16), "its fps is 16; clip 0's is 8"),
        (lambda: foreign_clip(3, profile="main"), "its profile is 77; clip 0's is 100"),
        (lambda: foreign_clip(3, **{"x264-params": "colorprim=bt2020"}), "its colour is"),
        (lambda: foreign_clip(3, **{"x264-params": "sar=4/3"}), r"its aspect ratio is \(4, 3\)"),
        (lambda: foreign_clip(3, pix_fmt="yuv444p"), "its profile is 244"),
        (lambda: foreign_clip(3, codec="mpeg4"), "its codec is 'mp4v'; expected 'avc1'"),
        (lambda: merged(*of(clip(3)), fragmented=True), "it is fragmented"),
        (lambda: merged(*of(reordered(3), engine_clip(3))), "its codec is 'avc3'"),
    ],
)
def test_a_clip_that_needs_re_encoding_is_named(other: Any, what: str) -> None:
    with pytest.raises(ClipsDiffer, match=f"clip 2.*{what}") as refusal:
        lay_out(of(clip(3), clip(3), other()), metadata={})
    assert refusal.value.clip == 2


@pytest.mark.parametrize(
    "broken", [b"", b"abc", b"no video at all", clip(9)[:-40], clip(9)[:400], sound_only()]
)
def test_an_unreadable_clip_is_named(broken: bytes) -> None:
    with pytest.raises(ClipUnreadable, match="clip 1: ") as refusal:
        lay_out(of(clip(3), broken, clip(3)), metadata={})
    assert refusal.value.clip == 1


def test_a_clip_that_shrinks_while_it_is_copied_is_named(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip(9))
    layout = lay_out([Piece(BytesSource(clip(3)), 0), Piece(FileSource(path), 1)], metadata={})
    path.write_bytes(clip(9)[:-40])
    with pytest.raises(ClipUnreadable, match="clip 1: truncated") as refusal:
        list(layout.stream())
    assert refusal.value.clip == 1


def test_invalid_sound_is_named() -> None:
    with pytest.raises(ClipUnreadable, match="sound: it has no sound track"):
        lay_out(of(clip(3)), sound=BytesSource(clip(3)), metadata={})


def test_no_pieces_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one"):
        lay_out([], metadata={})


def test_a_merge_loads_neither_pyav_nor_numpy() -> None:
    """Loading them takes longer than a merge does."""
    loaded = "import lambdas.media.mp4.merge, sys; print({'av', 'numpy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", loaded]) == b"set()\n"


EXTREMES = [struct.pack(">I", value) for value in (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)]


_TO_BREAK = [reordered(20), engine_clip(20)]


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_mutated_clip_is_merged_or_rejected(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from(_TO_BREAK))
    mutated = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, whole.index(b"mdat")))
        change = data.draw(st.sampled_from(EXTREMES) | st.binary(min_size=1, max_size=4))
        mutated[at : at + len(change)] = change
    cut = data.draw(st.none() | st.integers(0, len(whole)))
    try:
        layout = lay_out(of(_TO_BREAK[0], bytes(mutated[:cut])), metadata={})
    except MediaError as error:
        blamed = error.clip
    else:
        blamed = 1
        assert sum(map(len, layout.stream())) == layout.size < 4 * len(whole)
    assert blamed == 1
