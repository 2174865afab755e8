"""Read plain text or SSML as utterances: sentences and pauses, with their positions in the text.

Source of the tags: docs.aws.amazon.com/polly/latest/dg/supportedtags.html.
"""

import re
from dataclasses import dataclass
from xml.parsers import expat

from lambdas.domain.sentences import can_be_spoken, spans

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
    """A sentence to speak. `rate`: 1 is the voice's own. `start`, `end`: byte offsets in the given text."""

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
        self._apart = 0.0  # seconds before the next sentence
        self.rate = 1.0

    def hear(self, text: str, start: int) -> None:
        """Add text that begins at byte `start`."""
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
        """Separate what follows from what came before, if anything, by a pause of at least `seconds`."""
        self.flush()
        self._apart = max(self._apart, seconds)

    def flush(self) -> None:
        """End the current sentence."""
        text, places = "".join(self._letters), [*self._bytes, self._end]
        self._letters, self._bytes = [], []
        for start, end in spans(text):
            words = text[start:end].strip()
            if not can_be_spoken(words):
                continue  # only where the whole text is without a letter
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
            raise BadMarkup("SSML must be exactly one <speak>…</speak> element, with no other <speak> in it.")
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
                raise BadMarkup(f"<{tag}> is not supported; use speak, p, s, break or prosody rate.")

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
        raise BadMarkup("A DOCTYPE is not allowed in SSML.")


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
