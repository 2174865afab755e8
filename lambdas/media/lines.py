"""Break text into lines and shorten it, in every script.

uniseg finds where a line may break (UAX 14) and what a reader sees as one letter (UAX 29). The rules here add
what UAX 14 leaves to the typesetter: W3C's requirements for Chinese, Japanese and Korean (clreq, jlreq with
JIS X 4051, klreq). BudouX finds the words of Thai, which has no spaces between them. For Khmer, Lao and
Burmese, which have none either, there is no small library: their lines break at spaces, otherwise between
letters.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import chain
from unicodedata import category, east_asian_width

from budoux import Parser, load_default_thai_parser
from uniseg.graphemecluster import grapheme_clusters
from uniseg.linebreak import line_break_units

Width = Callable[[str], float]

# A line neither begins nor ends with these, whatever space is beside them.
_NEVER_FIRST = frozenset(
    "”’»›!?,.;:%‰°…)]}！？，．。、：；・％‰℃）］｝」』】〉》〕〗〙〛｠々〻ゝゞヽヾー～〜‐゠"
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ"
    "｡､･｣ｧｨｩｪｫｬｭｮｯｰ"
    "·¢′″‼⁇⁈⁉〟︰﹐﹑﹒﹔﹕﹖﹗﹚﹜﹞"
    "؟،؛۔।॥។៕៖ៗฯๆ་།"  # Arabic, Devanagari, Khmer, Thai, Tibetan
)
_NEVER_LAST = frozenset("“‘«‹„‚¿¡([{（［｛「『【〈《〔〖〘〚〝｟｢﹙﹛﹝$£€￥＄￡§№")
_LONGEST_LETTER = 100  # characters; a flag of a region has 7, a family 11
_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
_THAI = re.compile(r"[\u0e00-\u0e7f]+")
_IN_NUMBER = re.compile(r"\d[，．、]?\Z")
_SPACE = re.compile(r"[^\S\u00a0\u2007\u202f]+")  # not the spaces that hold words together
_OF_EMOJI = re.compile("[\u200d\ufe0f\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]")


def graphemes(text: str) -> list[str]:
    """Return what a reader sees as letters: an accent is one with its letter, a family of emoji is one."""
    return [text] if len(text) == 1 else list(grapheme_clusters(text))


def columns(text: str) -> int:
    """Return a text's width: 2 per Chinese, Japanese or Korean character or emoji, 0 per combining character,
    otherwise 1."""
    if _OF_EMOJI.search(text):
        return sum(min(2, _columns(one)) if "\u200d" in one else _columns(one) for one in graphemes(text))
    return _columns(text)


def _columns(text: str) -> int:
    if len(text) > 1 and text.endswith("\ufe0f"):
        return 2
    return sum(
        0
        if category(char) in ("Mn", "Me", "Cf") or "\U0001f3fb" <= char <= "\U0001f3ff"
        else 2
        if east_asian_width(char) in "WF"
        else 1
        for char in text
    )


@lru_cache(maxsize=64)
def units(text: str) -> tuple[str, ...]:
    """Return the parts between which a line may break, each with the space behind it. Runs of space become
    one, and there is none around the text."""
    found: list[str] = []
    for unit in chain.from_iterable(map(_words, line_break_units(_SPACE.sub(" ", text).strip()))):
        if found and _belong_together(found[-1], unit):
            found[-1] += unit
        else:
            found.append(unit)
    return tuple(found)


def _words(unit: str) -> Iterator[str]:
    """Yield the words of a unit that UAX 14 leaves whole, each with the marks behind it."""
    at = 0
    for thai in _THAI.finditer(unit):
        begin = thai.start()
        for word in _thai().parse(thai.group())[:-1]:
            begin += len(word)
            if category(unit[begin]) != "Mn":
                yield unit[at:begin]
                at = begin
    yield unit[at:]


@cache
def _thai() -> Parser:
    return load_default_thai_parser()


def _belong_together(before: str, after: str) -> bool:
    last, first = before.rstrip()[-1:], after[0]
    if first in _NEVER_FIRST or last in _NEVER_LAST:
        return True
    if before[-1].isspace():
        return False
    # Korean breaks between words; a number never breaks.
    return bool(
        _HANGUL.match(last) or _HANGUL.match(first) or (_IN_NUMBER.search(before) and first.isdigit())
    )


def fitting(parts: Sequence[str], most: float, width: Width) -> list[str]:
    """Return the parts, with those wider than `most` broken between letters."""
    return [piece for part in parts for piece in _broken(part, most, width)]


def _broken(part: str, most: float, width: Width) -> Iterator[str]:
    if width(part.rstrip()) <= most:
        yield part
        return
    letters = graphemes(part)
    start = 0
    while start < len(letters):
        end = start + 1
        while end < len(letters) and width("".join(letters[start : end + 1]).rstrip()) <= most:
            end += 1
        while end < len(letters) and letters[end].isspace():
            end += 1
        # Back to where a line may begin, if there is such a place.
        allowed = (at for at in range(end, start, -1) if at == len(letters) or _may_break(letters, at))
        end = next(allowed, end)
        yield "".join(letters[start:end])
        start = end


def _may_break(letters: list[str], at: int) -> bool:
    return letters[at][0] not in _NEVER_FIRST and letters[at - 1][-1] not in _NEVER_LAST


def filled(parts: Sequence[str], most: float, width: Width) -> list[str]:
    """Return lines of at most that width, each as full as possible. A part that is wider has its own line."""
    lines: list[str] = []
    for part in parts:
        if lines and width((lines[-1] + part).rstrip()) <= most:
            lines[-1] += part
        else:
            lines.append(part)
    return [line.rstrip() for line in lines]


def balanced(parts: Sequence[str], most: int, width: Width, *, multiple: int = 1) -> list[str]:
    """Return lines of at most that width and about the same length: as few as possible, or the next multiple
    of `multiple`."""
    lines = filled(parts, most, width)
    if len(lines) < 2:
        return lines
    together = -(-len(lines) // multiple) * multiple
    # Monotonic: a wider limit never needs more lines.
    narrow = bisect_left(range(1, most), -together, key=lambda limit: -len(filled(parts, limit, width)))
    return filled(parts, 1 + narrow, width)


def shortened(text: str, most: int) -> str:
    """Return the text on one line of at most `most` characters. A longer one ends with “…”, behind a word if
    that keeps half of it, otherwise behind a letter as readers see it."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    end = text.rfind(" ", 0, most - 1)
    if end >= most // 2:
        return f"{text[:end].rstrip()} …"
    return f"{beginning(text, most - 1).rstrip()}…"


def beginning(text: str, most: int) -> str:
    """Return the text's first letters, as readers see them, in at most `most` characters."""
    kept = ""
    for letter in graphemes(text[: most + _LONGEST_LETTER]):
        if len(kept) + len(letter) > most:
            break
        kept += letter
    return kept
