"""What of a text is spoken: no mark-up, no emoji."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.domain.spoken_text import spoken_text, spoken_with_pauses, without_emoji
from lambdas.domain.storyboard import Narration, Prompts, Scene

FAMILY = "👨‍👩‍👧‍👦"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("**The wind** lifts the kite. <b>Look</b> 🪁 up.", "The wind lifts the kite. Look up."),
        ("***Very*** __bold__, _slanted_ and ~~gone~~ `code`.", "Very bold, slanted and gone code."),
        ("# The kite\nIt flies.", "The kite\n\nIt flies."),
        ("The kite\n========\nIt flies.", "The kite\n\nIt flies."),
        ("- A bee\n- A kite\n* A fox\n+ A cat", "A bee\n\nA kite\n\nA fox\n\nA cat"),
        ("• A bee\n• A kite", "A bee\n\nA kite"),
        ("1. Take milk.\n2. Stir.", "1. Take milk.\n\n2. Stir."),
        ("- [ ] To do\n- [x] Done", "To do\n\nDone"),
        ("Before.\n\n***\n\nAfter.\n\n---", "Before.\n\nAfter."),
        ("> Quoted\n> words.", "Quoted words."),
        ("See [the docs](https://x.org/a_b) and ![a kite](k.png).", "See the docs and a kite."),
        ("A note.[^1] An **open mark, and *one more", "A note. An open mark, and one more"),
        ("これは**重要。**です", "これは重要。です"),
        ("And then *** it stopped.", "And then it stopped."),
        ("<p>A bee.</p><p>A kite.</p>", "A bee.\n\nA kite."),
        ("One<br>two<br/>three<!-- four -->", "One two three"),
        ('<speak>Hi <break time="1s"/><span class="x">there</span></speak>', "Hi there"),
        ("```\nA code fence\n```", "A code fence"),
        ("\\*Escaped\\* &amp; coded", "Escaped & coded"),
        ("#bees love #2 and C#", "bees love #2 and C#"),
        (":tada: Hooray :bee:!", "Hooray!"),
        (":+1: Well done :smile::heart:", "Well done"),
        ("– A bee\n– A kite", "A bee\n\nA kite"),
        ("・りんご\n・みかん", "りんご\n\nみかん"),
        ("(*) ＊＊太字＊＊です", "太字です"),
        ("[b]Hello[/b] [url=https://x.org]you [i]there[/i][/url]", "Hello you there"),
        ("==Marked==, ++new++ and ||hidden||", "Marked, new and hidden"),
        ("See [the docs][1].[^a]\n\n[1]: https://x.org\n[^a]: A note.", "See the docs.\n\nA note."),
        ("<style>p {}</style>Hi<script>alert(1)</script>", "Hi"),
        ("<<Oui>> dit-elle.", "«Oui» dit-elle."),
    ],
)
def test_mark_up(text: str, said: str) -> None:
    assert spoken_text(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "A bee.",
        "I <3 you; 1 < 2 and x<y and y>z.",
        "5 × 3 = 15, snake_case, 10:30:45, it is: ok",
        "[Narrator]: Hello",
        "1986. A great year.",
        "C++ and D++, a==b or c==d, colo[u]r",
        "— Wait!",
        "Yes – no — well-known, 20 °C, 50 %, ™ © № 5 → on",
        "他说：“我们走吧。”",
        "क्‍ष नमस्ते",
    ],
)
def test_text_stays(text: str) -> None:
    assert spoken_text(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Have a lovely day! 🎉", "Have a lovely day!"),
        ("🎉 Hi there 🎉🎉 you.", "Hi there you."),
        (f"The family {FAMILY}, and 👍🏽.", "The family, and."),
        ("We ❤️‍🔥 it (🐝) 🇩🇪🇫🇷 ok", "We it ok"),
        ("sun🌞moon 太阳🌞月亮", "sun moon 太阳月亮"),
        ("1️⃣ first ☀️ ♥ ♪ ★", "1 first"),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿 England", "England"),
        ("#️⃣ *️⃣ ℹ️ 〰️ ㊗️ ◾ ◽ A bee © ®️", "A bee © ®"),
        ("Later than Unicode 14: 🫨 🪿 🫩", "Later than Unicode 14:"),
        ("🎉", ""),
        (FAMILY + "♥️", ""),
    ],
)
def test_emoji(text: str, said: str) -> None:
    assert spoken_text(text) == without_emoji(text).strip() == said


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("A bee.", True),
        ("蜂", True),
        ("5", True),
        ("🎉", False),
        ("…", False),
        ("***", False),
        ("<br>", False),
    ],
)
def test_a_scene_whose_narration_has_no_words_is_silent(text: str, spoken: bool) -> None:
    prompts = Prompts(positive_prompt="A lamp.")
    scene = Scene(narration=Narration(text=text), image=prompts, video=prompts)
    assert scene.is_spoken == spoken
    assert scene.narration is not None
    assert scene.narration.text == text  # as the user wrote it
    assert not Scene(image=prompts, video=prompts).is_spoken


@settings(deadline=None)
@given(
    st.text(
        st.sampled_from("ab *_`#<>-[]()~|\\&;\n🎉\u200d\ufe0f9é蜂") | st.characters(codec="utf-8"),
        max_size=50,
    )
)
def test_letters_are_kept(text: str) -> None:
    def letters(text: str) -> list[str]:
        return [char for char in text if char.isalpha() and char.isascii()]

    said = spoken_text(text)
    if not {"<", "&", "(", ":", "\\", "[", "`", "~"} & set(text):  # these may begin a tag, an address, a code
        assert letters(said) == letters(text)
    assert "🎉" not in said
    assert "*" not in said
    assert "\n\n\n" not in said


@pytest.mark.parametrize(
    ("text", "words", "pauses"),
    [
        ("Wait. [pause 1s] Then go.", "Wait. Then go.", [(6, 1)]),
        ("Wait [pause 500ms], then [Pause 0.5 s] go.", "Wait, then go.", [(4, 0.5), (11, 0.5)]),
        ("[pause 1s] Go. [pause 2s]", "Go.", [(0, 1), (3, 2)]),
        ("Wait. [pause 1s] [pause 0.5s] Go.", "Wait. Go.", [(6, 1.5)]),
        ("Wait.\n\n[pause 3s]\n\nGo.", "Wait.\n\nGo.", [(7, 3)]),
        ('Wait<break time="1s"/> a <BREAK TIME="20ms"></break> bit', "Wait a bit", [(5, 1), (7, 0.02)]),
        ("**Wait** [pause 1s] *a* 🐝 bit", "Wait a bit", [(5, 1)]),
        ("[pause 1s]", "", [(0, 1)]),
        ("Wait [pause 99s] here", "Wait here", [(5, 10)]),
        ("Press [pause] to stop, [pause for 5 s], <break/>", "Press [pause] to stop, [pause for 5 s],", []),
        ("A \ue000 mark [pause 1s] of ours", "A mark of ours", [(7, 1)]),
    ],
)
def test_pauses_are_not_words(text: str, words: str, pauses: list[tuple[int, float]]) -> None:
    assert spoken_with_pauses(text) == (words, pauses)
    assert spoken_text(text) == words
