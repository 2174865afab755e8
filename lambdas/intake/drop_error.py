"""Error files, which say why a dropped object has no film. Each is stored next to where the film would be."""

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.documents import Document


class DropError(Document):
    object: str  # key of the dropped object
    code: str
    reason: str  # what is wrong and what is allowed
    field: str | None = None  # the request's wrong field, if any


def write_drop_error(outputs: Objects, error: DropError) -> None:
    body = error.model_dump_json(indent=2).encode()
    outputs.put(keys.drop_result(error.object, "error.json"), body, "application/json")


def clear_drop_error(outputs: Objects, key: str) -> None:
    """Delete the error file of an object that was refused before and is accepted now."""
    outputs.delete(keys.drop_result(key, "error.json"))
