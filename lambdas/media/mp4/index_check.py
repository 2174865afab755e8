"""Check an MP4's index before FFmpeg opens the file.

FFmpeg allocates memory for what a table claims, not for what it contains: a 7 KB file that claims 67 million
samples took 20 s and 4.3 GB (PyAV 18.1). FFmpeg can't be stopped meanwhile, so such a file must not reach it.
"""

from collections.abc import Iterator

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.limits import MOST_INDEX_BYTES, MOST_SAMPLES, MOST_TRACKS
from lambdas.media.mp4.boxes import BoxReader, children, name, numbers, unpack
from lambdas.media.source import Source

# Allowed top-level boxes. FFmpeg would look for an index in others too (`hoov`).
_TOP = frozenset(
    b"ftyp styp moov moof mdat imda free skip wide uuid sidx ssix mfra meta meco udta emsg prft pdin".split()
    + b"pnot PICT junk sefd".split()
)  # ISO/IEC 14496-12, table 1; `wide` and the second line are QuickTime's, `sefd` is Samsung's
# Boxes in which FFmpeg looks for tables (mov.c: mov_read_default), whether they belong there or not.
_NESTS = frozenset(b"trak mdia minf stbl edts dinf mvex traf udta meta ilst tref sinf schi wave".split())
_DEEPEST = 8
# Bytes per entry, for tables whose entry count follows version and flags.
_ENTRY = {b"stts": 8, b"ctts": 8, b"stsc": 12, b"stco": 4, b"co64": 8, b"stss": 4, b"stps": 4}


def check_index(source: Source) -> None:
    """Raise ClipUnreadable unless the index tables are as long as they claim and within the limits.

    Sample contents, and whether the tables agree with each other, are not checked.
    """
    first = source.read(4, 4) if source.size >= 8 else b""
    if first not in _TOP:
        raise ClipUnreadable("not a readable MP4: it doesn't begin with a known box")
    samples = index = tracks = 0
    reader = BoxReader(source)
    for span in reader.spans():
        if span.kind not in _TOP:
            raise ClipUnreadable(f"box {name(span.kind)} is not allowed at the top of the file")
        if span.kind not in (b"moov", b"moof"):
            continue
        index += span.end - span.start
        if index > MOST_INDEX_BYTES:
            raise ClipUnreadable(f"its index is longer than {MOST_INDEX_BYTES} bytes")
        for kind, box in _tables(reader.content(span), 0):
            if kind == b"cmov":
                raise ClipUnreadable("its index is compressed")
            if kind == b"dref":
                _refuse_other_files(box)
            tracks += kind == b"tkhd"
            found = _samples(kind, box)
            samples += found if kind in (b"stsz", b"stz2", b"trun") else 0
            if max(samples, found) > MOST_SAMPLES:
                raise ClipUnreadable(
                    f"it claims {max(samples, found)} samples; at most {MOST_SAMPLES} are allowed"
                )
    if tracks > MOST_TRACKS:
        raise ClipUnreadable(f"it has {tracks} tracks; at most {MOST_TRACKS} are allowed")


def _refuse_other_files(dref: memoryview) -> None:
    """Raise ClipUnreadable unless each entry's flag says the samples are in the same file (14496-12,
    8.7.2)."""
    for entries in children(dref[8:]).values():
        if not all(unpack(">I", entry, 0, "dref")[0] & 1 for entry in entries):
            raise ClipUnreadable("its frames are in another file")


def _tables(content: memoryview, depth: int) -> Iterator[tuple[bytes, memoryview]]:
    if depth > _DEEPEST:
        raise ClipUnreadable("its boxes are nested too deeply")
    for kind, found in children(content).items():
        for box in found:
            if kind in _NESTS:
                # In ISO files `meta` has version and flags; in QuickTime files it has none.
                yield from _tables(box[4:] if kind == b"meta" and box[:4] == bytes(4) else box, depth + 1)
            else:
                yield kind, box


def _samples(kind: bytes, box: memoryview) -> int:
    """Return how many samples a table describes, or 0 if it doesn't say."""
    what = name(kind)
    if kind in _ENTRY:
        (entries,) = unpack(">I", box, 4, what)
        _fits(what, entries, _ENTRY[kind], box, 8)
        if kind in (b"stts", b"ctts"):
            return int(sum(numbers(box, 8, 2 * entries, "I", what)[::2]))
        return int(entries)
    if kind == b"stsz":
        size, samples = unpack(">II", box, 4, what)
        _fits(what, samples, 0 if size else 4, box, 12)
        return int(samples)
    if kind == b"stz2":
        bits, samples = unpack(">II", box, 4, what)
        _fits(what, (samples * (bits & 255) + 7) // 8, 1, box, 12)
        return int(samples)
    if kind == b"elst":
        version, entries = unpack(">B3xI", box, 0, what)
        _fits(what, entries, 20 if version == 1 else 12, box, 8)
        return int(entries)
    if kind == b"trun":
        flags, samples = unpack(">II", box, 0, what)
        # Each of the four fields is optional, and so are two more at the front.
        _fits(what, samples, 4 * (flags >> 8 & 15).bit_count(), box, 8 + 4 * (flags & 5).bit_count())
        return int(samples)
    return 0


def _fits(what: str, entries: int, length: int, box: memoryview, start: int) -> None:
    if start + entries * length > len(box):
        raise ClipUnreadable(f"its table {what} is too short for the {entries} entries it claims")
