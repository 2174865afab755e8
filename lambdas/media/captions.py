"""Captions: the spoken text wrapped to readable lines, as .srt, .vtt and an MP4 track. `burn` draws them into
the pictures."""

import re
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import zip_longest
from unicodedata import category, east_asian_width

import av
from pysubs2 import SSAEvent, SSAFile

from lambdas.media.mp4.muxer import mp4_writer

# Broadcasters' and streaming sites' limits (Netflix's timed text guide; the BBC's has 37).
COLUMNS = 42
LINES = 2

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
# Characters that never start a line; scripts without spaces break before any other.
_CLOSING = frozenset("。、，．！？：；」』）】〉》…・ーっッ")
# Where a sentence may continue on the next screen: after a comma, dash or full stop.
_CLAUSE = re.compile(r"[,;:.!?…—–][\"'”’)]*\s+|[，；：。！？、]")
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
    """Text spoken from `start` to `end`, in seconds of the film."""

    start: Fraction
    end: Fraction
    text: str


# In every format, a cue longer than two lines is shown in several turns, each as long as its share of the
# text, and a cue ends no later than the next one begins.


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


def columns(text: str) -> int:
    """Return a text's width: 2 per Chinese, Japanese or Korean character, 0 per combining one, else 1."""
    return sum(
        0 if category(char) in ("Mn", "Me", "Cf") else 2 if east_asian_width(char) in "WF" else 1
        for char in text
    )


def turns(
    cues: Sequence[Cue], *, most: int = COLUMNS, width: Callable[[str], float] = columns
) -> Iterator[Turn]:
    """Yield turns in order, without empty or overlapping ones. No line is wider than `most`, in the units of
    `width`.

    Raises ValueError as `srt` does.
    """
    spoken: list[Turn] = []
    for cue in sorted(cues, key=lambda cue: cue.start):
        if not 0 <= cue.start < cue.end:
            raise ValueError(
                "a cue must start at 0 s or later and end after its start; "
                f"got {float(cue.start)} s to {float(cue.end)} s"
            )
        start, end = round(cue.start / _MILLISECOND), round(cue.end / _MILLISECOND)
        text = "".join(char for char in cue.text if char.isspace() or category(char) not in _NO_TEXT)
        if spoken and spoken[-1].start == start:  # spoken simultaneously, shown one after the other
            before = spoken.pop()
            text, end = f"{before.text} {text}", max(before.end, end)
        spoken.append(Turn(start, end, text))
    for turn, following in zip_longest(spoken, spoken[1:]):
        end = min(turn.end, following.start) if following else turn.end
        yield from _in_turns(turn.start, end, list(_screens(turn.text, most, width)))


def _in_turns(start: int, end: int, screens: Sequence[list[str]]) -> Iterator[Turn]:
    whole, shown = sum(columns(line) for lines in screens for line in lines), 0
    at = start
    for together in screens:
        shown += sum(map(columns, together))
        until = start + round((end - start) * shown / whole)
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


_Width = Callable[[str], float]


def _screens(text: str, most: int, width: _Width) -> Iterator[list[str]]:
    """Yield the lines of each screen. Screens end with a clause where that needs no extra screen."""
    lines = _wrapped(text, most, width)
    count = -(-len(lines) // LINES)
    if count < 2:
        yield from [lines] if lines else []
        return
    share = len(text) / count
    cuts = [match.end() for match in _CLAUSE.finditer(text) if match.end() < 2 * share]
    for cut in sorted(cuts, key=lambda cut: abs(cut - share)):
        head, tail = text[:cut], text[cut:]
        fits = len(_lines(head, most, most, width)) <= LINES
        if fits and len(_lines(tail, most, most, width)) <= LINES * (count - 1):
            yield _wrapped(head, most, width)
            yield from _screens(tail, most, width)
            return
    for first in range(0, len(lines), LINES):
        yield lines[first : first + LINES]


def _wrapped(text: str, most: int, width: _Width) -> list[str]:
    """Wrap a text to at most that width, balancing the lines."""
    lines = _lines(text, most, most, width)
    if len(lines) < 2:
        return lines
    together = -(-len(lines) // LINES) * LINES
    # Monotonic: a wider limit never needs more lines.
    narrow = bisect_left(
        range(1, most), -together, key=lambda narrower: -len(_lines(text, narrower, most, width))
    )
    return _lines(text, 1 + narrow, most, width)


def _lines(text: str, narrow: int, most: int, width: _Width) -> list[str]:
    """Break a text between words; only a word wider than `most` is itself broken."""
    lines: list[str] = []
    for word in text.split():
        for index, part in enumerate(_parts(word, most, width)):
            glue = "" if index else " "
            if lines and width(lines[-1] + glue + part) <= narrow:
                lines[-1] += glue + part
            else:
                lines.append(part)
    return lines


def _parts(word: str, most: int, width: _Width) -> list[str]:
    """Split a word where a line may break: around wide characters, otherwise at `most`."""
    parts = [""]
    for char in word:
        between_wide = columns(char) == 2 or columns(parts[-1][-1:]) == 2
        breaks = between_wide and columns(char) > 0 and char not in _CLOSING
        if parts[-1] and (breaks or width(parts[-1] + char) > most):
            parts.append("")
        parts[-1] += char
    return parts
