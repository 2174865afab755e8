from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest

from lambdas.domain.errors import ClipsDiffer, ClipUnreadable
from lambdas.media.join import join
from lambdas.media.probe import probe
from tests.media.clips import clip, decoded, pictures, shown_seconds, sound_only, top_level_boxes


def joined(*clips: bytes) -> bytes:
    output = BytesIO()
    join(clips, output, metadata={"title": "Film", "reelworks_video": "v1"})
    return output.getvalue()


@pytest.mark.parametrize("lengths", [[9], [9, 9], [1, 9, 4], [3 + index % 5 for index in range(40)]])
def test_a_film_has_exactly_its_clips_frames_and_length(lengths: list[int]) -> None:
    clips = [clip(length, seed=index) for index, length in enumerate(lengths)]
    film = joined(*clips)
    assert probe(film).frames == sum(lengths)
    assert probe(film).duration == Fraction(sum(lengths), 8)
    assert shown_seconds(film) == [Fraction(index, 8) for index in range(sum(lengths))]
    expected = [frame for part in clips for frame in decoded(part)]
    assert all(np.array_equal(*pair) for pair in zip(decoded(film), expected, strict=True))


def test_header_durations_do_not_drift() -> None:
    # 24 fps: 7 frames are 291.67 ms, which a time scale of milliseconds could not hold.
    film = joined(*[clip(7, fps=24) for _ in range(30)])
    with av.open(BytesIO(film)) as container:
        track = container.streams.video[0]
        assert track.duration * track.time_base == Fraction(210, 24)
        assert container.duration == 8_750_000


def test_a_film_is_fast_start_and_keeps_metadata() -> None:
    film = joined(clip(3), clip(3))
    boxes = top_level_boxes(film)
    assert boxes.index("moov") < boxes.index("mdat")
    assert probe(film).metadata["reelworks_video"] == "v1"
    assert probe(film).metadata["title"] == "Film"


def test_returns_the_film_and_reads_paths_and_open_files(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(clip(3))
    with (tmp_path / "film.mp4").open("w+b") as output:
        info = join([tmp_path / "a.mp4", BytesIO(clip(4)), clip(5)], output, metadata={})
    assert info == probe(tmp_path / "film.mp4")
    assert info.frames == 12


def test_clips_with_different_reordering_are_joined() -> None:
    def made(bframes: str) -> bytes:
        output = BytesIO()
        with av.open(output, "w", format="mp4") as container:
            track = container.add_stream("mpeg4", rate=8, options={"bf": bframes})
            track.width, track.height, track.pix_fmt = 96, 64, "yuv420p"
            for picture in pictures(9):
                container.mux(track.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(track.encode())
        return output.getvalue()

    plain, reordered = made("0"), made("2")
    assert probe(reordered).delay > probe(plain).delay
    # Their extradata differ, so the two are never joined to each other; each joins to itself.
    for part in (plain, reordered):
        assert shown_seconds(joined(part, part)) == [Fraction(index, 8) for index in range(18)]


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (lambda: clip(3, width=64), "its size is 64x64; clip 0's is 96x64"),
        (lambda: clip(3, fps=16), "its fps is 16; clip 0's is 8"),
    ],
)
def test_a_clip_that_differs_is_named(other: Callable[[], bytes], what: str) -> None:
    output = BytesIO()
    with pytest.raises(ClipsDiffer, match="clip 2") as refusal:
        join([clip(3), clip(3), other()], output, metadata={})
    assert what in str(refusal.value)
    assert refusal.value.clip == 2
    assert output.getvalue() == b""


@pytest.mark.parametrize(
    ("codec", "options", "pix_fmt", "what"),
    [
        ("mpeg4", {}, "yuv420p", "codec is mpeg4; clip 0's is h264"),
        ("libx264", {}, "yuv444p", "pixel format is yuv444p; clip 0's is yuv420p"),
        ("libx264", {"preset": "slow"}, "yuv420p", "codec parameters"),
    ],
)
def test_clips_of_another_encoder_are_named(
    codec: str, options: dict[str, str], pix_fmt: str, what: str
) -> None:
    foreign = BytesIO()
    with av.open(foreign, "w", format="mp4") as container:
        track = container.add_stream(codec, rate=8, options=options)
        track.width, track.height, track.pix_fmt = 96, 64, pix_fmt
        for picture in pictures(3):
            container.mux(track.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(track.encode())
    with pytest.raises(ClipsDiffer, match=what) as refusal:
        joined(clip(3), foreign.getvalue())
    assert refusal.value.clip == 1


@pytest.mark.parametrize("broken", [b"", clip(9)[:-40], b"no video", sound_only()])
def test_an_unreadable_clip_is_named(broken: bytes) -> None:
    with pytest.raises(ClipUnreadable, match="clip 1: ") as refusal:
        joined(clip(3), broken, clip(3))
    assert refusal.value.clip == 1


def test_no_clips_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one"):
        joined()
