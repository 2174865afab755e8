from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pysubs2 import SSAFile

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.encode import encode
from lambdas.media.mp4.merge import Piece, lay_out
from lambdas.media.source import BytesSource
from lambdas.media.spritesheet import COLUMNS, MOST_TILES, Sheet, spritesheet
from tests.media.clips import clip, sound_only


def film(frames: int, *, fps: Fraction | int = 8, width: int = 96, height: int = 64) -> bytes:
    """Each frame encodes its number: its left half's grey the multiples of 25, its right half's the ones."""

    def picture(number: int) -> NDArray[np.uint8]:
        pixels = np.empty((height, width, 3), np.uint8)
        pixels[:, : width // 2], pixels[:, width // 2 :] = (20 + 8 * part for part in divmod(number, 25))
        return pixels

    return encode(map(picture, range(frames)), width=width, height=height, fps=fps, metadata={})


def numbers(sheet: Sheet) -> list[int]:
    """Return the numbers of the frames in the tiles, in reading order."""
    pixels = np.asarray(Image.open(BytesIO(sheet.jpeg)).convert("L"), np.float64)
    found = []
    for index in range(sheet.tiles):
        row, column = divmod(index, COLUMNS)
        y, x = row * sheet.tile_height, column * sheet.tile_width
        tile = pixels[y : y + sheet.tile_height, x : x + sheet.tile_width]
        halves = tile[:, 16 : sheet.tile_width // 2 - 16], tile[:, sheet.tile_width // 2 + 16 : -16]
        twenty_fives, ones = (round((half.mean() - 20) / 8) for half in halves)
        found.append(25 * twenty_fives + ones)
    return found


@pytest.mark.parametrize(
    ("frames", "fps", "interval", "tiles"),
    [
        (8, 8, Fraction(1, 4), 4),
        (1, 8, Fraction(1, 4), 1),
        (25, Fraction(24_000, 1001), Fraction(1, 4), 5),
        (200, 8, Fraction(1, 4), 100),  # the most tiles
        (201, 8, Fraction(1, 2), 51),
        (150, Fraction(1), Fraction(2), 75),  # sought, and decoded from the keyframe on
    ],
)
def test_each_tile_shows_its_moment(frames: int, fps: Fraction, interval: Fraction, tiles: int) -> None:
    sheet = spritesheet(film(frames, fps=fps))
    assert (sheet.interval, sheet.tiles) == (interval, tiles)
    assert numbers(sheet) == [round(index * interval * fps) for index in range(tiles)]


def test_a_film_in_fragments_has_the_same_sheet() -> None:
    whole = film(40)
    fragments = lay_out([Piece(BytesSource(whole), 0)], metadata={}, fragmented=True)
    assert spritesheet(b"".join(fragments.stream())) == spritesheet(whole)


def test_in_a_long_film_a_tile_shows_the_keyframe_before_its_moment() -> None:
    sheet = spritesheet(film(610, fps=1))
    assert (sheet.interval, sheet.tiles) == (10, 61)
    for index, number in enumerate(numbers(sheet)):
        assert 10 * index - 2 < number <= 10 * index  # keyframes are at most two seconds apart


@pytest.mark.parametrize(
    ("size", "tile"), [((96, 64), (160, 107)), ((64, 96), (107, 160)), ((320, 180), (160, 90))]
)
def test_tiles_fit_a_square_and_fill_rows_of_ten(size: tuple[int, int], tile: tuple[int, int]) -> None:
    sheet = spritesheet(film(24, width=size[0], height=size[1]))
    assert (sheet.tile_width, sheet.tile_height) == tile
    image = Image.open(BytesIO(sheet.jpeg))
    assert image.format == "JPEG"
    assert sheet.tiles == 12
    assert image.size == (10 * tile[0], 2 * tile[1])


def test_a_sheet_of_less_than_a_row_is_as_wide_as_its_tiles() -> None:
    assert Image.open(BytesIO(spritesheet(film(8)).jpeg)).size == (4 * 160, 107)


def test_tiles_are_in_colour() -> None:
    red = [np.full((64, 96, 3), (200, 30, 30), np.uint8)] * 2
    image = Image.open(BytesIO(spritesheet(encode(red, width=96, height=64, fps=8, metadata={})).jpeg))
    assert image.getpixel((80, 53)) == pytest.approx((200, 30, 30), abs=6)


def test_the_vtt_finds_each_tile() -> None:
    sheet = spritesheet(film(24))
    cues = list(SSAFile.from_string(sheet.vtt("https://films.example/sheet.jpg?a=1&b=2")))
    assert len(cues) == sheet.tiles == 12
    assert (cues[0].start, cues[0].end) == (0, 250)
    assert (cues[11].start, cues[11].end) == (2750, 3000)
    assert cues[0].text == "https://films.example/sheet.jpg?a=1&b=2#xywh=0,0,160,107"
    assert cues[11].text == "https://films.example/sheet.jpg?a=1&b=2#xywh=160,107,160,107"


def test_the_same_film_gives_the_same_sheet() -> None:
    assert spritesheet(film(8)) == spritesheet(film(8))


def test_a_film_too_long_for_a_sheet_is_rejected() -> None:
    longest = MOST_TILES * 60
    with pytest.raises(ClipUnreadable):
        spritesheet(film(2, fps=Fraction(2, longest + 1)))


@pytest.mark.parametrize("broken", [b"", clip(9)[:150], sound_only()])
def test_a_broken_film_has_no_sheet(broken: bytes) -> None:
    with pytest.raises(ClipUnreadable):
        spritesheet(broken)
