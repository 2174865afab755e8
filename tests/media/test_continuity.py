"""Joins of clips that continue one another: each clip is a moving picture, encoded as engines encode."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.continuity import MOST_BRIGHTNESS, even_out, measure_steps, repeats_last_frame
from lambdas.media.encode import encode
from lambdas.media.mp4.clip import read_clip
from lambdas.media.mp4.merge import Piece, lay_out
from lambdas.media.segments import decode
from lambdas.media.source import BytesSource, Source
from tests.media.clips import Pixels

SIZE = 96, 64


def scene(first: int, count: int, *, brighter: float = 0, tint: float = 0, seed: int = 1) -> list[Pixels]:
    """Return frames [first, first + count) of a shot whose pattern moves one pixel per frame to the left."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(60, 180, (9, 40, 3))
    wide = np.kron(coarse, np.ones((8, 8, 1)))
    wide = (wide + np.roll(wide, 3, 1) + np.roll(wide, 3, 0) + np.roll(wide, -3, 1)) / 4
    width, height = SIZE
    shift = np.array([brighter - tint, brighter, brighter + tint])
    return [
        np.clip(wide[:height, number : number + width] + shift, 0, 255).astype(np.uint8)
        for number in range(first, first + count)
    ]


def piece(frames: list[Pixels], index: int, keyframes: tuple[int, ...] = (0, 4)) -> Piece:
    mp4 = encode(frames, width=SIZE[0], height=SIZE[1], fps=8, metadata={}, keyframes=keyframes)
    return Piece(BytesSource(mp4), index)


def at_once(index: int, make: Callable[[], bytes]) -> Source:
    return BytesSource(make())


def means(one: Piece) -> list[float]:
    """Return the mean of each frame's luma."""
    clip = read_clip(one.source)
    stop = len(clip.shown) if one.stop is None else one.stop
    height = SIZE[1]
    return [float(frame.to_ndarray()[:height].mean()) for frame in decode(one.source, clip, one.start, stop)]


def test_a_step_is_measured_in_levels() -> None:
    before, after = piece(scene(0, 8), 0), piece(scene(8, 8, brighter=8, tint=4), 1)
    (step,) = measure_steps([before, after])
    assert step.clip == 1
    # 219 levels of luma for 255 of red, green and blue.
    assert step.brightness == pytest.approx(8 * 219 / 255, abs=0.7)
    blue, red = step.colour
    assert blue == pytest.approx(-red, abs=1)
    assert blue > 1.5
    assert step.is_seen


def test_smoothly_continuing_clips_have_no_visible_step() -> None:
    (step,) = measure_steps([piece(scene(0, 8), 0), piece(scene(8, 8), 1)])
    assert not step.is_seen


def test_parts_of_one_clip_have_no_join() -> None:
    whole = piece(scene(0, 8), 0)
    assert measure_steps([replace(whole, stop=4), replace(whole, start=4)]) == []


def test_a_step_is_evened_out_only_up_to_the_next_keyframe() -> None:
    before, after = piece(scene(0, 8), 0), piece(scene(8, 12, brighter=9, tint=3), 1)
    pieces = even_out([before, after], {1}, at_once)
    assert [(one.clip, one.start, one.stop) for one in pieces] == [(0, 0, None), (1, 0, 4), (1, 4, None)]
    assert pieces[0] == before
    assert pieces[2].source is after.source
    (step,) = measure_steps(pieces)
    assert not step.is_seen
    was, now = means(after), means(pieces[1])
    full = 9 * 219 / 255
    corrections = [before - after for before, after in zip(was, now, strict=False)]
    assert corrections == pytest.approx([full, full * 3 / 4, full / 2, full / 4], abs=0.7)
    film = lay_out(pieces, metadata={})
    assert film.frames == 20


def test_a_clip_without_another_keyframe_is_evened_out_to_its_end() -> None:
    before, after = piece(scene(0, 8), 0), piece(scene(8, 6, brighter=6), 1, keyframes=(0,))
    pieces = even_out([before, after], {1}, at_once)
    assert [(one.start, one.stop) for one in pieces] == [(0, None), (0, 6)]
    assert not measure_steps(pieces)[0].is_seen


def test_cuts_and_invisible_steps_are_unchanged() -> None:
    before, smooth = piece(scene(0, 8), 0), piece(scene(8, 8), 1)
    other = piece(scene(0, 8, brighter=20, seed=2), 2)
    pieces = [before, smooth, other]

    def never(index: int, make: Callable[[], bytes]) -> Source:
        raise AssertionError(f"piece {index} was encoded")

    assert even_out(pieces, {1}, never) == pieces


def test_a_large_step_is_only_partly_evened_out() -> None:
    before, after = piece(scene(0, 8), 0), piece(scene(8, 8, brighter=60), 1)
    pieces = even_out([before, after], {1}, at_once)
    was, now = means(after)[0], means(pieces[1])[0]
    assert was - now == pytest.approx(MOST_BRIGHTNESS, abs=0.5)


def test_black_bars_stay_black() -> None:
    def barred(frames: list[Pixels]) -> list[Pixels]:
        for frame in frames:
            frame[:12] = frame[-12:] = 0
        return frames

    before, after = piece(barred(scene(0, 8, brighter=12)), 0), piece(barred(scene(8, 8)), 1)
    head = even_out([before, after], {1}, at_once)[1]
    (first, *_) = decode(head.source, read_clip(head.source), 0, 1)
    assert abs(first.to_ndarray()[:10].astype(int) - 16).max() <= 1
    assert not measure_steps([before, head])[0].is_seen


@pytest.mark.parametrize(
    ("first", "brighter", "repeated"),
    [
        (7, 0, True),  # the last frame of the clip before
        (7, 5, True),  # the same, a little brighter
        (8, 0, False),  # the next one
        (14, 0, False),
    ],
)
def test_a_repeated_frame_is_distinguished_from_a_continuing_one(
    first: int, brighter: float, repeated: bool
) -> None:
    before, after = piece(scene(0, 8), 0), piece(scene(first, 8, brighter=brighter), 1)
    assert repeats_last_frame(before, after) is repeated


def test_another_scene_and_a_still_picture_repeat_nothing() -> None:
    assert not repeats_last_frame(piece(scene(0, 8), 0), piece(scene(0, 8, seed=2), 1))
    still = piece(scene(0, 1) * 8, 0)
    assert not repeats_last_frame(still, replace(still, clip=1))


def test_a_frame_later_the_frame_is_no_longer_repeated() -> None:
    before, after = piece(scene(0, 8), 0), piece(scene(7, 8), 1)
    assert not repeats_last_frame(before, replace(after, start=1))


def test_errors_name_the_clip() -> None:
    good = piece(scene(0, 8), 0)
    bad = Piece(BytesSource(b"no clip"), 5)
    for call in (lambda: measure_steps([good, bad]), lambda: repeats_last_frame(bad, good)):
        with pytest.raises(ClipUnreadable, match="clip 5") as raised:
            call()
        assert raised.value.clip == 5
