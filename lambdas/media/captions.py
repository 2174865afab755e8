"""Captions: the spoken text wrapped to readable lines, as .srt, .vtt and an MP4 track. `burn` draws them into
the pictures."""

import math
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import zip_longest
from unicodedata import category

import av
from pysubs2 import SSAEvent, SSAFile

from lambdas.media.lines import Width, balanced, columns, filled, fitting, units
from lambdas.media.mp4.muxer import mp4_writer

# Broadcasters' and streaming sites' limits (Netflix's timed text style guides; the BBC has 37 columns). A
# Chinese, Japanese or Korean character has two columns: 16 of them in a line, and 13 in Japanese.
COLUMNS = 42
_WIDE_COLUMNS, _JAPANESE_COLUMNS = 32, 26
LINES = 2
_COLUMNS_PER_SECOND = 17  # reading speed; Netflix has 9 Chinese characters a second, which is about the same
_SHORTEST = Fraction(5, 6)  # seconds, whatever is to be read

# Polly's languages (BCP 47) as ISO 639-2 codes, which MP4 tracks carry.
_LANGUAGES = {
    "ar": "ara",
    "arb": "ara",
    "ca": "cat",
    "cmn": "zho",
    "cs": "ces",
    "cy": "cym",
    "da": "dan",
    "de": "deu",
    "en": "eng",
    "es": "spa",
    "fi": "fin",
    "fr": "fra",
    "hi": "hin",
    "is": "isl",
    "it": "ita",
    "ja": "jpn",
    "ko": "kor",
    "nb": "nob",
    "nl": "nld",
    "pl": "pol",
    "pt": "por",
    "ro": "ron",
    "ru": "rus",
    "sv": "swe",
    "tr": "tur",
    "yue": "zho",
    "zh": "zho",
}
_UNKNOWN_LANGUAGE = "und"

_MILLISECOND = Fraction(1, 1000)
_KANA = re.compile(r"[\u3041-\u30ff\uff66-\uff9f]")
# Where a sentence may continue on the next screen: behind a comma, dash or full stop.
_CLAUSE = re.compile(r"[,;:.!?…—–，；：。！？、۔؟،।][\"'”’»)\]」』】）]*\s*\Z")
# Control characters, private use, surrogates.
_NO_TEXT = ("Cc", "Co", "Cs")
# pysubs2 reads a backslash before n, N or h as a line break or space of its own format, so a private-use
# character temporarily replaces backslashes.
_BACKSLASH = "\ue000"
# SubRip has no escaping: whatever players read as markup (FFmpeg even "< i>" and braces) becomes a
# look-alike.
_SRT_BRACES = str.maketrans("{}", "()")
_SRT_TAG = re.compile("<([^<>]*)>")
# Style of FFmpeg's mov_text track: white, at the bottom.
_STYLE = b"""[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, BackColour, Bold, Italic, Underline, Alignment
Style: Default,Sans,18,&H00FFFFFF,&HFF000000,0,0,0,2
"""


@dataclass(frozen=True)
class Cue:
    """Text spoken from `start` to `end`, in seconds of the film. If that is too short to read it, it stays up
    to `until`."""

    start: Fraction
    end: Fraction
    text: str
    until: Fraction | None = None  # None: `end`


# In every format, a cue longer than two lines is shown in several turns, each as long as its share of the
# text, and a cue ends no later than the next one begins. Where the pause behind a cue allows, its last turn
# stays as long as a reader needs.


def srt(cues: Sequence[Cue]) -> str:
    """Return SubRip text.

    Raises ValueError for a cue that does not end after its start or starts before the film.
    """
    return _written(cues, "srt", _srt_text)


def vtt(cues: Sequence[Cue]) -> str:
    """Return WebVTT text. Raises ValueError as `srt` does."""
    return _written(
        cues, "vtt", lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )


def timed_text(cues: Sequence[Cue], duration: Fraction, *, language: str) -> bytes:
    """Return an MP4 with one timed text track (tx3g), `duration` seconds long to the millisecond. Empty
    samples fill the gaps. `language` is a BCP 47 tag. Raises ValueError as `srt` does.
    """
    output = BytesIO()
    with mp4_writer(output, fps=1 / _MILLISECOND, metadata={}) as container:
        track = container.add_stream("mov_text")
        track.codec_context.subtitle_header = _STYLE
        track.time_base = track.codec_context.time_base = _MILLISECOND
        track.metadata["language"] = _LANGUAGES.get(language.split("-")[0].lower(), _UNKNOWN_LANGUAGE)
        for turn in _covering(turns(cues), int(duration / _MILLISECOND)):
            text = turn.text.encode()
            packet = av.Packet(struct.pack(">H", len(text)) + text)  # 3GPP TS 26.245, 5.17
            packet.stream, packet.time_base = track, _MILLISECOND
            packet.pts = packet.dts = turn.start
            packet.duration = turn.end - turn.start
            container.mux_one(packet)
    return output.getvalue()


@dataclass(frozen=True)
class Turn:
    """Text shown at one time: one or two lines, times in milliseconds."""

    start: int
    end: int
    text: str


def _written(cues: Sequence[Cue], kind: str, escaped: Callable[[str], str]) -> str:
    file = SSAFile()
    for turn in turns(cues):
        text = escaped(turn.text).replace("\\", _BACKSLASH).replace("\n", r"\N")
        file.append(SSAEvent(start=turn.start, end=turn.end, text=text))
    return file.to_string(kind, keep_ssa_tags=True).replace(_BACKSLASH, "\\")


def _srt_text(text: str) -> str:
    return _SRT_TAG.sub(r"‹\1›", text.translate(_SRT_BRACES)).replace("-->", "→")


def turns(cues: Sequence[Cue], *, most: int | None = None, width: Width = columns) -> Iterator[Turn]:
    """Yield turns in order, without empty or overlapping ones. No line is wider than `most`, in the units of
    `width`; None: than the columns for the text's script.

    Raises ValueError as `srt` does.
    """
    spoken: list[tuple[Turn, int]] = []  # and until when it may stay
    for cue in sorted(cues, key=lambda cue: cue.start):
        if not 0 <= cue.start < cue.end:
            raise ValueError(
                "a cue must start at 0 s or later and end after its start; "
                f"got {float(cue.start)} s to {float(cue.end)} s"
            )
        start, end, until = (round(at / _MILLISECOND) for at in (cue.start, cue.end, cue.until or cue.end))
        text = "".join(char for char in cue.text if char.isspace() or category(char) not in _NO_TEXT)
        if spoken and spoken[-1][0].start == start:  # spoken simultaneously, shown one after the other
            before, longer = spoken.pop()
            text, end, until = f"{before.text} {text}", max(before.end, end), max(longer, until)
        spoken.append((Turn(start, end, text), until))
    for (turn, until), following in zip_longest(spoken, spoken[1:]):
        latest = min(until, following[0].start) if following else until
        end = min(turn.end, following[0].start) if following else turn.end
        limit = most or _longest_line(turn.text)
        yield from _in_turns(turn.start, end, latest, list(_screens(turn.text, limit, width)))


def _longest_line(text: str) -> int:
    """Return the columns of a line in the text's script."""
    if _KANA.search(text):
        return _JAPANESE_COLUMNS
    letters = sum(char.isalpha() for char in text)
    return _WIDE_COLUMNS if 2 * sum(columns(char) == 2 for char in text) > letters else COLUMNS


def _in_turns(start: int, end: int, latest: int, screens: Sequence[list[str]]) -> Iterator[Turn]:
    """Yield the screens in their share of the time from `start` to `end`. The last one stays until it can be
    read, but not beyond `latest`."""
    whole, shown = sum(columns(line) for lines in screens for line in lines), 0
    at = start
    for together in screens:
        size = sum(map(columns, together))
        shown += size
        until = start + round((end - start) * shown / max(1, whole))
        if together is screens[-1]:
            read = max(_SHORTEST, Fraction(size, _COLUMNS_PER_SECOND))
            until = max(until, min(latest, at + math.ceil(read / _MILLISECOND)))
        if until > at:
            yield Turn(at, until, "\n".join(together))
        at = until


def _covering(turns: Iterable[Turn], end: int) -> Iterator[Turn]:
    """Yield the turns up to `end`, with empty turns filling the gaps."""
    at = 0
    for turn in turns:
        if turn.start >= end:
            break
        if turn.start > at:
            yield Turn(at, turn.start, "")
        at = min(turn.end, end)
        yield Turn(turn.start, at, turn.text)
    if at < end:
        yield Turn(at, end, "")


def _screens(text: str, most: int, width: Width) -> Iterator[list[str]]:
    """Yield the lines of each screen. Screens end with a clause where that needs no extra screen."""
    parts = fitting(units(text), most, width)
    while parts:
        lines = balanced(parts, most, width, multiple=LINES)
        count = -(-len(lines) // LINES)
        cut = _clause_end(parts, count, most, width) if count > 1 else None
        if cut is None:
            yield from (lines[first : first + LINES] for first in range(0, len(lines), LINES))
            return
        yield balanced(parts[:cut], most, width, multiple=LINES)
        parts = parts[cut:]


def _clause_end(parts: Sequence[str], count: int, most: int, width: Width) -> int | None:
    """Return how many parts to show first of a text for `count` screens: up to the end of the clause that is
    nearest to an even share, if the rest then needs no more screens. None if there is none."""
    share = sum(map(len, parts)) / count
    ends: list[tuple[float, int]] = []
    shown = 0
    for index, part in enumerate(parts[:-1], 1):
        shown += len(part)
        if shown < 2 * share and _CLAUSE.search(part):
            ends.append((abs(shown - share), index))
    for _, cut in sorted(ends):
        fits = len(filled(parts[:cut], most, width)) <= LINES
        if fits and len(filled(parts[cut:], most, width)) <= LINES * (count - 1):
            return cut
    return None
