import pytest

from reelworks.cloud.backends.voice.interface import Phonemes
from reelworks.cloud.services.ssml import (
    PARAGRAPH_PAUSE,
    SENTENCE_PAUSE,
    BadMarkup,
    Pause,
    Sentence,
    characters,
    read_plain,
    read_ssml,
)


def sentences(text: str) -> list[str]:
    return [one.text for one in read_plain(text) if isinstance(one, Sentence)]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("A bee lands.", ["A bee lands."]),
        ("A bee lands. It drinks!  Then it flies?", ["A bee lands.", "It drinks!", "Then it flies?"]),
        ("Without a stop\nover two lines", ["Without a stop over two lines"]),
        ("Dr. Bee met Mr. Fox at 3.5 p.m. in St. Ives. They talked.",
         ["Dr. Bee met Mr. Fox at 3.5 p.m. in St. Ives.", "They talked."]),
        ("“Who is it?” she said. “Me.” He left.", ["“Who is it?” she said.", "“Me.”", "He left."]),
        ("Wait … what?", ["Wait … what?"]),
        ("蜂が来た。花に止まる。", ["蜂が来た。", "花に止まる。"]),
        ("… A bee. …", ["… A bee. …"]),
        ("... ?!", []),
    ],
)  # fmt: skip
def test_sentences(text: str, spoken: list[str]) -> None:
    assert sentences(text) == spoken


def test_pauses_are_only_between_sentences() -> None:
    assert [type(one) for one in read_plain("One. Two. Three.")] == [
        Sentence,
        Pause,
        Sentence,
        Pause,
        Sentence,
    ]
    assert read_plain("One. Two.")[1] == Pause(SENTENCE_PAUSE)


@pytest.mark.parametrize(
    "text", ["Eine Biene über Blüten. Ö!", "  One.\n\tTwo lines\nhere.", "蜂が来た。花に止まる。"]
)
def test_a_sentence_knows_its_bytes(text: str) -> None:
    for one in read_plain(text):
        if isinstance(one, Sentence):
            assert " ".join(text.encode()[one.start : one.end].decode().split()) == one.text


def test_markup() -> None:
    text = (
        "<speak>Grüße, Bee &amp; Fox.<break time='500ms'/>"
        '<prosody rate="80%">It is slow here.</prosody><p>A paragraph.</p></speak>'
    )
    hello, pause, slow, longer, last = read_ssml(text)
    assert isinstance(hello, Sentence)
    assert (hello.text, hello.rate) == ("Grüße, Bee & Fox.", 1.0)
    assert text.encode()[hello.start : hello.end].decode() == "Grüße, Bee &amp; Fox."
    assert pause == Pause(0.5)
    assert isinstance(slow, Sentence)
    assert (slow.text, slow.rate) == ("It is slow here.", 0.8)
    assert longer == Pause(PARAGRAPH_PAUSE)
    assert isinstance(last, Sentence)
    assert last.rate == 1.0
    assert characters([hello, pause, slow, longer, last]) == 17 + 16 + 12


def test_a_break_replaces_the_pause_between_sentences() -> None:
    said = read_ssml("<speak><break time='3s'/><s>One.</s><break time='100ms'/><p><s>Two.</s></p></speak>")
    assert [one.seconds for one in said if isinstance(one, Pause)] == [3.0, 0.1]


def test_the_pause_between_paragraphs_is_longer() -> None:
    said = read_ssml("<speak><p><s>One.</s><s>Two.</s></p><p>Three. Four.</p></speak>")
    pauses = [one.seconds for one in said if isinstance(one, Pause)]
    assert pauses == [SENTENCE_PAUSE, PARAGRAPH_PAUSE, SENTENCE_PAUSE]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A bee.", "not well-formed"),
        ("<speak>A bee.", "not well-formed"),
        ("<p>A bee.</p>", "one <speak>"),
        ("<speak><speak>A bee.</speak></speak>", "one <speak>"),
        ("<speak><emphasis>A bee.</emphasis></speak>", "<emphasis> is not supported"),
        ("<speak><break time='20s'/></speak>", "at most 10s"),
        ("<speak><break time='-1s'/></speak>", "at most 10s"),
        ("<speak><break strength='huge'/></speak>", "one of none"),
        ("<speak><prosody pitch='high'>A</prosody></speak>", "only the attribute rate"),
        ("<speak><prosody rate='500%'>A</prosody></speak>", "20% to 200%"),
        ("<!DOCTYPE speak [<!ENTITY a 'aaaa'>]><speak>&a;</speak>", "DOCTYPE"),
    ],
)
def test_invalid_markup(text: str, said: str) -> None:
    with pytest.raises(BadMarkup, match=said):
        read_ssml(text)


def test_words_that_are_said_in_another_way() -> None:
    text = (
        "<speak>Look, a  <sub alias='jif  file'>GIF</sub>, by "
        "<phoneme alphabet='ipa' ph='ˈnæsə'>NASA</phoneme>'s men."
        "<break time='1s'/> <phoneme ph='ɛs'>S</phoneme></speak>"
    )
    said, pause, short = read_ssml(text)
    assert isinstance(said, Sentence)
    assert isinstance(short, Sentence)
    assert said.text == "Look, a jif file, by NASA's men."
    assert said.parts == [
        (0, 21, "Look, a jif file, by "),
        (21, 25, Phonemes("ˈnæsə")),
        (25, 32, "'s men."),
    ]
    sent = text.encode()
    assert [sent[said.places[at]] for at in (0, 6, 25)] == [ord("L"), ord("a"), ord("'")]
    assert {said.places[at] for at in range(8, 16)} == {sent.index(b"<sub")}
    assert text.encode()[said.start : said.end].decode() == text[7 : text.index("<break")]
    assert pause == Pause(1)
    assert (short.text, short.parts) == ("S", [(0, 1, Phonemes("ɛs"))])
    assert Phonemes("d͡ʒç").signs == "dʒc\u0327"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<sub>GIF</sub>", "sub requires the attribute alias"),
        ("<phoneme alphabet='x-sampa' ph='a'>a</phoneme>", "alphabet must be ipa; got 'x-sampa'"),
        ("<sub alias='a'>a<s>b</s></sub>", "<s> is not allowed in a <sub> or <phoneme>"),
    ],
)
def test_wrong_markup_of_words(text: str, says: str) -> None:
    with pytest.raises(BadMarkup, match=says):
        read_ssml(f"<speak>{text}</speak>")
