"""Estimate how long narration takes to speak, and how many words fit a scene."""

from lambdas.domain.patterns import lazy_pattern
from lambdas.domain.sentences import can_be_spoken, sentences
from lambdas.domain.spoken_text import spoken_with_pauses
from lambdas.domain.storyboard import (
    LEAD,
    PAUSE,
    TAIL,
)

WORDS_PER_SECOND = 2.5  # pace of an unhurried English narrator
NARRATION_WORDS = 25  # for a scene that lasts as long as its narration
# Models count words badly, so the question asks for fewer words than are accepted.
_ASKED_SHARE = 0.9
_FEWEST_WORDS = 4
_LETTERS_PER_WORD = 2  # in scripts that write a syllable or word as one letter, without spaces
_DENSE = lazy_pattern(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def spoken_words(text: str) -> float:
    """Return the number of English words that take as long to speak as the text."""
    spaced = sum(map(can_be_spoken, _DENSE.sub(" ", text).split()))
    return spaced + len(_DENSE.findall(text)) / _LETTERS_PER_WORD


def words_within(seconds: float | None) -> int:
    """Return how many words of narration to ask for, for a scene of that length."""
    if seconds is None:
        return NARRATION_WORDS
    spoken = seconds - LEAD - PAUSE - TAIL
    return max(_FEWEST_WORDS, int(_ASKED_SHARE * spoken * WORDS_PER_SECOND))


def seconds_to_narrate(text: str) -> float:
    """Return about how many seconds a scene with that narration must last."""
    said, asked = spoken_with_pauses(text)
    pauses = PAUSE * max(0, len(sentences(said)) - 1) + sum(pause.seconds for pause in asked)
    return LEAD + seconds_to_say(said) + pauses + TAIL


def seconds_to_say(text: str) -> float:
    """Return about how many seconds it takes to say a text without pauses."""
    return spoken_words(text) / WORDS_PER_SECOND
