"""What a voice backend is: it says one sentence at a time, in Polly's place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]


class VoiceFailed(Exception):
    """A voice that is there by its name can't speak; the message says why."""


@dataclass(frozen=True)
class Voice:
    name: str
    model: Path
    language: str  # as Polly has it: "en-US"
    language_name: str
    length_scale: float  # the model's own


class VoiceBackend(Protocol):
    async def say(self, voice: Voice, rate: float, sentence: str) -> tuple[Samples, int]:
        """One line of text at `rate` (1 is the voice's own): samples, and how many a second.

        Raises VoiceFailed.
        """

    async def stop(self) -> None: ...
