"""A multipart upload that resumes where an earlier one was interrupted.

It relies on the content being the same bytes each time. The first part identifies an unfinished upload of
this content: its ETag is its MD5 (true for objects that S3 encrypts with its own keys), and a film's first
part holds its index, and so the size of every frame. Two simultaneous uploads of the same content do no harm:
they send the same parts. The bucket's lifecycle rule (cdk/buckets.py) removes uploads that are never resumed.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from lambdas.adapters.clients import MISSING, error_code, translated
from lambdas.domain.errors import ServiceUnavailable
from lambdas.media.source import FileSource

PART = 16 * 1024 * 1024  # bytes; S3 allows 5 MiB to 5 GiB, except for the last part
MOST_PARTS = 10_000


class Content(Protocol):
    """A stream of bytes that can start at any offset and is always the same."""

    @property
    def size(self) -> int: ...

    def stream(self, offset: int = 0) -> Iterator[bytes]: ...


class FileContent:
    """A file as the content of an upload."""

    def __init__(self, path: Path) -> None:
        self._source = FileSource(path)
        self.size = self._source.size

    def stream(self, offset: int = 0) -> Iterator[bytes]:
        return self._source.stream(offset, self.size - offset)


class Upload:
    def __init__(self, s3: Any, bucket: str, key: str, content: Content, content_type: str) -> None:
        self._s3 = s3
        self._object = {"Bucket": bucket, "Key": key}
        self._content = content
        self._content_type = content_type
        self._part = part_size(content.size)
        self._count = -(-content.size // self._part)

    def send(self, sent: Callable[[int], None]) -> None:
        """Upload the content. Raises ServiceUnavailable if the upload was aborted or completed elsewhere and
        the object is missing."""
        with translated(f"upload {self._object['Key']}"):
            if self._count <= 1:
                body = b"".join(self._content.stream())
                self._s3.put_object(**self._object, Body=body, ContentType=self._content_type)
                sent(len(body))
                return
            upload, etags = self._begun_before() or (self._begin(), {})
            try:
                self._send_parts(upload, etags, sent)
                self._complete(upload, etags)
            except ClientError as error:
                if error_code(error) != "NoSuchUpload":
                    raise
                if not self._is_there():
                    raise ServiceUnavailable(f"the upload of {self._object['Key']} is gone") from error

    def _send_parts(self, upload: str, etags: dict[int, str], sent: Callable[[int], None]) -> None:
        """Send the missing parts and add them to `etags`."""
        missing = [number for number in range(1, self._count + 1) if number not in etags]
        if not missing:
            return
        for number, part in self._parts(missing[0]):
            if number not in etags:
                etags[number] = self._s3.upload_part(
                    **self._object, UploadId=upload, PartNumber=number, Body=part
                )["ETag"]
            sent(min(number * self._part, self._content.size))

    def _parts(self, first: int) -> Iterator[tuple[int, bytes]]:
        buffer, number = bytearray(), first
        for chunk in self._content.stream((first - 1) * self._part):
            buffer += chunk
            while len(buffer) >= self._part:
                yield number, bytes(buffer[: self._part])
                del buffer[: self._part]
                number += 1
        if buffer:
            yield number, bytes(buffer)

    def _begin(self) -> str:
        made = self._s3.create_multipart_upload(**self._object, ContentType=self._content_type)
        return str(made["UploadId"])

    def _begun_before(self) -> tuple[str, dict[int, str]] | None:
        """Return this content's unfinished upload with the most parts, and its parts' ETags by number."""
        first = None
        found: list[tuple[str, dict[int, str]]] = []
        for upload in self._unfinished():
            parts = self._listed(upload)
            if not parts:
                continue
            if first is None:
                first = hashlib.md5(self._first_part(), usedforsecurity=False).hexdigest()
            sizes = all(part["Size"] == self._size_of(number) for number, part in parts.items())
            if sizes and 1 in parts and parts[1]["ETag"].strip('"') == first:
                found.append((upload, {number: part["ETag"] for number, part in parts.items()}))
        return max(found, key=lambda one: len(one[1]), default=None)

    def _unfinished(self) -> Iterator[str]:
        pages = self._s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._object["Bucket"], Prefix=self._object["Key"]
        )
        for page in pages:
            for upload in page.get("Uploads", []):
                if upload["Key"] == self._object["Key"]:
                    yield upload["UploadId"]

    def _listed(self, upload: str) -> dict[int, dict[str, Any]]:
        """Return an upload's parts by number; none if it has ended meanwhile."""
        try:
            pages = self._s3.get_paginator("list_parts").paginate(**self._object, UploadId=upload)
            return {part["PartNumber"]: part for page in pages for part in page.get("Parts", [])}
        except ClientError as error:
            if error_code(error) == "NoSuchUpload":
                return {}
            raise

    def _first_part(self) -> bytes:
        return next(part for _, part in self._parts(1))

    def _size_of(self, number: int) -> int:
        """Return the size of a part in bytes; 0 if the content has no such part."""
        return max(0, min(self._part, self._content.size - (number - 1) * self._part))

    def _complete(self, upload: str, etags: dict[int, str]) -> None:
        parts = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
        self._s3.complete_multipart_upload(**self._object, UploadId=upload, MultipartUpload={"Parts": parts})

    def _is_there(self) -> bool:
        """Return whether another upload of the same content has completed."""
        try:
            found = self._s3.head_object(**self._object)
        except ClientError as error:
            if error_code(error) in MISSING:
                return False
            raise
        return bool(found["ContentLength"] == self._content.size)


def part_size(size: int) -> int:
    """Return the size of all parts but the last: PART, or for large content the fewest whole MiB that keep to
    MOST_PARTS."""
    mebibyte = 1024 * 1024
    return max(PART, -(-size // (MOST_PARTS * mebibyte)) * mebibyte)
