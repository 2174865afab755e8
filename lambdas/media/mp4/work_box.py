"""Read how long an engine worked on a clip, from the box that its server adds at the end.

tests/contracts/README.md describes it.
"""

import struct
import uuid

USER_TYPE = uuid.UUID("c0f0a4e6-6a5d-5f2c-9b2e-7a1d4b3e8f90")
_BOX = struct.Struct(">I4s16sQ")
_START = struct.pack(">I4s16s", _BOX.size, b"uuid", USER_TYPE.bytes)


def without_work_box(output: bytes) -> tuple[bytes, float | None]:
    """Return the clip without the box, which differs in each run, and the seconds in it; None if the engine
    does not say."""
    box = output[-_BOX.size :]
    if not box.startswith(_START) or len(box) < _BOX.size:
        return output, None
    milliseconds = _BOX.unpack(box)[3]
    return output[: -_BOX.size], milliseconds / 1000
