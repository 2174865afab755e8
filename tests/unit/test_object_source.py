"""An object read by ranges: how few requests it needs, and what happens if it changes or ends meanwhile."""

from io import BytesIO
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from lambdas.adapters.object_source import Blocks, ObjectSource
from lambdas.adapters.objects import Objects
from lambdas.domain.errors import ArtifactMissing, ClipUnreadable, ServiceUnavailable

BLOCK = 256 * 1024
CONTENT = bytes(range(256)) * 1024 * 5  # five blocks
WHERE = {"Bucket": "output", "Key": "clip.mp4"}


class Bench:
    def __init__(self) -> None:
        self.s3: Any = boto3.client("s3", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        self.stub = Stubber(self.s3)
        self.stub.activate()

    def source(self, blocks: Blocks | None = None) -> ObjectSource:
        self.stub.add_response("head_object", {"ContentLength": len(CONTENT), "ETag": '"1"'}, WHERE)
        return ObjectSource(self.s3, "output", "clip.mp4", blocks or Blocks())

    def gives(self, start: int, stop: int, cut: int = 0) -> None:
        """Return the response to a range; its last `cut` bytes never arrive."""
        body = StreamingBody(BytesIO(CONTENT[start : stop - cut]), stop - start)
        asked = {**WHERE, "Range": f"bytes={start}-{stop - 1}", "IfMatch": '"1"'}
        self.stub.add_response("get_object", {"Body": body}, asked)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_reads_within_a_block_need_one_request(bench: Bench) -> None:
    source = bench.source()
    bench.gives(0, BLOCK)
    assert source.size == len(CONTENT)
    assert [source.read(0, 8), source.read(40, 8), source.read(7, 0)] == [CONTENT[:8], CONTENT[40:48], b""]
    bench.stub.assert_no_pending_responses()


def test_a_read_across_blocks_is_assembled(bench: Bench) -> None:
    source = bench.source()
    bench.gives(0, BLOCK)
    bench.gives(BLOCK, 2 * BLOCK)
    assert source.read(BLOCK - 3, 6) == CONTENT[BLOCK - 3 : BLOCK + 3]
    bench.stub.assert_no_pending_responses()


def test_a_stream_is_one_request_whatever_its_length(bench: Bench) -> None:
    source = bench.source()
    bench.gives(5, len(CONTENT))
    chunks = list(source.stream(5, len(CONTENT) - 5))
    assert b"".join(chunks) == CONTENT[5:]
    assert max(map(len, chunks)) <= 1024 * 1024
    assert list(source.stream(0, 0)) == []


def test_only_the_most_recent_blocks_are_cached(bench: Bench) -> None:
    blocks = Blocks()
    for number in range(100):
        blocks.put("1", number, b"x")
        assert blocks.get("1", 0) == b"x"  # read again and again
    assert sum(blocks.get("1", number) is not None for number in range(100)) == 64


def test_a_range_outside_the_object_is_rejected(bench: Bench) -> None:
    source = bench.source()
    with pytest.raises(ClipUnreadable):
        source.read(len(CONTENT) - 1, 2)
    with pytest.raises(ClipUnreadable):
        list(source.stream(-1, 2))


def test_a_missing_object_is_named(bench: Bench) -> None:
    bench.stub.add_client_error("head_object", "404", http_status_code=404)
    with pytest.raises(ArtifactMissing, match=r"clip\.mp4 is gone"):
        Objects(bench.s3, "output").source("clip.mp4")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [("PreconditionFailed", 412, ServiceUnavailable), ("NoSuchKey", 404, ArtifactMissing)],
)
def test_an_object_that_changes_while_it_is_read(
    bench: Bench, code: str, status: int, error: type[Exception]
) -> None:
    source = bench.source()
    bench.stub.add_client_error("get_object", code, http_status_code=status)
    with pytest.raises(error, match=r"clip\.mp4"):
        source.read(0, 1)


def test_a_broken_connection_is_retryable(bench: Bench) -> None:
    source = bench.source()
    bench.gives(0, len(CONTENT), cut=7)
    with pytest.raises(ServiceUnavailable, match=r"clip\.mp4"):
        list(source.stream(0, len(CONTENT)))
