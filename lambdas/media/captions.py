"""Captions: the spoken text wrapped to readable lines, as .srt, .vtt and an MP4 track. `burn` draws them into
the pictures."""

import math
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from itertools import pairwise, zip_longest
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
    to `until`. `words`: the text's words in order, each with the second at which it starts; none if
    unknown."""

    start: Fraction
    end: Fraction
    text: str
    until: Fraction | None = None  # None: `end`
    words: tuple[tuple[str, Fraction], ...] = ()


# In every format, a cue longer than two lines is shown in several turns. Each starts with its first word, or
# is as long as its share of the text where the words' times are unknown. A cue ends no later than the next
# one begins. Where the pause behind a cue allows, its last turn stays as long as a reader needs.


def srt(cues: Sequence[Cue]) -> str:
    """Return SubRip text.

    Raises ValueError for a cue that does not end after its start or starts before the film.
    """
    return _written(cues, "srt", lambda turn: _srt_text(turn.text))


def vtt(cues: Sequence[Cue], *, timed: bool = True) -> str:
    """Return WebVTT text, if `timed` with a timestamp tag before each word whose time is known. Raises
    ValueError as `srt` does."""
    return _written(cues, "vtt", _vtt_text if timed else lambda turn: _vtt_text(replace(turn, words=())))


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
    """Text shown at one time: one or two lines, times in milliseconds. `words`: where each of its words
    begins in the text, and when; none if unknown."""

    start: int
    end: int
    text: str
    words: tuple[tuple[int, int], ...] = ()

    @property
    def word_parts(self) -> list[tuple[int, str]]:
        """Return the text in parts, each a word with what follows it, and when it is spoken."""
        begins = [0, *(begin for begin, _ in self.words[1:]), len(self.text)]
        times = [at for _, at in self.words] or [self.start]
        return [(at, self.text[begin:end]) for at, (begin, end) in zip(times, pairwise(begins), strict=True)]


def _written(cues: Sequence[Cue], kind: str, escaped: Callable[[Turn], str]) -> str:
    file = SSAFile()
    for turn in turns(cues):
        text = escaped(turn).replace("\\", _BACKSLASH).replace("\n", r"\N")
        file.append(SSAEvent(start=turn.start, end=turn.end, text=text))
    return file.to_string(kind, keep_ssa_tags=True).replace(_BACKSLASH, "\\")


def _srt_text(text: str) -> str:
    return _SRT_TAG.sub(r"‹\1›", text.translate(_SRT_BRACES)).replace("-->", "→")


def _vtt_text(turn: Turn) -> str:
    # A tag's time must be after the cue's start and before its end (W3C WebVTT, 4.2.2).
    return "".join(
        (f"<{_clock(at)}>" if turn.start < at < turn.end else "")
        + part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for at, part in turn.word_parts
    )


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"


def line_columns(text: str) -> int:
    """Return the columns of a line in the text's script."""
    if _KANA.search(text):
        return _JAPANESE_COLUMNS
    letters = sum(char.isalpha() for char in text)
    return _WIDE_COLUMNS if 2 * sum(columns(char) == 2 for char in text) > letters else COLUMNS


def turns(
    cues: Sequence[Cue],
    *,
    most: Callable[[str], int] = line_columns,
    width: Width = columns,
    lines: int = LINES,
) -> Iterator[Turn]:
    """Yield turns of at most `lines` lines in order, without empty or overlapping ones. No line of a text is
    wider than `most` returns for it, in the units of `width`.

    Raises ValueError as `srt` does.
    """
    # Each with until when it may stay, and its words.
    spoken: list[tuple[Turn, int, tuple[tuple[str, Fraction], ...]]] = []
    for cue in sorted(cues, key=lambda cue: cue.start):
        if not 0 <= cue.start < cue.end:
            raise ValueError(
                "a cue must start at 0 s or later and end after its start; "
                f"got {float(cue.start)} s to {float(cue.end)} s"
            )
        start, end, until = (round(at / _MILLISECOND) for at in (cue.start, cue.end, cue.until or cue.end))
        text = "".join(char for char in cue.text if char.isspace() or category(char) not in _NO_TEXT)
        words = cue.words
        if spoken and spoken[-1][0].start == start:  # spoken simultaneously, shown one after the other
            before, longer, _ = spoken.pop()
            text, end, until = f"{before.text} {text}", max(before.end, end), max(longer, until)
            words = ()
        spoken.append((Turn(start, end, text), until, words))
    for (turn, until, words), following in zip_longest(spoken, spoken[1:]):
        latest = min(until, following[0].start) if following else until
        end = min(turn.end, following[0].start) if following else turn.end
        screens = list(_screens(turn.text, most(turn.text), width, lines))
        timed = _by_words(turn.start, end, screens, words) if words else None
        yield from _readable(timed or _by_share(turn.start, end, screens), latest)


def _readable(spoken: Sequence[Turn], latest: int) -> Iterator[Turn]:
    """Yield a cue's turns, without empty ones. The last one stays until it can be read, but not beyond
    `latest`."""
    for turn in spoken:
        end = turn.end
        if turn is spoken[-1]:
            read = max(_SHORTEST, Fraction(sum(map(columns, turn.text.split("\n"))), _COLUMNS_PER_SECOND))
            end = max(end, min(latest, turn.start + math.ceil(read / _MILLISECOND)))
        if end > turn.start:
            yield replace(turn, end=end)


def _by_words(
    start: int, end: int, screens: Sequence[list[str]], words: Sequence[tuple[str, Fraction]]
) -> list[Turn] | None:
    """Return a turn per screen, from its first word to the next screen's. None if the words aren't those of
    the text, or a screen has none of its own."""
    texts = ["\n".join(lines) for lines in screens]
    begun = _begun(" ".join(texts), [word for word, _ in words])
    if begun is None:
        return None
    found: list[Turn] = []
    first = 0  # of the screen's letters in all of them
    for text in texts:
        own = [
            (begin - first, round(at / _MILLISECOND))
            for begin, (_, at) in zip(begun, words, strict=True)
            if first <= begin < first + len(text)
        ]
        if not own:
            return None
        first += len(text) + 1
        found.append(Turn(own[0][1] if found else start, end, text, tuple(own)))
    return [
        replace(turn, end=min(end, following.start) if following else end)
        for turn, following in zip_longest(found, found[1:])
        if turn.start < end
    ]


def _begun(text: str, words: Sequence[str]) -> list[int] | None:
    """Return where each word begins in the text: with the marks before it, such as a quotation mark. None if
    one isn't there. Lines may be broken within a word, so white space doesn't count."""
    places = [place for place, char in enumerate(text) if not char.isspace()]
    letters = "".join(text[place] for place in places)
    begun: list[int] = []
    at = 0
    for word in words:
        bare = "".join(word.split())
        begin = letters.find(bare, at)
        if not bare or begin < 0:
            return None
        here = places[begin]
        gap = text[places[at - 1] + 1 : here] if at else ""
        spaces = [place for place, char in enumerate(gap) if char.isspace()]
        begun.append(here - len(gap) + spaces[-1] + 1 if spaces else here)
        at = begin + len(bare)
    return begun


def _by_share(start: int, end: int, screens: Sequence[list[str]]) -> list[Turn]:
    """Return the screens in their share of the time from `start` to `end`."""
    whole, shown = sum(columns(line) for lines in screens for line in lines), 0
    found: list[Turn] = []
    at = start
    for together in screens:
        shown += sum(map(columns, together))
        until = start + round((end - start) * shown / max(1, whole))
        found.append(Turn(at, until, "\n".join(together)))
        at = until
    return found


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


def _screens(text: str, most: int, width: Width, together: int) -> Iterator[list[str]]:
    """Yield the lines of each screen. Screens end with a clause where that needs no extra screen."""
    parts = fitting(units(text), most, width)
    while parts:
        lines = balanced(parts, most, width, multiple=together)
        count = -(-len(lines) // together)
        cut = _clause_end(parts, count, most, width, together) if count > 1 else None
        if cut is None:
            yield from (lines[first : first + together] for first in range(0, len(lines), together))
            return
        yield balanced(parts[:cut], most, width, multiple=together)
        parts = parts[cut:]


def _clause_end(parts: Sequence[str], count: int, most: int, width: Width, together: int) -> int | None:
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
        fits = len(filled(parts[:cut], most, width)) <= together
        if fits and len(filled(parts[cut:], most, width)) <= together * (count - 1):
            return cut
    return None
