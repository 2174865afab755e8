import numpy as np
import pytest
from av.video.frame import VideoFrame

from lambdas.domain.assembly import Transition, TransitionKind
from lambdas.media.transitions import WIPE_EDGE, mixed, transition
from tests.media.clips import Pixels

WIDTH, HEIGHT = 32, 8
BLACK = (16, 128, 128)


def flat(luma: int, u: int, v: int) -> VideoFrame:
    planes = np.empty((HEIGHT * 3 // 2, WIDTH), np.uint8)
    planes[:HEIGHT] = luma
    planes[HEIGHT : HEIGHT + HEIGHT // 4] = u
    planes[HEIGHT + HEIGHT // 4 :] = v
    return VideoFrame.from_ndarray(planes, "yuv420p")


def colours(frame: VideoFrame) -> set[tuple[int, int, int]]:
    """For all pixels, at the size of the chroma planes."""
    luma, u, v = (plane(frame, index) for index in range(3))
    return set(zip(luma[::2, ::2].flat, u.flat, v.flat, strict=True))


def plane(frame: VideoFrame, index: int) -> Pixels:
    """From the decoder's own view of the frame."""
    source = frame.planes[index]
    rows = np.frombuffer(source, np.uint8).reshape(source.height, source.line_size)
    return rows[:, : source.width]


def made(kind: TransitionKind, frames: int, first: VideoFrame, second: VideoFrame) -> list[VideoFrame]:
    between = Transition(kind, frames)
    return list(transition(between, [first] * between.tail, [second] * between.head))


def test_a_crossfade_goes_in_equal_steps_and_shows_neither_picture_alone() -> None:
    found = made(TransitionKind.CROSSFADE, 3, flat(20, 40, 240), flat(220, 200, 0))
    assert [colours(frame) for frame in found] == [{(70, 80, 180)}, {(120, 120, 120)}, {(170, 160, 60)}]


def test_a_fade_ends_the_first_clip_in_black_and_starts_the_second_after_it() -> None:
    white, red = (235, 128, 128), (63, 102, 240)
    found = made(TransitionKind.FADE, 4, flat(*white), flat(*red))
    assert colours(found[1]) == {BLACK}
    assert [next(iter(colours(frame)))[0] for frame in found] == [126, 16, 32, 47]
    assert colours(found[3]) == {(47, 111, 203)}


@pytest.mark.parametrize(("frames", "tail", "head"), [(1, 1, 0), (2, 1, 1), (5, 3, 2)])
def test_a_fade_of_any_length(frames: int, tail: int, head: int) -> None:
    between = Transition(TransitionKind.FADE, frames)
    assert (between.tail, between.head, between.overlap) == (tail, head, 0)
    found = made(TransitionKind.FADE, frames, flat(200, 90, 90), flat(200, 90, 90))
    assert [colours(frame) == {BLACK} for frame in found] == [n == tail - 1 for n in range(frames)]


def test_a_wipe_goes_from_left_to_right_with_a_soft_edge_in_all_planes() -> None:
    found = made(TransitionKind.WIPE, 1, flat(0, 0, 0), flat(255, 255, 255))[0]
    for index in range(3):
        rows = plane(found, index)
        assert (rows == rows[0]).all()
        row = rows[0].astype(int)
        assert (np.diff(row) <= 0).all()
        width = len(row)
        edge = WIPE_EDGE * width // WIDTH
        assert (row[: (width - edge) // 2] == 255).all()
        assert (row[(width + edge) // 2 :] == 0).all()
        assert np.abs(row + row[::-1] - 255).max() <= 1


def test_a_wipe_advances() -> None:
    shown = [plane(frame, 0).mean() for frame in made(TransitionKind.WIPE, 7, flat(0, 0, 0), flat(200, 0, 0))]
    np.testing.assert_allclose(shown, [25 * part for part in range(1, 8)], atol=0.5)


def test_no_transition_has_no_pictures() -> None:
    assert made(TransitionKind.NONE, 3, flat(*BLACK), flat(*BLACK)) == []


@pytest.mark.parametrize("weight", [0, 1, 100, 128, 255, 256])
def test_mixing_rounds_each_sample_to_the_nearest(weight: int) -> None:
    numbers = np.random.default_rng(0)
    first, second = numbers.integers(0, 256, (2, HEIGHT * 3 // 2, WIDTH)).astype(np.uint8)
    exact = (first.astype(float) * (256 - weight) + second.astype(float) * weight) / 256
    assert np.abs(mixed(first, second, weight, weight) - exact).max() <= 0.5
