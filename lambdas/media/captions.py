"""Captions: what is said, wrapped to what can be read, as .srt, .vtt and a track of an MP4 (`burn` draws them
into the pictures)."""

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
# Where a sentence may be left for the next screen: behind its commas, dashes and full stops.
_CLAUSE = re.compile(r"[,;:.!?…—–][\"'”’)]*\s+|[，；：。！？、]")
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


# In all, a cue longer than two lines is shown in several turns, each as long as its share of the text;
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
    """What is on the screen at once: times in milliseconds, one or two lines."""

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
    """Two for a Chinese, Japanese or Korean character, none for what joins the one before."""
    return sum(
        0 if category(char) in ("Mn", "Me", "Cf") else 2 if east_asian_width(char) in "WF" else 1
        for char in text
    )


def turns(
    cues: Sequence[Cue], *, most: int = COLUMNS, width: Callable[[str], float] = columns
) -> Iterator[Turn]:
    """In order, none empty, none overlapping; no line is wider than `most`, of what `width` measures in.

    ValueError as for `srt`.
    """
    spoken: list[Turn] = []
    for cue in sorted(cues, key=lambda cue: cue.start):
        if not 0 <= cue.start < cue.end:
            raise ValueError(f"a cue can't go from {float(cue.start)} s to {float(cue.end)} s")
        start, end = round(cue.start / _MILLISECOND), round(cue.end / _MILLISECOND)
        text = "".join(char for char in cue.text if char.isspace() or category(char) not in _NO_TEXT)
        if spoken and spoken[-1].start == start:  # said at once, read one after the other
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
    """The turns up to `end`, and empty ones between them."""
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
    """The lines that are shown at once. Where it takes no more screens, one ends with a clause."""
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
    """Lines of at most that width; more than one are of about the same length."""
    lines = _lines(text, most, most, width)
    if len(lines) < 2:
        return lines
    together = -(-len(lines) // LINES) * LINES
    # A line that may be wider never makes them more.
    narrow = bisect_left(
        range(1, most), -together, key=lambda narrower: -len(_lines(text, narrower, most, width))
    )
    return _lines(text, 1 + narrow, most, width)


def _lines(text: str, narrow: int, most: int, width: _Width) -> list[str]:
    """Broken between words; only a word wider than `most` is broken itself."""
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
    """Where a line may break within a word: around wide characters, else at `most`."""
    parts = [""]
    for char in word:
        between_wide = columns(char) == 2 or columns(parts[-1][-1:]) == 2
        breaks = between_wide and columns(char) > 0 and char not in _CLOSING
        if parts[-1] and (breaks or width(parts[-1] + char) > most):
            parts.append("")
        parts[-1] += char
    return parts
