"""The file that says why a dropped object has no film; it lies where the film would."""

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.documents import Document


class DropError(Document):
    object: str  # key of the dropped object
    code: str
    reason: str  # what is wrong and what is allowed
    field: str | None = None  # of the request, where one is to blame


def write_drop_error(outputs: Objects, error: DropError) -> None:
    body = error.model_dump_json(indent=2).encode()
    outputs.put(keys.drop_result(error.object, "error.json"), body, "application/json")


def clear_drop_error(outputs: Objects, key: str) -> None:
    """For an object that is taken now, after it was refused before."""
    outputs.delete(keys.drop_result(key, "error.json"))
