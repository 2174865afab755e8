"""Check that a paragraph shows what a prompt describes, even if the prompt instructs the text model."""

import re

from lambdas.domain.english import is_function_word, reads_as_english, words

# --- instructions to the text model in a prompt

_CLAUSE_START = r"(?:(?<=[.!?,;:\n] )|(?<=\n)|\A|\band |\bbut |\bjust |\binstead,? |\bplease )"
_TEXT_KINDS = (
    r"(?:poem|haiku|limerick|song|story|essay|joke|recipe|email|letter|code|script|program|function|list"
    r"|summary|json|yes|no|ok|hello)"
)
_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,40}"
    r"\b(?:above|previous|prior|preceding|earlier|instructions?|prompts?|rules|everything|guidelines)\b"
    r"|\b(?:print|reveal|repeat|show|output|quote|leak|display|tell me|give me|what (?:is|are))\b"
    r"[^.!?\n]{0,30}\b(?:system (?:prompt|message)|instructions|your (?:prompt|rules)|the text above)\b"
    rf"|{_CLAUSE_START}(?:"
    r"(?:answer|reply|respond|return)\b (?:only|just|with|exactly|in|to)\b"
    r"|(?:write|compose|tell|give|output|print|say|recite)\b (?:me |us |only |just |exactly )*"
    rf"(?:an? |the |some )?(?:\w+ )?{_TEXT_KINDS}\b"
    r"|translate (?:this|the|that|it|everything)\b)"
    r"|\b(?:you are now|from now on|new instructions?|developer mode|jailbreak|pretend (?:to be|you)"
    r"|act as (?:an?|if)|do anything now|stay in character)\b"
    r"|(?:\A|\s)(?:system|assistant|user|human)\s*:",
    re.IGNORECASE,
)
_TO_SENTENCE_END = re.compile(r"[^.!?\n]*[.!?]?")


def parted(prompt: str) -> tuple[str, str]:
    """Return what the prompt describes, and its instructions to the text model. An instruction runs to the
    end of its sentence."""
    described, told, position = [], [], 0
    for match in _INSTRUCTION.finditer(prompt):
        if match.start() < position:
            continue
        described.append(prompt[position : match.start()])
        end = _TO_SENTENCE_END.match(prompt, match.end())
        position = end.end() if end else match.end()
        told.append(prompt[match.start() : position])
    return " ".join([*described, prompt[position:]]).strip(), " ".join(told)


# --- shared words

# Words for requesting a film or addressing a model: they name nothing that must be visible.
_GENERIC = frozenset(
    words(
        """video film movie clip footage shot scene make create generate produce show please want need would
        ignore disregard forget override above previous prior instruction instructions prompt system rules
        everything write print reveal repeat output answer reply respond return only exactly just instead
        cinematic realistic detailed quality high resolution style camera light lighting slow motion beautiful
        about him them then now very"""
    )
)
_VISIBLE = re.compile(
    r"\b(?:camera|shots?|close-?ups?|light\w*|lit|sun\w*|moon\w*|shadow\w*|frame\w*|lens|focus\w*|foreground"
    r"|background|glow\w*|scene|view|angle|bokeh|blur\w*|pan(?:s|ning)?|zoom\w*|tracking|aerial|silhouette\w*"
    r"|colou?rs?|hues?|haze|mist\w*|gleam\w*|shimmer\w*|reflect\w*|drift\w*"
    r"|bright\w*|dark\w*|golden|dim(?:ly)?|red|green|blue|white|black)\b",
    re.IGNORECASE,
)
_WORDS_PER_SHARED = 6
_MOST_SHARED = 8
_FEWEST_COMPARED = 3


def strays(paragraph: str, prompt: str) -> str | None:
    """Return why the paragraph does not show what the prompt describes; None if it may.

    The paragraph must share content words with an English prompt: one, and one more for every six. A prompt
    in another language, or with no English function words, can't be compared; if they share nothing, the
    paragraph must at least mention what a camera sees. If the prompt also instructs the text model, the
    paragraph must contain a third of its description, and a greater part of it than of its instructions.

    Measured on VBench's prompts and the paragraphs that language models wrote for them: of 3,900 for English
    prompts 0.2 % stray, of 1,950 for Chinese ones 0.6 %; with the English paragraphs shuffled, 66 to 77 %.
    """
    description, instructions = parted(prompt)
    shown, asked, told = _content(paragraph), _content(description), _content(instructions)
    if instructions and not asked and not _other_script(description):
        return "The prompt instructs the text model and describes no scene to enhance."
    kept = _shared(asked, shown)
    comparable = bool(asked) and reads_as_english(description)
    if comparable:
        least = len(asked) / 3 if instructions else min(1 + len(asked) // _WORDS_PER_SHARED, _MOST_SHARED)
        if kept < least:
            return "The text model's paragraph does not show what the prompt describes."
    elif not kept and len({match.lower() for match in _VISIBLE.findall(paragraph)}) < 2:
        return "The text model's paragraph describes nothing that a camera can see."
    told -= asked
    followed = _shared(told, shown)
    share = kept / len(asked) if comparable else 0.5
    # A paragraph that keeps the whole description may show the rest of the prompt too.
    if followed > 1 and share < 1 and followed / len(told) >= share:
        return "The text model followed an instruction in the prompt instead of describing the scene."
    return None


def mentions(text: str, topic: str) -> bool:
    """Return whether a text shares a content word with the topic. Also True if that can't be determined: the
    topic is in another language or has few content words."""
    description, _ = parted(topic)
    asked = _content(description)
    comparable = len(asked) >= _FEWEST_COMPARED and reads_as_english(description)
    return not comparable or _shared(asked, _content(text)) > 0


def _content(text: str) -> set[str]:
    """Return the content words, in the singular."""
    return {
        _singular(word)
        for word in words(text)
        if len(word) > 2 and not is_function_word(word) and word not in _GENERIC
    }


def _singular(word: str) -> str:
    word = word.removesuffix("'s")
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _shared(asked: set[str], shown: set[str]) -> int:
    """Return how many of the `asked` words are in `shown`, also in another form ("runs", "running") or as
    part of a word ("bee" in "honeybee")."""
    return sum(any(word.startswith(_stem(one)) or word.endswith(one) for word in shown) for one in asked)


def _stem(word: str) -> str:
    for ending in ("ing", "ed"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            word = word.removesuffix(ending)
            break
    return word[:5].rstrip("ey") if len(word) > 3 else word


def _other_script(text: str) -> bool:
    return any(char.isalpha() and not char.isascii() for char in text)
