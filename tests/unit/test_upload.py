"""A multipart upload: which parts are resent after an interruption, and which are not reused."""

import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from lambdas.adapters import upload
from lambdas.adapters.upload import MOST_PARTS, PART, Upload, part_size
from lambdas.domain.errors import ServiceUnavailable

WHERE = {"Bucket": "output", "Key": "film.mp4"}
LAST = 5


class Bytes:
    """Two full parts and a short one, arriving in chunks that match neither."""

    size = 2 * PART + LAST

    def __init__(self) -> None:
        self.read_from: list[int] = []

    def stream(self, offset: int = 0) -> Iterator[bytes]:
        self.read_from.append(offset)
        while offset < self.size:
            chunk = min(self.size - offset, 5 * 1024 * 1024 + 1)
            yield (
                bytes([offset // PART]) * chunk
                if offset % PART + chunk <= PART
                else self._across(offset, chunk)
            )
            offset += chunk

    def _across(self, offset: int, chunk: int) -> bytes:
        before = PART - offset % PART
        return bytes([offset // PART]) * before + bytes([offset // PART + 1]) * (chunk - before)

    @classmethod
    def part(cls, number: int) -> bytes:
        return bytes([number - 1]) * (PART if number < 3 else LAST)


def etag(number: int) -> str:
    return '"' + hashlib.md5(Bytes.part(number)).hexdigest() + '"'


class Bench:
    def __init__(self) -> None:
        self.s3: Any = boto3.client("s3", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        self.stub = Stubber(self.s3)
        self.content = Bytes()
        self.sent: list[int] = []

    def unfinished(self, **uploads: dict[int, tuple[str, int]]) -> None:
        """Return S3's listing: uploads with the ETag and size of their parts."""
        listed = [{"Key": "film.mp4", "UploadId": id_} for id_ in uploads]
        other = [{"Key": "film.mp4.other", "UploadId": "other"}]
        self.stub.add_response(
            "list_multipart_uploads", {"Uploads": listed + other}, {"Bucket": "output", "Prefix": "film.mp4"}
        )
        for id_, parts in uploads.items():
            described = [{"PartNumber": n, "ETag": tag, "Size": size} for n, (tag, size) in parts.items()]
            self.stub.add_response("list_parts", {"Parts": described}, {**WHERE, "UploadId": id_})

    def begins(self) -> None:
        self.stub.add_response(
            "create_multipart_upload", {"UploadId": "new"}, {**WHERE, "ContentType": "video/mp4"}
        )

    def takes(self, upload_id: str, *numbers: int) -> None:
        for number in numbers:
            self.stub.add_response(
                "upload_part",
                {"ETag": etag(number)},
                {**WHERE, "UploadId": upload_id, "PartNumber": number, "Body": Bytes.part(number)},
            )

    def completes(self, upload_id: str) -> None:
        parts = [{"PartNumber": number, "ETag": etag(number)} for number in (1, 2, 3)]
        self.stub.add_response(
            "complete_multipart_upload",
            {},
            {**WHERE, "UploadId": upload_id, "MultipartUpload": {"Parts": parts}},
        )

    def send(self) -> None:
        with self.stub:
            Upload(self.s3, "output", "film.mp4", self.content, "video/mp4").send(self.sent.append)
            self.stub.assert_no_pending_responses()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_content_is_sent_in_parts_as_it_arrives(bench: Bench) -> None:
    bench.unfinished()
    bench.begins()
    bench.takes("new", 1, 2, 3)
    bench.completes("new")
    bench.send()
    assert bench.sent == [PART, 2 * PART, 2 * PART + LAST]
    assert bench.content.read_from == [0]


def test_only_what_is_missing_is_sent_and_read(bench: Bench) -> None:
    bench.unfinished(old={1: (etag(1), PART), 2: (etag(2), PART)})
    bench.takes("old", 3)
    bench.completes("old")
    bench.send()
    assert bench.content.read_from == [0, 2 * PART]  # the first part, to identify the upload


def test_an_upload_with_all_parts_is_only_completed(bench: Bench) -> None:
    bench.unfinished(old={1: (etag(1), PART), 2: (etag(2), PART), 3: (etag(3), LAST)})
    bench.completes("old")
    bench.send()


def test_the_upload_with_the_most_parts_is_resumed(bench: Bench) -> None:
    bench.unfinished(one={1: (etag(1), PART)}, two={1: (etag(1), PART), 3: (etag(3), LAST)}, three={})
    bench.takes("two", 2)
    bench.completes("two")
    bench.send()


@pytest.mark.parametrize(
    "parts",
    [
        {1: (etag(2), PART)},  # another content
        {1: (etag(1), PART), 2: (etag(2), PART - 1)},  # other sizes
        {1: (etag(1), PART), 4: (etag(2), PART)},  # more parts than it has
        {2: (etag(2), PART)},  # of unknown content
    ],
)
def test_an_upload_of_another_content_is_left_alone(bench: Bench, parts: dict[int, tuple[str, int]]) -> None:
    bench.unfinished(old=parts)
    bench.begins()
    bench.takes("new", 1, 2, 3)
    bench.completes("new")
    bench.send()


def test_an_upload_completed_by_another_process_is_done(bench: Bench) -> None:
    bench.unfinished(old={1: (etag(1), PART), 2: (etag(2), PART), 3: (etag(3), LAST)})
    bench.stub.add_client_error("complete_multipart_upload", "NoSuchUpload", http_status_code=404)
    bench.stub.add_response("head_object", {"ContentLength": Bytes.size}, WHERE)
    bench.send()


@pytest.mark.parametrize("there", [None, 7])
def test_an_upload_aborted_by_another_process_is_retryable(bench: Bench, there: int | None) -> None:
    bench.unfinished(old={1: (etag(1), PART), 2: (etag(2), PART)})
    bench.stub.add_client_error("upload_part", "NoSuchUpload", http_status_code=404)
    if there is None:
        bench.stub.add_client_error("head_object", "404", http_status_code=404)
    else:
        bench.stub.add_response("head_object", {"ContentLength": there}, WHERE)
    with pytest.raises(ServiceUnavailable, match="is gone"):
        bench.send()


def test_a_small_content_is_one_object(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Bytes, "size", 3)
    bench.stub.add_response("put_object", {}, {**WHERE, "Body": b"\0\0\0", "ContentType": "video/mp4"})
    bench.send()
    assert bench.sent == [3]


@pytest.mark.parametrize("size", [1, PART * MOST_PARTS, PART * MOST_PARTS + 1, 5 * 1024**4])
def test_ten_thousand_parts_suffice(size: int) -> None:
    assert -(-size // part_size(size)) <= MOST_PARTS
    assert part_size(size) >= upload.PART
    assert part_size(size) <= 5 * 1024**3
