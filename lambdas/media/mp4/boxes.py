"""MP4's boxes (ISO/IEC 14496-12, 4.2): read from bytes nobody vouches for, and written.

Whatever a file claims, reading it costs no more than limits that are set here, and ends in a value or in
ClipUnreadable with the reason.
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.limits import MOST_INDEX_BYTES
from lambdas.media.source import Source

MAX_BOXES = 1_000  # side by side; a track's boxes are some twenty
# A clip's boxes up to its first frame are shorter, so one read tells all of them.
_HEAD = 16 * 1024
_SHORTEST = 8

U32 = 0xFFFFFFFF

Boxes = dict[bytes, list[memoryview]]
"""The contents of the boxes in a box, by their kind; nothing is copied."""


@dataclass(frozen=True)
class Span:
    """Where in the file the content of a top-level box lies, in bytes."""

    kind: bytes
    start: int
    end: int


class BoxReader:
    """A file's boxes, with no more reads than needed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._head = source.read(0, min(_HEAD, source.size))

    def spans(self) -> Iterator[Span]:
        offset, count, size = 0, 0, self._source.size
        while size - offset >= _SHORTEST:
            count += 1
            if count > MAX_BOXES:
                raise ClipUnreadable(f"more than {MAX_BOXES} boxes")
            start = self._read(offset, min(offset + 16, size))
            kind, header, length = _header(memoryview(start), size - offset)
            yield Span(kind, offset + header, offset + length)
            offset += length
        if count == 0:
            raise ClipUnreadable("empty or too short for an MP4")

    def content(self, span: Span) -> memoryview:
        if span.end - span.start > MOST_INDEX_BYTES:
            raise ClipUnreadable(f"{name(span.kind)} is {span.end - span.start} bytes long")
        return memoryview(self._read(span.start, span.end))

    def _read(self, start: int, end: int) -> bytes:
        return self._head[start:end] if end <= len(self._head) else self._source.read(start, end - start)


def children(content: memoryview) -> Boxes:
    found: Boxes = {}
    offset, count = 0, 0
    while len(content) - offset >= _SHORTEST:
        count += 1
        if count > MAX_BOXES:
            raise ClipUnreadable(f"more than {MAX_BOXES} boxes in a box")
        kind, header, length = _header(content[offset : offset + 16], len(content) - offset)
        found.setdefault(kind, []).append(content[offset + header : offset + length])
        offset += length
    return found


def child(boxes: Boxes, kind: bytes) -> memoryview:
    """The one box of that kind."""
    found = boxes.get(kind, [])
    if len(found) != 1:
        raise ClipUnreadable(f"{len(found)} boxes {name(kind)} where there must be one")
    return found[0]


def optional_child(boxes: Boxes, kind: bytes) -> memoryview | None:
    return child(boxes, kind) if kind in boxes else None


def name(kind: bytes) -> str:
    """Four letters that are fit for a message."""
    return repr(kind.decode("latin-1"))


def _header(start: memoryview, room: int) -> tuple[bytes, int, int]:
    """A box's kind, its header's bytes and all its bytes."""
    length, kind = unpack(">I4s", start, 0, "a box")
    header = _SHORTEST
    if length == 1:
        (length,), header = unpack(">Q", start, 8, "a box"), 16
    elif length == 0:  # to the end of the file
        length = room
    if length < header:
        raise ClipUnreadable(f"a box {name(kind)} of {length} bytes")
    if length > room:
        raise ClipUnreadable(f"truncated: {name(kind)} is {length} bytes long, {room} are there")
    return kind, header, length


def unpack(form: str, content: bytes | memoryview, offset: int, what: str) -> tuple[Any, ...]:
    """Fields at `offset`, or ClipUnreadable: `what` is too short."""
    if struct.calcsize(form) > len(content) - offset:
        raise ClipUnreadable(f"{what} is too short")
    return struct.unpack_from(form, content, offset)


def numbers(content: memoryview, offset: int, count: int, form: str, what: str) -> "array[int]":
    """`count` big-endian numbers (`form`: I or Q) at `offset`, or ClipUnreadable."""
    values = array(form)
    end = offset + count * values.itemsize
    if end > len(content):
        raise ClipUnreadable(f"{what} is too short for its {count} numbers")
    values.frombytes(content[offset:end])
    if sys.byteorder == "little":
        values.byteswap()
    return values


def box_header(kind: bytes, length: int) -> bytes:
    """Of a box with `length` bytes of content."""
    if length + 8 <= U32:
        return struct.pack(">I4s", length + 8, kind)
    return struct.pack(">I4sQ", 1, kind, length + 16)


def box(kind: bytes, *contents: bytes) -> bytes:
    return b"".join((box_header(kind, sum(map(len, contents))), *contents))


def full_box(kind: bytes, *contents: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *contents)


def table(values: Iterable[int], form: str = "I") -> bytes:
    """Big-endian numbers."""
    packed = array(form, values)
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes()


def runs(values: Iterable[int]) -> bytes:
    """A table of (how often, value), with its number of entries in front: `stts` and `ctts`."""
    flat: list[int] = []
    for value, same in groupby(values):
        flat += (sum(1 for _ in same), value)
    return struct.pack(">I", len(flat) // 2) + table(flat)
