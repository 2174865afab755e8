"""Read one track of an MP4 from its sample tables (ISO/IEC 14496-12, 8.6 and 8.7), checked against the file.

A sample is one encoded frame of a picture or sound track, or one caption. A track takes about 20 bytes of
memory per sample.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

from lambdas.domain.errors import ClipsDiffer, ClipUnreadable
from lambdas.media.limits import MOST_SAMPLES
from lambdas.media.mp4.boxes import (
    Boxes,
    BoxReader,
    Span,
    child,
    children,
    name,
    numbers,
    optional_child,
    unpack,
)
from lambdas.media.source import Source

_MAX_SAMPLE = 1 << 30  # bytes
_MAX_ENTRY = 64 * 1024  # bytes of a sample entry; encoders write about 200


@dataclass(frozen=True)
class Edit:
    """The part of a track that is shown: from `begins` (ticks), for `seconds` or, if None, to its end."""

    begins: int
    seconds: Fraction | None


@dataclass(frozen=True)
class Track:
    """One track. `codec` is the sample entry's kind and `entry` its content. `durations` and `delays` (from
    decoding to display) are in ticks of 1/timescale s. `keyframes` are sample numbers from 0, or None for
    all. `chunks` holds each chunk's first sample and its byte in the file; the chunk's other samples
    follow."""

    timescale: int
    language: int
    matrix: bytes
    codec: bytes
    entry: memoryview
    edit: Edit | None
    sizes: "array[int]"
    durations: "array[int]"
    delays: "array[int] | None"
    keyframes: "array[int] | None"
    chunks: list[tuple[int, int]]

    def ranges(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield offset and length, in bytes, of the file ranges that hold the samples [start, stop), in
        order."""
        begin = end = 0
        at = bisect_right(self.chunks, (start, 1 << 64)) - 1
        while start < stop:
            first, offset = self.chunks[at]
            at += 1
            following = min(stop, self.chunks[at][0] if at < len(self.chunks) else stop)
            offset += sum(self.sizes[first:start])
            if offset != end:
                if end > begin:
                    yield begin, end - begin
                begin = end = offset
            end += sum(self.sizes[start:following])
            start = following
        yield begin, end - begin


def read_track(source: Source, what: str, *handlers: bytes) -> Track:
    """Read the first track with one of the `handlers` (`vide`, `soun`, …). Errors call it `what`.

    Raises ClipUnreadable; ClipsDiffer for a valid file that is not laid out in such tables (fragments,
    several sample entries).
    """
    reader = BoxReader(source)
    spans = list(reader.spans())
    media = [(span.start, span.end) for span in spans if span.kind == b"mdat"]
    movie = children(reader.content(_only(spans, b"moov")))
    if b"mvex" in movie:
        raise ClipsDiffer("it is fragmented")
    movie_scale = _ticks(child(movie, b"mvhd"), "mvhd")
    for trak in map(children, movie.get(b"trak", [])):
        mdia = children(child(trak, b"mdia"))
        if _handler(mdia) in handlers:
            return _read_track(trak, mdia, movie_scale, media, source.size)
    raise ClipUnreadable(f"it has no {what} track")


def has_track(source: Source, handler: bytes) -> bool:
    """Return whether the MP4 has a track with that handler, also in a file that `read_track` refuses.

    Raises ClipUnreadable.
    """
    reader = BoxReader(source)
    movie = children(reader.content(_only(list(reader.spans()), b"moov")))
    return any(
        _handler(children(child(children(trak), b"mdia"))) == handler for trak in movie.get(b"trak", [])
    )


def _handler(mdia: Boxes) -> bytes:
    kind: bytes = unpack(">4s", child(mdia, b"hdlr"), 8, "hdlr")[0]
    return kind


def _only(spans: list[Span], kind: bytes) -> Span:
    found = [span for span in spans if span.kind == kind]
    if len(found) != 1:
        raise ClipUnreadable(f"not an MP4, or truncated: found {len(found)} boxes {name(kind)}; expected one")
    return found[0]


def _read_track(
    trak: Boxes, mdia: Boxes, movie_scale: int, media: list[tuple[int, int]], file_size: int
) -> Track:
    minf = children(child(mdia, b"minf"))
    stbl = children(child(minf, b"stbl"))
    _refuse_other_files(children(child(minf, b"dinf")))
    timescale = _ticks(child(mdia, b"mdhd"), "mdhd")
    codec, entry = _entry(child(stbl, b"stsd"))
    sizes = _sizes(child(stbl, b"stsz"), file_size)
    return Track(
        timescale=timescale,
        language=_behind_times(child(mdia, b"mdhd"), 20, ">H", "mdhd"),
        matrix=_behind_times(child(trak, b"tkhd"), 40, ">36s", "tkhd"),
        codec=codec,
        entry=entry,
        edit=_edit(trak, movie_scale),
        sizes=sizes,
        durations=_expanded(child(stbl, b"stts"), len(sizes), "I", "stts"),
        delays=_expanded(child(stbl, b"ctts"), len(sizes), "i", "ctts") if b"ctts" in stbl else None,
        keyframes=_keyframes(optional_child(stbl, b"stss"), len(sizes)),
        chunks=_chunks(stbl, sizes, media),
    )


def _ticks(content: memoryview, what: str) -> int:
    """Return the ticks per second of `mvhd` or `mdhd`, which follow the creation and modification times."""
    (timescale,) = unpack(">I", content, 20 if _version(content, what) else 12, what)
    if not timescale:
        raise ClipUnreadable(f"{what} has 0 ticks per second")
    return int(timescale)


def _behind_times(content: memoryview, offset: int, form: str, what: str) -> Any:
    """Return a field of `mdhd` or `tkhd` at `offset`. In version 1, three longer times precede it."""
    return unpack(form, content, offset + (12 if _version(content, what) else 0), what)[0]


def _version(content: memoryview, what: str) -> int:
    (version,) = unpack(">B", content, 0, what)
    if version > 1:
        raise ClipUnreadable(f"{what} version must be 0 or 1; got {version}")
    return int(version)


def _refuse_other_files(dinf: Boxes) -> None:
    """Raise ClipUnreadable if `dref` places sample data in another file or at a URL."""
    references = child(dinf, b"dref")
    for kind, found in children(references[8:]).items():
        if kind != b"url " or any(unpack(">I", one, 0, "dref")[0] & 1 == 0 for one in found):
            raise ClipUnreadable("its frames are in another file")


def _entry(stsd: memoryview) -> tuple[bytes, memoryview]:
    entries = children(stsd[8:])
    if sum(map(len, entries.values())) != 1:
        raise ClipsDiffer("its frames are not all encoded in the same way")
    (codec, (entry,)), *_ = entries.items()
    if len(entry) > _MAX_ENTRY:
        raise ClipUnreadable(f"its sample entry is too long: {len(entry)} bytes")
    return codec, memoryview(bytes(entry))  # copied, because a view would keep the whole index in memory


def _edit(trak: Boxes, movie_scale: int) -> Edit | None:
    """Return what an edit list leaves of a track. An initial delay is ignored: all tracks start with the
    film."""
    edts = optional_child(trak, b"edts")
    elst = optional_child(children(edts), b"elst") if edts is not None else None
    if elst is None:
        return None
    form = ">QqI" if _version(elst, "elst") else ">IiI"
    (count,) = unpack(">I", elst, 4, "elst")
    if count > 2:
        raise ClipsDiffer("an edit list changes the order of its parts")
    size = 20 if form == ">QqI" else 12
    edits = [unpack(form, elst, 8 + size * index, "elst") for index in range(count)]
    if edits and edits[0][1] == -1:
        del edits[0]
    if len(edits) > 1 or any(begins < 0 or rate != 1 << 16 for _, begins, rate in edits):
        raise ClipsDiffer("an edit list changes the order or speed of its parts")
    for duration, begins, _ in edits:
        return Edit(begins, Fraction(duration, movie_scale) if duration else None)
    return None


def _sizes(stsz: memoryview, file_size: int) -> "array[int]":
    size, count = unpack(">II", stsz, 4, "stsz")
    if not count:
        raise ClipUnreadable("it has no frames")
    if count > MOST_SAMPLES:
        raise ClipUnreadable(f"it has too many frames: {count}")
    sizes = array("I", [size]) * count if size else numbers(stsz, 12, count, "I", "stsz")
    if max(sizes) > _MAX_SAMPLE:
        raise ClipUnreadable(f"a frame is too large: {max(sizes)} bytes")
    # A small file must not claim its bytes many times over and become a giant film.
    if sum(sizes) > file_size:
        raise ClipUnreadable(f"truncated: its frames are {sum(sizes)} bytes, but the file is {file_size}")
    return sizes


def _expanded(content: memoryview, samples: int, form: str, what: str) -> "array[int]":
    """Return one value per sample, from a table of (number of samples, value)."""
    (entries,) = unpack(">I", content, 4, what)
    pairs = numbers(content, 8, 2 * entries, "I", what)
    counts, values = pairs[::2], array(form, pairs[1::2].tobytes())
    if sum(counts) != samples:
        raise ClipUnreadable(f"{what} describes {sum(counts)} frames; expected {samples}")
    expanded = array(form)
    for count, value in zip(counts, values, strict=True):
        expanded.extend(array(form, [value]) * count)
    return expanded


def _keyframes(stss: memoryview | None, samples: int) -> "array[int] | None":
    if stss is None:
        return None
    (count,) = unpack(">I", stss, 4, "stss")
    keyframes = array("I", (number - 1 for number in numbers(stss, 8, count, "I", "stss") if number))
    if len(keyframes) != count or any(a >= b for a, b in pairwise(keyframes)):
        raise ClipUnreadable("stss must list frame numbers from 1, in ascending order")
    if keyframes and keyframes[-1] >= samples:
        raise ClipUnreadable(f"stss lists frame {keyframes[-1]}, but there are only {samples}")
    return keyframes


def _chunks(stbl: Boxes, sizes: "array[int]", media: list[tuple[int, int]]) -> list[tuple[int, int]]:
    wide = b"co64" in stbl
    content = child(stbl, b"co64" if wide else b"stco")
    (count,) = unpack(">I", content, 4, "stco")
    if count > len(sizes):
        raise ClipUnreadable(f"it has more chunks than frames: {count} for {len(sizes)}")
    offsets = numbers(content, 8, count, "Q" if wide else "I", "stco")
    lengths = _chunk_lengths(child(stbl, b"stsc"), count, len(sizes))
    firsts = list(accumulate(lengths, initial=0))
    starts = [start for start, _ in media]
    for offset, first, following in zip(offsets, firsts, firsts[1:], strict=False):
        within = bisect_right(starts, offset) - 1
        end = offset + sum(sizes[first:following])
        if within < 0 or end > media[within][1]:
            raise ClipUnreadable(f"truncated: frames {first} to {following} are outside the file's data")
    return list(zip(firsts, offsets, strict=False))


def _chunk_lengths(stsc: memoryview, chunks: int, samples: int) -> "array[int]":
    """Return the samples per chunk, from a table of (first chunk, samples per chunk, sample entry)."""
    (entries,) = unpack(">I", stsc, 4, "stsc")
    table = numbers(stsc, 8, 3 * entries, "I", "stsc")
    firsts, counts = [*table[::3], chunks + 1], table[1::3]
    lengths = array("I")
    for first, following, count in zip(firsts, firsts[1:], counts, strict=False):
        if first != len(lengths) + 1 or following <= first or following > chunks + 1 or not count:
            raise ClipUnreadable("stsc lists chunks that do not exist")
        if (following - first) * count > samples:
            raise ClipUnreadable("stsc describes more frames than exist")
        lengths.extend(array("I", [count]) * (following - first))
    if len(lengths) != chunks or sum(lengths) != samples:
        raise ClipUnreadable(f"stsc describes {sum(lengths)} frames; expected {samples}")
    return lengths
