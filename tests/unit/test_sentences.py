"""Sentences as a narrator speaks them, in many languages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.domain.sentences import can_be_spoken, ends_sentence, sentences, spans

# One sentence each, wherever they stand among others.
WHOLE = [
    "Dr. Smith met J. R. R. Tolkien in the U.S. Navy at 5 p.m. Central time.",
    "The No. 5 bus stops here.",
    "It is e.g. blue, i.e. not red.",
    "We live on Main St. in town.",
    "It rained for approx. 5 minutes.",
    "Yahoo! Inc. was founded long ago.",
    "Jeopardy! is a show.",
    "“Who are you?” the bear asked.",
    '"Who are you?" the bear asked.',
    "“Go!” Mary said.",
    "She waited... and waited.",
    "She waited … and waited.",
    "And then. . . nothing.",
    "Mr. and Mrs. Jones vs. Jones Jr. agreed.",
    "It costs $3.50 at example.com or 3.5 p.m. today.",
    "See fig. 3 and pp. 4–5.",
    "George W. Bush won.",
    "He is 5 ft. tall.",
    "Mix 3 tbsp. sugar and 2 tsp. salt, max. 5 min. each.",
    "At 10 a.m. Eastern Time the U.K. Parliament met.",
    "Lt. Col. Smith lives at 5 Park Ave. near Sunset Blvd. in L.A. today.",
    "Prof. A. B. Hill and Capt. Hook met Gen. Lee on Oct. 3.",
    "Ph.D. students like it.",
    "Is it 3.14?",
    "I said 'Stop!' and he stopped.",
    "Dr. No is a film.",
    "(He was hungry.)",
    "What?!",
]


@pytest.mark.parametrize("text", WHOLE)
def test_one_sentence(text: str) -> None:
    assert sentences(text) == [text]
    assert sentences(f"The bees came. {text} They left.") == ["The bees came.", text, "They left."]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Das ist z. B. gut. | Am 3. Oktober ist frei. | Dr. Müller kommt ca. um 5 Uhr."),
        ("de", "„Wer bist du?“, fragte der Bär. | »Ja.« | Der 2. Weltkrieg begann. | Er ging."),
        ("fr", "M. Dupont est là. | « Qui es-tu ? » demanda l’ours. | « Oui. » | Mme. Durand part."),
        ("es", "El Sr. López vive en EE. UU. | ¿Quién eres? | ¡Hola! | La Sra. Ruiz, p. ej., come."),
        ("it", "Il Sig. Rossi ha 3 cani. | Il dott. Bianchi no."),
        ("pt", "O Sr. Silva chegou. | A Dra. Ana também."),
        ("nl", "Dhr. Jansen is er. | Hij komt o.a. uit Delft."),
        ("pl", "Np. to jest ul. Długa. | Prof. Nowak idzie."),
        ("ru", "Это т.е. так. | А. С. Пушкин жил в г. Москве. | Он умер."),
        ("ko", "안녕하세요. | 저는 곰입니다! | “누구세요?”라고 곰이 물었다."),
        ("hi", "यह एक वाक्य है। | यह दूसरा है।"),
        ("ar", "مرحبا بك. | كيف حالك؟ | أنا بخير."),
        ("ur", "یہ ایک جملہ ہے۔ | یہ دوسرا ہے۔"),
        ("hy", "Բարև։ | Լավ։"),
        ("am", "ሰላም። | ይህ ነው።"),
    ],
)
def test_languages(language: str, text: str) -> None:
    told = [part.strip() for part in text.split("|")]
    assert sentences(" ".join(told), language) == told
    assert sentences(" ".join(told)) == told


@pytest.mark.parametrize(
    "text",
    [
        "他说：“我们走吧。”",
        "（他很饿。）|他走了。",
        "（他很饿。）|“你是谁？”熊问。|《花》开了。",
        "“你是谁？”熊问。|“我是蜜蜂！”|“好。”",
        "「さあ行こう。」",
        "「さあ行こう。」と彼は言った。|『はい。』|そして終わり。",
        "えっ！？|本当…？|はい。",
        "【注意。】|《花。》",
    ],
)
def test_scripts_without_spaces(text: str) -> None:
    told = text.split("|")
    assert sentences("".join(told)) == told
    assert sentences("".join(told), "ja" if "は" in text else "cmn-CN") == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Come with me. We fly.", ["Come with me.", "We fly."]),
        ("They said no. I left.", ["They said no.", "I left."]),
        (
            "It is OK. Bees fly in May. Tom is ill. “Art.” Go.",
            ["It is OK.", "Bees fly in May.", "Tom is ill.", "“Art.”", "Go."],
        ),
        ("Give it to me. Tom waits. See No. 5.", ["Give it to me.", "Tom waits.", "See No. 5."]),
        ("He left at 5 p.m. The bus came.", ["He left at 5 p.m.", "The bus came."]),
        ("She lives in the U.S. He does not.", ["She lives in the U.S.", "He does not."]),
        ("What?! No!! Yes.", ["What?!", "No!!", "Yes."]),
        ("Wait for it. … Now", ["Wait for it.", "… Now"]),
        ("(He ran.) She sat. (It was late.)", ["(He ran.)", "She sat.", "(It was late.)"]),
        ("(He ran.) “She sat.” [Late!] (Yes.)", ["(He ran.)", "“She sat.”", "[Late!]", "(Yes.)"]),
        ("1. Buy milk. 2. Buy the eggs.", ["1. Buy milk.", "2. Buy the eggs."]),
        ("A title\n\nThe text.", ["A title", "The text."]),
        ("all lower case. then more.", ["all lower case.", "then more."]),
        ("Have a lovely day! 🎉", ["Have a lovely day! 🎉"]),
        ("We love bees. ♥ … ”", ["We love bees. ♥ … ”"]),
        ("🎉 Hello! 🎉🎉 “…” And on we go. ♥ !!", ["🎉 Hello!", "🎉🎉 “…” And on we go. ♥ !!"]),
        ("… “ A bee.", ["… “ A bee."]),
        ("...", ["..."]),
        ("  ", []),
        ("", []),
    ],
)
def test_where_sentences_end(text: str, told: list[str]) -> None:
    assert sentences(text) == told


def test_a_language_that_is_not_known_ends_sentences_only_where_most_would() -> None:
    assert sentences("Am 3. Mai kam Dr. Müller. Er blieb.") == ["Am 3. Mai kam Dr. Müller.", "Er blieb."]


@pytest.mark.parametrize("text", ["Yes.", "Yes!”", "好。", "「はい。」", "Да? ", "Wait…", "(So.)"])
def test_the_end_of_a_sentence(text: str) -> None:
    assert ends_sentence(text)
    assert not ends_sentence(text + "and")


_texts = st.text(
    st.sampled_from("aZé9 .!?…。！“”\"'’「」（）() \n,;:-–—*🎉♥️\u200d蜂가") | st.characters(codec="utf-8"),
    max_size=60,
) | st.lists(st.sampled_from([*WHOLE, "🎉", "”", "他说：“走。”", "Dr.", "3.", "\n\n"])).map(" ".join)


@settings(deadline=None)
@given(_texts, st.sampled_from([None, "en-US", "de", "cmn-CN", "xx"]))
def test_sentences_are_the_whole_text_in_order(text: str, language: str | None) -> None:
    found = spans(text, language)
    assert "".join(text[start:end] for start, end in found) == (text if text.strip() else "")
    told = sentences(text, language)
    assert all(told)
    if can_be_spoken(text):
        assert all(map(can_be_spoken, told))
    else:
        assert len(told) <= 1


@settings(deadline=None)
@given(_texts)
def test_no_sentence_begins_with_a_closing_mark(text: str) -> None:
    for one in sentences(text)[1:]:
        assert one[0] not in ")」』）】》"
        assert not (one[0] in "”’" and one[1:2].isspace())


def test_a_mark_that_may_open_begins_the_next_sentence() -> None:
    assert sentences("Hon kom. ”Hej!” Han gick.", "sv") == ["Hon kom.", "”Hej!”", "Han gick."]
    assert sentences("Er kam. »Ja.« Sie ging.", "de") == ["Er kam.", "»Ja.«", "Sie ging."]
    assert sentences("She came. ” Then he went.") == ["She came. ”", "Then he went."]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("nl", "Dr. de Vries en mevr. Jansen zijn er. | Ja."),
        ("pl", "Dr hab. Nowak, tzw. ekspert, itd. | Koniec. | Było ok. 5 tys. pszczół."),
        ("pt", "Moro na Av. Brasil, n.º 5. | Fim."),
        ("ro", "Dl. Popescu și dna. Ionescu vin. | Da."),
        ("vi", "TS. Nguyễn đến. | Ông đi."),
        ("hi", "डॉ. शर्मा आए। | वे गए।"),
        ("ar", "د. أحمد هنا. | هو ذهب."),
        ("el", "Ο κ. Παπαδόπουλος ήρθε. | Ποιος είσαι; | Είμαι εγώ. | Π.χ. αυτό, κ.λπ. | Τέλος."),
        ("sv", "Han kom kl. 5. | Det var hon. | Sen gick vi ut. | Hon log."),
        ("fr", "Le Pr. Blanc et J.-C. Dupont sont là. | Des abeilles, etc. | Voilà."),
        ("de", "Bienen, Hummeln usw. | Ende. | ‚Ja.‘ | Er mag mich. | Sie nicht."),
        ("es", "Dijo que no. | Luego vio el mar. | Había flores, etc. | Fin."),
        ("it", "Ha detto di no. | Poi viene da me. | Fiori, api, ecc. | Fine."),
        ("hu", "Azt mondta, nem. | Elment."),
        ("ru", "Это и т. д. и т. п. | Всё."),
        ("en", "See vol. 3, ch. 2, p. 5. | Bees, wasps, etc. | They fly."),
    ],
)
def test_abbreviations_and_words_of_the_language(language: str, text: str) -> None:
    told = [part.strip() for part in text.split("|")]
    assert sentences(" ".join(told), language) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("She smiled. :) Then she left.", ["She smiled. :)", "Then she left."]),
        ("We love bees! <3 They fly. ;-)", ["We love bees! <3", "They fly. ;-)"]),
        ("The end.¹ More text.[2] More.", ["The end.¹", "More text.[2]", "More."]),
        ("楽しかった！（笑）また来てね。", ["楽しかった！（笑）", "また来てね。"]),
        ("他说：“走吧！”她说：“好的。”他们走了。", ["他说：“走吧！”", "她说：“好的。”", "他们走了。"]),
    ],
)
def test_notes_and_emoticons_stay_with_their_sentence(text: str, told: list[str]) -> None:
    assert sentences(text) == told
