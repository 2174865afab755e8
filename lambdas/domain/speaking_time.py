"""How long words take to be said, and how many words a scene has time for."""

import re

from lambdas.domain.english import sentences
from lambdas.domain.storyboard import (
    LEAD,
    PAUSE,
    TAIL,
)

WORDS_PER_SECOND = 2.5  # of an English narrator, unhurried
NARRATION_WORDS = 25  # of a scene that lasts as long as its narration
# A model counts its words badly: it is asked for fewer than are accepted.
_ASKED_SHARE = 0.9
_FEWEST_WORDS = 4
_LETTERS_PER_WORD = 2  # of scripts that write a syllable or a word as one letter, without spaces
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def spoken_words(text: str) -> float:
    """How many words of English take as long to say."""
    return len(_DENSE.sub("", text).split()) + len(_DENSE.findall(text)) / _LETTERS_PER_WORD


def words_within(seconds: float | None) -> int:
    """How many words of narration are asked for."""
    if seconds is None:
        return NARRATION_WORDS
    spoken = seconds - LEAD - PAUSE - TAIL
    return max(_FEWEST_WORDS, int(_ASKED_SHARE * spoken * WORDS_PER_SECOND))


def seconds_to_narrate(text: str) -> float:
    """About how long a scene must be in which that is said."""
    return LEAD + spoken_words(text) / WORDS_PER_SECOND + PAUSE * (len(sentences(text)) - 1) + TAIL
