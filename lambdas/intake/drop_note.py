"""Note files, which say what may be wrong with a dropped object although it is no error."""

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.documents import Document


class DropNote(Document):
    object: str  # key of the dropped object
    note: str


def write_drop_note(outputs: Objects, key: str, note: str) -> None:
    body = DropNote(object=key, note=note).model_dump_json(indent=2).encode()
    outputs.put(keys.drop_result(key, "note.json"), body, "application/json")


def clear_drop_note(outputs: Objects, key: str) -> None:
    """Delete the note of an object for which it no longer holds."""
    outputs.delete(keys.drop_result(key, "note.json"))
