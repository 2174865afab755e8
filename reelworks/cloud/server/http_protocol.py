"""Receive HTTP requests with httptools, which takes a third of the time of uvicorn's default, h11.

Unlike h11, httptools does not limit the size of a request line and headers, and uvicorn adds trailers to the
headers after those were checked.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT = 64 << 10  # bytes, as uvicorn sets for h11


class BoundedHttp(HttpToolsProtocol):
    """Drops trailers. Answers 400 and closes the connection if more than HEAD_LIMIT bytes arrive that neither
    belong to a body nor complete a head."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pending = 0  # bytes since a head or a part of a body was complete
        self._in_head = True

    def data_received(self, data: bytes) -> None:
        self._pending += len(data)
        super().data_received(data)
        if self._pending > HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response("The request line and headers are too large.")

    def on_message_begin(self) -> None:
        self._in_head = True
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
