"""Read plain text or SSML as utterances: sentences and pauses, with their positions in the text.

Source of the tags: docs.aws.amazon.com/polly/latest/dg/supportedtags.html.
"""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from lambdas.domain.sentences import can_be_spoken, spans
from reelworks.cloud.backends.voice.interface import Phonemes

# Polly documents neither the pause between sentences nor the speed of its named rates: these are ours.
SENTENCE_PAUSE = 0.25  # seconds, in addition to the voice's own pause at a full stop
PARAGRAPH_PAUSE = 0.6
_BREAKS = {
    "none": 0.0,
    "x-weak": 0.0,
    "weak": 0.15,
    "medium": 0.15,
    "strong": SENTENCE_PAUSE,
    "x-strong": PARAGRAPH_PAUSE,
}
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "fast": 1.25, "x-fast": 1.6}
_LONGEST_BREAK = 10.0  # Polly's


class BadMarkup(ValueError):
    """The text is not SSML, or uses an unsupported tag or value."""


@dataclass(frozen=True)
class Sentence:
    """A sentence to speak. `rate`: 1 is the voice's own. `start`, `end`: byte offsets in the given text.
    `places`: those of its letters. `sounds`: which letters of the text, from and to, are spoken as which
    phonemes."""

    text: str
    rate: float
    start: int
    end: int
    places: tuple[int, ...] = field(repr=False)
    sounds: tuple[tuple[int, int, str], ...] = ()

    @property
    def parts(self) -> list[tuple[int, int, str | Phonemes]]:
        """What to speak: from and to which letter of the text, and the words."""
        parts: list[tuple[int, int, str | Phonemes]] = []
        begin = 0
        for first, end, ipa in self.sounds:
            parts += [(begin, first, self.text[begin:first]), (first, end, Phonemes(ipa))]
            begin = end
        parts.append((begin, len(self.text), self.text[begin:]))
        return [one for one in parts if one[2]]


@dataclass(frozen=True)
class Pause:
    seconds: float


Utterance = Sentence | Pause


def read_plain(text: str) -> list[Utterance]:
    reader = _Reader()
    reader.hear(text, 0)
    return reader.finish()


def read_ssml(text: str) -> list[Utterance]:
    """Read SSML. Raises BadMarkup if it is invalid or uses an unsupported tag or value."""
    return _Markup(text.encode()).read()


def characters(utterances: list[Utterance]) -> int:
    """Return the number of characters that Polly bills: the text without the markup."""
    return sum(len(one.text) for one in utterances if isinstance(one, Sentence))


class _Reader:
    """Collect text into sentences until a pause or a tag separates them."""

    def __init__(self) -> None:
        self._said: list[Utterance] = []
        self._letters: list[str] = []
        self._bytes: list[int] = []  # where each letter begins
        self._end = 0
        self._sounds: dict[int, tuple[int, str]] = {}  # by first letter: their end, and phonemes
        self._apart = 0.0  # seconds before the next sentence
        self.rate = 1.0

    def hear(self, text: str, start: int) -> None:
        """Add text that begins at byte `start`."""
        for letter in text:
            self._letters.append(letter)
            self._bytes.append(start)
            start += len(letter.encode())
        self._end = start

    def replace(self, text: str, start: int, end: int, ipa: str | None) -> None:
        """Add text that stands for what is between two bytes; `ipa`: by these sounds."""
        if ipa is not None and text:
            self._sounds[len(self._letters)] = len(self._letters) + len(text), ipa
        self._letters += text
        self._bytes += [start] * len(text)
        self._end = end

    def pause(self, seconds: float) -> None:
        self.flush()
        if seconds:
            self._said.append(Pause(seconds))

    def part(self, seconds: float) -> None:
        """Separate what follows from what came before, if anything, by a pause of at least `seconds`."""
        self.flush()
        self._apart = max(self._apart, seconds)

    def flush(self) -> None:
        """End the current sentence."""
        text, places = "".join(self._letters), [*self._bytes, self._end]
        sounds = self._sounds
        self._letters, self._bytes, self._sounds = [], [], {}
        for start, end in spans(text):
            words = text[start:end].strip()
            if not can_be_spoken(words):
                continue  # only where the whole text is without a letter
            if self._apart and self._said and not isinstance(self._said[-1], Pause):
                self._said.append(Pause(self._apart))
            self._apart = SENTENCE_PAUSE if end < len(text) else 0.0
            begin = text.index(words, start)
            spoken = " ".join(words.split())
            own = tuple(
                (_collapsed(text, begin, first), _collapsed(text, begin, until), ipa)
                for first, (until, ipa) in sounds.items()
                if begin <= first < until <= begin + len(words)
            )
            own_places = tuple(
                places[at]
                for at in range(begin, begin + len(words))
                if not (text[at].isspace() and text[at - 1].isspace())
            )
            self._said.append(
                Sentence(spoken, self.rate, places[begin], places[begin + len(words)], own_places, own)
            )

    def finish(self) -> list[Utterance]:
        self.flush()
        return self._said


def _collapsed(text: str, begin: int, place: int) -> int:
    """Return where a place of the text is, counted from `begin`, once each space in between is one."""
    before = text[begin:place]
    return len(" ".join(before.split())) + (before[-1:].isspace() and bool(before.strip()))


class _Markup:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._reader = _Reader()
        self._rates: list[float] = []
        self._depth = 0
        # The <sub> or <phoneme> being read: where it begins, what it says, and its text.
        self._replaced: tuple[int, str, str] | None = None
        self._written = ""
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self) -> list[Utterance]:
        try:
            self._parser.Parse(self._text, True)
        except expat.ExpatError as error:
            raise BadMarkup(f"The SSML is not well-formed: {error}.") from error
        return self._reader.finish()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if (tag == "speak") != (self._depth == 0):
            raise BadMarkup("SSML must be exactly one <speak>…</speak> element, with no other <speak> in it.")
        self._depth += 1
        if self._replaced:
            raise BadMarkup(f"<{tag}> is not allowed in a <sub> or <phoneme>.")
        match tag:
            case "speak":
                pass
            case "s" | "p":
                self._reader.part(SENTENCE_PAUSE if tag == "s" else PARAGRAPH_PAUSE)
            case "break":
                self._reader.pause(_break(attributes))
            case "prosody":
                self._reader.flush()
                self._rates.append(self._reader.rate)
                self._reader.rate = _rate(attributes)
            case "sub":
                self._replaced = self._parser.CurrentByteIndex, "sub", _attribute(tag, attributes, "alias")
            case "phoneme":
                if attributes.get("alphabet", "ipa") != "ipa":
                    raise BadMarkup(f"phoneme alphabet must be ipa; got {attributes['alphabet']!r}.")
                self._replaced = self._parser.CurrentByteIndex, "phoneme", _attribute(tag, attributes, "ph")
            case _:
                raise BadMarkup(
                    f"<{tag}> is not supported; use speak, p, s, break, prosody rate, sub or phoneme."
                )

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag in ("s", "p"):
            self._reader.part(SENTENCE_PAUSE if tag == "s" else PARAGRAPH_PAUSE)
        elif tag == "prosody":
            self._reader.flush()
            self._reader.rate = self._rates.pop()
        elif self._replaced:
            start, kind, said = self._replaced
            end = self._text.index(b">", self._parser.CurrentByteIndex) + 1
            alias, ipa = (said, None) if kind == "sub" else (self._written, said)
            self._reader.replace(alias, start, end, ipa)
            self._replaced, self._written = None, ""

    def _characters(self, text: str) -> None:
        if self._replaced:
            self._written += text
            return
        start = self._parser.CurrentByteIndex
        self._reader.hear(text, start)

    def _doctype(self, *_: object) -> None:
        raise BadMarkup("A DOCTYPE is not allowed in SSML.")


def _attribute(tag: str, attributes: dict[str, str], name: str) -> str:
    value = attributes.get(name, "").strip()
    if not value:
        raise BadMarkup(f"{tag} requires the attribute {name}.")
    return value


def _break(attributes: dict[str, str]) -> float:
    if time := attributes.get("time"):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|ms)", time)
        seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else -1.0
        if not 0 <= seconds <= _LONGEST_BREAK:
            raise BadMarkup(f"break time must be at most 10s or 10000ms; got {time!r}.")
        return seconds
    strength = attributes.get("strength", "medium")
    if strength not in _BREAKS:
        raise BadMarkup(f"break strength must be one of {', '.join(_BREAKS)}; got {strength!r}.")
    return _BREAKS[strength]


def _rate(attributes: dict[str, str]) -> float:
    rate = attributes.get("rate")
    if rate is None or len(attributes) != 1:
        raise BadMarkup("prosody supports only the attribute rate, which is required.")
    if rate in _RATES:
        return _RATES[rate]
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", rate)
    if not match or not 20 <= float(match[1]) <= 200:
        raise BadMarkup(f"prosody rate must be {', '.join(_RATES)} or 20% to 200%; got {rate!r}.")
    return float(match[1]) / 100
