"""Clips laid end to end by merging their sample tables: encoded frames are copied as bytes, never parsed."""

from dataclasses import dataclass
from fractions import Fraction

from lambdas.media.source import Source


@dataclass(frozen=True)
class Piece:
    """Frames [start, stop) of a clip, counted as shown; `stop` None: to its end.

    The first must be a keyframe that no earlier frame's decoding waits for (closed GOPs). `clip`: its index
    in the film, for errors.
    """

    source: Source
    clip: int
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True)
class Chapter:
    """A mark at `start` seconds from the film's start; it ends where the next one starts."""

    start: Fraction
    title: str
