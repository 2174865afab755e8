"""Check a text model's answer: it must be one English paragraph that shows what the prompt describes.

In doubt the user's own prompt is filmed, and the note says why.
"""

import re
from dataclasses import dataclass

from lambdas.domain.engines import CATALOGUE
from lambdas.domain.english import reads_as_english, words
from lambdas.domain.json_answers import PROSE, fenced, without_thoughts
from lambdas.domain.prompt_subject import strays
from lambdas.domain.prompts import estimate_tokens, fit, system_prompt
from lambdas.domain.sentences import ends_sentence, sentences


@dataclass(frozen=True)
class Accepted:
    """The result of checking an answer.

    `prompt` is one English paragraph within the budget; None: film the original. `note` says in plain words
    why the original is kept, or what was changed; None: the answer is used unchanged.
    """

    prompt: str | None
    note: str | None = None


class _Refused(Exception):
    """The answer is unusable; the message is the note."""


_LONGEST_ANSWER = 20_000  # characters examined; no budget holds a tenth of that
_SHORTEST_PARAGRAPH = 8  # words

_STOPPED_BY_POLICY = frozenset({"guardrail_intervened", "content_filtered"})
_STOPPED_SHORT = frozenset({"max_tokens", "model_context_window_exceeded"})


def accept(answer: str, stop_reason: str, original: str, budget: int) -> Accepted:
    """Check the answer to `user_message(original, …)`. `stop_reason` is Bedrock Converse's `stopReason`."""
    try:
        if stop_reason in _STOPPED_BY_POLICY:
            raise _Refused("The text model's content filter stopped the answer.")
        if stop_reason == "tool_use":
            raise _Refused("The text model asked for a tool instead of answering.")
        text = _bare(answer[:_LONGEST_ANSWER])
        if not text:
            raise _Refused("The text model returned an empty answer.")
        _check_form(text)
        paragraph = " ".join(text.split())
        _check_voice(paragraph)
        _check_language(paragraph)
        _check_leak(paragraph)
        if strayed := strays(paragraph, original):
            raise _Refused(strayed)
        whole = _whole_sentences(paragraph) if stop_reason in _STOPPED_SHORT else paragraph
    except _Refused as refusal:
        return Accepted(None, str(refusal))
    fitted = fit(whole, budget)
    if fitted != whole:
        tokens = estimate_tokens(whole)
        return Accepted(fitted, f"The paragraph was shortened from {tokens} to the engine's {budget} tokens.")
    if whole != paragraph:
        return Accepted(
            whole, "The text model's answer was cut off; its incomplete last sentence was dropped."
        )
    return Accepted(whole)


# --- text around the paragraph, which is removed

_EMPHASIS = re.compile(r"(\*{1,3}|_{2,3})(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_YES = r"(?:sure|certainly|absolutely|of course|okay|ok|great|understood|no problem)\b"
_COURTESY = re.compile(rf"\A{_YES}[^\n.!:]{{0,60}}[.!](?=\s)\s*", re.IGNORECASE)
_PREAMBLE = re.compile(
    rf"\A(?:{_YES}[^\n:]{{0,60}}[!.,]\s*)?"
    r"(?:here(?:'s|’s| is| are| you go)\b[^\n:]{0,150}"
    r"|(?:the |your |my |an? )?(?:\w+[ -]){0,4}"
    r"(?:prompt|description|paragraph|version|answer|output|response)(?: \([^)\n]*\))?[ \t]*"
    r"):\s*",
    re.IGNORECASE,
)
_EPILOGUE = re.compile(
    r"\A\W*(?:let me know|i hope|hope this|feel free|would you like"
    r"|if you(?:'d|’d| would)? (?:like|want|need)|word count|\(?\d+ words|notes?\b"
    r"|this (?:prompt|paragraph|description|version) "
    r"|the (?:prompt|paragraph|description) (?:above|is))",
    re.IGNORECASE,
)
_WORD_COUNT = re.compile(r"\s*[(\[](?:word count:? *)?\d+ words?[)\]]\s*\Z", re.IGNORECASE)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“"}


def _bare(answer: str) -> str:
    """Return the answer without thoughts, fence, emphasis, preamble, title, epilogue and quotation marks."""
    text = without_thoughts(answer)
    if len(blocks := fenced(text, PROSE)) == 1:
        text = blocks[0]
    text = _EMPHASIS.sub(r"\2", text)
    text = _PREAMBLE.sub("", _COURTESY.sub("", text, count=1), count=1)
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text) if block.strip()]
    if len(blocks) > 1 and _is_title(blocks[0]):
        blocks = blocks[1:]
    while len(blocks) > 1 and _EPILOGUE.match(blocks[-1]):
        blocks = blocks[:-1]
    return _unquoted(_WORD_COUNT.sub("", "\n\n".join(blocks)))


def _is_title(block: str) -> bool:
    return "\n" not in block and len(words(block)) <= 12 and block[-1] not in ".!?…,;"


def _unquoted(text: str) -> str:
    mark = _QUOTES.get(text[:1])
    if len(text) > 1 and mark == text[-1] and (mark in "'’" or mark not in text[1:-1]):
        return text[1:-1].strip()
    return text


# --- the form: one piece of prose

_MARKUP = re.compile(r"[{}<>|\\\[\]`]|https?:|www\.|^\s*#", re.IGNORECASE | re.MULTILINE)
_ITEM = re.compile(r"^\s*(?:[-*•–]\s|\(?\d{1,2}[.):]\s)", re.MULTILINE)
_FIRST_ITEM = re.compile(r"(?:^|\s)\(?1[.)]\s")
_SECOND_ITEM = re.compile(r"\s\(?2[.)]\s")
_LABEL = re.compile(r"^\s*[A-Z][\w /&-]{1,28}:\s", re.MULTILINE)
_NUMBERED = re.compile(
    r"\b(?:scene|shot|clip|option|version|variant|prompt|part|frame)s? (?:#?\d+|one|two|three)\s*[:.)–-]",
    re.IGNORECASE,
)


def _check_form(text: str) -> None:
    if _MARKUP.search(text):
        raise _Refused("The text model answered with code, markup or a URL instead of a paragraph.")
    first = _FIRST_ITEM.search(text)
    if (
        _ITEM.match(text)
        or any(len(pattern.findall(text)) > 1 for pattern in (_ITEM, _LABEL, _NUMBERED))
        or (first and _SECOND_ITEM.search(text, first.end()))
    ):
        raise _Refused("The text model answered with a list instead of a paragraph.")
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) >= 4 and sum(map(len, lines)) / len(lines) < 50:
        raise _Refused("The text model answered in verse or short lines instead of a paragraph.")


# --- the voice: a description, not talk with the client

_REFUSAL = re.compile(
    r"\b(?:i|we) (?:can(?:not|'t| not)|could(?:n't| not)|won't|will not|(?:must |have to )?decline)\b"
    r"|\b(?:i'm|i am|we're|we are) (?:unable|not able|sorry|not comfortable|afraid)\b"
    r"|\bi (?:do not|don't) (?:feel comfortable|have the ability|have access)\b|\bi apologi[sz]e\b"
    r"|\bas an? (?:ai\b|artificial intelligence|(?:large )?language model|text-based|(?:virtual )?assistant)"
    r"|\b(?:content|usage|safety|community|our|my) (?:policy|policies|guidelines)\b"
    r"|\b(?:unable|not able) to (?:assist|help|fulfil|comply|create|generate|provide|write|process)"
    r"|\b(?:cannot|can't) (?:assist|help with|fulfil|comply|create|generate|provide)"
    r"|\Asorry\b",
    re.IGNORECASE,
)
_TALK = re.compile(
    r"\bhow (?:can|may) i (?:help|assist)\b|\?\s*\Z"
    r"|\b(?:please|could you|can you|would you)\b[^.?!]{0,40}"
    r"\b(?:provide|clarify|specify|share|tell me|give me)\b"
    r"|\bthe (?:user|client)(?:'s)? (?:wants?|asks?|asked|is asking|prompt|idea|request|input|said)\b"
    r"|\blet me (?:think|start|write|try|create|craft|break|see)\b"
    r"|\bi(?:'ll| will| need to| should| have to| must|'m going to) "
    r"(?:write|create|describe|make|think|start|craft)\b"
    r"|\b(?:your|the) (?:prompt|request|input) "
    r"(?:you|is|seems|appears|doesn't|does not|contains|violates|was)\b",
    re.IGNORECASE,
)


def talks(text: str) -> str | None:
    """Return why the text addresses someone instead of describing something; None if it describes."""
    try:
        _check_voice(text)
    except _Refused as refusal:
        return str(refusal)
    return None


def _check_voice(paragraph: str) -> None:
    plain = paragraph.replace("’", "'")
    if _REFUSAL.search(plain):
        raise _Refused("The text model refused.")
    if _TALK.search(plain):
        raise _Refused("The text model talked about the task instead of describing the scene.")


def _check_language(paragraph: str) -> None:
    found = words(paragraph)
    if len(found) >= _SHORTEST_PARAGRAPH and not reads_as_english(paragraph):
        raise _Refused("The text model did not answer in English.")
    if len(found) < _SHORTEST_PARAGRAPH:
        raise _Refused(f"The text model's answer is too short to be a description: {len(found)} words.")


# --- leaked instructions

_GRAM = 6  # consecutive words; a description doesn't share that many with the instructions by chance
_ABOUT_INSTRUCTIONS = re.compile(
    r"\bsystem prompt\b|\b(?:my|these|the above|previous|your) instructions\b|\blanguage model\b"
    r"|\bwrite at most \d+ words\b",
    re.IGNORECASE,
)


def _grams(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + _GRAM]) for i in range(len(found) - _GRAM + 1)}


_OUR_GRAMS = frozenset().union(*(_grams(system_prompt(engine)) for engine in CATALOGUE.values()))


def _check_leak(paragraph: str) -> None:
    if _ABOUT_INSTRUCTIONS.search(paragraph) or _grams(paragraph) & _OUR_GRAMS:
        raise _Refused("The text model answered with its instructions instead of a description.")


# --- truncated answers


def _whole_sentences(paragraph: str) -> str:
    """Return the paragraph up to its last complete sentence."""
    parts = sentences(paragraph)
    if parts and not ends_sentence(parts[-1]):
        parts = parts[:-1]
    whole = " ".join(parts)
    if len(words(whole)) < _SHORTEST_PARAGRAPH:
        raise _Refused("The text model's answer was cut off before its first sentence ended.")
    return whole
