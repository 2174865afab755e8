"""Check a text model's storyboard, and fit scenes' prompts to the engine."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from lambdas.domain.brief import Brief
from lambdas.domain.characters import CastMember, looks_of
from lambdas.domain.english import is_function_word, reads_as_english, words
from lambdas.domain.prompt_answers import talks
from lambdas.domain.prompt_subject import mentions
from lambdas.domain.prompts import PLACE_TOKENS, SMALLEST_BUDGET, closed, estimate_tokens, fit
from lambdas.domain.sentences import sentences
from lambdas.domain.speaking_time import seconds_to_narrate, words_within
from lambdas.domain.storyboard import Prompts, Scene, Storyboard, complete
from lambdas.domain.storyboard_questions import (
    SceneField,
    Schema,
    changes_schema,
    scene_schema,
    storyboard_schema,
)
from lambdas.domain.wrong_fields import wrong_fields


@dataclass(frozen=True)
class Accepted:
    """A storyboard that can be used. `note` says what was changed in the answer; None: nothing."""

    storyboard: Storyboard
    note: str | None = None


class AnswerRejected(Exception):
    """The answer is unusable; each problem starts with the path of the field at fault."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def accept_storyboard(answer: Any, brief: Brief, budget: int) -> Accepted:
    """Return the answer to `storyboard_question(brief, budget)` with the user's own parts in place, which are
    not checked. Raises AnswerRejected if the answer is unusable."""
    schema = storyboard_schema(scenes=brief.count, narrate=brief.asks_narration)
    picked = _picked(answer, schema)
    written = _read(picked)
    if len(written.scenes) != brief.count:
        many = f"scenes: {brief.count} are asked for; {len(written.scenes)} were written."
        raise AnswerRejected([many])
    problems = _echoes(_not_given(picked, brief.given.given()), schema, [brief.topic, brief.tone])
    if not written.style and brief.given.style is None:
        problems.append("style must say what is the same in every scene.")
    narrated = [i for i in range(brief.count) if brief.narrate and not brief.narration_given(i)]
    lengths = brief.lengths()
    for index in narrated:
        problems += _narration_problems(written.scenes[index], index, lengths[index])
    problems += _language_problems([written.scenes[index] for index in narrated], brief.language)
    prompted = [place for place in _places(range(brief.count)) if not _prompt_given(brief, *place)]
    problems += _prompt_problems(written, prompted, [brief.topic, brief.tone])
    if not mentions(_all_text(written), brief.topic):
        problems.append("scenes: none of the texts speaks of the topic; name what the film is about.")
    if problems:
        raise AnswerRejected(problems)
    completed = complete(brief.given, written.timed(lengths))
    return _within_budget(completed, budget, style=brief.given.style is None, prompted=prompted)


def accept_scene(
    answer: Any,
    storyboard: Storyboard,
    index: int,
    note: str,
    fields: Sequence[SceneField],
    language: str,
    budget: int,
) -> Accepted:
    """Return the storyboard with the answer to `scene_question` in place. Everything other than text stays:
    the scene's seconds, voice and seeds. Raises AnswerRejected if the answer is unusable."""
    before = storyboard.scenes[index]
    schema = scene_schema(fields)
    picked = _picked(answer, schema)
    echoes = _echoes(picked, schema, [note, storyboard.title, _all_text(storyboard)])
    document = storyboard.model_dump()
    if isinstance(picked, dict):
        picked = _changed(document["scenes"][index], picked, fields)
    document["scenes"][index] = picked
    written = _read(document)
    scene = written.scenes[index]
    prompted = [(index, field) for field in fields if field != "narration"]
    problems = [f"scenes[{index}].{echo}" for echo in echoes]
    problems += _prompt_problems(written, prompted, [note])
    if before.narration and "narration" in fields:
        problems += _narration_problems(scene, index, before.seconds)
        problems += _language_problems([scene], before.narration.language or language)
    if problems:
        raise AnswerRejected(problems)
    return _within_budget(written, budget, style=False, prompted=prompted)


def accept_changes(answer: Any, storyboard: Storyboard, change: str, language: str, budget: int) -> Accepted:
    """Return the storyboard with the answer to `changes_question` in place. Whatever the answer doesn't name
    stays identical, and so do the seconds, seeds and voice of the scenes it names.

    Raises AnswerRejected if the answer is unusable.
    """
    narrate = any(scene.has_text_to_say for scene in storyboard.scenes)
    schema = changes_schema(narrate=narrate)
    picked = _picked(answer, schema)
    echoes = _echoes(picked, schema, [change, _all_text(storyboard)])
    if not isinstance(picked, dict) or not isinstance(picked.get("scenes"), list):
        raise AnswerRejected(["scenes is required: a list of the scenes that change."])
    document = storyboard.model_dump()
    document |= {name: picked[name] for name in ("title", "style") if picked.get(name)}
    named: list[int] = []
    for scene in picked["scenes"]:
        number = scene.pop("number", None) if isinstance(scene, dict) else None
        if type(number) is not int or not 1 <= number <= len(storyboard.scenes):
            raise AnswerRejected([f"scenes: number must be from 1 to {len(storyboard.scenes)}."])
        if number - 1 in named:
            raise AnswerRejected([f"scenes: number {number} appears twice."])
        if storyboard.scenes[number - 1].own is not None:
            continue  # the user's own
        named.append(number - 1)
        spoken = storyboard.scenes[number - 1].has_text_to_say
        fields = [name for name in _TEXTS if name != "narration" or spoken]
        document["scenes"][number - 1] = _changed(document["scenes"][number - 1], scene, fields)
    written = _read(document)
    if written == storyboard:
        raise AnswerRejected(["Nothing changes: rewrite the scenes that the client's change is about."])
    problems = echoes + _prompt_problems(written, _places(named), [change])
    for index in named:
        scene, before = written.scenes[index], storyboard.scenes[index]
        if before.narration and before.has_text_to_say:
            problems += _narration_problems(scene, index, before.seconds)
            problems += _language_problems([scene], before.narration.language or language)
    if problems:
        raise AnswerRejected(problems)
    return _within_budget(written, budget, style=bool(picked.get("style")), prompted=_places(named))


_TEXTS: tuple[SceneField, ...] = ("narration", "image", "video")
_STAYS = frozenset({"speaker", "voice", "language", "speed", "seed"})  # their fields that are not text


def _changed(before: dict[str, Any], answer: dict[str, Any], fields: Sequence[SceneField]) -> dict[str, Any]:
    """Return a scene with these texts replaced by the answer's; a scene without narration stays without."""
    asked = [name for name in fields if before[name] is not None]
    scene = {name: value for name, value in before.items() if name not in asked}
    for name in asked:
        stays = {key: value for key, value in before[name].items() if key in _STAYS}
        if name in answer:
            part = answer[name]
            scene[name] = stays | part if isinstance(part, dict) else part
    return scene


def scene_prompt(
    storyboard: Storyboard, prompts: Prompts, budget: int, members: Sequence[CastMember] = ()
) -> str:
    """Return a scene's positive prompt with what its characters look like before it and the storyboard's
    style after it, within the budget. Looks and style take at most a third of it each; a clip's place in the
    shot (`clip_prompts`) also fits."""
    looks = looks_of(members, budget)
    left = budget - (estimate_tokens(looks) if looks else 0)
    style = fit(storyboard.style, max(SMALLEST_BUDGET, left // 3))
    prompt = fit(prompts.positive_prompt, max(SMALLEST_BUDGET, _prompt_tokens(style, left)))
    said = f"{looks} {prompt}" if looks else prompt
    return f"{closed(said)} {style}" if style else said


def _prompt_tokens(style: str, budget: int) -> int:
    return budget - PLACE_TOKENS - estimate_tokens(style) - 1  # for the full stop between them


# --- the form


def _picked(value: Any, schema: Schema) -> Any:
    """Return only the requested parts of an answer, each text on one line, because models add fields, line
    ends and spaces."""
    match schema["type"], value:
        case "object", dict():
            parts = schema["properties"]
            return {name: _picked(value[name], part) for name, part in parts.items() if name in value}
        case "array", list():
            return [_picked(item, schema["items"]) for item in value]
        case "string", str():
            return " ".join(value.split())
    return value


def _read(document: Any) -> Storyboard:
    try:
        storyboard = Storyboard.model_validate(document)
    except ValidationError as error:
        found = wrong_fields(Storyboard, error, "the storyboard")
        raise AnswerRejected([wrong.message for wrong in found]) from None
    return storyboard


# --- the question's own words in place of an answer

_ECHOED_WORDS = 5  # consecutive words of a description, which a text doesn't share with it by chance
_SHORTEST_ECHO = 3  # words of a text that is as a whole a part of a description
# What models fill in instead of an answer: a type, a field's name, a placeholder.
_FILLERS = frozenset(
    (
        *("string", "str", "text", "integer", "number", "boolean", "object", "array", "null", "undefined"),
        *("a string", "string value", "some text", "sample text", "example text", "your text here"),
        *("title", "style", "scene", "scenes", "narration", "image", "video", "prompt"),
        *("positive prompt", "negative prompt", "your title here", "film title", "placeholder"),
        *("todo", "tbd", "to be determined", "example", "value", "description"),
        *("lorem ipsum", "lorem ipsum dolor sit amet", "insert text here", "fill in"),
    )
)
# A text of nothing but such words is a form's, whatever their order. The first ones are said of no film; the
# second are common in what a picture must not show ("text, words").
_FORM_MARKS = frozenset(
    words(
        """string strings str integer boolean nil nan undefined placeholder insert goes here required
        optional maxlength minlength todo tbd above described untitled sample"""
    )
)
_FORM_WORDS = frozenset(
    words("title style scene narration image video prompt description narrator text words type example")
)
_FORM_LITTLE = frozenset(
    words(
        """a an the of and or as in is this to be your my see same write enter describe null number value
        positive negative film most max at less english"""
    )
)
_ABOUT_FORM = re.compile(
    r"\b(?:at most|up to|no more than|maximum(?: of)?|max\.?) \w+ (?:english )?(?:words|sentences)\b"
    r"|\benglish sentences?\b|\bseparated by commas\b|\bone or two sentences\b",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"\A\s*(?:<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}|[\"'.…?_*-]{2,}|[…?_]|%s|x{2,})\s*\Z")


def _echoes(answer: Any, schema: Schema, told: Sequence[str]) -> list[str]:
    """Return a problem for each text of an answer, as picked by its schema, that repeats the question instead
    of answering it. `told`: the client's own texts, of which the film may speak."""
    descriptions = [words(one) for one in _descriptions(schema)]
    grams = {gram for one in descriptions for gram in _grams(one)}
    own = " ".join(told)
    about_form_asked = bool(_ABOUT_FORM.search(own))
    own_words = f" {' '.join(words(own))} "

    def is_echo(path: str, text: str) -> bool:
        found = words(text)
        plain = " ".join(found)
        if _PLACEHOLDER.match(text):
            return True
        if plain in _FILLERS or _is_of_form(found, unwanted=path.endswith("negative_prompt")):
            return any(f" {word} " not in own_words for word in found)
        # A narrator may speak of words and sentences; a picture shows none.
        if "narration" not in path and not about_form_asked and _ABOUT_FORM.search(text):
            return True
        part = len(found) >= _SHORTEST_ECHO and any(f" {plain} " in f" {' '.join(d)} " for d in descriptions)
        return part or not grams.isdisjoint(_grams(found))

    return [
        f"{path} repeats the instruction instead of following it: write the text itself."
        for path, text in _strings(answer, "")
        if is_echo(path, text)
    ]


def _is_of_form(found: Sequence[str], *, unwanted: bool) -> bool:
    """Return whether words are only those of a form, as in "Insert the narration here". `unwanted`: they say
    what must not be seen, which may be text, or nothing."""
    if found[:2] == ["lorem", "ipsum"]:
        return True
    if not unwanted and found in (["none"], ["n", "a"]):
        return True
    told = _FORM_MARKS if unwanted else _FORM_MARKS | _FORM_WORDS
    known = _FORM_MARKS | _FORM_WORDS | _FORM_LITTLE
    return any(word in told for word in found) and all(word in known for word in found)


def _grams(found: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(found[i : i + _ECHOED_WORDS]) for i in range(len(found) - _ECHOED_WORDS + 1)}


def _not_given(answer: Any, given: Any) -> Any:
    """Return an answer without the parts that the client has given, which replace the answer's."""
    if isinstance(answer, dict):
        if given is not None and not isinstance(given, dict):
            return None
        return {name: _not_given(part, (given or {}).get(name)) for name, part in answer.items()}
    if isinstance(answer, list):
        parts = given if isinstance(given, list) else []
        return [_not_given(part, parts[i] if i < len(parts) else None) for i, part in enumerate(answer)]
    return answer if given is None else None


def _descriptions(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            yield schema["description"]
        for part in schema.values():
            yield from _descriptions(part)


def _strings(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Return each text that is not empty, with its path, for example `scenes[0].image.positive_prompt`."""
    if isinstance(value, str) and value.strip():
        yield path, value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _strings(part, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _strings(part, f"{path}[{index}]")


# --- the content

_QUOTED = re.compile(r"[“„«「『\"][^“”„«»「」『』\"]*[”“»」』\"]")


_Place = tuple[int, Literal["image", "video"]]  # locates a scene's prompts in a storyboard


def _places(indexes: Iterable[int]) -> list[_Place]:
    return [place for index in indexes for place in ((index, "image"), (index, "video"))]


def _prompts(storyboard: Storyboard, place: _Place) -> Prompts:
    index, name = place
    scene = storyboard.scenes[index]
    return scene.image if name == "image" else scene.video


def _prompt_given(brief: Brief, index: int, name: Literal["image", "video"]) -> bool:
    scene = brief.scene_given(index)
    prompts = scene.image if name == "image" else scene.video
    return prompts is not None and prompts.positive_prompt is not None


def _is_clients(prompt: str, told: list[str]) -> bool:
    """Return whether the client's text has that form too, or the prompt starts with the client's own words:
    then the film may show it."""
    begins = f" {' '.join(words(sentences(prompt)[0])[:3])} "
    return any(talks(text) or begins in f" {' '.join(words(text))} " for text in told)


def _narration_problems(scene: Scene, index: int, seconds: float | None) -> list[str]:
    path = f"scenes[{index}].narration"
    if scene.narration is None:
        return [f"{path} is required: an object with the text that the narrator says."]
    takes = seconds_to_narrate(scene.narration.text)
    if seconds is None or takes <= seconds:
        return []
    return [
        f"{path}.text takes about {takes:.1f} s with its pauses, {takes - seconds:.1f} s more than its scene "
        "lasts; "
        f"write at most {words_within(seconds)} words."
    ]


def _prompt_problems(storyboard: Storyboard, places: list[_Place], told: list[str]) -> list[str]:
    problems = []
    texts: dict[int, list[str]] = {}
    for place in places:
        index, name = place
        prompt = _prompts(storyboard, place).positive_prompt
        if (said := talks(prompt)) and not _is_clients(prompt, told):
            problems.append(f"scenes[{index}].{name}.positive_prompt must say what is seen. {said}")
        texts.setdefault(index, []).append(prompt)
    for index, prompts in texts.items():
        # Check them together: a picture's prompt may be a list of nouns, which has no clear language.
        if not _in_english(" ".join(prompts)):
            problems.append(f"scenes[{index}]: the positive prompts must be English sentences.")
    return problems


def _language_problems(scenes: list[Scene], language: str) -> list[str]:
    said = " ".join(scene.narration.text for scene in scenes if scene.narration)
    if may_be_in(said, language):
        return []
    if language.startswith("en"):
        return ["scenes: the narration must be in English."]
    return [f"scenes: the narration must be in the language {language}, not in English."]


def may_be_in(said: str, language: str) -> bool:
    """Return whether a narration may be in that language: in English, or in another one than English."""
    if language.startswith("en"):
        return _in_english(said, spoken=True)
    return not reads_as_english(_without_quotes(said), spoken=True)


# Shorter texts may have no function words that are only English, or few.
_FEWEST_WORDS, _FEW_WORDS = 8, 20


def _in_english(text: str, *, spoken: bool = False) -> bool:
    """Return whether the text may be English; quoted text may be in any language."""
    plain = _without_quotes(text)
    letters = [char for char in plain if char.isalpha()]
    if sum(char.isascii() for char in letters) < 0.9 * len(letters):
        return False
    found = words(plain)
    if len(found) < _FEW_WORDS:
        return len(found) < _FEWEST_WORDS or any(map(is_function_word, found))
    return reads_as_english(plain, spoken=spoken)


def _without_quotes(text: str) -> str:
    return _QUOTED.sub(" ", text)


def _all_text(storyboard: Storyboard) -> str:
    parts = [storyboard.title, storyboard.style]
    for scene in storyboard.scenes:
        parts += [scene.image.positive_prompt, scene.video.positive_prompt]
        parts += [scene.narration.text] if scene.narration else []
    return " ".join(parts)


# --- the budget


def _within_budget(storyboard: Storyboard, budget: int, *, style: bool, prompted: list[_Place]) -> Accepted:
    """Shorten those prompts, and the style if the model wrote it, to the budget."""
    shortened = []
    look = fit(storyboard.style, budget // 3)
    if style and look != storyboard.style:
        shortened.append("style")
        storyboard = storyboard.model_copy(update={"style": look})
    scenes = list(storyboard.scenes)
    for index, name in prompted:
        prompts = _prompts(storyboard, (index, name))
        prompt = fit(prompts.positive_prompt, _prompt_tokens(look, budget))
        if prompt != prompts.positive_prompt:
            shortened.append(f"scenes[{index}].{name}.positive_prompt")
            shorter = prompts.model_copy(update={"positive_prompt": prompt})
            scenes[index] = scenes[index].model_copy(update={name: shorter})
    note = f"Shortened to the engine's {budget} tokens: {', '.join(shortened)}." if shortened else None
    return Accepted(storyboard.model_copy(update={"scenes": scenes}), note)
