"""Where lines break, in every script."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.media.lines import balanced, columns, filled, fitting, graphemes, shortened, units

FAMILY = "👨‍👩‍👧‍👦"
# W3C's clreq and jlreq (JIS X 4051): what no line begins or ends with.
NEVER_FIRST = (
    "”’!?,.%)]}»…！？，。、；：％）］」』】〉》ゃゅょっぁァャッー々ゝヽ～〜・℃·¢″‼⁉〟﹐﹑﹖﹚؟،۔।។ๆ།"
)
NEVER_LAST = "“‘„‚¿¡([{«（［「『【〈《〝§№"


def lines(text: str, most: int = 20) -> list[str]:
    return balanced(fitting(units(text), most, columns), most, columns)


@pytest.mark.parametrize(
    "text",
    [
        "他说：“我们走吧，已经很晚了。”然后他就走了《红楼梦》的作者（曹雪芹）【注】很有名！真的吗？是的。"
        * 3,
        "「さあ、ちゃっと行こう～」と彼々は言った。『はい』（笑）【終】《本》キャッチャー50％20℃東京・大阪〜神戸"
        * 3,
        "She said: “Wait (a moment), please!” ‘Really?’ he asked [twice] … and went 50 % of the way, 5 %."
        * 2,
        "« Oui ! » dit-il ; « Non ? » Et puis… voilà : 20 °C",
    ],
)
def test_no_line_begins_or_ends_with_the_wrong_mark(text: str) -> None:
    for most in range(6, 30):
        broken = lines(text, most)
        assert "".join("".join(broken).split()) == "".join(text.split())
        assert not [line for line in broken if line[0] in NEVER_FIRST]
        assert not [line for line in broken if line[-1] in NEVER_LAST]


def test_a_mark_stays_with_what_it_follows() -> None:
    for mark in NEVER_FIRST:
        for text in ("蜂" * 10 + mark + "蜂" * 9, "x" * 20 + mark + "x" * 9, "a bee of " + "x" * 11 + mark):
            assert not [line for line in lines(text) if line[0] == mark]


def test_a_mark_stays_with_what_it_opens() -> None:
    for mark in NEVER_LAST:
        for text in ("蜂" * 9 + mark + "蜂" * 9, "x" * 19 + mark + "x" * 9):
            assert not [line for line in lines(text) if line[-1] == mark]


def test_a_letter_is_never_torn_apart() -> None:
    letters = [FAMILY, "👍🏽", "🇩🇪", "e\u0301", "क्‍ष", "❤️", "한"]
    for letter in letters:
        for most in range(2, 12):
            for line in lines("x" + letter * 15, most):
                assert set(graphemes(line)) <= {letter, "x"}


def test_korean_breaks_between_words() -> None:
    text = "꿀벌은 꽃에서 꽃으로 날아다니며 꽃가루를 옮기고, “집으로” 돌아갑니다. 3마리가 2020년에 왔어요!"
    for most in range(16, 40):
        assert " ".join(lines(text, most)) == text
    assert lines("가" * 30, 20) == ["가" * 10] * 3  # a word wider than a line


def test_numbers_and_words_are_not_torn_apart() -> None:
    for most in range(12, 40):
        for line in lines("価格は１２，３４５円または12,345.67円、well-known 3.5 kg", most):
            assert not line.startswith(("２", "３", "４", "５", "2", "345", "."))
    assert lines("10\u00a0000 bees fly over 20\u00a0000 flowers today", 13)[0] == "10\u00a0000 bees"


def test_width() -> None:
    assert columns("bee") == 3
    assert columns("蜂が") == 4
    assert columns("e\u0301") == 1
    assert columns(FAMILY) == columns("👍🏽") == columns("🇩🇪") == columns("❤️") == 2


@settings(deadline=None)
@given(
    st.text(st.sampled_from("ab 蜂が。”“（）가e\u0301👍🏽🎉\u200d!?,.") | st.characters(codec="utf-8")),
    st.integers(2, 30),
)
def test_lines_fit_and_nothing_is_lost(text: str, most: int) -> None:
    parts = fitting(units(text), most, columns)
    broken = filled(parts, most, columns)
    assert "".join("".join(broken).split()) == "".join(text.split())
    assert all(columns(line) <= most or len(graphemes(line)) == 1 for line in broken)
    even = balanced(parts, most, columns)
    assert len(even) == len(broken)


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [
        ("A bee", 10, "A bee"),
        ("A  bee\nflies", 20, "A bee flies"),
        ("A bee flies home", 14, "A bee flies …"),
        ("x" * 130, 120, "x" * 119 + "…"),
        ("蜂" * 130, 120, "蜂" * 119 + "…"),
        ("a " + "x" * 130, 20, "a " + "x" * 17 + "…"),
        (FAMILY * 20, 20, FAMILY * 2 + "…"),
        ("e\u0301" * 20, 10, "e\u0301" * 4 + "…"),
    ],
)
def test_a_long_text_is_shortened_behind_a_word_or_letter(text: str, most: int, short: str) -> None:
    assert shortened(text, most) == short


@settings(deadline=None)
@given(st.text(), st.integers(2, 40))
def test_a_shortened_text_fits(text: str, most: int) -> None:
    assert len(shortened(text, most)) <= most
