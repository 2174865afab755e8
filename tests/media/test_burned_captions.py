"""Burned-in captions: position, duration, appearance, and which frames are re-encoded."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lambdas.domain.errors import CaptionsRefused
from lambdas.domain.video_request import CaptionLook, CaptionPosition, CaptionStyle
from lambdas.media.burned_captions import burn
from lambdas.media.caption_design import Design
from lambdas.media.captions import Cue
from lambdas.media.encode import encode
from lambdas.media.mp4.merge import Piece, lay_out
from lambdas.media.source import BytesSource, Source
from tests.media.clips import Pixels, clip, decoded, nal_types, reordered_clip

FPS = 8
SMALL = (96, 64)


def cue(start: float, end: float, text: str = "It flies!") -> Cue:
    return Cue(Fraction(start), Fraction(end), text)


class Burnt:
    """Return a film of clips with burned-in captions, and what was encoded for it."""

    def __init__(self, pieces: Sequence[bytes | Piece], cues: Sequence[Cue]) -> None:
        self.encoded: list[tuple[Piece, Sequence[Any]]] = []
        laid = [
            one if isinstance(one, Piece) else Piece(BytesSource(one), index)
            for index, one in enumerate(pieces)
        ]
        self.pieces = burn(laid, cues, self._keep, Design())
        layout = lay_out(self.pieces, sound=None, captions=[], chapters=[], metadata={}, fragmented=False)
        self.frames = decoded(b"".join(layout.stream()))

    def _keep(self, part: Piece, shown: Sequence[Any], make: Callable[[], bytes]) -> Source:
        self.encoded.append((part, shown))
        return BytesSource(make())

    @property
    def spans(self) -> list[tuple[int, int, int | None]]:
        return [(part.clip, part.start, part.stop) for part, _ in self.encoded]


def grey(count: int, size: tuple[int, int] = SMALL, level: int = 120, keyframes: Sequence[int] = ()) -> bytes:
    width, height = size
    frame = np.full((height, width, 3), level, np.uint8)
    return encode([frame] * count, width=width, height=height, fps=FPS, metadata={}, keyframes=keyframes)


def differs(one: Pixels, other: Pixels) -> bool:
    """Return whether frames differ by more than re-encoding explains."""
    return bool(np.abs(one.astype(int) - other).max() > 60)


def test_pixels_differ_only_while_a_caption_shows() -> None:
    plain = [grey(16), grey(16)]
    film = Burnt(plain, [cue(0.5, 1), cue(1.75, 2.5)])
    before = [frame for one in plain for frame in decoded(one)]
    assert len(film.frames) == len(before)
    changed = [number for number, pair in enumerate(zip(film.frames, before, strict=True)) if differs(*pair)]
    assert changed == [*range(4, 8), *range(14, 20)]


def test_frames_before_a_caption_and_from_the_next_keyframe_on_are_unchanged() -> None:
    plain = clip(48)  # a keyframe every two seconds
    film = Burnt([plain], [cue(0.5, 1)])
    assert film.spans == [(0, 4, 16)]
    before = decoded(plain)
    same = [np.array_equal(*pair) for pair in zip(film.frames, before, strict=True)]
    assert same == [True] * 4 + [False] * 12 + [True] * 32
    assert [nal_types(plain).count(5), len(film.pieces)] == [3, 3]


def test_captions_that_share_a_keyframe_are_encoded_together() -> None:
    film = Burnt([clip(48)], [cue(0.25, 0.5), cue(1, 1.5), cue(4.5, 5)])
    assert film.spans == [(0, 2, 16), (0, 36, 48)]
    assert [[shown.start for shown in texts] for _, texts in film.encoded] == [[2, 8], [36]]


def test_a_caption_continues_over_the_next_clip() -> None:
    film = Burnt([grey(8), grey(8), grey(8)], [cue(0.5, 2.5)])
    assert film.spans == [(0, 4, 8), (1, 0, 8), (2, 0, 8)]
    assert [texts[0].stop for _, texts in film.encoded] == [8, 8, 4]
    assert len(film.frames) == 24


def test_a_part_of_a_clip_counts_from_its_own_frames() -> None:
    source = BytesSource(grey(48))
    film = Burnt([Piece(source, 0, 16, 40)], [cue(0.5, 1)])
    assert film.spans == [(0, 20, 32)]
    assert len(film.frames) == 24


def test_clips_with_b_frames() -> None:
    plain = reordered_clip(48)
    film = Burnt([plain], [cue(2.5, 3)])
    assert len(film.frames) == 48
    ((_, start, stop),) = film.spans
    assert 16 <= start <= 20
    assert stop == 32
    before = decoded(plain)
    assert all(np.array_equal(film.frames[n], before[n]) for n in [*range(start), *range(32, 48)])


def test_a_film_without_captions_is_copied() -> None:
    film = Burnt([clip(8)], [])
    assert film.spans == []
    assert film.pieces == [Piece(film.pieces[0].source, 0, 0, None)]


def test_a_caption_after_the_film_s_end_is_ignored() -> None:
    assert Burnt([clip(8)], [cue(3, 4)]).spans == []


@pytest.mark.parametrize("level", [0, 120, 255])
@pytest.mark.parametrize("size", [(1280, 720), (480, 720), SMALL])
def test_letters_are_white_with_a_dark_edge_on_any_ground_and_within_the_safe_area(
    size: tuple[int, int], level: int
) -> None:
    text = "The quick brown fox jumps over the lazy dog while the kite leans on the wind."
    film = Burnt([grey(2, size, level)], [cue(0, 0.125, text)])
    width, height = size
    frame, plain = (one.astype(int).mean(axis=2) for one in film.frames)
    assert (frame > 200).sum() > 0.004 * width * height
    # The box and the outline: even on white, the surroundings are darker than the letters.
    rows, columns = np.nonzero(np.abs(frame - plain) > 12)
    assert frame[rows.min() : rows.max(), columns.min() : columns.max()].min() < 60
    assert columns.min() >= 0.03 * width - 1
    assert columns.max() <= 0.97 * width
    assert rows.max() <= 0.97 * height
    assert rows.min() >= 0.6 * height, "two lines"


@pytest.mark.parametrize(("size", "foot", "side"), [((450, 800), 0.25, 0.11), ((600, 800), 0.05, 0.05)])
def test_in_a_tall_picture_captions_stay_clear_of_apps_buttons(
    size: tuple[int, int], foot: float, side: float
) -> None:
    film = Burnt([grey(2, size)], [cue(0, 0.125, "The quick brown fox jumps over the lazy dog.")])
    lettered, plain = (one.astype(int).mean(axis=2) for one in film.frames)
    rows, columns = np.nonzero(lettered - plain > 60)
    width, height = size
    assert (1 - foot - 0.06) * height < rows.max() <= (1 - foot) * height
    assert side * width <= columns.min() <= columns.max() <= (1 - side) * width
    assert columns.max() - columns.min() > 0.5 * width, "letters as large as fit"


def test_a_caption_adds_no_colour() -> None:
    red = np.zeros((64, 96, 3), np.uint8)
    red[:, :, 0] = 200
    film = Burnt([encode([red] * 2, width=96, height=64, fps=FPS, metadata={})], [cue(0, 0.25, "MMMMMMMM")])
    brightest = film.frames[0].reshape(-1, 3)[film.frames[0].min(axis=2).argmax()].astype(int)
    assert brightest.max() - brightest.min() < 60
    assert film.frames[0][:20].astype(int)[..., 0].min() > 170, "above it nothing changes"


def test_a_long_sentence_is_shown_two_lines_at_a_time() -> None:
    text = " ".join(["A kite leans on the wind and sings."] * 8)
    film = Burnt([grey(64)], [cue(0, 8, text)])
    shown = [one for _, texts in film.encoded for one in texts]
    assert max(one.text.count("\n") for one in shown) == 1
    assert " ".join(one.text.replace("\n", " ") for one in shown) == text
    assert [one.stop for one in shown[:-1]] == [one.start for one in shown[1:]]


def test_the_same_captions_give_the_same_bytes() -> None:
    one, other = (Burnt([clip(16)], [cue(0.5, 1)]) for _ in range(2))
    assert all(map(np.array_equal, one.frames, other.frames))


def test_letters_that_no_font_has_are_refused_by_name() -> None:
    with pytest.raises(CaptionsRefused, match=r"\U00013000 \(U\+13000\)"):
        Burnt([clip(4)], [cue(0, 0.5, "A \U00013000")])


# --- styles


def by_words(text: str, *words: tuple[str, float], end: float) -> Cue:
    return Cue(Fraction(0), Fraction(end), text, words=tuple((word, Fraction(at)) for word, at in words))


def styled(
    style: CaptionStyle, size: tuple[int, int], said: Cue, look: CaptionLook | None = None
) -> list[Pixels]:
    pieces = burn(
        [Piece(BytesSource(grey(16, size)), 0)],
        [said],
        lambda part, shown, make: BytesSource(make()),
        Design(style, look or CaptionLook()),
    )
    layout = lay_out(pieces, sound=None, captions=[], chapters=[], metadata={}, fragmented=False)
    return decoded(b"".join(layout.stream()))


def yellow(frame: Pixels) -> list[int]:
    """Return the columns with yellow pixels."""
    red, green, blue = (frame[..., channel].astype(int) for channel in range(3))
    (columns,) = np.nonzero(((red - blue > 90) & (green - blue > 60)).any(axis=0))
    return [int(column) for column in columns]


def test_karaoke_lights_each_word_from_the_frame_in_which_it_is_spoken() -> None:
    said = by_words("One two three", ("One", 0), ("two", 0.5), ("three", 1.25), end=2)
    frames = styled(CaptionStyle.KARAOKE, (480, 270), said)
    lit = [yellow(frame) for frame in frames]
    one, two, three = lit[0], lit[4], lit[10]
    assert max(one) < min(two) <= max(two) < min(three)
    near = [min((1, 2, 3), key=lambda word: abs([one, two, three][word - 1][0] - now[0])) for now in lit]
    assert near == [1] * 4 + [2] * 6 + [3] * 6


def test_pop_shows_a_few_large_words_in_the_middle() -> None:
    said = by_words("One little bee flies", ("One", 0), ("little", 0.5), ("bee", 1), ("flies", 1.5), end=2)
    for size in ((480, 270), (270, 480)):
        frames = styled(CaptionStyle.POP, size, said)
        plain = styled(CaptionStyle.PLAIN, size, said)
        rows = [np.nonzero((frame > 220).all(axis=2).any(axis=1))[0] for frame in (frames[0], plain[0])]
        assert abs(rows[0].mean() - size[1] / 2) < size[1] * 0.06
        assert rows[1].mean() > size[1] * 0.55
        assert differs(frames[7], frames[8]), "“bee” begins"


def test_pop_draws_a_long_word_smaller_and_whole() -> None:
    word = "Donaudampfschifffahrtsgesellschaft"
    frames = styled(CaptionStyle.POP, (270, 480), by_words(word, (word, 0), end=2))
    (columns,) = np.nonzero((frames[0] > 200).all(axis=2).any(axis=0))
    assert 0.11 * 270 - 2 <= columns.min() < columns.max() <= 0.89 * 270 + 2


@pytest.mark.parametrize("style", CaptionStyle)
def test_captions_of_a_tall_film_keep_clear_of_what_apps_lay_over_it(style: CaptionStyle) -> None:
    size = (270, 480)
    words = ["The", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and", "on", "and", "on"]
    said = by_words(" ".join(words), *((word, index / 8) for index, word in enumerate(words)), end=2)
    plain = decoded(grey(16, size))
    for frame, before in zip(styled(style, size, said), plain, strict=True):
        rows, columns = np.nonzero((np.abs(frame.astype(int) - before) > 60).any(axis=2))
        assert rows.size
        assert rows.max() <= 0.75 * size[1]
        assert columns.min() >= 0.08 * size[0], "the box reaches a little into the margin"
        assert columns.max() <= 0.92 * size[0]


# --- look


@pytest.mark.parametrize("style", [CaptionStyle.PLAIN, CaptionStyle.POP])
def test_captions_are_where_the_look_says(style: CaptionStyle) -> None:
    size = (270, 480)
    said, plain = by_words("It flies", ("It", 0), ("flies", 1), end=2), decoded(grey(16, size))[0]
    middles, edges = {}, {}
    for position in CaptionPosition:
        frame = styled(style, size, said, CaptionLook(position=position))[0]
        rows = np.nonzero((np.abs(frame.astype(int) - plain) > 60).any(axis=(1, 2)))[0]
        middles[position], edges[position] = (
            rows.mean() / size[1],
            (rows.min() / size[1], rows.max() / size[1]),
        )
    assert 0.14 <= edges[CaptionPosition.TOP][0] <= 0.2, "below what apps lay over it"
    assert abs(middles[CaptionPosition.MIDDLE] - 0.5) < 0.03
    assert 0.69 <= edges[CaptionPosition.BOTTOM][1] <= 0.75


def test_letters_have_the_colour_outline_and_size_of_the_look() -> None:
    size, said = (480, 270), by_words("HHHH", ("HHHH", 0), end=2)

    def letters(**look: object) -> Pixels:
        return styled(CaptionStyle.PLAIN, size, said, CaptionLook(**look))[0].astype(int)

    def area(frame: Pixels, colour: tuple[int, int, int]) -> int:
        return int((np.abs(frame - colour).max(axis=2) < 50).sum())

    red, blue = (255, 0, 0), (0, 0, 255)
    coloured = letters(colour="#FF0000", outline="#0000FF", outline_width=0.2, size=2)
    assert area(coloured, red) > 200
    assert area(coloured, blue) > 200
    assert area(coloured, red) > 3 * area(letters(colour="#FF0000", outline="#0000FF"), red), "twice the size"
    bare = letters(outline="#0000FF", outline_width=0, size=2)
    assert area(bare, blue) == 0
    assert area(bare, (120, 120, 120)) > 0.9 * size[0] * size[1], "no box"
    assert area(letters(outline="box"), (120, 120, 120)) < area(letters(outline="#000000"), (120, 120, 120))
