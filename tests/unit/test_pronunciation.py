"""What of a sentence a film's lexicon changes, and lexicons that are refused."""

from typing import Any

import pytest

from lambdas.domain.errors import InvalidRequest
from lambdas.domain.pronunciation import (
    LONGEST_ALIAS,
    LONGEST_WORD,
    MOST_WORDS,
    Phonemes,
    Utterance,
    parse_lexicon,
    plain,
    pronounced,
    utterances,
)
from lambdas.domain.storyboard import PartialStoryboard, parse_partial


def said(sentence: str, lexicon: dict[str, Any]) -> str:
    """Return the sentence with what is said in place of its words."""
    parts = pronounced(sentence, parse_lexicon(lexicon)).parts
    assert "".join(part.text for part in parts) == sentence
    return "".join(f"/{part.ipa}/" if part.ipa else part.alias or part.text for part in parts)


@pytest.mark.parametrize(
    ("sentence", "lexicon", "spoken"),
    [
        ("A GIF.", {"gif": "jif"}, "A jif."),
        ("Gifs, gif-like, giff.", {"gif": "jif"}, "Gifs, jif-like, giff."),
        ("US tells us.", {"US": "United States"}, "United States tells us."),
        ("NASA's men, nasa.", {"NASA": {"ipa": "/ˈnæsə/"}}, "/ˈnæsə/'s men, nasa."),
        ("New York is new.", {"new york": "Nu Jork", "new": "nju"}, "Nu Jork is nju."),
        ("A b c.", {"a": "b", "b": "c"}, "b c c."),
        ("C++, C# and C.", {"C++": "see plus plus", "C": "see"}, "see plus plus, see# and see."),
        ("Das Café, ein Cafe\u0301.", {"Café": "Kaffee"}, "Das Kaffee, ein Kaffee."),
        ("東京に行く。", {"東京": "とうきょう"}, "とうきょうに行く。"),
        ("서울은 크다.", {"서울": "소울"}, "소울은 크다."),
        ("ไปกรุงเทพฯกัน", {"กรุงเทพฯ": "กรุงเทพมหานคร"}, "ไปกรุงเทพมหานครกัน"),
        ("Łódź und ÄRA.", {"łódź": "Wudsch", "ära": "Epoche"}, "Wudsch und Epoche."),
        ("İstanbul, ISTANBUL", {"istanbul": "i"}, "i, i"),
        ("(a.k.a.) <b>&", {"a.k.a.": "also known as"}, "(also known as) <b>&"),
        ("Nothing here.", {"bee": "be"}, "Nothing here."),
    ],
)
def test_whole_words_are_said_in_another_way(sentence: str, lexicon: dict[str, Any], spoken: str) -> None:
    assert said(sentence, lexicon) == spoken


def test_a_sentence_without_such_words_is_sent_as_it_is() -> None:
    assert pronounced("A bee.", {}) == pronounced("A bee.", {"wasp": "w"}) == plain("A bee.")
    assert pronounced("A bee.", {"bee": "be"}).address


def test_a_lexicon_is_an_object_or_json_and_is_read_again_as_it_is_stored() -> None:
    given = {" New  York ": " Nu  Jork ", "NASA": {"ipa": "/ˈnæsə/"}, "gif": "jif", "GIF": "jif"}
    stored = {"New York": "Nu Jork", "NASA": Phonemes(ipa="ˈnæsə"), "gif": "jif", "GIF": "jif"}
    assert parse_lexicon(given) == stored
    assert parse_partial({"lexicon": None}) == PartialStoryboard()
    assert parse_lexicon('{"gif": "jif"}') == {"gif": "jif"}
    board = parse_partial({"lexicon": given})
    assert PartialStoryboard.model_validate_json(board.model_dump_json()) == board
    assert board.given() == {"lexicon": stored | {"NASA": {"ipa": "ˈnæsə"}}}


@pytest.mark.parametrize(
    ("lexicon", "path", "says"),
    [
        ({"US": "a", "us": "b"}, "lexicon.us", "must be given once: it contradicts lexicon.US"),
        ({"a": ""}, "lexicon.a", "text of 1 to 200 characters"),
        ({"a": "…"}, "lexicon.a", "with a letter or digit"),
        ({"a": "b" * (LONGEST_ALIAS + 1)}, "lexicon.a", "text of 1 to 200 characters"),
        ({"a": "b\x1bc"}, "lexicon.a", "without control characters"),
        ({"a": "\ud800"}, "lexicon.a", "without control characters"),
        ({"a": 7}, "lexicon.a", "got '7'"),
        ({"a": None}, "lexicon.a", "got 'None'"),
        ({"a": {"ipa": ""}}, "lexicon.a.ipa", "International Phonetic Alphabet"),
        ({"a": {"ipa": "[[x]]"}}, "lexicon.a.ipa", "International Phonetic Alphabet"),
        ({"a": {"ipa": 7}}, "lexicon.a", '{"ipa": "…"}'),
        ({"a": {"ipa": "a", "alias": "b"}}, "lexicon.a", '{"ipa": "…"}'),
        ({"": "a"}, "lexicon.", "a word of 1 to 100 characters"),
        ({"…": "a"}, "lexicon.…", "a word of 1 to 100 characters"),
        ({"a" * (LONGEST_WORD + 1): "a"}, "lexicon." + "a" * LONGEST_WORD, "a word of 1 to 100 characters"),
        ({str(number): "a" for number in range(MOST_WORDS + 1)}, "lexicon", "got 501 words"),
        (["a"], "lexicon", "an object of at most 500 words"),
        ("{", "lexicon", "invalid JSON"),
    ],
)
def test_a_wrong_lexicon_is_refused_by_the_word(lexicon: Any, path: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_partial({"lexicon": lexicon})
    assert caught.value.param == path
    assert caught.value.message.startswith(f"{path} ")
    assert says in caught.value.message


def test_pauses_are_in_a_sentence_or_around_it() -> None:
    text = "[pause 1s] Wait. [pause 0.5s] Then a GIF [pause 250ms] flies. It flies. [pause 2s]"
    said, rest = utterances(text, "en-US", {"GIF": "jif"})
    assert [(one.said.text, one.before) for one in said] == [
        ("Wait.", 1.0),
        ("Then a GIF flies.", 0.5),
        ("It flies.", 0.0),
    ]
    assert rest == 2.0
    spoken = [[part.alias or part.pause or part.text for part in one.said.parts] for one in said]
    assert spoken == [["Wait."], ["Then a ", "jif", " ", 0.25, "flies."], ["It flies."]]
    assert [bool(one.said.address) for one in said] == [False, True, False]
    assert utterances("It flies.", None, {}) == ([Utterance(plain("It flies."))], 0.0)


def test_a_pause_is_as_long_as_a_voice_can_make_it() -> None:
    scene = {"narration": {"text": "Wait. [pause 10s] Go."}}
    assert parse_partial({"scenes": [scene]})
    scene["narration"]["text"] += " [pause 12s] Go."
    with pytest.raises(InvalidRequest, match=r"must have pauses of at most 10 s; got 12 s") as caught:
        parse_partial({"scenes": [scene]})
    assert caught.value.param == "scenes[0].narration.text"
