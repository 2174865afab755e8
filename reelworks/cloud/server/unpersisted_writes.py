"""Return an error for an S3 write that did not reach the disk.

If ministack can't write an object or remove its file (full disk, read-only folder), it logs a warning, keeps
the change in memory and reports success (ministack/services/s3.py: _persist_object,
_delete_persisted_object). But S3 must survive a kill, so a reported success must be true.
"""

import logging
from contextvars import ContextVar

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOGGER = "s3"  # ministack's
_WARNINGS = ("Failed to persist", "Failed to delete persisted")

_failures: ContextVar[list[str]] = ContextVar("failures")


class UnpersistedWrites:
    """ministack, with InternalError (500) in place of a success that would not survive the process; AWS
    clients retry it."""

    def __init__(self, ministack: ASGIApp) -> None:
        self._ministack = ministack
        logging.getLogger(_LOGGER).addHandler(_Watch())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        failures: list[str] = []  # of this request, in any thread that handles it
        _failures.set(failures)

        async def checked(message: Message) -> None:
            if not failures:
                await send(message)
            elif message["type"] == "http.response.start":
                await _internal_error(failures[0])(scope, receive, send)

        await self._ministack(scope, receive, checked)


class _Watch(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith(_WARNINGS):
            _failures.get([]).append(message)


def _internal_error(message: str) -> Response:
    body = f"<Error><Code>InternalError</Code><Message><![CDATA[{message}]]></Message></Error>"
    return Response(body, 500, media_type="application/xml")
