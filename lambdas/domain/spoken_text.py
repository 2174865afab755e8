"""What of a text is spoken and captioned: its words, without mark-up and emoji."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from lambdas.domain.patterns import lazy_pattern

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# What only a parser of Markdown or HTML can tell from text.
_MAY_BE_MARKED_UP = lazy_pattern(r"[*_`#<~|\[\\&\n]|\A\s*[-+>]\s")
_BULLET = lazy_pattern(r"^[ \t]*(?:[•‣◦∙·●○■□▪▫▸►◆◇◾◽]\s+|[・●○■□◆◇▶▸►](?=\S))", re.MULTILINE)
# Items that begin with a dash; a dash alone may begin what somebody says.
_DASHES = lazy_pattern(r"(?:^[ \t]*[–—][ \t]+\S.*(?:\n|\Z)){2,}", re.MULTILINE)
_DASH = lazy_pattern(r"^[ \t]*[–—][ \t]+", re.MULTILINE)
# What Markdown's core lacks: notes and addresses at the end, marks in pairs, forums' tags; and « typed as <<.
_DEFINITION = lazy_pattern(
    r"^[ \t]*\[(?:\^[^\]\n]+\]:|[^\]\n]+\]:[ \t]*<?https?://\S+.*$)[ \t]*", re.MULTILINE
)
_REFERENCE = lazy_pattern(r"\[([^\]\n]+)\]\[[^\]\n]*\]")
_PAIRED = lazy_pattern(r"(?<![\w=|+])(==|\|\||\+\+)(?=\S)([^\n]*?\S)\1(?![\w=|+])")
_FORUM_TAGS = lazy_pattern(
    r"\[(b|i|u|s|url|img|color|size|quote|code)(?:=[^\]\n]*)?\](.*?)\[/\1\]", re.DOTALL | re.IGNORECASE
)
_GUILLEMETS = lazy_pattern(r"<<([^<>\n]+)>>")
_UNSEEN = lazy_pattern(r"<(script|style)\b[^>]*>.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
# A name and attributes with values, unlike the comparison "x<y and y>z".
_TAG = lazy_pattern(
    r"""<[/!?]?([A-Za-z][\w:-]*)?(?:\s+[\w:-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))*\s*/?>|<[!?].*>""",
    re.DOTALL,
)
_LEFT_OVER = lazy_pattern(
    r"[(（]\*+[)）]|\*+|＊＊+|`+|~~+"
    r"|(?<![^\W_])_+|_+(?![^\W_])"  # around words, not within a_name
    r"|(?<!\S)#+(?=\s|\Z)|(?<![\w&])#(?=[^\W\d])|(?m:^＃+)"  # not "#1", "C#"
    r"|\[\^\w+\]|(?m:^\[[ xX]\]\s)"  # notes, tasks
)
_TIMES = lazy_pattern(r"(?<=\d)\s*\*\s*(?=\d)")
_SHORT_CODE = lazy_pattern(r"(?<!\S)(?::(?:[+-]1|[a-z][a-z0-9_+-]+):)+(?=[\s.,!?]|\Z)")  # :tada:

LONGEST_PAUSE = 10.0  # seconds; also Polly's
_PAUSE = lazy_pattern(
    r"""\[pause\s+(?P<a>\d{1,6}(?:\.\d{1,6})?)\s*(?P<ua>ms|s)\]"""
    r"""|<break\s+time\s*=\s*["'](?P<b>\d{1,6}(?:\.\d{1,6})?)(?P<ub>ms|s)["']\s*/?>(?:\s*</break>)?""",
    re.IGNORECASE,
)
_MARK = "\ue000"  # a private character stands for each pause until they are taken out
_MARKS = lazy_pattern(rf"(\s*{_MARK}(?:\s*{_MARK})*\s*)")

_PICTURE = "\ufffc"  # U+FFFC OBJECT REPLACEMENT CHARACTER stands for each emoji until they are taken out
_PICTURES = lazy_pattern(rf"(\s*){_PICTURE}(?:\s*{_PICTURE})*(\s*)")
_IN_BRACKETS = lazy_pattern(rf"[(（\[【]\s*(?:{_PICTURE}\s*)+[)）\]】]")
_JOINER, _KEYCAP = "\u200d", "\u20e3"
_VARIATIONS = "\ufe0e\ufe0f"
_DENSE = lazy_pattern("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
_BEFORE_MARKS = lazy_pattern(r"[.,!?;:…)\]}”’»。、，！？：；）」』】〉》]")
_BEHIND_OPENING = "([{“‘«（「『【〈《"


class Pause(NamedTuple):
    """Silence that a text asks for. `at`: the place in its words."""

    at: int
    seconds: float


def spoken_text(text: str) -> str:
    """Return the words of a text that may have mark-up (Markdown, HTML, SSML), pauses and emoji, as one line
    for each paragraph, heading or item of a list, with an empty line between."""
    return spoken_with_pauses(text)[0]


def spoken_with_pauses(text: str) -> tuple[str, list[Pause]]:
    """Return the words of a text, as `spoken_text` does, and its pauses in order."""
    lengths = [min(LONGEST_PAUSE, seconds) for seconds in pauses(text)]
    if not lengths:
        return _words_of(text), []
    marked = _words_of(_PAUSE.sub(_MARK, text.replace(_MARK, "")))
    words, found = "", []
    parts = _MARKS.split(marked)
    for part, between, following in zip_longest(parts[::2], parts[1::2], parts[2::2], fillvalue=""):
        words += part
        if marks := between.count(_MARK):
            words += _without_pause(between, following) if words else ""
            found.append(Pause(len(words), sum(lengths[:marks])))
            del lengths[:marks]
    return words.rstrip(), found


def _without_pause(between: str, following: str) -> str:
    """Return the space to leave in place of pauses: an empty line, one space or nothing."""
    if "\n" in between:
        return "\n\n"
    spaced = between[-1].isspace() or (between[0].isspace() and following[:1].isalnum())
    return " " if spaced else ""


def pauses(text: str) -> list[float]:
    """Return the seconds of the pauses that a text asks for: [pause 0.5s], or SSML's break with a time."""
    if "pause" not in (lower := text.lower()) and "<break" not in lower:
        return []
    found = (match.group("a", "ua", "b", "ub") for match in _PAUSE.finditer(text))
    return [float(a or b) / (1000 if (ua or ub).lower() == "ms" else 1) for a, ua, b, ub in found]


def _words_of(text: str) -> str:
    text = _DASHES.sub(lambda items: _DASH.sub("- ", items[0]), _BULLET.sub("- ", text))
    if _MAY_BE_MARKED_UP.search(text):
        text = _without_extensions(_TIMES.sub(" × ", text))
        text = "\n\n".join(_paragraphs(_parser().parse(text)))
    text = without_emoji(_SHORT_CODE.sub(_PICTURE, _LEFT_OVER.sub("", text)))
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", text))
    return "\n\n".join(part for part in paragraphs if part)


def _without_extensions(text: str) -> str:
    """Return the text without the mark-up that the parser does not know."""
    text = _GUILLEMETS.sub(r"«\1»", _UNSEEN.sub("", text))
    while (inner := _FORUM_TAGS.sub(r"\2", text)) != text:
        text = inner
    text = _PAIRED.sub(r"\2", text)
    text, defined = _DEFINITION.subn("", text)
    return _REFERENCE.sub(r"\1", text) if defined else text


def without_emoji(text: str) -> str:
    """Return the text without emoji and other pictures, which a voice would name ("black heart suit"), and
    without the space that they leave over."""
    marked = "".join(_with_pictures_marked(text))
    if _PICTURE not in marked:
        return marked
    return _PICTURES.sub(_gap, _IN_BRACKETS.sub(_PICTURE, marked))


@lru_cache(maxsize=1)
def _parser() -> "MarkdownIt":
    # Imported here, because it takes 0.06 s and few texts need it.
    from markdown_it import MarkdownIt

    # Indented text is text, tags are left out where they stand, and "[Narrator]: Hello" is spoken.
    return (
        MarkdownIt("commonmark")
        .enable(["strikethrough", "table"])
        .disable(["code", "html_block", "reference"])
    )


def _paragraphs(tokens: "Sequence[Token]") -> Iterator[str]:
    number = ""
    for token in tokens:
        if token.type == "list_item_open" and token.info:
            number = f"{token.info}{token.markup} "
        elif token.type == "inline":
            yield number + "".join(_words(token.children or ()))
            number = ""
        elif token.type == "fence":
            yield token.content


def _words(tokens: "Sequence[Token]") -> Iterator[str]:
    for token in tokens:
        if token.type in ("softbreak", "hardbreak"):
            yield "\n"
        elif token.type == "html_inline":
            yield _of_tag(token.content)
        else:  # the marks themselves have no content
            yield token.content


def _of_tag(tag: str) -> str:
    from markdown_it.common.html_blocks import block_names

    match = _TAG.fullmatch(tag)
    if match is None:
        return tag
    name = (match[1] or "").lower()
    return "\n\n" if name in block_names else " " if name in ("br", "break") else ""


def _with_pictures_marked(text: str) -> Iterator[str]:
    """Yield the text with a mark for each emoji, whatever it is made of."""
    index = 0
    while index < len(text):
        char, following = text[index], text[index + 1 : index + 2]
        index += 1
        if _is_picture(char) or (following in (_VARIATIONS[1], _KEYCAP) and _may_be_picture(char)):
            yield _PICTURE
            while index < len(text) and _is_part_of_picture(text, index):
                index += 1
        elif char not in _VARIATIONS and char != _KEYCAP:
            yield char


def _is_picture(char: str) -> bool:
    """Return whether it is a symbol of the blocks that hold emoji, dingbats and shapes, or may become one."""
    code = ord(char)
    if 0x1F000 <= code <= 0x1FAFF:
        return not char.isalnum()
    return char in (_PICTURE, *"◽◾") or (0x2190 <= code <= 0x2BFF and unicodedata.category(char) == "So")


def _may_be_picture(char: str) -> bool:
    """Return whether it is a picture where a variation selector or keycap makes it one. Digits, ©, ® and ™
    are said anyway."""
    return char in "ℹ〰#*" or (unicodedata.category(char) in ("So", "Sm") and char not in "©®™")


def _is_part_of_picture(text: str, index: int) -> bool:
    char = text[index]
    if char in (_JOINER, _KEYCAP, *_VARIATIONS):
        return True
    tag_or_skin = 0xE0020 <= ord(char) <= 0xE007F or 0x1F3FB <= ord(char) <= 0x1F3FF
    return tag_or_skin or (text[index - 1] == _JOINER and unicodedata.category(char) in ("So", "Sm", "Cn"))


def _gap(match: re.Match[str]) -> str:
    """Return the space to leave in place of emoji."""
    text, before, after = match.string, match[1], match[2]
    last, following = text[: match.start()][-1:], text[match.end() :][:1]
    if not last or not following or last in _BEHIND_OPENING or _BEFORE_MARKS.match(following):
        return ""
    if "\n" in match.group():
        return "\n\n" if re.search(r"\n\s*\n", before + after) else "\n"
    if before or after:
        return " "
    return " " if last.isalnum() and following.isalnum() and not _DENSE.match(following) else ""
