import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.source import CHUNK, BytesSource, FileSource, HandleSource, Source, opened, stream_ranges

DATA = bytes(range(256)) * 10_000  # 2.5 chunks


@pytest.fixture(params=["bytes", "file", "handle"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    (tmp_path / "clip").write_bytes(DATA)
    makers: dict[str, Callable[[], Source]] = {
        "bytes": lambda: BytesSource(DATA),
        "file": lambda: FileSource(tmp_path / "clip"),
        "handle": lambda: HandleSource(BytesIO(DATA)),
    }
    return makers[request.param]()


def test_any_range_is_read(source: Source) -> None:
    assert source.size == len(DATA)
    for offset, length in ((0, 0), (0, 5), (CHUNK - 2, CHUNK + 4), (len(DATA) - 1, 1), (0, len(DATA))):
        assert source.read(offset, length) == DATA[offset : offset + length]
        chunks = list(source.stream(offset, length))
        assert b"".join(chunks) == DATA[offset : offset + length]
        assert all(0 < len(chunk) <= CHUNK for chunk in chunks)


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (0, len(DATA) + 1), (len(DATA), 1), (3, -1)])
def test_ranges_outside_the_source_are_rejected(source: Source, offset: int, length: int) -> None:
    with pytest.raises(ClipUnreadable, match="are outside its"):
        source.read(offset, length)
    with pytest.raises(ClipUnreadable, match="are outside its"):
        list(source.stream(offset, length))


class Counting(BytesSource):
    requests = 0

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        self.requests += 1
        return super().stream(offset, length)


@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 60_000)), max_size=40))
def test_ranges_near_each_other_take_one_request(steps: list[tuple[int, int]]) -> None:
    ranges, at = [], 0
    for gap, length in steps:
        ranges.append((at + gap, length))
        at += gap + length
    source = Counting(DATA[: at + 1])
    assert b"".join(stream_ranges(source, ranges)) == b"".join(DATA[a : a + n] for a, n in ranges)
    assert source.requests == bool(ranges)


def test_ranges_far_apart_or_in_another_order_take_their_own() -> None:
    ranges = [(0, 10), (1_000_000, 10), (1_000_020, 10), (5, 10)]
    source = Counting(DATA)
    assert b"".join(stream_ranges(source, ranges)) == b"".join(DATA[a : a + n] for a, n in ranges)
    assert source.requests == 3


def test_a_reader_can_seek_anywhere(source: Source) -> None:
    with opened(source) as reader:
        assert reader.read(3) == DATA[:3]
        assert reader.seek(-2, os.SEEK_END) == len(DATA) - 2
        assert reader.read() == DATA[-2:]
        assert reader.seek(-10, os.SEEK_CUR) == len(DATA) - 10
        reader.seek(700_001)
        assert reader.read(5) == DATA[700_001:700_006]
        reader.seek(len(DATA) + 5)
        assert reader.read(1) == b""
        with pytest.raises(OSError):
            reader.seek(-1)


def test_a_file_that_shrinks_is_reported_as_truncated(tmp_path: Path) -> None:
    path = tmp_path / "clip"
    path.write_bytes(DATA)
    source = FileSource(path)
    path.write_bytes(DATA[:100])
    with pytest.raises(ClipUnreadable, match="truncated"):
        source.read(0, 200)
