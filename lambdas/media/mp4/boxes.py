"""Read MP4 boxes (ISO/IEC 14496-12, 4.2) from untrusted bytes, and write them.

Whatever a file claims, reading it stays within the limits set here and ends in a value or in ClipUnreadable
with the reason.
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

MAX_BOXES = 1_000  # side by side; a track has about twenty
# A clip's boxes before its first frame are smaller, so one read gets all of them.
_HEAD = 16 * 1024
_SHORTEST = 8

U32 = 0xFFFFFFFF

Boxes = dict[bytes, list[memoryview]]
"""Contents of the boxes in a box, by kind, without copying."""


@dataclass(frozen=True)
class Span:
    """Position of a top-level box's content in the file, in bytes."""

    kind: bytes
    start: int
    end: int


class BoxReader:
    """Reads a file's boxes with as few reads as possible."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._head = source.read(0, min(_HEAD, source.size))

    def spans(self) -> Iterator[Span]:
        """Yield the top-level boxes. Zero bytes in place of a box are padding up to the end. Raises
        ClipUnreadable."""
        offset, count, size = 0, 0, self._source.size
        while size - offset >= _SHORTEST:
            count += 1
            if count > MAX_BOXES:
                raise ClipUnreadable(f"it has more than {MAX_BOXES} boxes")
            start = self._read(offset, min(offset + 16, size))
            if count > 1 and start[:_SHORTEST] == bytes(_SHORTEST):
                return
            kind, header, length = _header(memoryview(start), size - offset)
            yield Span(kind, offset + header, offset + length)
            offset += length
        if count == 0:
            raise ClipUnreadable("it is empty or too short for an MP4")

    def content(self, span: Span) -> memoryview:
        """Return a box's content. Raises ClipUnreadable if it is too long."""
        if span.end - span.start > MOST_INDEX_BYTES:
            raise ClipUnreadable(f"its box {name(span.kind)} is too long: {span.end - span.start} bytes")
        return memoryview(self._read(span.start, span.end))

    def _read(self, start: int, end: int) -> bytes:
        return self._head[start:end] if end <= len(self._head) else self._source.read(start, end - start)


def children(content: memoryview) -> Boxes:
    """Return the boxes in a box. Raises ClipUnreadable."""
    found: Boxes = {}
    offset, count = 0, 0
    while len(content) - offset >= _SHORTEST:
        count += 1
        if count > MAX_BOXES:
            raise ClipUnreadable(f"a box contains more than {MAX_BOXES} boxes")
        kind, header, length = _header(content[offset : offset + 16], len(content) - offset)
        found.setdefault(kind, []).append(content[offset + header : offset + length])
        offset += length
    return found


def child(boxes: Boxes, kind: bytes) -> memoryview:
    """Return the only box of that kind. Raises ClipUnreadable unless there is exactly one."""
    found = boxes.get(kind, [])
    if len(found) != 1:
        raise ClipUnreadable(f"found {len(found)} boxes {name(kind)}; expected one")
    return found[0]


def optional_child(boxes: Boxes, kind: bytes) -> memoryview | None:
    """Return the only box of that kind, or None if there is none."""
    return child(boxes, kind) if kind in boxes else None


def name(kind: bytes) -> str:
    """Return a box kind in a form fit for a message."""
    return repr(kind.decode("latin-1"))


def _header(start: memoryview, room: int) -> tuple[bytes, int, int]:
    """Return a box's kind, header length and total length in bytes."""
    length, kind = unpack(">I4s", start, 0, "a box")
    header = _SHORTEST
    if length == 1:
        (length,), header = unpack(">Q", start, 8, "a box"), 16
    elif length == 0:  # to the end of the file
        length = room
    if length < header:
        raise ClipUnreadable(f"its box {name(kind)} is too short: {length} bytes")
    if length > room:
        raise ClipUnreadable(f"truncated: box {name(kind)} is {length} bytes long, but only {room} are left")
    return kind, header, length


def unpack(form: str, content: bytes | memoryview, offset: int, what: str) -> tuple[Any, ...]:
    """Return the fields at `offset`. Raises ClipUnreadable if `what` is too short."""
    if struct.calcsize(form) > len(content) - offset:
        raise ClipUnreadable(f"{what} is too short")
    return struct.unpack_from(form, content, offset)


def numbers(content: memoryview, offset: int, count: int, form: str, what: str) -> "array[int]":
    """Return `count` big-endian numbers (`form`: I or Q) at `offset`. Raises ClipUnreadable if too short."""
    values = array(form)
    end = offset + count * values.itemsize
    if end > len(content):
        raise ClipUnreadable(f"{what} is too short for its {count} numbers")
    values.frombytes(content[offset:end])
    if sys.byteorder == "little":
        values.byteswap()
    return values


def box_header(kind: bytes, length: int) -> bytes:
    """Return the header of a box with `length` bytes of content."""
    if length + 8 <= U32:
        return struct.pack(">I4s", length + 8, kind)
    return struct.pack(">I4sQ", 1, kind, length + 16)


def box(kind: bytes, *contents: bytes) -> bytes:
    """Return a box."""
    return b"".join((box_header(kind, sum(map(len, contents))), *contents))


def full_box(kind: bytes, *contents: bytes, version: int = 0, flags: int = 0) -> bytes:
    """Return a box that starts with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *contents)


def table(values: Iterable[int], form: str = "I") -> bytes:
    """Pack numbers as big-endian."""
    packed = array(form, values)
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes()


def runs(values: Iterable[int]) -> bytes:
    """Return a table of (count, value) preceded by its number of entries: `stts` and `ctts`."""
    flat: list[int] = []
    for value, same in groupby(values):
        flat += (sum(1 for _ in same), value)
    return struct.pack(">I", len(flat) // 2) + table(flat)
