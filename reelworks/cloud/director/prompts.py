"""A prompt enhancer that needs no model: it adds a director's notes on camera, place, light and mood.

Deterministic: a prompt always gets the same answer. The prompt itself is kept word for word, so the worst
case is that the added sentences say little.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reelworks.cloud.director import vocabulary as v

_PROMPT = re.compile(r"<prompt>(.*)</prompt>", re.DOTALL)
_CHANGE = re.compile(r"<change>(.*)</change>", re.DOTALL)
_LIMIT = re.compile(r"Write at most (\d+) words")


class NotATask(ValueError):
    """The director can't answer this message."""


@dataclass(frozen=True)
class Task:
    prompt: str
    words: int  # the answer's limit
    change: str = ""  # requested change to the enhanced prompt


def read_task(message: str) -> Task:
    """Read the task in a user's message: `<prompt>…</prompt>`, optionally `<change>…</change>`, and outside
    them `Write at most N words`.

    Raises NotATask if the prompt or the limit is missing.
    """
    prompt = _PROMPT.search(message)
    if prompt is None or not prompt[1].strip():
        raise NotATask("The rule-based director needs a message with <prompt>…</prompt>.")
    limit = _LIMIT.search(message[: prompt.start()]) or _LIMIT.search(message[prompt.end() :])
    if limit is None:
        raise NotATask("The rule-based director needs a message that says 'Write at most N words'.")
    change = _CHANGE.search(message, prompt.end())
    return Task(prompt[1], int(limit[1]), change[1].strip() if change else "")


def enhance(prompt: str, words: int, change: str = "") -> str:
    """Return one paragraph of at most `words` words: the prompt with its change, then the sentences that fit.
    They are the sentences of the prompt without the change, except where the change names something.

    A longer prompt is cut after the last whole sentence that fits, if there is one. A prompt in another
    language can't be translated here: none of its words are known, so English that fits any prompt follows.
    """
    prompt = " ".join(prompt.split())
    change = " ".join(change.split())
    room = words - len(change.split())
    if len(prompt.split()) > max(room, 1):
        prompt = _cut(prompt, max(room, 1))
        return _cut(f"{_ended(prompt)} {change}", words) if change else prompt
    prompt = _ended(prompt)
    rng = random.Random(prompt)  # noqa: S311  a choice of words, not a secret
    if change:
        prompt = f"{prompt} {_ended(change[0].upper() + change[1:])}"
    left = words - len(prompt.split())
    chosen: set[str] = set()
    found = sentences(prompt, rng)
    for sentence in _by_weight(found):
        length = len(sentence.split())
        if length <= left:
            chosen.add(sentence)
            left -= length
    return " ".join([prompt, *(s for s in found.values() if s in chosen)])


def _ended(text: str) -> str:
    return text + "." if text[-1].isalnum() or text[-1] in "\"'”’)" else text


# The order of inclusion when words are few; the reading order is that of `sentences`.
_WEIGHT = ("camera", "light", "detail", "setting", "weather", "mood", "look")


def _by_weight(sentences: Mapping[str, str]) -> list[str]:
    return [sentences[part] for part in _WEIGHT if part in sentences]


def sentences(prompt: str, rng: random.Random) -> dict[str, str]:
    """Return the sentences for a prompt, in reading order."""
    text = prompt.lower().replace("-", " ").replace("’", "'")
    subject = _subject(text)
    place = _first(v.PLACES, text)
    time = _first(v.TIMES, text)
    style = _first(v.STYLES, text)
    weather = next((name for name, words in v.WEATHER_WORDS.items() if find(words, text) is not None), None)
    chosen = {
        "camera": _camera(text, subject, place),
        "setting": _setting(subject, place),
        "light": _light(place, time, weather, style),
        "weather": _weather(place, weather),
        "detail": _detail(text, subject, place, style),
        "mood": next(
            (mood.sentences for mood in v.MOODS if find(mood.words, text) is not None), v.PLAIN_MOOD
        ),
        "look": v.STYLES[style].sentences if style else v.FILM_LOOK,
    }
    return {part: rng.choice(sentences) for part, sentences in chosen.items() if sentences}


def find(words: str, text: str) -> int | None:
    """Return the position of the first match of `words` in a lower-case text; None without a match."""
    alternatives = "|".join(re.escape(word) for word in words.split(", "))
    match = re.search(rf"\b(?:{alternatives})(?:e?s)?\b", text)
    return match.start() if match else None


def _first(categories: Mapping[str, v.Category], text: str) -> str | None:
    return next((name for name, (words, _) in categories.items() if find(words, text) is not None), None)


def _subject(text: str) -> v.Subject | None:
    # If two begin at the same word ("honey bee" and "honey"), the earlier one in the table applies.
    found = {at: subject for subject in reversed(v.SUBJECTS) if (at := find(subject.words, text)) is not None}
    return found[min(found)] if found else None


def _camera(text: str, subject: v.Subject | None, place: str | None) -> Sequence[str]:
    if find(v.DIRECTED.words, text) is not None:
        return v.DIRECTED.sentences
    if find(v.STILL.words, text) is not None:
        return v.STILL.camera
    if subject:
        return subject.camera
    return v.WIDE_CAMERA if place and place != v.INDOORS else v.PLAIN_CAMERA


def _detail(text: str, subject: v.Subject | None, place: str | None, style: str | None) -> Sequence[str]:
    if find(v.STILL.words, text) is not None:
        return v.STILL.detail
    if style in v.DRAWN:
        return v.PLAIN_DETAIL
    if subject:
        return subject.detail
    return v.WIDE_DETAIL if place and place != v.INDOORS else v.PLAIN_DETAIL


def _setting(subject: v.Subject | None, place: str | None) -> Sequence[str]:
    if place is None and subject is v.SMALL_NATURE:
        place = v.MEADOW
    return v.PLACES[place].sentences if place else v.PLAIN_SETTING


def _light(place: str | None, time: str | None, weather: str | None, style: str | None) -> Sequence[str]:
    if style == v.BLACK_AND_WHITE:
        return v.BLACK_AND_WHITE_LIGHT
    if time == v.NIGHT and place in v.NIGHT_LIGHT:
        return v.NIGHT_LIGHT[place]
    if place in v.PLACE_LIGHT:
        return v.PLACE_LIGHT[place]
    if weather in v.WEATHER_LIGHT and time in (None, v.NOON):
        return v.WEATHER_LIGHT[weather]
    return v.TIMES[time].sentences if time else v.PLAIN_LIGHT


def _weather(place: str | None, weather: str | None) -> Sequence[str]:
    if weather is None or place in (v.UNDERWATER, v.SPACE):
        return ()
    return (v.WEATHER_INDOORS if place == v.INDOORS else v.WEATHER).get(weather, ())


def _cut(prompt: str, words: int) -> str:
    kept = ""
    for sentence in re.split(r"(?<=[.!?])\s+", prompt):
        longer = f"{kept} {sentence}".strip()
        if len(longer.split()) > words:
            break
        kept = longer
    return kept or " ".join(prompt.split()[:words])
