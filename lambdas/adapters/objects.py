"""S3 objects of one bucket."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from lambdas.adapters.clients import MISSING, error_code, translated
from lambdas.adapters.object_source import Blocks, ObjectSource
from lambdas.adapters.upload import Content, Upload
from lambdas.domain.errors import ArtifactMissing

# One call copies up to S3's 5 GB, but takes its time over them, which the client doesn't wait for.
_COPYING = TransferConfig(multipart_threshold=128 * 1024 * 1024, multipart_chunksize=128 * 1024 * 1024)
_BY = "by"  # of an object's metadata, which takes ASCII only
_EVER = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


class Objects:
    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket
        self._blocks = Blocks()

    def put(self, key: str, body: bytes | BinaryIO, content_type: str, *, by: str = "") -> None:
        """`by`: who made it, for `made_by`."""
        noted = {"Metadata": {_BY: quote(by)}} if by else {}
        with translated(f"put {key}"):
            self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type, **noted)

    def made_by(self, key: str) -> str | None:
        """Who made the object; None where nobody is noted."""
        with translated(f"head {key}"):
            metadata = self._s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        return unquote(metadata[_BY]) if _BY in metadata else None

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises ArtifactMissing."""
        with translated(f"get {key}"):
            try:
                body: bytes = self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error_code(error) in MISSING:
                    raise ArtifactMissing(f"the object {key} is gone") from error
                raise
        return body

    def source(self, key: str) -> ObjectSource:
        """The object's bytes by ranges. Raises ArtifactMissing."""
        return ObjectSource(self._s3, self.bucket, key, self._blocks)

    def put_streamed(
        self, key: str, content: Content, content_type: str, *, sent: Callable[[int], None]
    ) -> None:
        """Writes an object of any size as its bytes come. What an earlier attempt has sent of the same
        content is not sent again. `sent` is told how many bytes are there, after each part."""
        Upload(self._s3, self.bucket, key, content, content_type).send(sent)

    def size(self, key: str) -> int | None:
        """The object's size in bytes, None where there is no such object."""
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
        """When the object was written, to the second; None where there is no such object."""
        with translated(f"head {key}"):
            try:
                at: datetime = self._s3.head_object(Bucket=self.bucket, Key=key)["LastModified"]
            except ClientError as error:
                if error_code(error) in MISSING:
                    return None
                raise
        return at

    def copy(self, source: str, target: str, content_type: str) -> None:
        """Copies within the bucket; a large object in parts, side by side."""
        with translated(f"copy {source}"):
            try:
                self._s3.copy(
                    {"Bucket": self.bucket, "Key": source},
                    self.bucket,
                    target,
                    ExtraArgs={"ContentType": content_type, "MetadataDirective": "REPLACE"},
                    Config=_COPYING,
                )
            except ClientError as error:
                if error_code(error) in MISSING:
                    raise ArtifactMissing(f"the object {source} is gone") from error
                raise

    def link(self, key: str, seconds: int, *, file_name: str, content_type: str, head: bool = False) -> str:
        """A presigned link for a GET, or for a HEAD: S3 takes no link for another method than it was signed
        for. Made at each request: a link dies with the role session that signed it."""
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

    def delete(self, key: str) -> None:
        with translated(f"delete {key}"):
            self._s3.delete_object(Bucket=self.bucket, Key=key)

    def delete_all(self, prefix: str) -> None:
        for key, _ in self.list(prefix):
            self.delete(key)

    def list(
        self, prefix: str, *, after: datetime = _EVER, before: datetime = _NEVER
    ) -> Iterator[tuple[str, str]]:
        """(key, ETag) of every object under a prefix, if wanted only those written within a span of time."""
        with translated(f"list {prefix}"):
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    if after <= entry["LastModified"] < before:
                        yield entry["Key"], entry["ETag"].strip('"')
