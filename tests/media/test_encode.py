from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from lambdas.media.encode import encode
from lambdas.media.probe import probe
from tests.media.clips import clip, decoded, decoded_frames, pictures, shown_seconds, top_level_boxes


@pytest.mark.parametrize(
    ("count", "width", "height", "fps"),
    [(1, 64, 48, 8), (9, 96, 64, 8), (49, 64, 48, 24), (7, 48, 64, Fraction(30000, 1001))],
)
def test_frames_size_fps_and_duration_are_exact(
    count: int, width: int, height: int, fps: int | Fraction
) -> None:
    mp4 = clip(count, width=width, height=height, fps=fps)
    info = probe(mp4)
    assert (info.width, info.height, info.frames, info.fps) == (width, height, count, fps)
    assert info.duration == Fraction(count) / fps
    assert (info.codec, info.pix_fmt, info.has_audio) == ("h264", "yuv420p", False)
    assert shown_seconds(mp4) == [Fraction(index) / fps for index in range(count)]


def test_the_same_frames_give_the_same_bytes() -> None:
    # A gradient with moving specks: x264's mbtree was observed to encode it in several ways.
    ground = np.linspace(20, 90, 160)[None, :, None] + np.linspace(0, 60, 90)[:, None, None]
    specks = np.random.default_rng(0).integers(0, 90, (90, 160, 3))
    frames = [
        (ground + np.roll(specks, 3 * shift, axis=0) * (specks > 84)).astype(np.uint8) for shift in range(8)
    ]
    made = {encode(frames, width=160, height=90, fps=8, metadata={}) for _ in range(25)}
    assert len(made) == 1
    assert clip(20, seed=1) != clip(20, seed=2)


def test_codec_parameters_do_not_depend_on_content_or_length() -> None:
    flat = encode(np.zeros((3, 64, 96, 3), np.uint8), width=96, height=64, fps=8, metadata={})
    assert probe(flat).extradata == probe(clip(40)).extradata


def test_index_comes_before_the_data() -> None:
    boxes = top_level_boxes(clip(5))
    assert boxes.index("moov") < boxes.index("mdat")


def test_metadata_is_kept_with_custom_keys() -> None:
    mp4 = encode(
        pictures(2),
        width=96,
        height=64,
        fps=8,
        metadata={"reelworks_draft": "true", "title": "Biene auf Blüte"},
    )
    assert probe(mp4).metadata["reelworks_draft"] == "true"
    assert probe(mp4).metadata["title"] == "Biene auf Blüte"


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 160, 80), (40, 40, 220), (255, 255, 255), (0, 0, 0)])
def test_colours_survive_and_are_tagged_bt709(colour: tuple[int, int, int]) -> None:
    flat = np.full((3, 64, 96, 3), colour, np.uint8)
    mp4 = encode(flat, width=96, height=64, fps=8, metadata={})
    assert np.abs(decoded(mp4)[1].astype(int) - colour).max() <= 4
    frame = decoded_frames(mp4)[0]
    assert (frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries) == (1, 1, 1, 1)


def test_first_frame_is_a_keyframe_and_every_two_seconds_one() -> None:
    keys = [index for index, frame in enumerate(decoded_frames(clip(40))) if frame.key_frame]
    assert keys[0] == 0
    assert all(later - earlier <= 16 for earlier, later in pairwise(keys))


def test_invalid_input_is_rejected() -> None:
    with pytest.raises(ValueError, match="even"):
        clip(1, width=97)
    with pytest.raises(ValueError, match="at least one frame is required"):
        encode([], width=96, height=64, fps=8, metadata={})
    with pytest.raises(ValueError, match="frame 0 must have shape"):
        encode(pictures(1), width=64, height=64, fps=8, metadata={})


def test_keyframes_at_requested_positions() -> None:
    frames = pictures(20)
    mp4 = encode(frames, width=96, height=64, fps=8, metadata={}, keyframes={3, 9})
    assert [index for index, frame in enumerate(decoded_frames(mp4)) if frame.key_frame] == [0, 3, 9]
