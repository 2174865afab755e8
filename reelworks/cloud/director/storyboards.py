"""The rule-based director's answers for the tools `storyboard`, `scene` and `changes`, which need no model.

Deterministic: a message always gets the same answer. It knows nothing of any topic, so all that it says aloud
is the client's own text, once, in the client's language; a scene for which there is none stays silent.
"""

import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lambdas.domain.english import reads_as_english
from lambdas.domain.sentences import can_be_spoken, sentences
from lambdas.domain.speaking_time import seconds_to_narrate, spoken_words
from lambdas.domain.storyboard import SILENT
from lambdas.domain.storyboard_answers import may_be_in
from reelworks.cloud.director import prompts, views, vocabulary
from reelworks.cloud.director.prompts import NotATask, find
from reelworks.cloud.director.topics import (
    LONGEST_MOMENT,
    Topic,
    closed,
    shortened,
    understand,
)
from reelworks.cloud.director.views import View

_SCENE = re.compile(
    r"^Scene \d+: (?:(\S+) s, )?(?:narration of at most (\d+) words|no narration)\.$", re.MULTILINE
)
_WORDS = re.compile(r"^At most (\d+) words for the style, (\d+) for each positive prompt", re.MULTILINE)
_LANGUAGE = re.compile(r"^Narration in the language ([a-z]{2,3})", re.MULTILINE)
_ENGLISH = "en"
_ANEW = re.compile(
    r"^Write scene (\d+) of (\d+) anew(?:: only its (narration|first picture)\b.*)?\.$", re.MULTILINE
)

_Answer = dict[str, Any]


@dataclass(frozen=True)
class _Room:
    """How much a scene's narration may say: what its seconds take, else so many words."""

    words: int
    seconds: float | None

    def fits(self, text: str) -> bool:
        if self.seconds is None:
            return spoken_words(text) <= self.words
        return seconds_to_narrate(text) <= self.seconds


@dataclass(frozen=True)
class _Task:
    rooms: list[_Room | None]  # for the narration of each requested scene; None: it has none
    language: str  # of the narration, for example "en"
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
    count = len(task.rooms)
    looks = _Looks(asked, tone, given.get("style"), rng)
    told = _spread(topic.moments, count)
    said = _narration(topic, task, given)
    filmed = _views(count, rng)
    scenes = []
    subject = topic.shown
    for index, view in enumerate(filmed):
        own = _own_words(given, index)
        subject = _seen(told[index], topic) or subject
        scene = looks.prompts(own or subject, view, task.prompt_words, rng)
        if index in said:
            scene = {"narration": {"text": said[index]}} | scene
        scenes.append(scene)
    return {"title": topic.title, "style": looks.style(task.style_words), "scenes": scenes}


def _scene_anew(message: str) -> _Answer:
    task = _read(message)
    place = _ANEW.search(message)
    if place is None:
        raise NotATask("The rule-based director needs a message that says 'Write scene N of M anew.'.")
    storyboard = json.loads(_material("storyboard", message))
    scene = _rewritten(task, storyboard, int(place[1]) - 1, task.rooms[0], _material("note", message))
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


def _rewritten(task: _Task, storyboard: _Answer, index: int, room: _Room | None, note: str) -> _Answer:
    """Return a scene with the client's note applied. With `room` for its narration, that becomes what the
    note has in quotation marks, else it stays."""
    before = storyboard["scenes"][index]
    rng = random.Random(f"{note} {before}")  # noqa: S311  as above
    filmed = before["video"]["positive_prompt"]
    view = rng.choice([view for view in views.VIEWS if view.camera not in filmed])
    scene: _Answer = {}
    if room:
        scene["narration"] = {"text": _said_anew(before["narration"]["text"], note, task.language, room)}
    wish = _wish(_QUOTED.sub("", note) if room else note)
    looks = _Looks(f"{storyboard['title']} {wish}", "", storyboard.get("style"), rng)
    for name in ("image", "video"):
        subject = _wished(_first_sentence(before[name]["positive_prompt"]), wish)
        scene[name] = looks.prompts(subject, view, task.prompt_words, rng)[name]
    return scene


_QUOTED = re.compile(r"[\"“„«「『]([^\"“”„«»「」『』]*\w[^\"“”„«»「」『』]*)[\"”“»」』]")


def _said_anew(now: str, note: str, language: str, room: _Room) -> str:
    if quoted := _QUOTED.search(note):
        return closed(quoted[1].strip())
    # A new scene's narration is the client's prompt, which may be in another language, or too long.
    return _fitting(now, room) if may_be_in(now, language) else SILENT


# --- the message


def _read(message: str) -> _Task:
    head = message.partition("<")[0]
    scenes, words = _SCENE.findall(head), _WORDS.search(head)
    if not scenes or words is None:
        raise NotATask("The rule-based director needs a message that lists the scenes and their words.")
    found = _LANGUAGE.search(head)
    language = found[1] if found else _ENGLISH
    rooms = [
        _Room(int(most), float(seconds) if seconds else None) if most else None for seconds, most in scenes
    ]
    return _Task(rooms, language, int(words[1]), int(words[2]))


def _between(tag: str, message: str) -> str | None:
    found = re.search(f"<{tag}>(.*?)</{tag}>", message, re.DOTALL)
    return found[1] if found else None


def _material(tag: str, message: str) -> str:
    text = (_between(tag, message) or "").strip()
    if not text:
        raise NotATask(f"The rule-based director needs a message with <{tag}>…</{tag}>.")
    return text


def _given_scene(given: _Answer, index: int) -> _Answer:
    scenes = given.get("scenes", [])
    return scenes[index] if index < len(scenes) else {}


def _given_narration(given: _Answer, index: int) -> str:
    return str(_given_scene(given, index).get("narration", {}).get("text", ""))


def _own_words(given: _Answer, index: int) -> str | None:
    """Return what the client's own text says of the scene, as the subject of its pictures."""
    scene = _given_scene(given, index)
    texts = (
        scene.get(part, {}).get(text, "")
        for part, text in (("narration", "text"), ("video", "positive_prompt"), ("image", "positive_prompt"))
    )
    return next((_first_sentence(text) for text in texts if reads_as_english(text)), None)


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
    return closed(text[:1].upper() + text[1:]) if text else ""


def _wished(subject: str, wish: str) -> str:
    """Add the wish to the subject, unless it is there already: a new scene is written from the wish alone."""
    return wish if wish.startswith(subject.rstrip(".")) else f"{subject} {wish}".strip()


# --- narration


def _narration(topic: Topic, task: _Task, given: _Answer) -> dict[int, str]:
    """Return the narration of each scene that has one. The scenes that the client hasn't written share the
    topic's own sentences, if those may be in the narration's language: nobody translates them here."""
    rooms = {index: room for index, room in enumerate(task.rooms) if room}
    free = [index for index in rooms if not _given_narration(given, index)]
    quoted = [closed(topic.quoted)] if topic.quoted and task.language == _ENGLISH else []
    for told in (topic.story, quoted):
        parts = zip(free, _spread(told, len(free)), strict=True)
        said = {index: _fitting(part, rooms[index]) for index, part in parts}
        if may_be_in(" ".join(said.values()), task.language):
            break
    else:
        said = {}
    return {index: said.get(index, SILENT) for index in rooms}


_CLAUSE = re.compile(r"[,;:–—]\s")
_SHORTEST_CLAUSE = 3  # words


def _fitting(told: str, room: _Room) -> str:
    """Return as many of the client's sentences as fit, else the first clauses that do; SILENT if none do."""
    kept: list[str] = []
    for sentence in sentences(told):
        if not room.fits(" ".join([*kept, sentence])):
            break
        kept.append(sentence)
    if can_be_spoken(" ".join(kept)):
        return " ".join(kept)
    clauses = (closed(told[: end.start()]) for end in _CLAUSE.finditer(told))
    fitting = [one for one in clauses if spoken_words(one) >= _SHORTEST_CLAUSE and room.fits(one)]
    return fitting[-1] if fitting else SILENT


_PRONOUN = re.compile(r"\A(?:\w+,? ){0,2}(?:he|she|it|they|his|her|its|their)\b", re.IGNORECASE)


def _seen(told: str, topic: Topic) -> str:
    """Return a client's sentence as a prompt. A prompt is read alone, so a pronoun needs its subject."""
    seen = _within(LONGEST_MOMENT, [_first_sentence(told), *sentences(told)[1:]])
    return f"{topic.shown} {seen}" if _PRONOUN.match(seen) else seen


def _spread(story: Sequence[str], count: int) -> list[str]:
    """Assign the client's sentences to scenes, in order; the last sentence goes to the last scene."""
    told = [""] * count
    if not count:
        return told
    for number, sentence in enumerate(story):
        if len(story) >= count:
            at = number * count // len(story)
        else:
            at = number * (count - 1) // max(1, len(story) - 1)
        told[at] = f"{told[at]} {sentence}".strip()
    return told


def _first_sentence(text: str) -> str:
    found = sentences(text)
    return closed(shortened(found[0].rstrip(".…"), LONGEST_MOMENT)) if found else ""


# --- pictures


def _views(count: int, rng: random.Random) -> list[View]:
    opening = View(views.OPENING_PICTURE, rng.choice(vocabulary.WIDE_CAMERA))
    middle = rng.sample(views.VIEWS, len(views.VIEWS))
    chosen = [opening, *(middle[index % len(middle)] for index in range(count - 1))]
    if count > 1:
        chosen[-1] = views.CLOSE_VIEW
    if count > 3:
        chosen[-2] = views.TURN_VIEW
    return chosen


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
        negative = views.DRAWN_NEGATIVE if self._drawn else views.PHOTO_NEGATIVE
        picture = [subject, view.picture, *place, self._constant["light"]]
        return {
            "image": {"positive_prompt": _within(words, picture), "negative_prompt": negative},
            "video": {
                "positive_prompt": _within(words, [subject, camera, *place, changing["detail"]]),
                "negative_prompt": f"{negative}, {views.MOVING_NEGATIVE}",
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
