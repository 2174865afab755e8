"""What a function's process wrote is there as soon as it has answered, and nobody waits for what is not."""

import os
import threading
from collections.abc import Iterator
from typing import IO

import pytest

from reelworks.cloud.server.functions.process import _Log
from tests.cloud.servers import wait_until

Written = tuple[_Log, IO[bytes], threading.Thread]


@pytest.fixture
def written() -> Iterator[Written]:
    """A log that is read, and the end of its pipe that the process writes to."""
    log = _Log()
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as pipe, os.fdopen(write_end, "wb", buffering=0) as process:
        reader = threading.Thread(target=log.read, args=(pipe,), daemon=True)
        reader.start()
        wait_until(lambda: log._pipe is not None)
        yield log, process, reader
        process.close()
        reader.join(10)
        assert not reader.is_alive(), "reading ends with the process"


def test_each_call_gets_what_was_written_since_the_last(written: Written) -> None:
    log, process, _ = written
    for number in range(200):
        process.write(f"one {number}\n\ntwo {number}\n".encode())
        assert log.take() == f"one {number}\n\ntwo {number}"
        assert log.take() == ""


def test_a_process_never_waits_for_a_reader(written: Written) -> None:
    log, process, _ = written
    line = b"x" * 1023 + b"\n"
    for _ in range(1000):  # sixteen times what fits into a pipe
        process.write(line)
    assert len(log.take()) == 1000 * 1024 - 1


def test_the_last_words_of_a_process_that_ended(written: Written) -> None:
    log, process, reader = written
    process.write(b"Traceback \xff")
    process.close()
    reader.join(10)
    assert log.take() == "Traceback \N{REPLACEMENT CHARACTER}"
    assert log.take() == ""
