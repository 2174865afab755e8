"""What both clients know of HTTP."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from reelworks.client.steps import Form, Lost

TIMEOUT = httpx.Timeout(60, connect=5)


def lost(error: httpx.HTTPError) -> Lost:
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Lost(str(error) or type(error).__name__, sent=not unsent)


@contextmanager
def body_of(content: bytes | Form) -> Iterator[dict[str, Any]]:
    """Yield a body as httpx takes it."""
    if isinstance(content, Form):
        with _Watched(content.path, content.on_progress) as file:
            yield {"data": content.fields, "files": {"file": ("file", file)}}
    else:
        yield {"content": content} if content else {}


class _Watched(io.FileIO):
    """A file that tells how far it is read."""

    def __init__(self, path: Path, on_progress: Callable[[int, int], Any] | None) -> None:
        super().__init__(path)
        self._size, self._on_progress = path.stat().st_size, on_progress

    def read(self, size: int | None = -1, /) -> bytes | Any:
        chunk = super().read(size)
        if self._on_progress and chunk:
            self._on_progress(self.tell(), self._size)
        return chunk
