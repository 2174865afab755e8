"""An upload of many parts that goes on where an earlier one broke off.

It relies on the content being the same bytes each time. That an unfinished upload is of this content is told
by its first part, whose ETag is its MD5 (true of objects that S3 encrypts with its own keys): a film's first
part holds its index, and so the size of every frame. Two uploads of one content at once do no harm: they send
the same parts. What is never taken up again is removed by the bucket's lifecycle rule (cdk/buckets.py).
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from botocore.exceptions import ClientError

from lambdas.adapters.clients import MISSING, error_code, translated
from lambdas.domain.errors import ServiceUnavailable

PART = 16 * 1024 * 1024  # bytes; S3 takes 5 MiB to 5 GiB, the last part apart
MOST_PARTS = 10_000


class Content(Protocol):
    """Bytes that come one after the other, from any of them on: always the same ones."""

    @property
    def size(self) -> int: ...

    def stream(self, offset: int = 0) -> Iterator[bytes]: ...


class Upload:
    def __init__(self, s3: Any, bucket: str, key: str, content: Content, content_type: str) -> None:
        self._s3 = s3
        self._object = {"Bucket": bucket, "Key": key}
        self._content = content
        self._content_type = content_type
        self._part = part_size(content.size)
        self._count = -(-content.size // self._part)

    def send(self, sent: Callable[[int], None]) -> None:
        """Raises ServiceUnavailable where somebody has taken the upload away before its end."""
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
        """Adds the parts that are missing to `etags`."""
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
        """The unfinished upload of this content that has most parts, and its parts' ETags by number."""
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
        """Its parts by number; none for an upload that has ended meanwhile."""
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
        """The bytes of a part; 0 for one that the content has not."""
        return max(0, min(self._part, self._content.size - (number - 1) * self._part))

    def _complete(self, upload: str, etags: dict[int, str]) -> None:
        parts = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
        self._s3.complete_multipart_upload(**self._object, UploadId=upload, MultipartUpload={"Parts": parts})

    def _is_there(self) -> bool:
        """Whether another upload of the same content has ended."""
        try:
            found = self._s3.head_object(**self._object)
        except ClientError as error:
            if error_code(error) in MISSING:
                return False
            raise
        return bool(found["ContentLength"] == self._content.size)


def part_size(size: int) -> int:
    """The size of all parts but the last: PART, or the whole number of MiB that MOST_PARTS can hold."""
    mebibyte = 1024 * 1024
    return max(PART, -(-size // (MOST_PARTS * mebibyte)) * mebibyte)
