"""How words are pronounced: a film's lexicon, and what a voice is sent for a sentence."""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from lambdas.domain.control_characters import visible
from lambdas.domain.documents import Document
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.patterns import lazy_pattern
from lambdas.domain.sentences import can_be_spoken, spans
from lambdas.domain.spoken_text import spoken_with_pauses

MOST_WORDS = 500
LONGEST_WORD, LONGEST_ALIAS, LONGEST_IPA = 100, 200, 200  # characters
LEXICON = (
    f"an object of at most {MOST_WORDS} words, each with what is said instead (text of at most "
    f'{LONGEST_ALIAS} characters) or {{"ipa": "…"}} (at most {LONGEST_IPA})'
)
_IPA_SIGNS = frozenset(" .|'-‖‿")  # besides letters, marks and modifiers
# Scripts that are written without spaces between words, or with particles attached to them.
_UNSPACED = lazy_pattern(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff]")


class Phonemes(Document):
    """A word's sounds in the International Phonetic Alphabet."""

    ipa: str


Lexicon = dict[str, str | Phonemes]
"""What is said for a word: other words, or sounds."""


class Part(Document):
    """A part of a sentence: `text` as it is written, and what is said instead, if anything; or seconds of
    silence."""

    text: str
    alias: str | None = None
    ipa: str | None = None
    pause: float | None = None

    @property
    def is_plain(self) -> bool:
        return self.alias is None and self.ipa is None and self.pause is None


class Said(Document):
    """A sentence as a voice is sent it."""

    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The sentence as it is written."""
        return "".join(part.text for part in self.parts)

    @property
    def is_plain(self) -> bool:
        return all(part.is_plain for part in self.parts)

    @property
    def address(self) -> list[dict[str, Any]]:
        """What determines how it sounds besides its text; empty if nothing does."""
        return [] if self.is_plain else [part.model_dump(exclude_none=True) for part in self.parts]


def plain(sentence: str) -> Said:
    return Said(parts=(Part(text=sentence),))


def pronounced(sentence: str, lexicon: Lexicon) -> Said:
    """Return the sentence with what the lexicon says of its words.

    A word counts as a whole, the longest first. One that the lexicon has in small letters counts in any
    case, any other one only as it is written.
    """
    return Said(parts=tuple(_parts(sentence, lexicon)))


def _parts(sentence: str, lexicon: Lexicon) -> Iterator[Part]:
    end = 0
    if lexicon:
        matcher, words = _matcher(tuple(lexicon))
        for found in matcher.finditer(sentence):
            said = lexicon[words[(found.lastindex or 1) - 1]]
            if found.start() > end:
                yield Part(text=sentence[end : found.start()])
            if isinstance(said, Phonemes):
                yield Part(text=found[0], ipa=said.ipa)
            else:
                yield Part(text=found[0], alias=said)
            end = found.end()
    if end < len(sentence):
        yield Part(text=sentence[end:])


@lru_cache(maxsize=16)
def _matcher(words: tuple[str, ...]) -> tuple[re.Pattern[str], list[str]]:
    """Return a pattern with a group for each word, and the words in the order of the groups."""
    ordered = sorted(words, key=len, reverse=True)
    return re.compile("|".join(map(_group, ordered))), ordered


def _group(word: str) -> str:
    before = "" if _UNSPACED.match(word[0]) or not word[0].isalnum() else r"(?<!\w)"
    after = "" if _UNSPACED.match(word[-1]) or not word[-1].isalnum() else r"(?!\w)"
    # As texts may encode it: é, or e and an accent.
    forms = {unicodedata.normalize(form, word) for form in ("NFC", "NFD")}
    spelled = "|".join(r"\s+".join(map(re.escape, form.split())) for form in sorted(forms))
    case = "(?i:" if word == word.lower() else "(?:"
    return f"({before}{case}{spelled}){after})"


class Utterance(NamedTuple):
    """A sentence of a narration, and the seconds of silence before it that the text asks for."""

    said: Said
    before: float = 0.0


def utterances(text: str, language: str | None, lexicon: Lexicon) -> tuple[list[Utterance], float]:
    """Return what is said of a narration, and the seconds of silence after it that the text asks for.
    Captions show `said.text`, which has no pauses."""
    words, pauses = spoken_with_pauses(text)
    found: list[Utterance] = []
    for start, end in spans(words, language):
        sentence = words[start:end].strip()
        begin = words.index(sentence, start)
        before = sum((pause.seconds for pause in pauses if pause.at <= begin), 0.0)
        within = [pause for pause in pauses if begin < pause.at < begin + len(sentence)]
        pauses = [pause for pause in pauses if pause.at >= begin + len(sentence)]
        parts: list[Part] = []
        for place, seconds in [*within, (begin + len(sentence), None)]:
            parts += _parts(words[begin:place], lexicon)
            parts += [] if seconds is None else [Part(text="", pause=seconds)]
            begin = place
        found.append(Utterance(Said(parts=tuple(parts)), before))
    return found, sum((pause.seconds for pause in pauses), 0.0)


# --- from clients


def parse_lexicon(value: Any) -> Any:
    """Return a lexicon, from an object or its JSON text; None is an empty one. Raises InvalidRequest naming
    the word and what is allowed."""
    if value is None:
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(
                f"lexicon must be {LEXICON}; got invalid JSON: {error}.", param="lexicon"
            ) from error
    if not isinstance(value, Mapping) or len(value) > MOST_WORDS:
        got = f"{len(value):,} words" if isinstance(value, Mapping) else repr(value)[:80]
        raise InvalidRequest(f"lexicon must be {LEXICON}; got {got}.", param="lexicon")
    return merged({}, {_word(word): _pronunciation(word, said) for word, said in value.items()})


def merged(one: Lexicon, other: Lexicon) -> Lexicon:
    """Return both lexicons as one. Raises InvalidRequest if they contradict one another, or themselves."""
    result: Lexicon = {}
    spelled: dict[str, str] = {}
    for word, said in (*one.items(), *other.items()):
        before = spelled.setdefault(word.casefold(), word)
        if before in result and result[before] != said:
            raise InvalidRequest(
                f"{_path(word)} must be given once: it contradicts lexicon.{before}. A word in small letters "
                "counts in any case, any other one only as it is written.",
                param=_path(word),
            )
        result[word] = said
    return result


def _path(word: Any) -> str:
    return f"lexicon.{visible(str(word))[:LONGEST_WORD]}"


def _word(word: Any) -> str:
    spaced = " ".join(word.split()) if isinstance(word, str) else ""
    if not 0 < len(spaced) <= LONGEST_WORD or visible(spaced) != spaced or not can_be_spoken(spaced):
        raise InvalidRequest(
            f"{_path(word)} must be a word of 1 to {LONGEST_WORD} characters with a letter or digit, without "
            "control characters.",
            param=_path(word),
        )
    return unicodedata.normalize("NFC", spaced)


def _pronunciation(word: str, said: Any) -> str | Phonemes:
    if isinstance(said, Phonemes):
        said = said.model_dump()
    if isinstance(said, Mapping) and set(said) == {"ipa"} and isinstance(said["ipa"], str):
        ipa = said["ipa"].strip().strip("/")
        if 0 < len(ipa) <= LONGEST_IPA and all(map(_is_ipa, ipa)) and any(map(str.isalpha, ipa)):
            return Phonemes(ipa=ipa)
        raise InvalidRequest(
            f"{_path(word)}.ipa must be 1 to {LONGEST_IPA} letters and signs of the International Phonetic "
            f"Alphabet, for example ˈɡɪf; got {said['ipa'][:80]!r}.",
            param=f"{_path(word)}.ipa",
        )
    alias = " ".join(said.split()) if isinstance(said, str) else ""
    if not 0 < len(alias) <= LONGEST_ALIAS or visible(alias) != alias or not can_be_spoken(alias):
        raise InvalidRequest(
            f"{_path(word)} must be text of 1 to {LONGEST_ALIAS} characters with a letter or digit, without "
            f'control characters, or {{"ipa": "…"}}; got {str(said)[:80]!r}.',
            param=_path(word),
        )
    return alias


def _is_ipa(char: str) -> bool:
    return char in _IPA_SIGNS or unicodedata.category(char) in ("Ll", "Lo", "Lm", "Mn", "Sk")
