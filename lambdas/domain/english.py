"""Split text into words, and detect whether it reads as English."""

import re

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def words(text: str) -> list[str]:
    """Return the words in lower case, without digits and punctuation."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


# Function words that hardly occur in other languages …
_OWN = frozenset(
    words(
        """the of and with from into onto its their his her our your through while this that these those are
        which as by between behind beneath beside toward towards across around against along among above below
        without within during before after over under near where when who whose each every both some other
        they she he it's there then they're upon beyond amid amidst out up down off has have being been were
        not but or if than all can will"""
    )
)
# … and those that others share ("in" is German, "a" Spanish, "on" French), which count half.
_SHARED = frozenset(words("a an in on is at to for it so be was do no we me i my one more like just"))

# 3,900 English paragraphs that language models wrote for video prompts have 0.22 and more; samples in ten
# other European languages have 0 to 0.14 (Hungarian, whose article is "a", 0.18).
_ENGLISH_SHARE = 0.15


def is_function_word(word: str) -> bool:
    return word in _OWN or word in _SHARED


# Words that a narrator says to an audience and that a description never uses.
_SPOKEN = frozenset(words("you us let what how why about here only never always again something nothing"))


def is_spoken_word(word: str) -> bool:
    """Return whether it is a function word, including those that a narrator says to an audience."""
    return is_function_word(word) or word in _SPOKEN


def reads_as_english(text: str, *, spoken: bool = False) -> bool:
    """Return whether the text is in Latin letters and has English function words, including those of speech
    if `spoken`. A text of a few nouns has none, so the result is False: it could be in any language."""
    return _english_share(text, _OWN | _SPOKEN if spoken else _OWN) >= _ENGLISH_SHARE


def _english_share(text: str, own: frozenset[str]) -> float:
    letters = [char for char in text if char.isalpha()]
    found = words(text)
    if not found or sum(char.isascii() for char in letters) < 0.95 * len(letters):
        return 0.0
    return sum(1.0 if word in own else 0.5 if word in _SHARED else 0.0 for word in found) / len(found)
