"""The interface of a voice backend, which speaks one sentence at a time in place of Polly."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

_TIES = "\u0361\u035c"

Samples = NDArray[np.int16]


class VoiceFailed(Exception):
    """A known voice can't speak; the message says why. `passing`: another try may succeed."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True)
class Phonemes:
    """A word by its sounds, in the International Phonetic Alphabet."""

    ipa: str

    @property
    def signs(self) -> str:
        """Its signs as espeak has them: accents of their own, and none that ties two letters."""
        return "".join(sign for sign in normalize("NFD", self.ipa) if sign not in _TIES)


Words = tuple[str | Phonemes, ...]
"""One line of text, in which words may be given by their sounds."""


class Spoken(NamedTuple):
    """The sound of a line, with its samples per second. `starts`: after how many seconds words begin, by the
    index of their part and the place in it, in characters. Words that a voice runs together begin with the
    first of them. None if the voice doesn't tell."""

    samples: Samples
    rate: int
    starts: Mapping[tuple[int, int], float] | None = None


@dataclass(frozen=True)
class Voice:
    """`source`: the voice's file, or its name on a server. `length_scale`: a file's own. `phonemes`: those
    that it speaks; empty if it takes none."""

    name: str
    source: str
    language: str  # Polly's format, e.g. "en-US"
    language_name: str
    length_scale: float = 1.0
    phonemes: frozenset[str] = frozenset()


class VoiceBackend(Protocol):
    async def say(self, voice: Voice, rate: float, words: Words) -> Spoken:
        """Speak one line of text at `rate` (1 is the voice's own), by sounds only if the voice has all of
        them.

        Raises VoiceFailed if the voice can't speak.
        """

    async def stop(self) -> None: ...
