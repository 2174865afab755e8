"""Find the sound in an untrusted file: its format, the tags around it, and a header that doesn't know its
length.

FFmpeg reads most of these files once it gets the sound alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from lambdas.domain.errors import SoundUnreadable
from lambdas.media.source import CHUNK, HandleSource, Source, check_range

ALLOWED = "WAV, MP3, Ogg, FLAC or MP4 (M4A) of at most two hours"

_LONGEST_PADDING = 64 * 1024
"""Zero bytes before a sound."""
_MOST_CHUNKS = 1_000
_UNKNOWN = 0x7FFF_0000
"""Lengths from here on are placeholders of writers that can't go back to the header (FFmpeg: 0xFFFFFFFF, SoX
and ALSA: about 0x7FFFFFFF). No accepted file is as long."""


@dataclass(frozen=True)
class SoundFile:
    """`kind`: FFmpeg's name of the format. `source`: the sound alone, with a corrected header. `frames`: how
    many an MP3 says it has; `samples`: how many a FLAC says each channel has."""

    kind: str
    source: Source
    frames: int | None = None
    samples: int | None = None


def find_sound(file: BinaryIO) -> SoundFile:
    """Find the sound in an open, seekable file. Raises SoundUnreadable for an unknown format."""
    whole = HandleSource(file)
    start = tagged = _behind_tags(whole)
    kind = _kind(_bytes(whole, start, 16))
    if kind is None:
        padding = _bytes(whole, start, _LONGEST_PADDING)
        start = _behind_tags(whole, start + len(padding) - len(padding.lstrip(b"\0")))
        if (name := _bytes(whole, start, 8).find(b"ftyp")) >= 0:
            start = max(tagged, start + name - 4)  # an MP4's first zero bytes are its own
        kind = _kind(_bytes(whole, start, 16))
    if kind is None and tagged and start < whole.size:
        kind = "mp3"  # players look for its first frame
    end = whole.size
    if kind in ("mp3", "flac"):
        end = _before_tags(whole, start)
    elif kind == "mp4":
        end = _behind_boxes(whole, start)
    sound = _Part(whole, start, end)
    head = _bytes(sound, 0, 64).ljust(64, b"\0")
    match kind:
        case None:
            raise SoundUnreadable(f"it is not {ALLOWED}")
        case "wav":
            return SoundFile(kind, _wav(sound))
        case "mp3":
            return SoundFile(kind, sound, frames=_frames(head))
        case "flac":  # RFC 9639, 8.2: a number of 36 bits; 0: unknown
            return SoundFile(kind, sound, samples=int.from_bytes(head[21:26], "big") & (1 << 36) - 1 or None)
        case _:
            return SoundFile(kind, sound)


def _kind(head: bytes) -> str | None:
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"OggS":
        return "ogg"
    if head[:4] == b"fLaC":
        return "flac"
    if head[4:8] == b"ftyp":
        return "mp4"
    # The sync word of MPEG audio, layer III (ISO 11172-3, 2.4.2.3).
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:
        return "mp3"
    return None


# --- tags (id3.org: ID3v2.4, 3.1; ID3v1; Lyrics3 v1 and v2; wiki.hydrogenaud.io: APE tags)


def _behind_tags(source: Source, start: int = 0) -> int:
    """Return where the ID3v2 tags end that begin at `start`. Any kind of file may have them."""
    while (head := _bytes(source, start, 10))[:3] == b"ID3" and len(head) == 10 and max(head[6:]) < 128:
        footer = 10 if head[5] & 0x10 else 0
        end = start + 10 + _synchsafe(head[6:]) + footer
        if end > source.size:
            return start + 10  # The length is wrong; the sound begins somewhere behind.
        start = end
    return start


def _before_tags(source: Source, start: int) -> int:
    """Return where the sound ends: before the tags at the file's end."""
    end = source.size
    while end > start and (length := _last_tag(source, start, end)):
        end -= length
    return max(start, end)


def _last_tag(source: Source, start: int, end: int) -> int:
    """Return the length of the tag that ends at `end`, or 0 if there is none."""
    tail = _bytes(source, max(start, end - 6_000), end - max(start, end - 6_000))
    if tail[-128:-125] == b"TAG":
        return 128
    if tail[-227:-223] == b"TAG+":
        return 227
    if tail[-32:-24] == b"APETAGEX":
        has_header = tail[-9] & 0x80  # the highest of its flags, which are little-endian
        return int.from_bytes(tail[-20:-16], "little") + (32 if has_header else 0)
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return int(tail[-15:-9]) + 15
    if tail[-9:] == b"LYRICSEND" and (begin := tail.rfind(b"LYRICSBEGIN")) >= 0:
        return len(tail) - begin
    if tail[-10:-7] == b"3DI" and max(tail[-4:]) < 128:
        return 20 + _synchsafe(tail[-4:])
    return 0


def _synchsafe(digits: bytes) -> int:
    return sum(digit << 7 * place for place, digit in enumerate(reversed(digits)))


# --- MP4 (ISO/IEC 14496-12, 4.2)

_BOXES = frozenset(
    (
        b"ftyp",
        b"styp",
        b"moov",
        b"moof",
        b"mdat",
        b"free",
        b"skip",
        b"wide",
        b"uuid",
        b"meta",
        b"mfra",
        b"sidx",
    )
)


def _behind_boxes(source: Source, start: int) -> int:
    """Return where a whole MP4's boxes end. Behind them may be zero bytes, tags or text."""
    position, missing = start, {b"moov", b"mdat"}
    for _ in range(_MOST_CHUNKS):
        head = _bytes(source, position, 16)
        if not missing and head[4:8] not in _BOXES:
            return position
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length < 8 or position + length > source.size:
            break
        missing.discard(head[4:8])
        position += length
    return source.size


# --- WAV (Multimedia Programming Interface 1.0; RF64: EBU Tech 3306)


def _wav(file: "_Part") -> Source:
    """Return the file, and if its length is unknown, with the length that it has."""
    position, align, long = 12, 1, None
    for _ in range(_MOST_CHUNKS):
        head = _bytes(file, position, 8)
        if len(head) < 8:
            break
        name, length, content = head[:4], int.from_bytes(head[4:], "little"), position + 8
        if name == b"ds64":
            long = content + 8
        elif name == b"fmt ":
            align = int.from_bytes(_bytes(file, content + 12, 2), "little") or 1
        elif name == b"data":
            at, width = (position + 4, 4) if long is None else (long, 8)
            claimed = int.from_bytes(_bytes(file, at, width), "little")
            real = (file.size - content) // align * align
            if claimed == 0 or (claimed >= _UNKNOWN and claimed > real):
                return file.changed(content + real, {at: real.to_bytes(width, "little")})
            break
        position = content + length + length % 2
    return file


# --- MP3


def _frames(head: bytes) -> int | None:
    """Return how many frames an MP3 says it has (the headers of Xing, LAME and Fraunhofer, in its first
    frame), or None."""
    if head[36:40] == b"VBRI":
        return int.from_bytes(head[50:54], "big") or None
    at = max(head.find(b"Xing", 4, 46), head.find(b"Info", 4, 46))
    if at >= 0 and head[at + 7] & 1:
        return int.from_bytes(head[at + 8 : at + 12], "big") or None
    return None


# --- reading


@dataclass(frozen=True)
class _Part:
    """The bytes [start, end) of a source, some of them replaced: by offset in this part."""

    whole: Source
    start: int
    end: int
    changes: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return self.end - self.start

    def changed(self, size: int, changes: Mapping[int, bytes]) -> "_Part":
        return _Part(self.whole, self.start, self.start + size, changes)

    def read(self, offset: int, length: int) -> bytes:
        check_range(self, offset, length)
        data = bytearray(self.whole.read(self.start + offset, length))
        for at, new in self.changes.items():
            low, high = max(at, offset), min(at + len(new), offset + length)
            if low < high:
                data[low - offset : high - offset] = new[low - at : high - at]
        return bytes(data)

    def stream(self, offset: int, length: int) -> Iterator[bytes]:
        check_range(self, offset, length)
        for start in range(offset, offset + length, CHUNK):
            yield self.read(start, min(CHUNK, offset + length - start))


def _bytes(source: Source, offset: int, length: int) -> bytes:
    """Return up to `length` bytes: fewer at the end."""
    offset = min(offset, source.size)
    return source.read(offset, min(length, source.size - offset))
