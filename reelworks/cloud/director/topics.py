"""Read a client's topic: its sentences, its title, and what the film shows of it."""

import re
from dataclasses import dataclass

from lambdas.domain.english import is_function_word, reads_as_english, words
from lambdas.domain.sentences import sentences
from lambdas.media.lines import beginning
from reelworks.cloud.director import vocabulary
from reelworks.cloud.director.prompts import find


@dataclass(frozen=True)
class Topic:
    """`story`: the client's own sentences, in any language. `shown`: what the film shows, for an English
    prompt. `moments`: the sentences that prompts may show one by one, if it has several; they are English.
    `quoted`: how an English text has a topic that isn't English."""

    title: str
    shown: str
    story: tuple[str, ...]
    moments: tuple[str, ...] = ()
    quoted: str | None = None


LONGEST_MOMENT, LONGEST_TITLE = 18, 8  # words
_LONGEST_PHRASE = 9  # words of a topic that need not read as English
_LONGEST_FOREIGN, _LONGEST_SEEN = 40, 80  # characters of text that is not understood

_REQUEST = re.compile(
    r"\A(?:please,? |can you |could you |i (?:want|need|would like) (?:you to )?|i'd like (?:you to )?)*"
    r"(?:(?:make|create|generate|write|produce|film|shoot|do|have) (?:me |us )?)?"
    r"(?:an? |the |some |my )?(?:[\w-]+ ){0,3}?"
    r"(?:video|film|movie|clip|documentary|short|storyboard|animation|reel|trailer)s? "
    r"(?:about|on|of|for|that (?:shows|explains|tells of)|showing|explaining|in which|where) ",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"\Aabout (?=\S)", re.IGNORECASE)


def understand(text: str) -> Topic:
    """Return the topic of a film from a client's text, which must have at least one visible character."""
    text = _plain_quotes(_unwrapped(text))
    if text.isupper():
        text = text.lower()
    told = sentences(text)
    first = told[0].rstrip(f" {_ENDS},;:-–—") or told[0]
    named = _without_form(first)
    end = "?" if _is_question(told[0]) else "."
    opening = told[0] if told[0][-1:] in _ENDS and named == first else named + end
    story = tuple(_capital(closed(sentence)) for sentence in (opening, *told[1:]))
    quoted = f"“{beginning(shortened(text, 6), _LONGEST_FOREIGN).rstrip()}”"
    if not _is_english(text) or not _is_plain(first):
        title = _beginning(first) if first[0].isalnum() else quoted
        return Topic(title, f"“{_beginning(text)}”.", story, quoted=quoted)
    title = _capital(shortened(named, LONGEST_TITLE)) + ("?" if end == "?" else "")
    if not first[0].isalnum():  # "[0]" reads as a form that was not filled in
        title = quoted
    if len(told) > 1 and not all(map(_is_plain, told)):
        return Topic(title, _beginning(text) + ".", story)
    shown = _capital(shortened(first, LONGEST_MOMENT)) + end
    return Topic(title, shown, story, moments=story if len(told) > 1 else ())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


_ENDS = ".!?…。！？؟।"
_CHINESE_OR_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def closed(text: str) -> str:
    """Return a sentence with its end mark."""
    if text[-1:] in _ENDS:
        return text
    text = text.rstrip(",;:–—- ")
    return text + ("。" if _CHINESE_OR_JAPANESE.match(text[-1:]) else ".")


_FORM = re.compile(
    r"\A(?:an? |the )?(?:[\w-]+ ){0,2}?(?:shot|view|painting|drawing|sketch|anime|cartoon|footage|photo"
    r"|picture|timelapse|time-lapse|close-up|animation|claymation) of (?=\S)",
    re.IGNORECASE,
)


def _without_form(text: str) -> str:
    """Remove how the subject is filmed: "drone shot of …", "…, black and white film"."""
    bare = _FORM.sub("", text, count=1)
    start, _, last = bare.rpartition(", ")
    forms = (vocabulary.DIRECTED.words, *(style.words for style in vocabulary.STYLES.values()))
    low = f"in {last.lower().replace('-', ' ')}"
    return start if start and any(find(form, low) is not None for form in forms) else bare


def _beginning(text: str) -> str:
    dense = len(text.encode()) > 1.5 * len(text)
    return beginning(text, _LONGEST_FOREIGN if dense else _LONGEST_SEEN).rstrip(" .,;:-–—")


def _is_plain(sentence: str) -> bool:
    """Return whether the sentence fits among English sentences."""
    return _is_english(sentence) and (len(sentence.split()) <= _LONGEST_PHRASE or reads_as_english(sentence))


def _unwrapped(text: str) -> str:
    """Remove the words that ask for a film."""
    bare = text.strip("\"'“”‘’ ") or text
    for pattern in (_REQUEST, _ABOUT):
        bare = pattern.sub("", bare, count=1).strip() or bare
    return bare


def _plain_quotes(text: str) -> str:
    """Replace double quotation marks, because text that is not understood is put in quotation marks."""
    return re.sub(r"[“”„«»「」『』\"]", "'", text).strip()


def shortened(text: str, most: int) -> str:
    """Return at most `most` words, to the end of a clause if possible, without a trailing function word."""
    found = text.split()
    if len(found) <= most:
        return text
    kept = " ".join(found[:most])
    for end in (r"[,;:–—]\s", r"\s(?:who|which|that|while|because|when|where|until|as|but|so)\s"):
        clause = re.match(rf"(.*\S){end}", kept + " ", re.DOTALL)
        if clause and len(clause[1].split()) >= max(4, most // 2):
            return clause[1].rstrip(",;:–— ")
    ends = kept.split()
    while len(ends) > 1 and (is_function_word(ends[-1].lower()) or not ends[-1].isalnum()):
        ends.pop()
    return " ".join(ends)


# --- the language

# Words of other languages that are not English words, and rarely part of a name in English.
_FOREIGN = frozenset(
    words(
        """un una une uno el los las la le les des du della degli nella il lo gli der das dem und ein eine
        einen über für mit auf ist nicht por para con sur dans avec pour qui och ett som det av het een voor
        zijn jest się nie bir ve için uma são im ins zur zum vom"""
    )
)


def _is_english(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    if not letters or sum(char.isascii() for char in letters) < 0.9 * len(letters):
        return not letters and text.isascii() and any(char.isdigit() for char in text)
    if reads_as_english(text):
        return True
    found = words(text)
    plain = text.isascii() or any(map(is_function_word, found))
    return plain and not any(word in _FOREIGN for word in found)


# --- questions

_AUXILIARY = frozenset(
    words("is are was were do does did can could will would should has have had may might must shall am")
)
_ASKING = frozenset(words("how why what when where who which whose"))


def _is_question(text: str) -> bool:
    found = words(text)
    if text.endswith("?"):
        return bool(found)
    if len(found) < 3:
        return False
    return (found[0] in _ASKING and found[1] in _AUXILIARY) or (
        found[0] in _AUXILIARY - {"do", "will", "can", "may", "might"}
    )
