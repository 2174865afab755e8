"""What the server and the engine's process say to each other, over a pair of sockets: kind, length, body."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

HEADER = struct.Struct(">BI")


class Kind(IntEnum):
    """The first byte of a message, and what its body is."""

    # engine → server
    READY = 1
    """The model is loaded: a JSON object of fields for /ping."""
    FAILED = 2
    """It cannot be loaded: the reason. The process ends."""
    CLIP = 3
    """A JSON object of headers for the answer, a line feed, the MP4."""
    ERROR = 4
    """There is no clip: {"status": of HTTP, "document": of the contract}."""
    LAST_ERROR = 5
    """As ERROR, and the process ends: it can render no more."""
    # server → engine
    RENDER = 6
    """The request, as the client sent it. One at a time."""
    STOP = 7
    """Nobody waits for the clip any more. Without effect where it is done. Empty."""


def packed(kind: Kind, body: bytes = b"") -> bytes:
    return HEADER.pack(kind, len(body)) + body


@dataclass(frozen=True)
class Clip:
    """An MP4, and what is said of it in the headers of the answer."""

    mp4: bytes
    headers: Mapping[str, str]

    def body(self) -> bytes:
        """Of a message of kind CLIP."""
        return json.dumps(dict(self.headers)).encode() + b"\n" + self.mp4

    @classmethod
    def of(cls, body: bytes) -> Self:
        headers, _, mp4 = body.partition(b"\n")
        return cls(mp4, json.loads(headers))
