"""Text in many scripts: fonts, order, shapes."""

from pathlib import Path

import numpy as np
import pytest

from lambdas.media.font import FONT
from lambdas.media.lines import units
from lambdas.media.typesetting import (
    Fonts,
    FontUnreadable,
    Line,
    drawn,
    face_of,
    runs_right_to_left,
    set_line,
)

KITES = {
    "ar": "طائرة",
    "bn": "ঘুড়ি আকাশে ওড়ে।",
    "el": "Ωμέγα",
    "en": "It flies 🪁 for 5 € → “a\u0308”!",
    "gu": "પતંગ",
    "he": "עפיפון",
    "hi": "पतंग हवा में उड़ती है।",
    "hy": "օդապարուկ",
    "ja": "凧が飛ぶ。",
    "ka": "ფრანი",
    "km": "ខ្លែង",
    "kn": "ಗಾಳಿಪಟ",
    "ko": "연이 난다.",
    "lo": "ວ່າວ",
    "ml": "പട്ടം",
    "my": "စွန်",
    "pa": "ਪਤੰਗ",
    "pl": "Łódź",
    "si": "සරුංගලය",
    "ta": "காற்றாடி",
    "te": "గాలిపటం",
    "th": "ว่าวลอยอยู่",
    "uk": "Київ",
    "ur": "پتنگ",
    "zh-CN": "风筝在飞",
    "zh-TW": "風箏在飛",
}


def line(text: str, language: str = "en") -> Line:
    text = drawn(text)
    return set_line(text, Fonts(language), right_to_left=runs_right_to_left(text))


@pytest.mark.parametrize("language", KITES)
def test_a_font_that_comes_with_reelworks_has_the_letters(language: str) -> None:
    assert Fonts(language).lacks(KITES[language]) is None
    glyphs = line(KITES[language], language).glyphs
    assert all(glyph.number for glyph in glyphs), "0 is the box of a missing letter"


def test_letters_that_no_font_has_are_named() -> None:
    assert Fonts().lacks("Tut \U00013000") == "every font here lacks \U00013000 (U+13000)"
    own = Fonts(own=face_of(FONT))
    assert own.lacks("Łódź") is None
    assert own.lacks("".join(map(chr, range(0x4E00, 0x4E0A)))) == (
        "the font Inter lacks 一 (U+4E00), 丁 (U+4E01), 丂 (U+4E02), 七 (U+4E03), 丄 (U+4E04) and 5 more"
    )


def test_a_file_that_is_no_font_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FontUnreadable):
        face_of(b"no font")
    with pytest.raises(FontUnreadable):
        face_of(tmp_path / "missing.ttf")


def in_order(text: str) -> str:
    """Return the letters from left to right."""
    glyphs = sorted(line(text).glyphs, key=lambda glyph: glyph.x)
    places = dict.fromkeys(glyph.letter for glyph in glyphs)
    return "".join(text[place] for place in places)


@pytest.mark.parametrize(
    ("text", "left_to_right"),
    [
        ("אבג", "גבא"),
        ("אב 12 ג!", "!ג 12 בא"),
        ("אב (XY) ג", "ג )XY( בא"),
        ("XY 3 אב 4", "XY 3 4 בא"),
        ("abc אב גד def", "abc דג בא def"),
    ],
)
def test_right_to_left_text_keeps_numbers_and_foreign_words(text: str, left_to_right: str) -> None:
    assert in_order(text) == left_to_right


def test_letters_are_shaped_by_their_neighbours() -> None:
    alone = {line(letter).glyphs[0].number for letter in "بيت"}
    joined = {glyph.number for glyph in line("بيت").glyphs}
    assert len(joined - alone) == 3, "dots keep their shape"
    apart = [glyph.number for glyph in line("می\u200cخواهم").glyphs]
    assert apart != [glyph.number for glyph in line("میخواهم").glyphs], "a non-joiner parts them"
    first = line("कि").glyphs[0]
    assert first.number != line("क").glyphs[0].number, "the vowel sign stands before the consonant"


def test_shared_letters_are_drawn_as_their_language_does() -> None:
    shapes = {line("直", language).glyphs[0].number for language in ("ja", "zh-CN", "zh-TW")}
    assert len(shapes) > 1


def test_a_mask_shows_some_of_a_line_s_letters() -> None:
    said = line("אב XY")
    picture = (200, 60)
    whole = said.mask(picture, 30, 10, 40)
    parts = [said.mask(picture, 30, 10, 40, part) for part in ((0, 2), (3, 5))]
    assert np.allclose(whole, sum(parts))
    hebrew, latin = (np.flatnonzero(part.any(axis=0)) for part in parts)
    assert 10 <= hebrew.min() < hebrew.max() < latin.min() < latin.max() <= 10 + said.width * 30
    assert not said.mask(picture, 30, 10, 40, (2, 3)).any()


def test_thai_breaks_between_words() -> None:
    assert units("กำลังวิ่งเล่นเด็กๆ ABC") == ("กำลัง", "วิ่ง", "เล่น", "เด็กๆ ", "ABC")
