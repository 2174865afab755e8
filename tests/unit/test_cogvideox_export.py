import hashlib
from fractions import Fraction

import av
import numpy as np
import pytest

from containers.cogvideox.export import mp4
from lambdas.media.probe import probe
from tests.unit.clips import decoded, decoded_frames, pictures, shown_seconds, top_level_boxes

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


def test_a_clip_starts_with_its_only_keyframe() -> None:
    shown = decoded_frames(mp4(frames(49), 8, {}))
    assert [frame.key_frame for frame in shown] == [True] + [False] * 48


def test_the_index_comes_first() -> None:
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
    shown = decoded(clip)[0]
    for number, colour in enumerate(COLOURS):
        assert np.abs(shown[32, number * 24 + 12].astype(int) - colour).max() <= 3


def test_the_picture_is_kept() -> None:
    made = frames(9)
    error = np.stack(decoded(mp4(made, 8, {}))).astype(float) - made
    # Most of what is lost of this noise is its colour resolution (yuv420p), which luma does not have.
    luma = error @ (0.2126, 0.7152, 0.0722)
    assert 10 * np.log10(255**2 / np.mean(luma**2)) > 35


def test_codec_parameters_do_not_depend_on_length_or_content() -> None:
    flat = mp4(np.zeros((1, 64, 96, 3), np.uint8), 8, {})
    assert probe(flat).extradata == probe(mp4(frames(49), 8, {})).extradata


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
