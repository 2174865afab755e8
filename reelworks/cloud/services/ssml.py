"""A text, plain or SSML, as what is to be said: sentences and pauses, with where they stand in the text.

Source of the tags: docs.aws.amazon.com/polly/latest/dg/supportedtags.html.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

# Polly documents neither the pause between sentences nor how fast its named rates are: these are ours.
SENTENCE_PAUSE = 0.25  # seconds, besides what a voice makes of a full stop
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

_END = re.compile(r"""[.!?…]+["'”’»)\]]*\s+|[。！？]+[」』”]*""")
_ABBREVIATION = re.compile(r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|etc|no|e\.g|i\.e)|\b[a-z])\.\s+$", re.IGNORECASE)


class BadMarkup(ValueError):
    """The text is not SSML, or uses what is not known here."""


@dataclass(frozen=True)
class Sentence:
    """`rate`: 1 is the voice's own. `start`, `end`: its bytes in the text as it was given."""

    text: str
    rate: float
    start: int
    end: int


@dataclass(frozen=True)
class Pause:
    seconds: float


Utterance = Sentence | Pause


def read_plain(text: str) -> list[Utterance]:
    reader = _Reader()
    reader.hear(text, 0)
    return reader.finish()


def read_ssml(text: str) -> list[Utterance]:
    """Raises BadMarkup."""
    return _Markup(text.encode()).read()


def characters(utterances: list[Utterance]) -> int:
    """What Polly bills: the text without the markup."""
    return sum(len(one.text) for one in utterances if isinstance(one, Sentence))


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence, without the blanks around it."""
    start = 0
    for match in _END.finditer(text):
        goes_on = text[match.end() : match.end() + 1].islower()
        if goes_on or _ABBREVIATION.search(text, start, match.end()):
            continue
        yield start, match.end()
        start = match.end()
    yield start, len(text)


class _Reader:
    """Gathers text into sentences, until something stands between."""

    def __init__(self) -> None:
        self._said: list[Utterance] = []
        self._letters: list[str] = []
        self._bytes: list[int] = []  # where each letter begins
        self._end = 0
        self._apart = 0.0  # seconds before the next sentence
        self.rate = 1.0

    def hear(self, text: str, start: int) -> None:
        """Text that stands at byte `start`."""
        for letter in text:
            self._letters.append(letter)
            self._bytes.append(start)
            start += len(letter.encode())
        self._end = start

    def pause(self, seconds: float) -> None:
        self.flush()
        if seconds:
            self._said.append(Pause(seconds))

    def part(self, seconds: float) -> None:
        """What comes next stands apart, by as much at least if there is something before it."""
        self.flush()
        self._apart = max(self._apart, seconds)

    def flush(self) -> None:
        """What comes next is no part of the sentence."""
        text, places = "".join(self._letters), [*self._bytes, self._end]
        self._letters, self._bytes = [], []
        for start, end in _sentences(text):
            words = text[start:end].strip()
            if not any(letter.isalnum() for letter in words):
                continue  # nothing that can be said
            if self._apart and self._said and not isinstance(self._said[-1], Pause):
                self._said.append(Pause(self._apart))
            self._apart = SENTENCE_PAUSE if end < len(text) else 0.0
            begin = text.index(words, start)
            spoken = " ".join(words.split())
            self._said.append(Sentence(spoken, self.rate, places[begin], places[begin + len(words)]))

    def finish(self) -> list[Utterance]:
        self.flush()
        return self._said


class _Markup:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._reader = _Reader()
        self._rates: list[float] = []
        self._depth = 0
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
            raise BadMarkup("SSML is one <speak>…</speak> with nothing around it and no other in it.")
        self._depth += 1
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
            case _:
                raise BadMarkup(f"<{tag}> is not known here; there are speak, p, s, break and prosody rate.")

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag in ("s", "p"):
            self._reader.part(SENTENCE_PAUSE if tag == "s" else PARAGRAPH_PAUSE)
        elif tag == "prosody":
            self._reader.flush()
            self._reader.rate = self._rates.pop()

    def _characters(self, text: str) -> None:
        start = self._parser.CurrentByteIndex
        self._reader.hear(text, start)

    def _doctype(self, *_: object) -> None:
        raise BadMarkup("SSML must have no DOCTYPE.")


def _break(attributes: dict[str, str]) -> float:
    if time := attributes.get("time"):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|ms)", time)
        seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else -1.0
        if not 0 <= seconds <= _LONGEST_BREAK:
            raise BadMarkup(f"A break's time is at most 10s or 10000ms; it is {time!r}.")
        return seconds
    strength = attributes.get("strength", "medium")
    if strength not in _BREAKS:
        raise BadMarkup(f"A break's strength is one of {', '.join(_BREAKS)}; it is {strength!r}.")
    return _BREAKS[strength]


def _rate(attributes: dict[str, str]) -> float:
    rate = attributes.get("rate")
    if rate is None or len(attributes) != 1:
        raise BadMarkup("Of prosody, only rate is known here.")
    if rate in _RATES:
        return _RATES[rate]
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", rate)
    if not match or not 20 <= float(match[1]) <= 200:
        raise BadMarkup(f"A prosody rate is {', '.join(_RATES)} or 20% to 200%; it is {rate!r}.")
    return float(match[1]) / 100
