"""Write a film's own boxes: its index (`moov`), fragments (`moof`) and metadata.

ISO/IEC 14496-12 and, for chapters and metadata, Apple's QuickTime File Format (`text`, `chap`, `mdta`);
`chpl` is Nero's.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, groupby, pairwise
from math import ceil

from lambdas.media.mp4.boxes import U32, box, box_header, full_box, runs, table
from lambdas.media.mp4.layout import Strand

UPRIGHT = struct.pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
UNDETERMINED = 0x55C4  # "und"
_ENABLED, _IN_MOVIE = 1, 2
_SELF_CONTAINED = 1
_KEYFRAME, _OTHER_FRAME = 0x02000000, 0x01010000  # independent; depends on others and is not a sync sample
_CHPL_MOST, _CHPL_TITLE = 255, 255

_MEDIA_HEADERS = {
    b"vide": full_box(b"vmhd", bytes(8), flags=1),
    b"soun": full_box(b"smhd", bytes(4)),
    b"sbtl": full_box(b"nmhd"),
    b"text": box(
        b"gmhd",
        full_box(b"gmin", struct.pack(">6H", 0x40, 0x8000, 0x8000, 0x8000, 0, 0)),
        box(b"text", UPRIGHT),
    ),
}


@dataclass
class Track:
    """One track of the film.

    `entry` is the sample entry box. `durations` and `delays` (from decoding to display) are in ticks of
    1/timescale s. `keyframes` are sample numbers from 0, or None for all. The track is shown from its tick
    `begins`, for `plays` ticks of the *film's* timescale. `chapters` is the number of the chapter track.
    """

    handler: bytes
    timescale: int
    entry: bytes
    plays: int
    begins: int = 0
    data: Strand = field(default_factory=Strand)
    sizes: "array[int]" = field(default_factory=lambda: array("I"))
    durations: "array[int]" = field(default_factory=lambda: array("I"))
    delays: "array[int] | None" = None
    keyframes: "array[int] | None" = None
    enabled: bool = True
    group: int = 0
    size: tuple[int, int] = (0, 0)
    matrix: bytes = UPRIGHT
    language: int = UNDETERMINED
    chapters: int | None = None


@dataclass(frozen=True)
class Chunk:
    """Samples [first, stop) of a track: `size` bytes, decoded from `time` seconds."""

    time: float
    track: int
    first: int
    stop: int
    size: int


def chunks(number: int, track: Track, seconds: int) -> Iterator[Chunk]:
    """Split the track's samples into chunks of `seconds`."""
    span, first, begun, time = seconds * track.timescale, 0, 0, 0
    for sample, duration in enumerate(track.durations):
        if time - begun >= span:
            yield Chunk(begun / track.timescale, number, first, sample, sum(track.sizes[first:sample]))
            first, begun = sample, time
        time += duration
    yield Chunk(begun / track.timescale, number, first, len(track.sizes), sum(track.sizes[first:]))


@dataclass(frozen=True)
class Index:
    """The film's `moov`."""

    tracks: Sequence[Track]
    timescale: int
    metadata: Mapping[str, str]
    marks: Sequence[tuple[Fraction, str]]

    def written(self, chunks: Sequence[Chunk], base: int, wide: bool) -> bytes:
        """Return the `moov` of a film whose `chunks` follow each other from byte `base`. `wide`: beyond 4
        GiB."""
        starts = list(accumulate((chunk.size for chunk in chunks), initial=base))
        places: list[list[tuple[int, Chunk]]] = [[] for _ in self.tracks]
        for start, chunk in zip(starts, chunks, strict=False):
            places[chunk.track].append((start, chunk))
        tables = [
            _sample_tables(track, place, wide) for track, place in zip(self.tracks, places, strict=True)
        ]
        return self._moov(tables)

    def fragmented(self) -> bytes:
        """Return the `moov` of a film whose tables are in its fragments."""
        empty = full_box(b"stts", bytes(4)) + full_box(b"stsc", bytes(4))
        empty += full_box(b"stsz", bytes(8)) + full_box(b"stco", bytes(4))
        defaults = [
            full_box(b"trex", struct.pack(">5I", number, 1, 0, 0, 0))
            for number in range(1, len(self.tracks) + 1)
        ]
        duration = full_box(b"mehd", struct.pack(">Q", self._duration), version=1)
        return self._moov([empty] * len(self.tracks), box(b"mvex", duration, *defaults))

    @property
    def _duration(self) -> int:
        return max(track.plays for track in self.tracks)

    def _moov(self, tables: Sequence[bytes], *more: bytes) -> bytes:
        version, times = _times(self.timescale, self._duration)
        mvhd = times + struct.pack(">IH10x", 1 << 16, 1 << 8) + UPRIGHT
        mvhd += bytes(24) + struct.pack(">I", len(self.tracks) + 1)
        tracks = [
            self._trak(number, track, stbl)
            for number, (track, stbl) in enumerate(zip(self.tracks, tables, strict=True), 1)
        ]
        return box(
            b"moov",
            full_box(b"mvhd", mvhd, version=version),
            *tracks,
            *more,
            box(b"udta", *_chpl(self.marks), _meta(self.metadata)),
        )

    def _trak(self, number: int, track: Track, tables: bytes) -> bytes:
        wide = track.plays > U32
        width, height = track.size
        tkhd = struct.pack(">QQI4xQ" if wide else ">III4xI", 0, 0, number, track.plays)
        tkhd += struct.pack(">8xHHH2x", 0, track.group, (track.handler == b"soun") << 8)
        tkhd += track.matrix + struct.pack(">II", width << 16, height << 16)
        flags = _IN_MOVIE | (_ENABLED if track.enabled else 0)
        edit = full_box(b"elst", struct.pack(">IQqI", 1, track.plays, track.begins, 1 << 16), version=1)
        version, times = _times(track.timescale, sum(track.durations))
        mdhd = full_box(b"mdhd", times + struct.pack(">H2x", track.language), version=version)
        hdlr = full_box(b"hdlr", struct.pack(">4x4s12xx", track.handler))
        dref = full_box(b"dref", struct.pack(">I", 1), full_box(b"url ", flags=_SELF_CONTAINED))
        stsd = full_box(b"stsd", struct.pack(">I", 1), track.entry)
        minf = box(b"minf", _MEDIA_HEADERS[track.handler], box(b"dinf", dref), box(b"stbl", stsd, tables))
        chapters = [] if track.chapters is None else [struct.pack(">I", track.chapters)]
        return box(
            b"trak",
            full_box(b"tkhd", tkhd, version=int(wide), flags=flags),
            box(b"edts", edit),
            *(box(b"tref", box(b"chap", number)) for number in chapters),
            box(b"mdia", mdhd, hdlr, minf),
        )


def _times(timescale: int, duration: int) -> tuple[int, bytes]:
    """Return the box version and the packed creation time, modification time, scale and duration. The times
    are left unknown, so that the same film has the same bytes."""
    wide = duration > U32
    return int(wide), struct.pack(">QQIQ" if wide else ">IIII", 0, 0, timescale, duration)


def _sample_tables(track: Track, places: Sequence[tuple[int, Chunk]], wide: bool) -> bytes:
    tables = [full_box(b"stts", runs(track.durations))]
    if track.keyframes is not None:
        numbers = table(sample + 1 for sample in track.keyframes)
        tables.append(full_box(b"stss", struct.pack(">I", len(track.keyframes)), numbers))
    if track.delays is not None:
        tables.append(full_box(b"ctts", runs(track.delays)))
    stsc: list[int] = []
    at = 1
    for length, same in groupby(chunk.stop - chunk.first for _, chunk in places):
        stsc += (at, length, 1)
        at += sum(1 for _ in same)
    tables.append(full_box(b"stsc", struct.pack(">I", len(stsc) // 3), table(stsc)))
    tables.append(full_box(b"stsz", struct.pack(">II", 0, len(track.sizes)), table(track.sizes)))
    offsets = table((start for start, _ in places), "Q" if wide else "I")
    tables.append(full_box(b"co64" if wide else b"stco", struct.pack(">I", len(places)), offsets))
    return b"".join(tables)


def _chpl(marks: Sequence[tuple[Fraction, str]]) -> list[bytes]:
    """Return Nero's chapters, in 100 ns. Their count is one byte, so the chapter track holds longer lists."""
    if not 0 < len(marks) <= _CHPL_MOST:
        return []
    entries = []
    for start, title in marks:
        text = title.encode()[:_CHPL_TITLE].decode(errors="ignore").encode()
        entries.append(struct.pack(">QB", round(start * 10_000_000), len(text)) + text)
    return [full_box(b"chpl", struct.pack(">4xB", len(entries)), *entries, version=1)]


def _meta(metadata: Mapping[str, str]) -> bytes:
    """Return metadata with arbitrary keys, as FFmpeg's `use_metadata_tags` writes it."""
    keys = [box(b"mdta", key.encode()) for key in metadata]
    values = [
        box(struct.pack(">I", number), box(b"data", struct.pack(">II", 1, 0), value.encode()))
        for number, value in enumerate(metadata.values(), 1)
    ]
    hdlr = full_box(b"hdlr", struct.pack(">4x4s12xx", b"mdta"))
    names = full_box(b"keys", struct.pack(">I", len(keys)), *keys)
    return full_box(b"meta", hdlr, names, box(b"ilst", *values))


@dataclass(frozen=True)
class Run:
    """Samples [first, stop) of a track in a fragment. The first is decoded at tick `time` of the track."""

    number: int
    track: Track
    first: int
    stop: int
    time: int

    @property
    def size(self) -> int:
        return sum(self.track.sizes[self.first : self.stop])


def fragments(tracks: Sequence[Track], seconds: int) -> Iterator[list[Run]]:
    """Split the film into parts of at least `seconds`, each starting at a keyframe of the first track."""
    picture, *others = tracks
    starts, ends = [0], list(accumulate(picture.durations))
    for sample in picture.keyframes or ():
        if ends[sample] - ends[starts[-1]] >= seconds * picture.timescale:
            starts.append(sample)
    taken = [(0, 0)] * len(others)
    for start, stop in pairwise([*starts, len(ends)]):
        runs = [Run(1, picture, start, stop, ends[start] - picture.durations[start])]
        until = Fraction(ends[stop - 1], picture.timescale) if stop < len(ends) else None
        for at, track in enumerate(others):
            first, time = taken[at]
            taken[at] = _following(track, first, time, until)
            if taken[at][0] > first:
                runs.append(Run(2 + at, track, first, taken[at][0], time))
        yield runs


def _following(track: Track, sample: int, time: int, until: Fraction | None) -> tuple[int, int]:
    """Return the first sample decoded at `until` seconds or later, and its tick. None: the end of the
    track."""
    end = None if until is None else ceil(until * track.timescale)
    while sample < len(track.sizes) and (end is None or time < end):
        time += track.durations[sample]
        sample += 1
    return sample, time


def fragment_head(sequence: int, parts: Sequence[Run]) -> bytes:
    """Return `moof` and the header of the `mdat` that the samples of `parts` follow."""
    data = sum(part.size for part in parts)
    length = len(_moof(sequence, parts, 0))
    return _moof(sequence, parts, length + 8) + box_header(b"mdat", data)


def _moof(sequence: int, parts: Sequence[Run], data: int) -> bytes:
    starts = accumulate((part.size for part in parts), initial=data)
    tracks = [_traf(part, start) for part, start in zip(parts, starts, strict=False)]
    return box(b"moof", full_box(b"mfhd", struct.pack(">I", sequence)), *tracks)


def _traf(part: Run, data: int) -> bytes:
    track, samples = part.track, slice(part.first, part.stop)
    count = part.stop - part.first
    columns = [track.durations[samples], track.sizes[samples]]
    flags = 0x001 | 0x100 | 0x200  # data offset, durations, sizes
    if track.keyframes is not None:
        first, end = (bisect_left(track.keyframes, sample) for sample in (part.first, part.stop))
        keyframes = set(track.keyframes[first:end])
        kinds = (
            _KEYFRAME if sample in keyframes else _OTHER_FRAME for sample in range(part.first, part.stop)
        )
        columns.append(array("I", kinds))
        flags |= 0x400
    if track.delays is not None:
        columns.append(track.delays[samples])
        flags |= 0x800
    rows = table(value for row in zip(*columns, strict=True) for value in row)
    return box(
        b"traf",
        full_box(b"tfhd", struct.pack(">I", part.number), flags=0x020000),  # offsets are relative to `moof`
        full_box(b"tfdt", struct.pack(">Q", part.time), version=1),
        full_box(b"trun", struct.pack(">Ii", count, data), rows, flags=flags),
    )


def segment_index(track: Track, number: int, fragments: Sequence[tuple[int, int]]) -> bytes:
    """Return the `sidx` for seeking. `fragments` are (bytes, track ticks) pairs."""
    rows = table(
        value
        for size, ticks in fragments
        for value in (size, ticks, 0x90000000)  # starts with a keyframe
    )
    head = struct.pack(">IIQQHH", number, track.timescale, 0, 0, 0, len(fragments))
    return full_box(b"sidx", head, rows, version=1)
