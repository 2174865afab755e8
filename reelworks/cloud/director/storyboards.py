"""The rule-based director's answers for the tools `storyboard`, `scene` and `changes`, which need no model.

Deterministic: a message always gets the same answer. It says little, but nothing wrong about a topic that it
knows nothing about; a client's own text is kept word for word.
"""

import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lambdas.domain.english import reads_as_english
from lambdas.domain.sentences import sentences
from lambdas.domain.speaking_time import spoken_words
from reelworks.cloud.director import narration_lines, prompts, vocabulary
from reelworks.cloud.director.narration_lines import View
from reelworks.cloud.director.prompts import NotATask, find
from reelworks.cloud.director.topics import LONGEST_MOMENT, Kind, Topic, shortened, understand

_SCENE = re.compile(r"^Scene (\d+): .*?(?:narration of at most (\d+) words|no narration)\.$", re.MULTILINE)
_WORDS = re.compile(r"^At most (\d+) words for the style, (\d+) for each positive prompt", re.MULTILINE)
_LANGUAGE = re.compile(r"^Narration in the language ([a-z]{2,3})", re.MULTILINE)
_ANEW = re.compile(
    r"^Write scene (\d+) of (\d+) anew(?:: only its (narration|first picture)\b.*)?\.$", re.MULTILINE
)

_Answer = dict[str, Any]


@dataclass(frozen=True)
class _Task:
    narration_words: list[int | None]  # the limit for each requested scene; None: no narration
    style_words: int
    prompt_words: int


def fill(tool: str, message: str) -> _Answer:
    """Return the tool's input for a message of `lambdas.domain.storyboard_questions`.

    Raises NotATask if the tool is unknown or the message can't be answered.
    """
    if tool == "storyboard":
        return _storyboard(message)
    if tool == "scene":
        return _scene_anew(message)
    if tool == "changes":
        return _changes(message)
    raise NotATask(f"The rule-based director does not support the tool {tool!r}.")


def _storyboard(message: str) -> _Answer:
    task = _read(message)
    tone = _between("tone", message) or ""
    given = json.loads(_between("given", message) or "{}")
    asked = _material("topic", message)
    topic = understand(asked)
    rng = random.Random(f"{asked} {tone}")  # noqa: S311  a choice of words, not a secret
    count = len(task.narration_words)
    looks = _Looks(asked, tone, given.get("style"), rng)
    told = _spread(topic.story, count)
    views = _views(count, rng)
    used: set[str] = set()
    scenes = []
    subject = topic.shown
    for index, (view, words) in enumerate(zip(views, task.narration_words, strict=True)):
        own = _own_words(given, index)
        subject = _seen(told[index], topic) or subject
        scene = looks.prompts(own or subject, view, task.prompt_words, rng)
        if words is not None:
            said = _fitting(told[index], words) or _said(topic, index, count, view, words, used, rng)
            scene = {"narration": {"text": said}} | scene
        scenes.append(scene)
    return {"title": topic.title, "style": looks.style(task.style_words), "scenes": scenes}


def _scene_anew(message: str) -> _Answer:
    task = _read(message)
    place = _ANEW.search(message)
    if place is None:
        raise NotATask("The rule-based director needs a message that says 'Write scene N of M anew.'.")
    storyboard = json.loads(_material("storyboard", message))
    scene = _rewritten(
        task, storyboard, int(place[1]) - 1, task.narration_words[0], _material("note", message)
    )
    only = {"narration": "narration", "first picture": "image"}.get(place[3])
    return {only: scene[only]} if only else scene


_NAMED = re.compile(
    r"(?:\b(?:in|for|of) )?(?:\bscene (?:number )?(\d+)"
    r"|\b(?:the )?(first|second|third|fourth|fifth|last) scene)\b[,:]?\s*",
    re.IGNORECASE,
)
_PLACES = ("first", "second", "third", "fourth", "fifth")


def _changes(message: str) -> _Answer:
    """Return changes to the scenes that the note names, else to all; narration stays the same."""
    task = _read(message)
    note = _material("note", message)
    storyboard = json.loads(_material("storyboard", message))
    count = len(storyboard["scenes"])
    named = {_place_of(found, count) for found in _NAMED.finditer(note)} & set(range(count))
    wish = _NAMED.sub("", note).strip() or note
    scenes = []
    for index in sorted(named or range(count)):
        scene = _rewritten(task, storyboard, index, None, wish)
        if said := storyboard["scenes"][index].get("narration"):
            scene = {"narration": {"text": said["text"]}} | scene
        scenes.append({"number": index + 1} | scene)
    return {"title": "", "style": "", "scenes": scenes}


def _place_of(found: re.Match[str], count: int) -> int:
    number, word = found[1], (found[2] or "").lower()
    if number:
        return int(number) - 1
    return count - 1 if word == "last" else _PLACES.index(word)


def _rewritten(task: _Task, storyboard: _Answer, index: int, words: int | None, note: str) -> _Answer:
    """Return a scene with the client's note applied. `words`: the limit of its narration, if it has one."""
    before, count = storyboard["scenes"][index], len(storyboard["scenes"])
    rng = random.Random(f"{note} {before}")  # noqa: S311  as above
    topic = understand(storyboard["title"])
    wish = _wish(note)
    now = before["narration"]["text"] if words is not None else ""
    view = rng.choice(
        [view for view in narration_lines.VIEWS if view.said not in now and view.brief not in now]
    )
    scene: _Answer = {}
    if words is not None:
        said = _said(topic, index, count, view, words, set(sentences(now)), rng)
        scene["narration"] = {"text": said}
    looks = _Looks(f"{topic.shown} {wish}", "", storyboard.get("style"), rng)
    for name in ("image", "video"):
        subject = _wished(_first_sentence(before[name]["positive_prompt"]), wish)
        scene[name] = looks.prompts(subject, view, task.prompt_words, rng)[name]
    return scene


# --- the message


def _read(message: str) -> _Task:
    head = message.partition("<")[0]
    scenes, words = _SCENE.findall(head), _WORDS.search(head)
    if not scenes or words is None:
        raise NotATask("The rule-based director needs a message that lists the scenes and their words.")
    language = _LANGUAGE.search(head)
    if language and language[1] != "en":
        raise NotATask(
            f"The rule-based director writes English only, not {language[1]!r}: connect a text model "
            "(`reel doctor` shows how), or set the narration of every scene."
        )
    return _Task([int(most) if most else None for _, most in scenes], int(words[1]), int(words[2]))


def _between(tag: str, message: str) -> str | None:
    found = re.search(f"<{tag}>(.*?)</{tag}>", message, re.DOTALL)
    return found[1] if found else None


def _material(tag: str, message: str) -> str:
    text = (_between(tag, message) or "").strip()
    if not text:
        raise NotATask(f"The rule-based director needs a message with <{tag}>…</{tag}>.")
    return text


def _own_words(given: _Answer, index: int) -> str | None:
    """Return the client's own narration of the scene, as the subject of its pictures."""
    scenes = given.get("scenes", [])
    narration = scenes[index].get("narration", {}) if index < len(scenes) else {}
    text = narration.get("text", "")
    return _first_sentence(text) if reads_as_english(text) else None


_WISHING = re.compile(
    r"\A(?:please,? |can you |could you |i (?:want|would like) (?:it |this |the scene )?(?:to )?)*"
    r"(?:(?:make|let|have|change|set|turn|keep) (?:it|this|the scene|everything)(?: to| be| into| in)? "
    r"|(?:show|add|use|put|more like|i want) )?",
    re.IGNORECASE,
)


def _wish(note: str) -> str:
    """Return a note as a sentence for a prompt."""
    if not reads_as_english(note) and not note.isascii():
        return ""
    text = shortened(_WISHING.sub("", note, count=1).strip() or note, LONGEST_MOMENT)
    return _closed(text[:1].upper() + text[1:]) if text else ""


def _wished(subject: str, wish: str) -> str:
    """Add the wish to the subject, unless it is there already: a new scene is written from the wish alone."""
    return wish if wish.startswith(subject.rstrip(".")) else f"{subject} {wish}".strip()


# --- narration


def _said(
    topic: Topic, index: int, count: int, view: View, words: int, used: set[str], rng: random.Random
) -> str:
    """Return a scene's narration of at most `words` words. Its lines are added to `used`, and not reused if
    there is a choice."""
    seen = view.said if spoken_words(view.said) <= words else view.brief
    groups, most = _choices(topic, index, count, seen)
    said: list[str] = []
    for group in groups:
        left = words - spoken_words(" ".join(said))
        lines = [line.replace("{x}", topic.text) for line in group]
        fitting = [line for line in lines if spoken_words(line) <= left]
        if not fitting or len(said) == most:
            continue
        best = min(_rank(line, used) for line in fitting)
        line = rng.choice([line for line in fitting if _rank(line, used) == best])
        if not said or not _is_short(line):
            said.append(line)
            used.add(line)
    return " ".join(said)


def _choices(topic: Topic, index: int, count: int, seen: str) -> tuple[list[Sequence[str]], int]:
    """Return groups of lines, best first, and from how many groups a line is used."""
    if index == 0:
        opening = narration_lines.OPENING[topic.kind]
        return [opening.named, (topic.sentence,), opening.plain], 1
    if index == count - 1:
        close = narration_lines.CLOSE[topic.kind]
        return [close.named, close.plain], 1
    if index == count - 2 and count > 3:
        named = narration_lines.TURN.named if topic.kind is Kind.THEME else ()
        return [named + narration_lines.TURN.plain], 1
    named = narration_lines.MIDDLE[topic.kind]
    if topic.kind is not Kind.THEME and (index % 2 or len(topic.text.split()) > _LONG_TO_REPEAT):
        return [(seen,), narration_lines.MIDDLE_SHORT], 1
    both: list[Sequence[str]] = [(seen,), named] if index % 2 else [named, (seen,)]
    return [*both, narration_lines.MIDDLE_SHORT], 2


_LONG_TO_REPEAT = 10  # words of a topic that is used only in the opening and the close
_SHORT = 4  # words of a line that is used only if nothing longer fits


def _is_short(line: str) -> bool:
    return len(line.split()) <= _SHORT


def _rank(line: str, used: set[str]) -> tuple[bool, bool]:
    return _is_short(line), line in used


def _fitting(told: str, words: int) -> str | None:
    """Return the first of the client's own sentences, as many as fit; None if none fits."""
    kept: list[str] = []
    for sentence in sentences(told):
        if spoken_words(" ".join([*kept, sentence])) > words:
            break
        kept.append(sentence)
    return " ".join(kept) or None


_PRONOUN = re.compile(r"\A(?:\w+,? ){0,2}(?:he|she|it|they|his|her|its|their)\b", re.IGNORECASE)


def _seen(told: str, topic: Topic) -> str:
    """Return a client's sentence as a prompt. A prompt is read alone, so a pronoun needs its subject."""
    seen = _within(LONGEST_MOMENT, [_first_sentence(told), *sentences(told)[1:]])
    return f"{topic.shown} {seen}" if _PRONOUN.match(seen) else seen


def _spread(story: Sequence[str], count: int) -> list[str]:
    """Assign the client's sentences to scenes, in order; the last sentence goes to the last scene."""
    told = [""] * count
    for number, sentence in enumerate(story):
        if len(story) >= count:
            at = number * count // len(story)
        else:
            at = number * (count - 1) // max(1, len(story) - 1)
        told[at] = f"{told[at]} {_closed(sentence)}".strip()
    return told


def _first_sentence(text: str) -> str:
    found = sentences(text)
    return _closed(shortened(found[0].rstrip(".…"), LONGEST_MOMENT)) if found else ""


def _closed(text: str) -> str:
    return text if text[-1:] in ".!?…。！？" else text.rstrip(",;:–—- ") + "."


# --- pictures


def _views(count: int, rng: random.Random) -> list[View]:
    opening = View("", "", narration_lines.OPENING_PICTURE, rng.choice(vocabulary.WIDE_CAMERA))
    middle = rng.sample(narration_lines.VIEWS, len(narration_lines.VIEWS))
    views = [opening, *(middle[index % len(middle)] for index in range(count - 1))]
    if count > 1:
        views[-1] = narration_lines.CLOSE_VIEW
    if count > 3:
        views[-2] = narration_lines.TURN_VIEW
    return views


class _Looks:
    """The look shared by all pictures of a film, and what is added to each."""

    def __init__(self, text: str, tone: str, style: str | None, rng: random.Random) -> None:
        self._about = f"{text} {tone} {style or ''}"
        self._constant = prompts.sentences(self._about, rng)
        low = self._about.lower().replace("-", " ")
        self._directed = any(
            find(one.words, low) is not None for one in (vocabulary.DIRECTED, vocabulary.STILL)
        )
        self._drawn = any(find(vocabulary.STYLES[name].words, low) is not None for name in vocabulary.DRAWN)
        self._mood = _mood(tone) or self._constant["mood"]

    def style(self, words: int) -> str:
        return _within(words, [self._constant["look"], self._mood, self._constant["light"]])

    def prompts(self, subject: str, view: View, words: int, rng: random.Random) -> _Answer:
        changing = prompts.sentences(self._about, rng)
        camera = changing["camera"] if self._directed else view.camera
        place = [self._constant[part] for part in ("setting", "weather") if part in self._constant]
        negative = narration_lines.DRAWN_NEGATIVE if self._drawn else narration_lines.PHOTO_NEGATIVE
        picture = [subject, view.picture, *place, self._constant["light"]]
        return {
            "image": {"positive_prompt": _within(words, picture), "negative_prompt": negative},
            "video": {
                "positive_prompt": _within(words, [subject, camera, *place, changing["detail"]]),
                "negative_prompt": f"{negative}, {narration_lines.MOVING_NEGATIVE}",
            },
        }


_LONGEST_TONE = 6  # words allowed after "The mood is"


def _mood(tone: str) -> str | None:
    """Return the mood in the client's tone as a sentence; None if it names none."""
    low = tone.lower()
    known = next((mood for mood in vocabulary.MOODS if find(mood.words, low) is not None), None)
    if known:
        return known.sentences[0]
    said = tone.strip(" .!?…")
    plain = re.fullmatch(r"[A-Za-z ,'-]+", said) and len(said.split()) <= _LONGEST_TONE
    return f"The mood is {said[0].lower()}{said[1:]}." if plain else None


def _within(words: int, parts: Iterable[str]) -> str:
    """Join the first part with as many of the others as fit."""
    kept: list[str] = []
    for part in parts:
        if not kept or len(" ".join([*kept, part]).split()) <= words:
            kept.append(part)
    return " ".join(kept)
