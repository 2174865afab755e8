"""Look at the structure of PNG and JPEG files before Pillow reads them.

Pillow refuses a whole picture for a flaw in what only describes it (a date, a text, EXIF), and reads as many
scans as a JPEG has: each may visit every block of the picture again.
"""

import re
import zlib
from collections.abc import Iterator

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
MOST_SCANS = 100
"""Of a progressive JPEG; encoders write 10 to 20. Reading 100 at 50 megapixels takes three seconds."""
MOST_PARTS = 100_000
"""Chunks of a PNG or segments of a JPEG. Encoders write some thousands in 20 MB."""

# What Pillow needs to see of a PNG: the picture, whether it moves, its profile and its orientation.
_NEEDED = frozenset(
    (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT", b"iCCP", b"eXIf")
)
_LEAST = {b"acTL": 8, b"fcTL": 26}
"""Bytes of chunks that Pillow refuses if shorter."""
_TRANSPARENT = {0: 2, 2: 6, 3: 1}
"""Bytes that tRNS has at least, by the colour type in IHDR."""

_COLOUR_TYPE = 25  # its place in a PNG, within IHDR, the first chunk
_ANCILLARY = 0x20  # the bit of a chunk's first letter
_SOS, _EOI = 0xDA, 0xD9
_NOTES = frozenset(range(0xE0, 0xF0)) - {0xE2}  # APP0 to APP15, but the colour profile's
_ADOBE, _ADOBE_LENGTH = 0xEE, 14
# A marker (ISO/IEC 10918-1, B.1.1.2), but none that may stand within a scan (a stuffed zero, RSTn) or that
# has no length (TEM, SOI).
_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])", re.DOTALL)


class TooManyParts(Exception):
    """The message says how many of what are too many."""


def essential(png: bytes) -> bytes:
    """Return a PNG without texts and other chunks that don't change how it is shown.

    Raises TooManyParts. A file that breaks off, or that is no PNG in another way, keeps its flaw.
    """
    kept, position, parts = [png[: len(PNG)]], len(PNG), 0
    while position + 8 <= len(png):
        parts += 1
        if parts > MOST_PARTS:
            raise TooManyParts(f"a PNG of more than {MOST_PARTS:,} chunks")
        length, kind = int.from_bytes(png[position : position + 4], "big"), png[position + 4 : position + 8]
        chunk = png[position : position + length + 12]
        if kind == b"iCCP":
            usable = _is_profile(chunk[8:-4])
        elif kind == b"tRNS":
            usable = length >= _TRANSPARENT.get(png[_COLOUR_TYPE], 1)
        else:
            usable = length >= _LEAST.get(kind, 0)
        usable = usable and (not kind[0] & _ANCILLARY or _is_sound(chunk))
        if kind in _NEEDED and usable:
            kept.append(chunk)
        if kind == b"IEND":
            break
        position += length + 12
    return b"".join(kept)


def _is_sound(chunk: bytes) -> bool:
    """Return whether a chunk has its checksum. Decoders leave out an ancillary one that has not."""
    return zlib.crc32(chunk[4:-4]).to_bytes(4, "big") == chunk[-4:]


def _is_profile(content: bytes) -> bool:
    """Return whether a chunk has a profile's name and the only method of compression (PNG, 11.3.2.3)."""
    name, end, rest = content.partition(b"\0")
    return bool(end) and rest[:1] == b"\0" and 0 < len(name) < 80


def check_scans(jpeg: bytes) -> None:
    """Raise TooManyParts if reading a JPEG's first picture would take far longer than its size suggests."""
    found = 0
    for parts, (kind, _, _) in enumerate(_segments(jpeg)):
        found += kind == _SOS
        if found > MOST_SCANS:
            raise TooManyParts(f"a JPEG of more than {MOST_SCANS} scans")
        if parts > MOST_PARTS:
            raise TooManyParts(f"a JPEG of more than {MOST_PARTS:,} segments")


def without_notes(jpeg: bytes) -> bytes:
    """Return a JPEG without the segments that only describe it, such as EXIF. Adobe's, which says how the
    colours are stored, stays unless it is cut."""
    kept, position = [], 0
    for kind, start, end in _segments(jpeg):
        if kind == _SOS:
            break
        if kind in _NOTES and not (kind == _ADOBE and end - start >= _ADOBE_LENGTH):
            kept.append(jpeg[position:start])
            position = end
    return b"".join((*kept, jpeg[position:]))


def _segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield each segment's marker, start and end, up to the end of the first picture."""
    position = 2
    while (marker := _MARKER.search(jpeg, position)) and marker[1][0] != _EOI:
        length = int.from_bytes(jpeg[marker.end() : marker.end() + 2], "big")
        position = marker.end() + max(2, length)
        yield marker[1][0], marker.start(), position
