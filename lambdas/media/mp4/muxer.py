"""Write the pipeline's MP4s: fast start, exact time base, metadata kept."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from io import SEEK_SET
from typing import BinaryIO

import av
from av.container import OutputContainer

from lambdas.media.mp4.timescale import timescale


@contextmanager
def mp4_writer(output: BinaryIO, *, fps: Fraction, metadata: Mapping[str, str]) -> Iterator[OutputContainer]:
    """Open a muxer on `output`, which must be seekable and readable: on closing, fast start moves the index
    to the front."""
    ticks = str(timescale(fps))
    options = {
        "movflags": "faststart+use_metadata_tags",  # the latter keeps non-iTunes keys
        "video_track_timescale": ticks,
        # The default, 1000, would round the film's duration to milliseconds.
        "movie_timescale": ticks,
    }

    def reopen(_url: str, _flags: int, _options: dict[str, str]) -> _ReadBack:
        return _ReadBack(output)

    with av.open(output, "w", format="mp4", options=options, io_open=reopen) as container:
        container.metadata.update(metadata)
        yield container


class _ReadBack:
    """A second read position in a file being written, because FFmpeg's fast start reopens its output."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._position = 0

    def read(self, size: int) -> bytes:
        with self._reading():
            return self._file.read(size)

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        with self._reading():
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._position

    @contextmanager
    def _reading(self) -> Iterator[None]:
        writing = self._file.tell()
        self._file.seek(self._position)
        try:
            yield
        finally:
            self._position = self._file.tell()
            self._file.seek(writing)
