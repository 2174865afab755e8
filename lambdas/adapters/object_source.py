"""One S3 object read by ranges: a `Source` (lambdas/media/source.py)."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.clients import MISSING, error_code, translated
from lambdas.domain.errors import ArtifactMissing, ServiceUnavailable
from lambdas.media.source import CHUNK, check_range

_BLOCK = 256 * 1024  # bytes; the first block of an engine's clip contains its index, a few KB
_KEPT_BLOCKS = 64  # 16 MiB
MEASURES = "measures"
"""Metadata field: what Objects.put was given under this name."""


class Blocks:
    """A cache of the most recently read blocks of all objects: constant memory for any number of them."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[tuple[str, int], bytes] = OrderedDict()  # by object ETag and block number

    def get(self, etag: str, number: int) -> bytes | None:
        block = self._blocks.get((etag, number))
        if block is not None:
            self._blocks.move_to_end((etag, number))
        return block

    def put(self, etag: str, number: int, block: bytes) -> None:
        self._blocks[etag, number] = block
        if len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popitem(last=False)


class ObjectSource:
    """The object as it was when this source was created.

    Many small reads cost few requests: a read fetches whole blocks and caches them for the next one.

    Raises ArtifactMissing if the object is gone, ServiceUnavailable if it was replaced meanwhile, and
    ClipUnreadable if a range is not within the object.
    """

    def __init__(self, s3: Any, bucket: str, key: str, blocks: Blocks) -> None:
        self._s3 = s3
        self._bucket = bucket
        self.key = key
        self._blocks = blocks
        with self._asking("head"):
            found = s3.head_object(Bucket=bucket, Key=key)
        self.size: int = found["ContentLength"]
        self.etag: str = found["ETag"]
        self.measures: str | None = found.get("Metadata", {}).get(MEASURES)

    def read(self, offset: int, length: int) -> bytes:
        check_range(self, offset, length)
        return b"".join(self._pieces(offset, length))

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        """Stream a range with a single request, however long it is."""
        check_range(self, offset, length)
        if length == 0:
            return
        with self._asking("read"):
            yield from self._get(offset, length).iter_chunks(CHUNK)

    def _pieces(self, offset: int, length: int) -> Iterator[bytes]:
        end = offset + length
        while offset < end:
            number, start = divmod(offset, _BLOCK)
            piece = self._block(number)[start : start + end - offset]
            offset += len(piece)
            yield piece

    def _block(self, number: int) -> bytes:
        block = self._blocks.get(self.etag, number)
        if block is None:
            offset = number * _BLOCK
            with self._asking("read"):
                block = self._get(offset, min(_BLOCK, self.size - offset)).read()
            self._blocks.put(self.etag, number, block)
        return block

    def _get(self, offset: int, length: int) -> Any:
        span = f"bytes={offset}-{offset + length - 1}"
        return self._s3.get_object(Bucket=self._bucket, Key=self.key, Range=span, IfMatch=self.etag)["Body"]

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        with translated(f"{what} {self.key}"):
            try:
                yield
            except ClientError as error:
                if error_code(error) in MISSING:
                    raise ArtifactMissing(f"the object {self.key} is gone") from error
                if error_code(error) in ("PreconditionFailed", "412"):
                    raise ServiceUnavailable(f"{self.key} was replaced while it was read") from error
                raise
