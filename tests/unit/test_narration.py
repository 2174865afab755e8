"""The voice of a scene's narration, and the timing of its sentences."""

from fractions import Fraction
from typing import Any

import pytest

from lambdas.domain.characters import Image, Role
from lambdas.domain.narration import Sentence, Speaker, SpokenWord, speaker, spoken
from lambdas.domain.pronunciation import plain, pronounced
from lambdas.domain.storyboard import LEAD, PAUSE, TAIL, Narration
from lambdas.domain.video_request import Voice


def by(narration: dict[str, Any] | None = None, **film: Any) -> Speaker:
    """On a PC, where the default voice is Joe."""
    said = Narration.model_validate({"text": "A bee.", **(narration or {})})
    return speaker(said, Voice(**film), voice="Joe", engine="standard")


@pytest.mark.parametrize(
    ("narration", "film", "voice", "engine"),
    [
        ({}, {}, "Joe", "standard"),
        ({}, {"name": "Joe"}, "Joe", "standard"),
        ({}, {"name": "Amy"}, "Amy", "neural"),
        ({}, {"name": "Amy", "engine": "generative"}, "Amy", "generative"),
        ({}, {"engine": "neural"}, "Joe", "neural"),
        ({"voice": "Brian"}, {"name": "Joe"}, "Brian", "neural"),
        ({"voice": "Joe"}, {"name": "Amy"}, "Joe", "standard"),
        ({"voice": "Brian"}, {"engine": "long-form"}, "Brian", "long-form"),
    ],
)
def test_the_scene_s_voice_overrides_the_film_s_and_that_the_deployment_s(
    narration: dict[str, Any], film: dict[str, Any], voice: str, engine: str
) -> None:
    found = by(narration, **film)
    assert (found.voice, found.engine) == (voice, engine)


def test_the_character_s_voice_comes_after_the_narration_s_own_and_before_the_film_s() -> None:
    picture = Image(key="k", sha256="0" * 64, width=2, height=2)
    cast = [
        Role(id=name, name=name, voice=voice, image=picture) for name, voice in (("A", "Amy"), ("B", None))
    ]
    narrations = ({"speaker": "A"}, {"speaker": "A", "voice": "Joe"}, {"speaker": "B"}, {})
    said = [Narration.model_validate({"text": "A bee.", **one}) for one in narrations]
    found = [speaker(one, Voice(name="Eva"), cast, voice="Ida", engine="standard").voice for one in said]
    assert found == ["Amy", "Joe", "Eva", "Eva"]


def test_a_scene_s_own_speed_and_language() -> None:
    assert by(speed=1.5).speed == 1.5
    own = by({"speed": 0.8, "language": "hi-IN"}, speed=1.5, sample_rate=16000)
    assert (own.speed, own.language, own.sample_rate) == (0.8, "hi-IN", 16000)
    assert by().language is None
    assert by(language="de-DE").language == "de-DE"
    assert by({"language": "hi-IN"}, language="de-DE").language == "hi-IN"


def test_a_sound_s_address_depends_only_on_what_is_heard() -> None:
    others: list[dict[str, Any]] = [
        {"name": "Amy"},
        {"engine": "neural"},
        {"speed": 1.1},
        {"sample_rate": 8000},
    ]
    speakers = [by(), *(by(**other) for other in others), by({"language": "en-IN"})]
    assert len({one.sentence_hash(plain("A bee.")) for one in speakers}) == len(speakers)
    assert len({one.narration_hash("A bee.") for one in speakers}) == len(speakers)
    assert by().sentence_hash(plain("A bee.")) == by({"text": "Another."}).sentence_hash(plain("A bee."))
    assert by().sentence_hash(plain("A bee.")) != by().sentence_hash(plain("A bee!"))
    assert by().sentence_hash(plain("A bee.")) != by().narration_hash("A bee.")
    bees = [pronounced("A bee.", lexicon) for lexicon in ({}, {"bee": "be"}, {"bee": "bea"}, {"wasp": "bea"})]
    assert bees[3] == bees[0] == plain("A bee.")
    assert len({by().sentence_hash(one) for one in bees}) == len(
        {by().narration_hash("", [one]) for one in bees}
    )
    assert len({by().sentence_hash(one) for one in bees}) == 3
    assert by().sentence_hash(bees[0], timed=True) != by().sentence_hash(bees[0])
    assert by().narration_hash("A bee.", [bees[0]]) == by().narration_hash("A bee.")
    assert by().narration_hash("A bee.", words=True) != by().narration_hash("A bee.")


def test_a_sentence_without_word_times_keeps_the_address_it_had_before_there_were_any() -> None:
    one = Sentence(text="A bee.", sound="a", start=0, seconds=1)
    assert one.address == {"text": "A bee.", "sound": "a", "start": 0, "seconds": 1}
    timed = one.model_copy(update={"words": (SpokenWord(text="A", start=0, end=1),)})
    assert timed.address["words"] == ({"text": "A", "start": 0, "end": 1},)


def test_sentences_are_separated_by_a_pause() -> None:
    said = spoken(
        "Joe",
        [
            ("One.", "a", Fraction(3, 2), ()),
            ("Two.", "b", Fraction(1, 4), ()),
            ("3.", "c", Fraction(2), ()),
        ],
    )
    assert [(one.text, one.sound, one.seconds) for one in said.sentences] == [
        ("One.", "a", 1.5),
        ("Two.", "b", 0.25),
        ("3.", "c", 2),
    ]
    assert [one.start for one in said.sentences] == [0, 1.5 + PAUSE, 1.75 + 2 * PAUSE]
    assert said.seconds == pytest.approx(LEAD + 3.75 + 2 * PAUSE + TAIL)
    assert said.by == "Joe"


def test_a_narration_survives_a_round_trip() -> None:
    words = (SpokenWord(text="One", start=0.1, end=0.33),)
    said = spoken("Joe", [("One.", "a", Fraction(1, 3), words), ("Two.", "b", Fraction(1, 7), ())])
    assert said.model_validate_json(said.model_dump_json()) == said
