"""When each word of a sentence begins, where a voice speaks it in another form than it is written."""

import re
import unicodedata
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

from lambdas.domain.spoken_text import without_emoji
from reelworks.cloud.backends.voice.interface import Phonemes, Spoken, Words
from reelworks.cloud.backends.voice.reading import read_aloud
from reelworks.cloud.services.ssml import Sentence


class Word(NamedTuple):
    """Words of a sentence that begin together: from and to which letter of its text, and after how many
    seconds of its sound."""

    first: int
    until: int
    starts: float


def to_speak(sentence: Sentence, language: str) -> Words:
    """Return what a voice of the language says: written out where it would misread the text."""
    return tuple(_read(part, language) for _, _, part in sentence.parts)


def words(sentence: Sentence, language: str, spoken: Spoken) -> list[Word]:
    """Return when each word of the sentence is spoken. A word of which that isn't known belongs to the one
    before it. Requires `spoken.starts`."""
    assert spoken.starts is not None  # noqa: S101  the caller looked
    found: list[Word] = []
    for number, (begin, end, part) in enumerate(sentence.parts):
        for first, until, place in _said(part, end - begin, language):
            trimmed = _trimmed(sentence.text, begin + first, begin + until)
            if trimmed is None:
                continue
            starts = spoken.starts.get((number, place))
            if starts is not None:
                found.append(Word(*trimmed, starts))
            elif found:
                found[-1] = found[-1]._replace(until=trimmed[1])
    return found


def _read(part: str | Phonemes, language: str) -> str | Phonemes:
    return read_aloud(without_emoji(part), language) if isinstance(part, str) else part


def _said(part: str | Phonemes, written_letters: int, language: str) -> Iterator[tuple[int, int, int]]:
    """Return from and to where words stand in a part as it is written, and where in what is said for it."""
    if isinstance(part, Phonemes):
        yield 0, written_letters, 0
        return
    written, said = _tokens(part), _tokens(read_aloud(without_emoji(part), language))
    matcher = SequenceMatcher(None, [one[0] for one in written], [one[0] for one in said], autojunk=False)
    for _, from_written, to_written, from_said, to_said in matcher.get_opcodes():
        here, there = written[from_written:to_written], said[from_said:to_said]
        if not here or not there:
            continue
        if len(here) != len(there):
            yield here[0].start(), here[-1].end(), there[0].start()
            continue
        for one, other in zip(here, there, strict=True):
            yield one.start(), one.end(), other.start()


def _tokens(text: str) -> list[re.Match[str]]:
    return list(re.finditer(r"\S+", text))


def _trimmed(text: str, first: int, until: int) -> tuple[int, int] | None:
    """Leave out the punctuation around a word. None if there is nothing else."""
    while first < until and not _is_spoken(text[first]):
        first += 1
    while until > first and not _is_spoken(text[until - 1]):
        until -= 1
    return (first, until) if first < until else None


def _is_spoken(char: str) -> bool:
    """Return whether it is a letter, an accent, a digit, or a sign that is read with a number."""
    category = unicodedata.category(char)
    return category[0] in "LMN" or category == "Sc" or char in "%‰°"
