"""Read streams of samples in portions of any size, and count in samples."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from lambdas.media.sound_input import RATE, Samples

_BLOCK = RATE


class Reader:
    """Reads a sound's samples in portions of any size. The sound starts at sample `start` of the film."""

    def __init__(self, name: str, start: int, blocks: Iterator[Samples]) -> None:
        self.name = name
        self.start = start
        self._blocks = blocks
        self._rest = np.zeros((2, 0), np.float32)

    def read(self, count: int) -> Samples:
        """Return `count` samples, or fewer at the sound's end."""
        parts = [self._rest] if self._rest.size else []  # which may have other channels
        there = self._rest.shape[1]
        while there < count and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            there += block.shape[1]
        whole = np.concatenate(parts, axis=1) if parts else self._rest
        self._rest = whole[:, count:]
        return whole[:, :count]

    def rest(self) -> int:
        """Read the remaining samples and return their number."""
        left: int = self._rest.shape[1] + sum(block.shape[1] for block in self._blocks)
        return left


def blocks_of(total: int) -> Iterator[tuple[int, int]]:
    """Yield each block's start and size, in samples, of a film of so many."""
    for start in range(0, total, _BLOCK):
        yield start, min(_BLOCK, total - start)


def samples_in(duration: Fraction) -> int:
    """Return how many samples last so many seconds. Raises ValueError for none."""
    total = round(duration * RATE)
    if total <= 0:
        raise ValueError(f"a film must be longer than 0 s; got {float(duration)} s")
    return total
