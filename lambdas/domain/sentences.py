"""Split text in any language into sentences that can be spoken and captioned one by one.

sentencex knows the abbreviations and end marks of many languages. The rules here join what it separates
("5 p.m. | Central time", "Jeopardy! | is a show"), separate what it joins ("Come with me. | We fly") and keep
closing marks with their sentence. docs/decisions/0029-sentences-and-lines.md explains the choice.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

from lambdas.domain.english import is_spoken_word, reads_as_english
from lambdas.domain.patterns import lazy_pattern

# Where the language is not known, a sentence ends only where it would in each of these.
_LANGUAGES = ("en", "de", "es", "fr", "it", "nl", "pl", "pt", "ru")
# Polly's codes that sentencex knows under another name.
_SAME = {"cmn": "zh", "yue": "zh", "arb": "ar", "nb": "no"}

_GREEK = lazy_pattern("[\u0370-\u03ff\u1f00-\u1fff]")

_END_MARK = r"[.!?…。！？｡．؟۔।॥።፧።։។៕]"
_CLOSING = "\"'”’»›)]}」』】〉》〗〙〛）］｝｣"
_OPENING = "([{「『【〈《〖〘〚（［｛｢“‘«‹„‚"
_GERMAN_SINGLE = lazy_pattern("‚([^‚‘]*)‘")
_ENDS = lazy_pattern(rf"{_END_MARK}[{re.escape(_CLOSING)}\s]*\Z")


# The sets below of words that stand before a full stop are expressions, by language.
_Words = Mapping[str, str]
_BEFORE_STOP, _BEHIND_STOP = r"(?<![\w.])(?:", rf")\.[{re.escape(_CLOSING)}]*\s*"

# Titles, which stand before a name; "p.m.", "U.S.", "Ph.D."; an initial; what the library's lists lack.
_TITLE = lazy_pattern(r"\b(?:Dr|Mr|Mrs|Ms|Prof|Hr|Fr|Mme|Mlle)\.\s*\Z")
_TITLES: _Words = {
    "ar": "د|أ",
    "el": "κ|κα",
    "fr": "Pr",
    "hi": "डॉ|प्रो|श्री|श्रीमती",
    "nl": "[Dd]hr|[Mm]evr|[Mm]w",
    "pl": "hab|inż|mgr",
    "pt": "Av|Profa",
    "ro": "[Dd]l|[Dd]na",
    "vi": "BS|GS|PGS|ThS|TS",
}
_DOTTED = lazy_pattern(r"(?:^|[^\w.])(?:-?[^\W\d_]{1,2}\.\s?){2,}\s*\Z")
_INITIAL = lazy_pattern(r"(?:^|[^\w'’.-])[A-ZÀ-ÖØ-ÞА-Я]\.\s*\Z")
_ABBREVIATED = lazy_pattern(r"\b(?:approx|bzw|chap|encl|est|ft|hwy|mt|resp|sq|usw|vol)\.\s*\Z", re.IGNORECASE)
# "am 3. Mai", in languages that write ordinal numbers so.
_ORDINAL = lazy_pattern(r"[^\W\d_]\s\d{1,2}\.\s*\Z")
_WITH_ORDINALS = frozenset(
    ["cs", "da", "de", "et", "fi", "hr", "hu", "is", "lv", "nb", "nn", "no", "pl", "sk", "sl", "sr", "tr"]
)
_MARKER = lazy_pattern(r"\s*[(（]?(?:\d{1,3}|[a-zA-Z])[.)）]\s*\Z")
# English words that are also abbreviations ("no. 5", "me." for Maine), before the first word of a sentence.
_NO_ABBREVIATION = lazy_pattern(
    r"(?:\b[a-z]{2,}|\b(?:No|Me|May|Ok|OK|Miss|Ill|Art))(?<!\bvs)(?<!\bcf)(?<!\be\.g)(?<!\bi\.e)"
    rf"\.[{re.escape(_CLOSING)}]*\s+(?=[“‘\"'(]?[A-Z])"
)
# Those of them that are not abbreviations where a capital follows.
_PLAIN_WORD = lazy_pattern(
    rf"\b(?:arc|ark|art|ill|may|May|me|no|No|ok|Ok|OK|ore)\.[{re.escape(_CLOSING)}]*\s+(?=[“‘\"'(]?[A-Z])"
)
_BEFORE_NUMBER = lazy_pattern(r"\b(?:avg|ch|max|min|nr|ver)\.\s*\Z", re.IGNORECASE)
_BEFORE_NUMBERS: _Words = {
    "da": "kl",
    "nn": "kl",
    "no": "kl",
    "pl": "godz|ok",
    "sv": "kl",
}
# Words that sentencex takes for abbreviations of another language, before the first word of a sentence.
_PLAIN_WORDS: _Words = {
    "ca": "mar|no",
    "cs": "tu",
    "da": "da|med|ned|to|var",
    "de": "mich",
    "es": "bien|mar|no",
    "fr": "est",
    "hu": "nem",
    "it": "me|no|te",
    "nn": "det|kan|med|ut",
    "no": "det|kan|med|ut",
    "sv": "det|hon|kan|med|min|sen|ut",
    "tr": "o|sen",
}
# "and so on", which ends a sentence where a capital follows.
_SO_ON = r"etc|ecc|enz|usw|itd|itp|atd|atp|osv|jne|stb|κ\.\s?λπ|и т\.\s?[дп]"
_INVERTED = lazy_pattern(rf"{_END_MARK}[{re.escape(_CLOSING)}]*\s+(?=[¿¡])")
_WHOLE_ASIDE = lazy_pattern(
    rf"\s*[(（\[［【][^()（）\[\]［］【】]*{_END_MARK}[)）\]］】]+\s*(?=[^\W\da-z]|[{re.escape(_OPENING)}\"¿¡])"
)
# Who says what was quoted just before: the sentence goes on behind the quotation.
_SAYS = lazy_pattern(
    r"(?:と|って|라고|하고|이라고|[^。！？…\s]{1,8}(?:说|說|问|問|道|喊|叫|答|想|吼)(?:[。！？…，]|\Z))"
)
_CAPITALIZED_SPEAKER = lazy_pattern(
    r"(?:[A-Z][\w’'.-]*\s+){1,3}"
    r"(?:said|says|asked|asks|cried|cries|replied|answered|whispered|shouted|called|laughed|exclaimed|yelled)\b"
)
# What belongs to the sentence before it: ":)", "¹", and 笑 or a number in brackets.
_EMOTICON = lazy_pattern(r"[ \t]*(?:[:;=][-'^]?[()DPp3*|/\\\[\]]+|\^_?\^|<3)(?=\s|\Z)\s*")
_NOTE = lazy_pattern(r"(?:[¹²³⁰⁴-⁹]+|\[\d{1,3}\]|[(（][^\W\d_a-zA-Z]{1,2}[)）])\s*")
_FIRST_WORD = lazy_pattern(r"[^\W\d_]+(?:['’][^\W\d_]+)*(?!\.\w|\.\s)")


def sentences(text: str, language: str | None = None) -> list[str]:
    """Return the sentences in order, with their end and closing marks and without surrounding space.

    `language` (BCP 47) is a hint. Each sentence has a letter or digit, unless the text has none: then the
    whole text is one piece.
    """
    return [text[start:end].strip() for start, end in spans(text, language)]


def spans(text: str, language: str | None = None) -> list[tuple[int, int]]:
    """Return (start, end) of each sentence, in characters. Together they are the whole text; a sentence
    includes the space behind it. A text of only space has none."""
    if not text.strip():
        return []
    english = _is_english(text, language)
    languages = _candidates(text, language, english=english)
    ends = _library_ends(text, languages)
    ordinals = not english and (not language or language.partition("-")[0] in _WITH_ORDINALS)
    ends |= {match.end() for match in _INVERTED.finditer(text)}
    if english:
        ends |= {
            m.end() for m in _NO_ABBREVIATION.finditer(text) if _starts_sentence(text[m.end() : m.end() + 60])
        }
        ends |= {match.end() for match in _PLAIN_WORD.finditer(text)}
    plain = _PLAIN_WORDS.get(languages[0]) if len(languages) == 1 else None
    ends |= _before_capitals(text, f"{_SO_ON}|{plain}" if plain else _SO_ON)
    ends = {_behind_closing(text, end) for end in ends}
    cased = _starts_with_capital(text)
    kept = [
        end
        for end in sorted(ends)
        if not _goes_on(text, end, languages=languages, ordinals=ordinals, cased=cased)
    ]
    return _joined(text, list(_with_asides(text, [0, *kept, len(text)])))


def ends_sentence(text: str) -> bool:
    """Return whether the text ends with an end mark, leaving closing marks and space aside."""
    return _ENDS.search(text) is not None


def can_be_spoken(text: str) -> bool:
    """Return whether the text has a letter or digit."""
    return any(char.isalnum() for char in text)


def _is_english(text: str, language: str | None) -> bool:
    return language.startswith("en") if language else reads_as_english(text, spoken=True)


def _candidates(text: str, language: str | None, *, english: bool) -> tuple[str, ...]:
    if language:
        own = language.partition("-")[0].lower()
        return (_SAME.get(own, own),)
    if english:
        return ("en",)
    return ("el",) if _GREEK.match(_first_letter(text)) else _LANGUAGES


def _before_capitals(text: str, words: str) -> set[int]:
    """Return where a capital follows one of the words with a full stop."""
    found = re.finditer(f"{_BEFORE_STOP}{words}{_BEHIND_STOP}", text)
    return {end for match in found if text[(end := match.end()) :].lstrip(_OPENING)[:1].isupper()}


def _ends_with(text: str, words: _Words, languages: tuple[str, ...]) -> bool:
    """Return whether the text ends with one of the language's words; of any language's if it is not known."""
    own = words.values() if len(languages) > 1 else [words[one] for one in languages if one in words]
    return any(re.search(rf"{_BEFORE_STOP}{one}{_BEHIND_STOP}\Z", text) for one in own)


def _library_ends(text: str, languages: tuple[str, ...]) -> set[int]:
    # Imported here: it would slow the start of functions that split no text.
    from sentencex import get_sentence_boundaries

    text = _GERMAN_SINGLE.sub(r"„\1“", text)  # ‚…‘, of which sentencex knows only the double marks
    found = [{one["end_index"] for one in get_sentence_boundaries(language, text)} for language in languages]
    return set.intersection(*found) - {len(text)}


def _behind_closing(text: str, end: int) -> int:
    """Move an end behind the closing marks, notes and emoticons that follow it and the space behind those,
    and before a mark that opens what follows."""
    if text[end - 2 : end - 1].isspace() and text[end - 1] in _CLOSING and _may_open(text, end - 1):
        return end - 1
    apart = text[end - 1 : end].isspace()
    while end < len(text):
        if belonging := _EMOTICON.match(text, end) or (None if apart else _NOTE.match(text, end)):
            end = belonging.end()
            apart = text[end - 1].isspace()
            continue
        if text[end].isspace():
            apart = True
        elif text[end] not in _CLOSING or (apart and _may_open(text, end)):
            break
        end += 1
    return end


def _may_open(text: str, place: int) -> bool:
    """Return whether a mark behind space may be an opening one, as in Swedish (”Hej”) or German (»Ja«)."""
    return text[place] in "\"'”’»›" and not (text[place + 1 : place + 2] or " ").isspace()


def _goes_on(text: str, end: int, *, languages: tuple[str, ...], ordinals: bool, cased: bool) -> bool:
    """Return whether the sentence goes on behind a possible end."""
    before, after = text[max(0, end - 40) : end], text[end : end + 60]
    if not after or after[0] in "¿¡" or "\n" in before[len(before.rstrip()) :]:
        return False
    following = after.lstrip(_OPENING + "\"'.…—–- ")
    if (cased and following[:1].islower()) or _TITLE.search(before):
        return True
    if after[0] in "-‑" and not before[-1].isspace():
        return True  # "J.-C."
    if _ends_with(before, _TITLES, languages):
        return True
    if following[:1].isdigit() and (
        _BEFORE_NUMBER.search(before) or _ends_with(before, _BEFORE_NUMBERS, languages)
    ):
        return True
    if following[:1].isupper() and _ends_with(before, {"": _SO_ON}, ("",)):
        return False
    if ordinals and _ORDINAL.search(before) and following[:1].isupper():
        return True
    quoted = before.rstrip()
    if quoted[-1:] in "”」』’\"'" and (
        _SAYS.match(after) or (quoted[-2:-1] in "!?…" and _CAPITALIZED_SPEAKER.match(after))
    ):
        return True
    abbreviated = _DOTTED.search(before) or _INITIAL.search(before) or _ABBREVIATED.search(before)
    return bool(abbreviated) and following == after and not _starts_sentence(after)


def _starts_sentence(text: str) -> bool:
    """Return whether English text begins with a capitalized function word, as few names do."""
    text = text.lstrip(_OPENING + "\"'")
    word = _FIRST_WORD.match(text)
    return word is not None and text[0].isupper() and is_spoken_word(word.group().lower().replace("’", "'"))


def _starts_with_capital(text: str) -> bool:
    """Return whether the text begins its sentences with capitals, as far as its first letter shows."""
    return _first_letter(text).isupper()


def _first_letter(text: str) -> str:
    return next((char for char in text if char.isalpha()), "")


def _with_asides(text: str, bounds: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the spans between bounds, with a sentence that is all in brackets apart from the next one."""
    for start, end in pairwise(bounds):
        while (match := _WHOLE_ASIDE.match(text, start, end)) and match.end() < end:
            yield start, match.end()
            start = match.end()
        yield start, end


def _joined(text: str, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join a piece without a letter or digit, or with only the number of a list's item, to its neighbour."""
    joined: list[tuple[int, int]] = []
    begin: int | None = None  # of pieces that belong to the next one
    for start, end in pieces:
        piece = text[start:end]
        if can_be_spoken(piece) and not _MARKER.match(piece):
            joined.append((start if begin is None else begin, end))
            begin = None
        elif begin is not None or not joined or _belongs_to_next(piece):
            begin = start if begin is None else begin
        else:
            joined[-1] = (joined[-1][0], end)
    if begin is not None:
        joined[-1:] = [(joined[-1][0] if joined else 0, len(text))]
    return joined


def _belongs_to_next(piece: str) -> bool:
    return _MARKER.match(piece) is not None or piece.rstrip().endswith(tuple(_OPENING))
