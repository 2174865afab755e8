"""Whose connection is closed when there are too many."""

import resource
from collections.abc import Iterator

import pytest

from reelworks.cloud.server.http_protocol import MOST_CONNECTIONS, MOST_FILES, Connections, bounded_http


class Connection:
    aborted = False

    def abort(self) -> None:
        self.aborted = True


def opened(connections: Connections, count: int) -> list[Connection]:
    made = [Connection() for _ in range(count)]
    for connection in made:
        connections.opened(connection)
    return made


def closed(made: list[Connection]) -> list[int]:
    return [number for number, connection in enumerate(made) if connection.aborted]


def test_a_new_connection_takes_the_place_of_the_longest_silent() -> None:
    connections = Connections(3)
    assert closed(opened(connections, 5)) == [0, 1]


def test_whoever_waits_for_an_answer_keeps_its_place() -> None:
    connections = Connections(3)
    first, *_ = made = opened(connections, 3)
    connections.serves(first)
    made += opened(connections, 2)
    assert closed(made) == [1, 2]
    connections.waits(first)  # answered: last in the queue now
    made += opened(connections, 2)
    assert closed(made) == [1, 2, 3, 4]


def test_only_the_beginning_of_a_silence_counts() -> None:
    connections = Connections(2)
    first, second = opened(connections, 2)
    connections.waits(first)
    opened(connections, 1)
    assert (first.aborted, second.aborted) == (True, False)


def test_the_newest_is_refused_while_all_are_being_answered() -> None:
    connections = Connections(2)
    made = opened(connections, 2)
    for connection in made:
        connections.serves(connection)
    made += opened(connections, 1)
    assert closed(made) == [2]
    connections.closed(made[0])
    made += opened(connections, 1)
    assert closed(made) == [2]


def test_a_refused_connection_takes_no_place_later() -> None:
    connections = Connections(1)
    (first,) = opened(connections, 1)
    connections.serves(first)
    (refused,) = opened(connections, 1)
    connections.waits(refused)
    connections.closed(refused)
    connections.waits(first)
    (next_one,) = opened(connections, 1)
    assert first.aborted
    assert not next_one.aborted


@pytest.fixture
def files() -> Iterator[int]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_server_may_open_more_files_than_connections(files: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, files), files))
    most = bounded_http().open_connections._most
    now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert now == (MOST_FILES if files == resource.RLIM_INFINITY else min(MOST_FILES, files))
    assert most == min(MOST_CONNECTIONS, now // 2)
