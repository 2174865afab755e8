"""Characters: subjects that look the same in every scene and film that names them.

A tenant's character has a name of its own, so a text names it as @name. Where a request enters, each @name
becomes the name, and the request takes a copy of the character: a film never changes with a character that is
deleted or made anew later.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TypeVar

from lambdas.domain.documents import Document, fingerprint
from lambdas.domain.prompts import PLACE_TOKENS, SMALLEST_BUDGET, closed, estimate_tokens, fit
from lambdas.domain.sentences import sentences
from lambdas.domain.storyboard import Narration, PartialNarration

LONGEST_NAME = 80  # characters
LONGEST_DESCRIPTION = 1_000  # characters
MOST_CHARACTERS = 100  # of a tenant
LARGEST_CAST = 10  # characters of a film


CHARACTER_ID = re.compile("char_[0-9a-f]{32}")


class Image(Document):
    """A picture in the input bucket under `key`; sizes in pixels."""

    key: str
    sha256: str
    width: int
    height: int


class Role(Document):
    """A character as a request took it. `description` is the user's own, or empty. `voice` says what it
    speaks. `everywhere`: if no scene names it, it appears in all, since the film as a whole was asked for
    with it."""

    id: str
    name: str
    description: str = ""
    voice: str | None = None
    image: Image
    everywhere: bool = False

    @property
    def role(self) -> "Role":
        return Role.model_validate(self.model_dump(include=set(Role.model_fields)))


class Character(Role):
    """A tenant's character. `source`: SHA-256 of the picture or clip that it was made from."""

    source: str
    created_ms: int


class Description(Document):
    """How a text model that saw the picture describes a character. `text` empty: it could not, and `note`
    says why."""

    text: str
    by: str | None = None
    note: str | None = None
    cost: float | None = 0.0  # USD


class CastMember(Role):
    """A character of a film, and in which scenes it appears once the film is planned."""

    described: Description | None = None
    scenes: tuple[int, ...] | None = None

    @property
    def looks(self) -> str:
        """What prompts say about it besides its name; may be empty."""
        return self.description or (self.described.text if self.described else "")

    @property
    def appearance(self) -> "Appearance":
        return Appearance(
            id=self.id, name=self.name, sha256=fingerprint([self.name, self.looks, self.image.sha256])
        )


class Appearance(Document):
    """A character in a planned scene. `sha256`: of everything that determines how it looks."""

    id: str
    name: str
    sha256: str


# --- names

_JOINERS = "\u200c\u200d"  # within words of some scripts
_MENTION_AT = re.compile(r"(?<![\w@./+-])@")


def handle(name: str) -> str:
    """Return a name as an @name has it, without the @: small letters and digits, joined by hyphens. Names
    that differ only in case, spaces or marks share it. Empty if the name has neither letters nor digits."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    letters = (char if _is_of_word(char) else "-" for char in plain if char not in _JOINERS)
    return re.sub("-+", "-", "".join(letters)).strip("-")


def character_id(tenant: str, name: str) -> str:
    """Return the id of the tenant's character of that name, or of that @name."""
    return "char_" + fingerprint(["character", tenant, handle(name)])[:32]


def mentions(text: str) -> list[tuple[int, int, str]]:
    """Return where the text has an @name, each as start, end and the name without the @."""
    found = []
    for at in _MENTION_AT.finditer(text):
        end = at.end()
        while end < len(text) and (_is_of_word(text[end]) or text[end] in f"-_{_JOINERS}"):
            end += 1
        while end > at.end() and text[end - 1] in "-_":  # a dash after it is not part of it
            end -= 1
        if handle(text[at.end() : end]):
            found.append((at.start(), end, text[at.end() : end]))
    return found


def _is_of_word(char: str) -> bool:
    return unicodedata.category(char)[0] in "LMN"


# --- who is in a scene, and who speaks

_Member = TypeVar("_Member", bound=Role)


def named_in(text: str, cast: Iterable[_Member]) -> list[_Member]:
    """Return who is named in the text, in the order of their names in it. A name counts as it is written,
    as a whole word."""
    places = ((re.search(rf"(?<!\w){re.escape(one.name)}(?!\w)", text), one) for one in cast)
    return [one for found, one in sorted(((f.start(), o) for f, o in places if f), key=lambda pair: pair[0])]


def appearing(cast: Sequence[_Member], texts: Sequence[str]) -> list[list[_Member]]:
    """Return who appears in each scene, from the scenes' texts: who is named in it, and after them those
    `everywhere` who are named in no scene."""
    named = [named_in(text, cast) for text in texts]
    anywhere = {one.id for scene in named for one in scene}
    others = [one for one in cast if one.everywhere and one.id not in anywhere]
    return [[*scene, *others] for scene in named]


def voice_of(narration: Narration | PartialNarration | None, cast: Iterable[Role]) -> str | None:
    """Return the voice that a scene's narration asks for: its own, else its speaker's."""
    if narration is None:
        return None
    speaker = next((one for one in cast if one.name == narration.speaker), None)
    return narration.voice or (speaker.voice if speaker else None)


def opening(members: Sequence[_Member], prompt: str, *, needed: bool = False) -> _Member | None:
    """Return the character that a scene begins with: the first that its first sentence names; if the prompt
    names none at all, the first of the scene. `needed`: the first of the scene otherwise, too."""
    first = named_in((sentences(prompt) or [""])[0], members)
    if first:
        return first[0]
    return members[0] if members and (needed or not named_in(prompt, members)) else None


# --- prompts


def looks_of(members: Sequence[CastMember], budget: int) -> str:
    """Return what a prompt of `budget` tokens says about its characters, in at most a third of them. It has
    room for some descriptions only; the others are then left to their names."""
    room = max(SMALLEST_BUDGET, budget // 3)
    shown = [one for one in members if one.looks][: max(1, room // SMALLEST_BUDGET)]
    return " ".join(
        closed(fit(f"{one.name}: {one.looks}", max(SMALLEST_BUDGET, room // len(shown)))) for one in shown
    )


def characters_json(cast: Iterable[CastMember]) -> str:
    """Return what a text model is told about characters, as JSON; empty if there are none."""
    told = [{"name": one.name, "looks": one.looks} for one in cast]
    return json.dumps(told, ensure_ascii=False) if told else ""


def with_looks(prompt: str, members: Sequence[CastMember], budget: int) -> str:
    """Return a prompt preceded by what its characters look like, so that it still fits the budget with a
    clip's place in the shot."""
    looks = looks_of(members, budget)
    if not looks:
        return prompt
    room = budget - PLACE_TOKENS - estimate_tokens(looks)
    return f"{looks} {fit(prompt, max(SMALLEST_BUDGET, room))}"
