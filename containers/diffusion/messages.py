"""Messages between the server and the engine process over a pair of sockets: kind, length, body."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

HEADER = struct.Struct(">BI")


class Kind(IntEnum):
    """First byte of a message; says what its body contains."""

    # engine → server
    READY = 1
    """The model is loaded. Body: a JSON object of fields for /ping."""
    FAILED = 2
    """The model cannot be loaded, and the process exits. Body: the reason."""
    CLIP = 3
    """The clip. Body: a JSON object of response headers, a line feed, the MP4."""
    ERROR = 4
    """No clip. Body: {"status": the HTTP status, "document": the contract's error document}."""
    LAST_ERROR = 5
    """Like ERROR, but the process exits because it cannot render any more."""
    # server → engine
    RENDER = 6
    """Render a clip, one at a time. Body: the request as the client sent it."""
    STOP = 7
    """Stop the clip because no client waits for it. Has no effect once the clip is done. Empty body."""


def packed(kind: Kind, body: bytes = b"") -> bytes:
    return HEADER.pack(kind, len(body)) + body


@dataclass(frozen=True)
class Clip:
    """An MP4, and the response headers that describe it."""

    mp4: bytes
    headers: Mapping[str, str]

    def body(self) -> bytes:
        """Return the body of a CLIP message."""
        return json.dumps(dict(self.headers)).encode() + b"\n" + self.mp4

    @classmethod
    def of(cls, body: bytes) -> Self:
        headers, _, mp4 = body.partition(b"\n")
        return cls(mp4, json.loads(headers))
