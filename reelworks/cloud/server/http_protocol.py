"""Receive HTTP requests with httptools, which takes a third of the time of uvicorn's default, h11.

Unlike h11, httptools does not limit the size of a request line and headers, and uvicorn adds trailers to the
headers after those were checked. Neither limits how many connections are open or how long they stay silent,
so another user of the machine could take all of the process's files.
"""

import resource
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT = 64 << 10  # bytes, as uvicorn sets for h11
MOST_CONNECTIONS = 4096  # and at most half of the files: functions and objects need the others
MOST_FILES = 10_240  # macOS refuses more (OPEN_MAX in its sys/syslimits.h)


class _Connection(Protocol):
    def abort(self) -> None: ...


class Connections:
    """The open connections, at most `most`. A new one above that takes the place of the one that has kept the
    server waiting longest: for a request, the rest of one, or its answer to be read. So who opens many gets
    no answers for it, and a new connection always has time to send its request."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[_Connection] = set()
        self._waiting: dict[_Connection, None] = {}  # for their clients, the longest first

    def opened(self, connection: _Connection) -> None:
        if len(self._open) >= self._most:
            # If all have a request that is being answered, the newest is refused.
            longest = next(iter(self._waiting), connection)
            self.closed(longest)
            longest.abort()
            if longest is connection:
                return
        self._open.add(connection)
        self._waiting[connection] = None

    def closed(self, connection: _Connection) -> None:
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def waits(self, connection: _Connection) -> None:
        """The server waits for this connection's client from now on."""
        if connection in self._open:
            self._waiting.setdefault(connection)

    def serves(self, connection: _Connection) -> None:
        """This connection's client waits for the server from now on."""
        self._waiting.pop(connection, None)


class BoundedHttp(HttpToolsProtocol):
    """Drops trailers. Answers 400 and closes the connection if more than HEAD_LIMIT bytes arrive that neither
    belong to a body nor complete a head. A subclass has the `open_connections` of its server."""

    open_connections: Connections

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pending = 0  # bytes since a head or a part of a body was complete
        self._in_head = True

    def abort(self) -> None:
        self.transport.abort()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.open_connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open_connections.closed(self)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._say_who_waits()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._say_who_waits()

    def data_received(self, data: bytes) -> None:
        self._pending += len(data)
        super().data_received(data)
        if self._pending > HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response("The request line and headers are too large.")

    def on_message_begin(self) -> None:
        self._in_head = True
        self.open_connections.serves(self)  # its turn starts anew: it may have been idle for long
        self.open_connections.waits(self)
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._pending, self._in_head = 0, False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._pending = 0
        super().on_message_complete()
        self._say_who_waits()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._say_who_waits()

    def _say_who_waits(self) -> None:
        request = self.cycle
        received = request is not None and not request.more_body
        if received and not request.response_complete and not self.flow.write_paused:
            self.open_connections.serves(self)
        else:
            self.open_connections.waits(self)


def bounded_http() -> type[BoundedHttp]:
    """Return the protocol for the process's server. From now on the process may open more files: many systems
    let a program open 1,024 until it asks for more."""
    files, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < MOST_FILES:
        files = MOST_FILES if allowed == resource.RLIM_INFINITY else min(MOST_FILES, allowed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, allowed))
    most = min(MOST_CONNECTIONS, files // 2)
    return type("Http", (BoundedHttp,), {"open_connections": Connections(most)})
