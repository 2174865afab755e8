"""A prompt enhancer that needs no model: it adds what a director would say of camera, place, light and mood.

Deterministic: a prompt always gets the same answer. The prompt itself is kept word for word, so the worst
that can happen to it is to be followed by sentences that say little.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reelworks.cloud import vocabulary as v

_PROMPT = re.compile(r"<prompt>(.*)</prompt>", re.DOTALL)
_LIMIT = re.compile(r"Write at most (\d+) words")


class NotATask(ValueError):
    """The message is not one that the director can answer."""


@dataclass(frozen=True)
class Task:
    prompt: str
    words: int  # the answer's limit


def read_task(message: str) -> Task:
    """The task in a user's message: `<prompt>…</prompt>` and, outside of it, `Write at most N words`.

    Raises NotATask.
    """
    prompt = _PROMPT.search(message)
    if prompt is None or not prompt[1].strip():
        raise NotATask("The rule-based director needs a message with <prompt>…</prompt>.")
    limit = _LIMIT.search(message[: prompt.start()]) or _LIMIT.search(message[prompt.end() :])
    if limit is None:
        raise NotATask("The rule-based director needs a message that says 'Write at most N words'.")
    return Task(prompt[1], int(limit[1]))


def enhance(prompt: str, words: int) -> str:
    """One paragraph of at most `words` words: the prompt, then as many sentences as fit.

    A longer prompt is cut, after its last whole sentence that fits if there is one. A prompt that is not
    English can't be translated here: no word of it is known, so English follows that fits any prompt.
    """
    prompt = " ".join(prompt.split())
    if len(prompt.split()) > words:
        return _cut(prompt, words)
    if prompt[-1].isalnum() or prompt[-1] in "\"'”’)":
        prompt += "."
    left = words - len(prompt.split())
    chosen: set[str] = set()
    found = sentences(prompt, random.Random(prompt))  # noqa: S311  a choice of words, not a secret
    for sentence in _by_weight(found):
        length = len(sentence.split())
        if length <= left:
            chosen.add(sentence)
            left -= length
    return " ".join([prompt, *(s for s in found.values() if s in chosen)])


# What goes in first when words are few; the order of reading is that of `sentences`.
_WEIGHT = ("camera", "light", "detail", "setting", "weather", "mood", "look")


def _by_weight(sentences: Mapping[str, str]) -> list[str]:
    return [sentences[part] for part in _WEIGHT if part in sentences]


def sentences(prompt: str, rng: random.Random) -> dict[str, str]:
    """The sentences for a prompt, in the order in which they are read."""
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
    """Where the first of a vocabulary's words stands in a lower-case text."""
    alternatives = "|".join(re.escape(word) for word in words.split(", "))
    match = re.search(rf"\b(?:{alternatives})(?:e?s)?\b", text)
    return match.start() if match else None


def _first(categories: Mapping[str, v.Category], text: str) -> str | None:
    return next((name for name, (words, _) in categories.items() if find(words, text) is not None), None)


def _subject(text: str) -> v.Subject | None:
    # Of two that begin at one word ("honey bee" and "honey") the earlier in the table counts.
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
