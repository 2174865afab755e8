"""Random access to the bytes of one MP4, wherever it is stored. Only the needed ranges are read."""

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast, runtime_checkable

from lambdas.domain.errors import ClipUnreadable

CHUNK = 96 * 1024
"""Largest chunk of `Source.stream`, in bytes. From 128 KiB, glibc requests each chunk's memory from the
system (mallopt(3), M_MMAP_THRESHOLD), which costs as much as copying it."""
# Decoders read sequentially; few larger reads, because each may be a request to S3.
_BUFFER = 256 * 1024
# Bytes that are read in vain rather than starting another request, which takes about as long.
_LARGEST_GAP = 256 * 1024


@runtime_checkable
class Source(Protocol):
    """`size` bytes that don't change during reading. Raises ClipUnreadable if fewer exist than requested."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes."""
        ...

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield exactly `length` bytes in chunks of at most CHUNK."""
        ...


class BytesSource:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        check_range(self, offset, length)
        return self._data[offset : offset + length]

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        check_range(self, offset, length)
        for start in range(offset, offset + length, CHUNK):
            yield self._data[start : min(start + CHUNK, offset + length)]


class FileSource:
    """A file opened for each use, so that a film of 1,000 clips keeps none open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = path.stat().st_size

    def read(self, offset: int, length: int) -> bytes:
        check_range(self, offset, length)
        with self._path.open("rb", buffering=0) as file:
            file.seek(offset)
            return b"".join(_chunks(file, length))

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        check_range(self, offset, length)
        with self._path.open("rb", buffering=0) as file:
            file.seek(offset)
            yield from _chunks(file, length)


class HandleSource:
    """An open, seekable file with one reader at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)

    def read(self, offset: int, length: int) -> bytes:
        return b"".join(self.stream(offset, length))

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        check_range(self, offset, length)
        self._file.seek(offset)
        yield from _chunks(self._file, length)


def _chunks(file: io.FileIO | BinaryIO, length: int) -> Iterator[bytes]:
    while length:
        chunk = file.read(min(length, CHUNK))
        if not chunk:
            raise ClipUnreadable("truncated while being read")
        length -= len(chunk)
        yield chunk


def check_range(source: Source, offset: int, length: int) -> None:
    """Raise ClipUnreadable unless the range lies in the source."""
    if offset < 0 or length < 0 or offset + length > source.size:
        raise ClipUnreadable(f"bytes {offset} to {offset + length} are outside its {source.size} bytes")


def stream_ranges(source: Source, ranges: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """Yield the bytes of ranges (offset, length), in order. Ranges with small gaps between them are read by
    one request: a clip with sound has some of it between any two pictures."""
    for run in _runs(ranges):
        position, waiting = run[0][0], iter(run)
        offset, length = next(waiting)
        for chunk in source.stream(position, run[-1][0] + run[-1][1] - position):
            end = position + len(chunk)
            while offset < end:
                first, last = max(offset, position), min(offset + length, end)
                if first < last:
                    yield chunk[first - position : last - position]
                if offset + length > end:
                    break
                offset, length = next(waiting, (end, 0))
            position = end


def _runs(ranges: Iterable[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    run: list[tuple[int, int]] = []
    for offset, length in ranges:
        if run and not 0 <= offset - sum(run[-1]) <= _LARGEST_GAP:
            yield run
            run = []
        run.append((offset, length))
    if run:
        yield run


def opened(source: Source) -> BinaryIO:
    """Return a seekable reader at the source's start, for libraries that need a file (PyAV)."""
    return cast(BinaryIO, io.BufferedReader(_Reader(source), _BUFFER))


class _Reader(io.RawIOBase):
    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._source.size}[whence]
        if base + offset < 0:
            raise OSError(f"position {base + offset} is before the start")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        length = max(0, min(len(buffer), self._source.size - self._position))
        if length:  # otherwise the position is past the end, where reads return nothing
            buffer[:length] = self._source.read(self._position, length)
        self._position += length
        return length
