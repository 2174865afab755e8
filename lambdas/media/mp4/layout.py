"""Describe a film's bytes as ranges of other files, so that every byte is known before the first is
written."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby, islice

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.mp4.clip import blame
from lambdas.media.source import BytesSource, Source, stream_ranges


@dataclass(frozen=True, slots=True)
class _Range:
    source: Source
    offset: int
    length: int
    clip: int | None


def _place(one: _Range) -> tuple[int, int | None]:
    return id(one.source), one.clip


class Strand:
    """Byte ranges in sequence: all of one track's samples, or all of the film's own boxes."""

    def __init__(self) -> None:
        self._ranges: list[_Range] = []
        self._starts: list[int] = []
        self.length = 0

    def add(self, source: Source, offset: int, length: int, clip: int | None = None) -> None:
        """Append a range. A range that continues the last one is merged with it, which saves a request to
        S3."""
        last = self._ranges[-1] if self._ranges else None
        if last is not None and last.source is source and last.offset + last.length == offset:
            self._ranges[-1] = _Range(source, last.offset, last.length + length, clip)
        else:
            self._ranges.append(_Range(source, offset, length, clip))
            self._starts.append(self.length)
        self.length += length

    def add_bytes(self, data: bytes) -> None:
        """Append bytes."""
        self.add(BytesSource(data), 0, len(data))

    def chunks(self, position: int) -> Iterator[bytes]:
        """Yield the strand's bytes from `position`. Raises ClipUnreadable with the clip's index."""
        first = max(0, bisect_right(self._starts, position) - 1)
        skip = max(0, position - self._starts[first]) if self._ranges else 0
        for (_, clip), ranges in groupby(islice(self._ranges, first, None), _place):
            run = list(ranges)
            parts = [(one.offset, one.length) for one in run]
            parts[0] = parts[0][0] + skip, parts[0][1] - skip
            skip = 0
            with blame(clip):
                yield from stream_ranges(run[0].source, parts)


class _Tap:
    """Reads a strand turn by turn, keeping its requests open in between."""

    def __init__(self, strand: Strand, position: int) -> None:
        self._chunks = strand.chunks(position)
        self._chunk = b""
        self._used = 0

    def take(self, length: int) -> Iterator[bytes]:
        while length:
            if self._used == len(self._chunk):
                self._chunk, self._used = next(self._chunks, b""), 0
                if not self._chunk:
                    raise ClipUnreadable("a source ended before its stated size")
            taken = self._chunk[self._used : self._used + length]
            self._used += len(taken)
            length -= len(taken)
            yield taken


@dataclass(frozen=True)
class Layout:
    """A film that is not yet written. `size` is in bytes, `width` and `height` in pixels as encoded."""

    frames: int
    fps: Fraction
    width: int
    height: int
    strands: list[Strand] = field(repr=False)
    turns: list[tuple[int, int]] = field(repr=False)
    """Strand number and number of bytes, per turn."""

    @property
    def size(self) -> int:
        return sum(length for _, length in self.turns)

    def stream(self, offset: int = 0) -> Iterator[bytes]:
        """Yield the film from byte `offset`, in chunks of at most source.CHUNK. The bytes are always the
        same.

        Raises ClipUnreadable with the clip's index if a source has changed.
        """
        if not 0 <= offset <= self.size:
            raise ValueError(f"offset must be 0 to {self.size}; got {offset}")
        taken = [0] * len(self.strands)
        for turn, (strand, length) in enumerate(self.turns):  # noqa: B007
            if offset < length:
                break
            taken[strand] += length
            offset -= length
        else:
            return
        taken[strand] += offset
        taps = [_Tap(*pair) for pair in zip(self.strands, taken, strict=True)]
        yield from taps[strand].take(length - offset)
        for strand, length in self.turns[turn + 1 :]:
            yield from taps[strand].take(length)
