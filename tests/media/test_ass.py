"""Captions as ASS files."""

from fractions import Fraction

import pytest
from pysubs2 import Color, SSAFile, SSAStyle

from lambdas.domain.video_request import CaptionLook, CaptionPosition, CaptionStyle
from lambdas.media.ass import ass
from lambdas.media.caption_design import Design
from lambdas.media.captions import Cue
from lambdas.media.typesetting import Fonts

WORDS = (("One", Fraction("0.5")), ("two", Fraction(1)), ("three", Fraction("1.25")))
SAID = Cue(Fraction("0.25"), Fraction(2), "One two {three}", words=WORDS)


def written(*cues: Cue, size: tuple[int, int] = (1280, 720), **design: object) -> SSAFile:
    return SSAFile.from_string(ass(cues, Design(**design), size))  # type: ignore[arg-type]


def style(**look: object) -> SSAStyle:
    return written(SAID, look=CaptionLook(**look)).styles["Default"]  # type: ignore[arg-type]


def test_a_caption_is_an_event_with_its_lines_and_times() -> None:
    text = "The quick brown fox jumps over the lazy dog while the kite leans on the wind."
    file = written(SAID, Cue(Fraction(3), Fraction(7), text))
    assert [(event.start, event.end) for event in file.events] == [(250, 2000), (3000, 7000)]
    assert file.events[0].text == "One two (three)", "braces would begin an override"
    assert file.events[1].text.count(r"\N") == 1
    assert (file.info["PlayResX"], file.info["PlayResY"]) == ("1280", "720")


def test_karaoke_times_each_word_from_the_one_before() -> None:
    file = written(SAID, style=CaptionStyle.KARAOKE)
    assert file.events[0].text == r"{\k25}{\k50}One {\k25}two {\k75}(three)"
    made = file.styles["Default"]
    assert (made.primarycolor, made.secondarycolor) == (Color(255, 221, 0), Color(255, 255, 255))
    assert "{" not in written(SAID).events[0].text


def test_a_backslash_stays_one() -> None:
    assert written(Cue(Fraction(0), Fraction(1), r"C:\New")).events[0].text == "C:\\\u2060New"


def test_the_style_has_the_look() -> None:
    usual = style()
    assert (usual.alignment, usual.marginv, usual.borderstyle, usual.outline) == (2, 36, 4, 4)
    assert usual.backcolor == Color(0, 0, 0, 153)
    other = style(position=CaptionPosition.TOP, size=2, colour="#FF8000", outline="#010203", outline_width=0)
    assert (other.alignment, other.marginv, other.borderstyle, other.outline) == (8, 36, 1, 0)
    assert other.fontsize == pytest.approx(2 * usual.fontsize, abs=1)
    assert (other.primarycolor, other.outlinecolor) == (Color(255, 128, 0), Color(1, 2, 3))
    assert written(SAID, style=CaptionStyle.POP).styles["Default"].alignment == 5


def test_in_a_tall_film_captions_keep_clear_of_what_apps_lay_over_it() -> None:
    made = written(SAID, size=(720, 1280)).styles["Default"]
    assert (made.marginv, made.marginl, made.marginr) == (320, 79, 79)


@pytest.mark.parametrize(
    ("text", "family"), [("It flies", "Inter"), ("طائرة 15 XL", "Noto Sans Arabic"), ("12", "Inter")]
)
def test_the_font_is_the_one_that_has_most_letters(text: str, family: str) -> None:
    made = written(Cue(Fraction(0), Fraction(1), text), fonts=Fonts("ar"))
    assert made.styles["Default"].fontname == family
