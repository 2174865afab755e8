"""Captions: what is said, wrapped to what can be read, as .srt, .vtt and a track of an MP4."""

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import zip_longest
from unicodedata import category, east_asian_width

import av
from pysubs2 import SSAEvent, SSAFile

from lambdas.media.mp4.muxer import mp4_writer

# What broadcasters and streaming sites allow (Netflix's timed text guide; the BBC's has 37).
COLUMNS = 42
LINES = 2

# ISO 639-2 codes, which MP4 tracks carry, of the languages that Polly speaks (BCP 47).
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
# No line starts with these; scripts without spaces break before any other character.
_CLOSING = frozenset("。、，．！？：；」』）】〉》…・ーっッ")
# Control characters, private use, halves of characters.
_NO_TEXT = ("Cc", "Co", "Cs")
# pysubs2 takes a backslash before n, N or h for a line break or space of its own format; a character of no
# text (private use) stands for it meanwhile.
_BACKSLASH = "\ue000"
# SubRip has no way to escape: what its players take for markup (FFmpeg even "< i>", and braces) becomes what
# looks like it.
_SRT_BRACES = str.maketrans("{}", "()")
_SRT_TAG = re.compile("<([^<>]*)>")
# FFmpeg's mov_text track takes its look (white, below) from this.
_STYLE = b"""[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, BackColour, Bold, Italic, Underline, Alignment
Style: Default,Sans,18,&H00FFFFFF,&HFF000000,0,0,0,2
"""


@dataclass(frozen=True)
class Cue:
    """What is said from `start` to `end`, in seconds of the film."""

    start: Fraction
    end: Fraction
    text: str


# In all three, a cue longer than two lines is shown in several turns, each as long as its share of the text;
# and a cue ends at the latest where the next begins.


def srt(cues: Sequence[Cue]) -> str:
    """SubRip. ValueError: a cue that does not end after its start, or starts before the film."""
    return _written(cues, "srt", _srt_text)


def vtt(cues: Sequence[Cue]) -> str:
    """WebVTT. ValueError as for `srt`."""
    return _written(
        cues, "vtt", lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )


def timed_text(cues: Sequence[Cue], duration: Fraction, *, language: str) -> bytes:
    """An MP4 with one track of timed text (tx3g), `duration` seconds long to the millisecond; empty samples
    fill the gaps. `language`: a BCP 47 tag. ValueError as for `srt`.
    """
    output = BytesIO()
    with mp4_writer(output, fps=1 / _MILLISECOND, metadata={}) as container:
        track = container.add_stream("mov_text")
        track.codec_context.subtitle_header = _STYLE
        track.time_base = track.codec_context.time_base = _MILLISECOND
        track.metadata["language"] = _LANGUAGES.get(language.split("-")[0].lower(), _UNKNOWN_LANGUAGE)
        for turn in _covering(_turns(cues), int(duration / _MILLISECOND)):
            text = turn.text.encode()
            packet = av.Packet(struct.pack(">H", len(text)) + text)  # 3GPP TS 26.245, 5.17
            packet.stream, packet.time_base = track, _MILLISECOND
            packet.pts = packet.dts = turn.start
            packet.duration = turn.end - turn.start
            container.mux_one(packet)
    return output.getvalue()


@dataclass(frozen=True)
class _Turn:
    """What is on the screen at once: times in milliseconds, one or two lines."""

    start: int
    end: int
    text: str


def _written(cues: Sequence[Cue], kind: str, escaped: Callable[[str], str]) -> str:
    file = SSAFile()
    for turn in _turns(cues):
        text = escaped(turn.text).replace("\\", _BACKSLASH).replace("\n", r"\N")
        file.append(SSAEvent(start=turn.start, end=turn.end, text=text))
    return file.to_string(kind, keep_ssa_tags=True).replace(_BACKSLASH, "\\")


def _srt_text(text: str) -> str:
    return _SRT_TAG.sub(r"‹\1›", text.translate(_SRT_BRACES)).replace("-->", "→")


def _turns(cues: Sequence[Cue]) -> Iterator[_Turn]:
    """In order, none empty, none overlapping."""
    spoken: list[_Turn] = []
    for cue in sorted(cues, key=lambda cue: cue.start):
        if not 0 <= cue.start < cue.end:
            raise ValueError(f"a cue can't go from {float(cue.start)} s to {float(cue.end)} s")
        start, end = round(cue.start / _MILLISECOND), round(cue.end / _MILLISECOND)
        text = "".join(char for char in cue.text if char.isspace() or category(char) not in _NO_TEXT)
        if spoken and spoken[-1].start == start:  # said at once, read one after the other
            before = spoken.pop()
            text, end = f"{before.text} {text}", max(before.end, end)
        spoken.append(_Turn(start, end, text))
    for turn, following in zip_longest(spoken, spoken[1:]):
        end = min(turn.end, following.start) if following else turn.end
        yield from _in_turns(turn.start, end, _wrapped(turn.text))


def _in_turns(start: int, end: int, lines: list[str]) -> Iterator[_Turn]:
    whole, shown = sum(map(_width, lines)), 0
    at = start
    for first in range(0, len(lines), LINES):
        together = lines[first : first + LINES]
        shown += sum(map(_width, together))
        until = start + round((end - start) * shown / whole)
        if until > at:
            yield _Turn(at, until, "\n".join(together))
        at = until


def _covering(turns: Iterable[_Turn], end: int) -> Iterator[_Turn]:
    """The turns up to `end`, and empty ones between them."""
    at = 0
    for turn in turns:
        if turn.start >= end:
            break
        if turn.start > at:
            yield _Turn(at, turn.start, "")
        at = min(turn.end, end)
        yield _Turn(turn.start, at, turn.text)
    if at < end:
        yield _Turn(at, end, "")


def _wrapped(text: str) -> list[str]:
    """Lines of at most COLUMNS; more than one are of about the same length."""
    lines = _lines(text, COLUMNS)
    if len(lines) < 2:
        return lines
    most = -(-len(lines) // LINES) * LINES
    return next(narrow for columns in range(1, COLUMNS + 1) if len(narrow := _lines(text, columns)) <= most)


def _lines(text: str, columns: int) -> list[str]:
    """Broken between words; only a word wider than COLUMNS is broken itself."""
    lines: list[str] = []
    for word in text.split():
        for index, part in enumerate(_parts(word)):
            glue = "" if index else " "
            if lines and _width(lines[-1] + glue + part) <= columns:
                lines[-1] += glue + part
            else:
                lines.append(part)
    return lines


def _parts(word: str) -> list[str]:
    """Where a line may break within a word: around wide characters, else at COLUMNS."""
    parts = [""]
    for char in word:
        between_wide = _width(char) == 2 or _width(parts[-1][-1:]) == 2
        breaks = between_wide and _width(char) > 0 and char not in _CLOSING
        if parts[-1] and (breaks or _width(parts[-1] + char) > COLUMNS):
            parts.append("")
        parts[-1] += char
    return parts


def _width(text: str) -> int:
    """Columns: two for a Chinese, Japanese or Korean character, none for what joins the one before."""
    return sum(
        0 if category(char) in ("Mn", "Me", "Cf") else 2 if east_asian_width(char) in "WF" else 1
        for char in text
    )
