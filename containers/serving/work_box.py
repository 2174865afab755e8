"""Say at the end of a clip how long the engine worked on it.

An asynchronous endpoint passes on the body of a response and none of its headers. So the time is in the body,
in a box of 32 bytes after the MP4's own. Its type is `uuid`, which players skip (ISO/IEC 14496-12, 4.2).
tests/contracts/work_box.json has an example.
"""

import struct
import uuid

USER_TYPE = uuid.UUID("c0f0a4e6-6a5d-5f2c-9b2e-7a1d4b3e8f90")
_BOX = struct.Struct(">I4s16sQ")


def work_box(seconds: float) -> bytes:
    """Return the box, with the time in whole milliseconds."""
    return _BOX.pack(_BOX.size, b"uuid", USER_TYPE.bytes, round(seconds * 1000))
