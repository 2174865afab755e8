"""Read a request's body within a limit, and verify its hash while it is read.

A body is handed on in one of two ways: whole, after it was verified, or as a stream. A stream that fails its
check ends for the app as if the client had gone, before its last part: ministack and the services act only on
a complete body.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256

from starlette.types import Message, Receive, Scope

from reelworks.cloud.server.signatures import Refused

GONE: Message = {"type": "http.disconnect"}


class ClientGone(Exception):
    """The client closed the connection before its body was complete."""


def check_stated_length(headers: Mapping[str, list[str]], limit: int, service: str | None) -> None:
    """Raise Refused if the Content-Length is over the limit, so that the body need not be sent."""
    stated = headers.get("content-length", ["0"])[-1]
    if stated.isascii() and stated.isdigit() and int(stated) > limit:
        raise _too_large(limit, service)


async def whole(receive: Receive, limit: int, service: str | None = None) -> bytes:
    """Return the whole body. Raises Refused if it is over the limit, ClientGone if it ends early."""
    body = bytearray()
    async for part in parts(receive):
        body += part
        if len(body) > limit:
            raise _too_large(limit, service)
    return bytes(body)


class Unverified:
    """Bodies that must be read before their signature can be verified, `most` bytes of all at once. Above
    that the one begun first is given up, since a client of this machine sends its body without a pause."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._read: dict[asyncio.Timeout, int] = {}  # bytes, the one begun first first

    async def whole(self, receive: Receive, limit: int, service: str) -> bytes:
        """Return the whole body. Raises Refused if it is over the limit or given up, ClientGone if it ends
        early."""
        reading = asyncio.timeout(None)
        body = bytearray()
        try:
            async with reading:
                async for part in parts(receive):
                    body += part
                    if len(body) > limit:
                        raise _too_large(limit, service)
                    self._read[reading] = len(body)
                    self._make_room()
        except TimeoutError:
            raise Refused("busy", service=service) from None
        finally:
            self._read.pop(reading, None)
        return bytes(body)

    def _make_room(self) -> None:
        while sum(self._read.values()) > self._most:
            first = next(iter(self._read))
            del self._read[first]
            first.reschedule(asyncio.get_running_loop().time())


async def parts(receive: Receive) -> AsyncIterator[bytes]:
    """Iterate over the parts of a body. Raises ClientGone if it ends early."""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        more = message.get("more_body", False)
        yield message.get("body", b"")


class Stream:
    """A body that is passed on as it arrives. `sha256_hex` is what it must hash to, None for an unsigned one.

    After the app has run, `problem` says why the body ended early for it, if it did.
    """

    def __init__(self, receive: Receive, limit: int, service: str, sha256_hex: str | None) -> None:
        self._receive = receive
        self._limit = limit
        self._service = service
        self._expected = sha256_hex
        self._hash = sha256()
        self._size = 0
        self.problem: Refused | None = None

    async def __call__(self) -> Message:
        if self.problem:
            return GONE
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        part: bytes = message.get("body", b"")
        self._size += len(part)
        if self._size > self._limit:
            self.problem = _too_large(self._limit, self._service)
            return GONE
        if self._expected is not None:
            self._hash.update(part)
            if not message.get("more_body", False) and self._hash.hexdigest() != self._expected:
                self.problem = Refused("content", service=self._service)
                return GONE
        return message


def inflated(body: bytes, encodings: list[str], limit: int, service: str) -> bytes:
    """Return the body without its Content-Encoding, of which only gzip is known.

    Raises Refused if it is another one, if the body is damaged, or if it inflates to more than the limit.
    """
    if not encodings:
        return body
    if encodings != ["gzip"]:
        raise Refused("encoding", service=service)
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        content = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise Refused("encoding", "The request body is not valid gzip.", service) from None
    if len(content) > limit:
        raise _too_large(limit, service)
    if not inflater.eof or inflater.unused_data:
        raise Refused("encoding", "The request body is not one complete gzip stream.", service)
    return content


def with_headers(scope: Scope, changed: Mapping[str, str | None]) -> Scope:
    """Return the scope with headers replaced; None removes one."""
    kept = [pair for pair in scope["headers"] if pair[0].decode("latin-1").lower() not in changed]
    added = [(name.encode(), value.encode()) for name, value in changed.items() if value is not None]
    return {**scope, "headers": kept + added}


def _too_large(limit: int, service: str | None) -> Refused:
    return Refused("too large", f"The request body may have at most {limit:,} bytes.", service)
