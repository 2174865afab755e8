"""Join clips by merging their sample tables: encoded frames are copied as bytes, never parsed."""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, groupby, pairwise

from lambdas.domain.errors import ClipsDiffer, ClipUnreadable
from lambdas.media.mp4.boxes import U32, box, box_header, name
from lambdas.media.mp4.clip import Clip, blame, read_clip
from lambdas.media.mp4.h264 import UNSPECIFIED, Picture, Setup
from lambdas.media.mp4.layout import Layout, Strand
from lambdas.media.mp4.movie import Index, Track, chunks, fragment_head, fragments, segment_index
from lambdas.media.mp4.tables import read_track
from lambdas.media.mp4.timescale import timescale
from lambdas.media.source import Source

# Interleaving interval of sound and pictures in the file; players read ahead in such pieces.
_CHUNK_SECONDS = 1
_FRAGMENT_SECONDS = 2  # minimum; a fragment starts with a keyframe
_MOST_OF_A_FRAGMENT = (1 << 31) - 1  # bytes; `sidx` has 31 bits
_CHAPTER_TICKS = 90_000  # per second: a whole number per frame at all usual rates
_LONGEST_TITLE = 255  # bytes
_SOUND_GROUP, _CAPTION_GROUP = 1, 2
_FILE_TYPE = box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2avc1mp41")
_FRAGMENTED_FILE_TYPE = box(b"ftyp", b"iso6", struct.pack(">I", 512), b"isomiso6avc1mp41")
_UTF_8 = struct.pack(">I4sI", 12, b"encd", 0x100)


@dataclass(frozen=True)
class Piece:
    """Frames [start, stop) of a clip in display order. `stop` None means to its end.

    The first frame must be a keyframe that no earlier frame's decoding depends on (closed GOPs). `clip` is
    the clip's index in the film, for errors.
    """

    source: Source
    clip: int
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True)
class Chapter:
    """A chapter `start` seconds into the film, which ends where the next one starts."""

    start: Fraction
    title: str


def lay_out(
    pieces: Sequence[Piece],
    *,
    sound: Source | None = None,
    captions: Sequence[Source] = (),
    chapters: Sequence[Chapter] = (),
    metadata: Mapping[str, str],
    fragmented: bool = False,
) -> Layout:
    """Lay out the pieces' pictures, in order, as an MP4 whose every byte is known before it is written.

    Frame n is shown at exactly n / fps. `sound` is an MP4 with an AAC track, `captions` are MP4s with one
    `tx3g` track each; both are cut at the end of the pictures. With `fragmented`, the index is spread over
    fragments of two seconds or a group of pictures; otherwise it is at the front. The clips' indexes are read
    here, their frames when the layout is streamed. Memory: about 30 bytes per sample.

    Raises ClipUnreadable, and ClipsDiffer if a clip must be re-encoded to match the film's first one; both
    with the clip's index if one is at fault. Raises ValueError for no pieces, a piece that is not whole
    groups of pictures, or chapters that don't ascend from 0 to before the film's end.
    """
    if not pieces:
        raise ValueError("a film needs at least one piece")
    parts = [_read(piece) for piece in pieces]
    for part in parts:
        _refuse_difference(parts[0], part)
    picture, fps = _pictures(parts), parts[0].clip.fps
    del parts  # frees memory: a film of 1,000 clips needs it for its own index
    tracks, marks = [picture], [(chapter.start, chapter.title) for chapter in chapters]
    if sound is not None:
        tracks.append(_sound(sound, picture))
    tracks += [_captions(source, picture) for source in captions]
    _check_chapters(marks, Fraction(picture.plays, picture.timescale))
    if marks and not fragmented:  # players look for a chapter track's samples in `moov` only
        tracks.append(_chapters(marks, picture))
        picture.chapters = len(tracks)
    index = Index(tracks, picture.timescale, metadata, marks)
    strands, turns = _fragments(index) if fragmented else _fast_start(index)
    return Layout(len(picture.sizes), fps, *picture.size, strands, turns)


@dataclass(frozen=True)
class _Part:
    piece: Piece
    clip: Clip
    first: int
    stop: int


def _read(piece: Piece) -> _Part:
    with blame(piece.clip):
        clip = read_clip(piece.source)
    try:
        return _Part(piece, clip, *clip.cut(piece.start, piece.stop))
    except ValueError as error:
        raise ValueError(f"clip {piece.clip}: {error}") from error


def _refuse_difference(first: _Part, other: _Part) -> None:
    """Raise ClipsDiffer for a difference that parameter sets before a keyframe can't express, or that players
    read from the track."""
    expected, found = first.clip, other.clip
    difference = expected.picture.difference(found.picture)
    for what, mine, its in (
        *([difference] if difference else ()),
        ("fps", expected.fps, found.fps),
        ("rotation", expected.track.matrix.hex(), found.track.matrix.hex()),
        ("NAL unit length", expected.setup.length_size, found.setup.length_size),
    ):
        if mine != its:
            raise ClipsDiffer(
                f"clip {other.piece.clip} can't be joined to clip {first.piece.clip}: its {what} is {its}; "
                f"clip {first.piece.clip}'s is {mine}",
                clip=other.piece.clip,
            )


def _pictures(parts: Sequence[_Part]) -> Track:
    clip = parts[0].clip
    # A decoder keeps the last parameter sets it saw. With several kinds, each keyframe carries its own.
    in_band = len({part.clip.setup.avcc for part in parts}) > 1
    setup = max((part.clip.setup for part in parts), key=lambda setup: setup.level)
    scale = timescale(clip.fps)
    ticks = int(scale / clip.fps)
    sizes, keyframes, leads, data = array("I"), array("I"), array("i"), Strand()
    for part in parts:
        base, track = len(sizes) - part.first, part.clip.track
        starts = part.clip.keyframes(part.first, part.stop)
        keyframes.extend(array("I", [base + sample for sample in starts]))
        shown = part.clip.shown[part.first : part.stop]
        leads.extend(array("i", [frame - sample for sample, frame in enumerate(shown, part.first)]))
        sizes.extend(track.sizes[part.first : part.stop])
        for start, stop in pairwise([*starts, part.stop] if in_band else [part.first, part.stop]):
            if in_band:
                data.add_bytes(part.clip.setup.parameter_sets)
                sizes[base + start] += len(part.clip.setup.parameter_sets)
            for offset, length in track.ranges(start, stop):
                data.add(part.piece.source, offset, length, part.piece.clip)
    # All clips get the longest decoder delay of any clip, so that joins have no gap or jump.
    delay = -min(leads)
    bits = 8 * Fraction(sum(sizes)) * clip.fps / len(sizes)
    return Track(
        handler=b"vide",
        timescale=scale,
        entry=_picture_entry(setup, clip.picture, in_band, round(bits)),
        plays=len(sizes) * ticks,
        begins=delay * ticks,
        data=data,
        sizes=sizes,
        durations=array("I", [ticks]) * len(sizes),
        delays=array("i", [(lead + delay) * ticks for lead in leads]) if delay else None,
        keyframes=keyframes,
        size=clip.picture.size,
        matrix=clip.track.matrix,
    )


def _picture_entry(setup: Setup, picture: Picture, in_band: bool, bits: int) -> bytes:
    """Return the sample entry. `avc3` allows keyframes to carry parameter sets, which `avc1` forbids (ISO/IEC
    14496-15, 5.4.2.1.2)."""
    width, height = picture.size
    fields = struct.pack(">6xH16xHHIIIH32xHH", 1, width, height, 72 << 16, 72 << 16, 0, 1, 24, 0xFFFF)
    boxes = [box(b"avcC", setup.avcc)]
    *colour, full = picture.colour
    if colour != [UNSPECIFIED] * 3:
        boxes.append(box(b"colr", struct.pack(">4sHHHB", b"nclx", *colour, full << 7)))
    if picture.aspect_ratio != (1, 1):
        boxes.append(box(b"pasp", struct.pack(">II", *picture.aspect_ratio)))
    boxes.append(box(b"btrt", struct.pack(">III", 0, 0, min(bits, U32))))
    return box(b"avc3" if in_band else b"avc1", fields, *boxes)


def _sound(source: Source, picture: Track) -> Track:
    return _other_track(source, picture, "sound", (b"soun",), b"mp4a", group=_SOUND_GROUP)


def _captions(source: Source, picture: Track) -> Track:
    return _other_track(source, picture, "captions", (b"sbtl", b"text"), b"tx3g", group=_CAPTION_GROUP)


def _other_track(
    source: Source, picture: Track, what: str, handlers: tuple[bytes, ...], codec: bytes, *, group: int
) -> Track:
    with blame(None, what):
        track = read_track(source, what, *handlers)
        if track.codec != codec:
            raise ClipsDiffer(f"its codec is {name(track.codec)}; expected {name(codec)}")
        ticks = sum(track.durations)
        begins = track.edit.begins if track.edit else 0
        if not begins < ticks:
            raise ClipUnreadable("an edit list hides the whole track")
    seconds = Fraction(ticks - begins, track.timescale)
    if track.edit and track.edit.seconds:
        seconds = min(seconds, track.edit.seconds)
    seconds = min(seconds, Fraction(picture.plays, picture.timescale))
    starts = list(accumulate(track.durations, initial=0))
    needed = bisect_left(starts, begins + seconds * track.timescale, hi=len(track.sizes))
    made = Track(
        handler=handlers[0],
        timescale=track.timescale,
        entry=box(codec, bytes(track.entry)),
        plays=int(seconds * picture.timescale),
        begins=begins,
        sizes=track.sizes[:needed],
        durations=track.durations[:needed],
        # Captions are off until the viewer turns them on.
        enabled=codec != b"tx3g",
        group=group,
        language=track.language,
    )
    for offset, length in track.ranges(0, needed):
        made.data.add(source, offset, length)
    return made


def _check_chapters(marks: Sequence[tuple[Fraction, str]], end: Fraction) -> None:
    starts = [start for start, _ in marks]
    if starts and (starts[0] != 0 or any(a >= b for a, b in pairwise([*starts, end]))):
        raise ValueError(f"chapters must ascend from 0 to before the film's end, {end} s; got {starts}")


def _chapters(marks: Sequence[tuple[Fraction, str]], picture: Track) -> Track:
    """Return a text track (QuickTime File Format, "Text media") in which each title lasts until the next
    one."""
    end = Fraction(picture.plays, picture.timescale)
    ticks = [round(start * _CHAPTER_TICKS) for start in (*(start for start, _ in marks), end)]
    # No flags, centred, no colours, empty box, no font: players show the titles in their own menu.
    entry = box(b"text", struct.pack(">6xH4xI35x", 1, 1), b"\0")
    track = Track(b"text", _CHAPTER_TICKS, entry, picture.plays, enabled=False)
    track.durations = array("I", [after - before for before, after in pairwise(ticks)])
    for _, title in marks:
        text = title.encode()[:_LONGEST_TITLE].decode(errors="ignore").encode()
        sample = struct.pack(">H", len(text)) + text + _UTF_8
        track.data.add_bytes(sample)
        track.sizes.append(len(sample))
    return track


def _fast_start(index: Index) -> tuple[list[Strand], list[tuple[int, int]]]:
    order = [
        chunk for number, track in enumerate(index.tracks) for chunk in chunks(number, track, _CHUNK_SECONDS)
    ]
    order.sort(key=lambda chunk: (chunk.time, chunk.track))
    data = box_header(b"mdat", sum(chunk.size for chunk in order))
    length = len(_FILE_TYPE) + len(index.written(order, 0, wide=False)) + len(data)
    wide = length + sum(chunk.size for chunk in order) > U32
    if wide:
        length = len(_FILE_TYPE) + len(index.written(order, 0, wide=True)) + len(data)
    own = Strand()
    own.add_bytes(_FILE_TYPE + index.written(order, length, wide) + data)
    turns = [(0, own.length)]
    for track, same in groupby(order, key=lambda chunk: chunk.track):
        turns.append((1 + track, sum(chunk.size for chunk in same)))
    return [own, *(track.data for track in index.tracks)], turns


def _fragments(index: Index) -> tuple[list[Strand], list[tuple[int, int]]]:
    picture = index.tracks[0]
    heads: list[bytes] = []
    sizes: list[tuple[int, int]] = []
    turns: list[tuple[int, int]] = []
    for sequence, runs in enumerate(fragments(index.tracks, _FRAGMENT_SECONDS), 1):
        data = sum(run.size for run in runs)
        if data > _MOST_OF_A_FRAGMENT:
            raise ClipUnreadable(f"fragment {sequence} is too long: {data} bytes")
        heads.append(fragment_head(sequence, runs))
        turns.append((0, len(heads[-1])))
        turns += ((run.number, run.size) for run in runs)
        sizes.append((len(heads[-1]) + data, sum(picture.durations[runs[0].first : runs[0].stop])))
    start = _FRAGMENTED_FILE_TYPE + index.fragmented() + segment_index(picture, 1, sizes)
    own = Strand()
    for part in (start, *heads):
        own.add_bytes(part)
    return [own, *(track.data for track in index.tracks)], [(0, len(start)), *turns]
