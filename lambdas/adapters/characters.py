"""A tenant's characters, in S3: a document and a picture each, and how text models describe the pictures.

A character's id follows from its name, so one conditional write keeps names unique, and finds a name without
an index (docs/decisions/0046-characters.md).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple

from lambdas.adapters.clients import AT_ONCE
from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.characters import CastMember, Character, Description
from lambdas.domain.documents import fingerprint
from lambdas.domain.errors import ArtifactMissing

_SHOWN = 1  # increment when the text model is asked in another way


class Entry(NamedTuple):
    """A character in the list, by when its document was written, to the second."""

    created: datetime
    id: str


class Characters:
    def __init__(self, inputs: Objects) -> None:
        self._inputs = inputs

    def find(self, tenant: str, id_: str) -> Character | None:
        try:
            return Character.model_validate_json(self._inputs.get(keys.character(tenant, id_)))
        except ArtifactMissing:
            return None

    def create(self, tenant: str, character: Character, picture: bytes) -> Character:
        """Store a character unless its id is taken. Return the one that is stored."""
        self._inputs.put(character.image.key, picture, "image/jpeg")  # first: the document references it
        document = character.model_dump_json().encode()
        while not self._inputs.put_new(keys.character(tenant, character.id), document, "application/json"):
            if found := self.find(tenant, character.id):
                if found.image.key != character.image.key:  # another's create came first
                    self._inputs.delete(character.image.key)
                return found
        return character

    def listed(self, tenant: str) -> list[Entry]:
        """Return a tenant's characters, oldest first."""
        found = self._inputs.list_written(keys.characters(tenant))
        return sorted(
            Entry(written, key.rpartition("/")[2].removesuffix(".json"))
            for key, written in found
            if key.endswith(".json")
        )

    def read(self, tenant: str, ids: list[str]) -> list[Character]:
        """Return these characters; one that was deleted meanwhile is left out."""
        with ThreadPoolExecutor(AT_ONCE) as readers:
            found = readers.map(lambda id_: self.find(tenant, id_), ids)
            return [one for one in found if one is not None]

    def delete(self, tenant: str, character: Character) -> None:
        """Delete a character, its document last, so that a deletion that is cut off can be repeated."""
        self._inputs.delete_all(keys.descriptions(tenant, character.id))
        self._inputs.delete_all(keys.character_pictures(tenant, character.id))
        self._inputs.delete(keys.character(tenant, character.id))

    # --- descriptions

    def described(self, tenant: str, member: CastMember) -> Description | None:
        """Return how a text model described the character in this picture, if one has."""
        try:
            return Description.model_validate_json(self._inputs.get(_seen(tenant, member)))
        except ArtifactMissing:
            return None

    def describe(self, tenant: str, member: CastMember, write: Callable[[], Description]) -> Description:
        """Return `described`, or what `write` writes now, which is kept if it has a text: of two films that
        ask at the same time, both get the first."""
        if found := self.described(tenant, member):
            return found.model_copy(update={"cost": 0.0})
        written = write()
        if written.text and not self._inputs.put_new(
            _seen(tenant, member), written.model_dump_json().encode(), "application/json"
        ):
            kept = self.described(tenant, member) or written
            return kept.model_copy(update={"cost": written.cost})
        return written


def _seen(tenant: str, member: CastMember) -> str:
    return keys.description(tenant, member.id, fingerprint([_SHOWN, member.name, member.image.sha256]))
