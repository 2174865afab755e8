"""The interface of a voice backend, which speaks one sentence at a time in place of Polly."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


class VoiceFailed(Exception):
    """A known voice can't speak; the message says why. `passing`: another try may succeed."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True)
class Voice:
    """`source`: the voice's file, or its name on a server. `length_scale`: a file's own."""

    name: str
    source: str
    language: str  # Polly's format, e.g. "en-US"
    language_name: str
    length_scale: float = 1.0


class VoiceBackend(Protocol):
    async def say(self, voice: Voice, rate: float, sentence: str) -> tuple[Samples, int]:
        """Speak one line of text at `rate` (1 is the voice's own). Return the samples and the sample rate.

        Raises VoiceFailed if the voice can't speak.
        """

    async def stop(self) -> None: ...
