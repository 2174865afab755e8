"""S3 objects of one bucket."""

import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

from botocore.exceptions import ClientError

from lambdas.adapters.clients import MISSING, error_code, translated
from lambdas.adapters.object_source import MEASURES, Blocks, ObjectSource
from lambdas.adapters.upload import Content, Upload
from lambdas.domain.errors import ArtifactMissing, ServiceUnavailable

# One call copies up to 5 GB, S3's limit, but may take longer than the client's timeout.
_COPIED_AT_ONCE = 128 * 1024 * 1024
_DELETED_AT_ONCE = 1_000  # the most of DeleteObjects
_BY = "by"  # metadata field; object metadata is ASCII only
_COPY = "copy"  # metadata field: which copy wrote the object
_EVER = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


class Objects:
    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket
        self._blocks = Blocks()

    def put(
        self, key: str, body: bytes | BinaryIO, content_type: str, *, by: str = "", measures: str = ""
    ) -> None:
        """Store an object. `by`: who made it, for `made_by`. `measures`: of what it shows or sounds like
        (ASCII, at most 1.9 KB), for its source."""
        noted = {name: value for name, value in ((_BY, quote(by)), (MEASURES, measures)) if value}
        metadata = {"Metadata": noted} if noted else {}
        with translated(f"put {key}"):
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, **metadata)

    def put_new(self, key: str, body: bytes, content_type: str) -> bool:
        """Store an object unless there is one. Return False if there is: perhaps from an earlier try of this
        call whose answer was lost, so compare what is there."""
        with translated(f"put {key}"):
            while True:
                try:
                    self._s3.put_object(
                        Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, IfNoneMatch="*"
                    )
                except ClientError as error:
                    if error_code(error) == "PreconditionFailed":
                        return False
                    if error_code(error) != "ConditionalRequestConflict":  # another write is under way
                        raise
                else:
                    return True

    def made_by(self, key: str) -> str | None:
        """Return who made the object; None if that is not recorded."""
        with translated(f"head {key}"):
            metadata = self._s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        return unquote(metadata[_BY]) if _BY in metadata else None

    def get(self, key: str) -> bytes:
        """Return the object's bytes. Raises ArtifactMissing if it does not exist."""
        with translated(f"get {key}"):
            try:
                body: bytes = self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error_code(error) in MISSING:
                    raise ArtifactMissing(f"the object {key} is gone") from error
                raise
        return body

    def source(self, key: str) -> ObjectSource:
        """Return a source that reads ranges of the object. Raises ArtifactMissing if it does not exist."""
        return ObjectSource(self._s3, self.bucket, key, self._blocks)

    def put_streamed(
        self, key: str, content: Content, content_type: str, *, sent: Callable[[int], None]
    ) -> None:
        """Write an object of any size as its bytes arrive. Parts of the same content that an earlier attempt
        sent are not sent again. `sent` is called after each part with the number of bytes stored."""
        Upload(self._s3, self.bucket, key, content, content_type).send(sent)

    def size(self, key: str) -> int | None:
        """Return the object's size in bytes; None if it does not exist."""
        with translated(f"head {key}"):
            try:
                return int(self._s3.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise

    def exists(self, key: str) -> bool:
        return self.size(key) is not None

    def etag(self, key: str) -> str:
        with translated(f"head {key}"):
            return str(self._s3.head_object(Bucket=self.bucket, Key=key)["ETag"]).strip('"')

    def written(self, key: str) -> datetime | None:
        """Return when the object was written, to the second; None if it does not exist."""
        with translated(f"head {key}"):
            try:
                at: datetime = self._s3.head_object(Bucket=self.bucket, Key=key)["LastModified"]
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise
        return at

    def copy(self, source: str, target: str, content_type: str) -> None:
        """Copy an object within the bucket, a large one in parallel parts. Raises ArtifactMissing if the
        source does not exist."""
        from s3transfer.manager import (
            TransferConfig,
            TransferManager,
        )  # slow to import, and few functions copy

        mark = uuid.uuid4().hex
        parts = TransferConfig(multipart_threshold=_COPIED_AT_ONCE, multipart_chunksize=_COPIED_AT_ONCE)
        with translated(f"copy {source}"), TransferManager(self._s3, parts) as transfers:
            try:
                transfers.copy(
                    {"Bucket": self.bucket, "Key": source},
                    self.bucket,
                    target,
                    extra_args={
                        "ContentType": content_type,
                        "MetadataDirective": "REPLACE",
                        "Metadata": {_COPY: mark},
                    },
                ).result()
            except ClientError as error:
                if error_code(error) in MISSING:
                    raise ArtifactMissing(f"the object {source} is gone") from error
                # A copy in parts is completed by a call that boto3 may have sent twice, the answer to the
                # first being lost.
                if error_code(error) != "NoSuchUpload" or self._copied_by(target) != mark:
                    raise

    def _copied_by(self, key: str) -> str | None:
        try:
            found = self._s3.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise
        mark: str | None = found["Metadata"].get(_COPY)
        return mark

    def link(self, key: str, seconds: int, *, file_name: str, content_type: str, head: bool = False) -> str:
        """Return a presigned link for a GET, or for a HEAD: S3 accepts a link only for the method it was
        signed for. Create one per request: a link expires with the role session that signed it."""
        url: str = self._s3.generate_presigned_url(
            "head_object" if head else "get_object",
            Params={
                "Bucket": self.bucket,
                "Key": key,
                "ResponseContentDisposition": f'inline; filename="{file_name}"',
                "ResponseContentType": content_type,
            },
            ExpiresIn=seconds,
        )
        return url

    def form(self, key: str, content_type: str, *, least: int, most: int, seconds: int) -> dict[str, Any]:
        """Return a form that stores an object of `least` to `most` bytes: {url, fields}. S3 refuses any other
        size, type or key."""
        made: dict[str, Any] = self._s3.generate_presigned_post(
            self.bucket,
            key,
            Fields={"Content-Type": content_type},
            Conditions=[{"Content-Type": content_type}, ["content-length-range", least, most]],
            ExpiresIn=seconds,
        )
        return made

    def delete(self, key: str) -> None:
        with translated(f"delete {key}"):
            self._s3.delete_object(Bucket=self.bucket, Key=key)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Delete objects, in one call for every 1,000. Raises ServiceUnavailable if S3 left some of them."""
        remaining = iter(keys)
        while some := list(islice(remaining, _DELETED_AT_ONCE)):
            with translated("delete objects"):
                answer = self._s3.delete_objects(
                    Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
                )
            if refused := answer.get("Errors"):
                raise ServiceUnavailable(f"delete {refused[0].get('Key')}: {refused[0].get('Message')}")

    def delete_all(self, prefix: str) -> None:
        self.delete_many(key for key, _ in self.list(prefix))

    def list_written(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Yield (key, when it was written) of every object under a prefix."""
        with translated(f"list {prefix}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            for page in pages:
                for entry in page.get("Contents", []):
                    yield entry["Key"], entry["LastModified"]

    def list(
        self, prefix: str, *, after: datetime = _EVER, before: datetime = _NEVER, nested: bool = True
    ) -> Iterator[tuple[str, str]]:
        """Yield (key, ETag) of every object under a prefix, optionally only those written in a time span, or
        only those that are not in a folder below it (`nested` False)."""
        where = {"Bucket": self.bucket, "Prefix": prefix} | ({} if nested else {"Delimiter": "/"})
        with translated(f"list {prefix}"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(**where):
                for entry in page.get("Contents", []):
                    if after <= entry["LastModified"] < before:
                        yield entry["Key"], entry["ETag"].strip('"')
