"""Count how often the function began to read a dropped object's files, so that a file that ends the function
(out of memory, a crash in a decoder) is refused and not tried forever.

The count lies beside the object's result while its files are read.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from lambdas.adapters.objects import Objects
from lambdas.domain import keys
from lambdas.domain.documents import Document
from lambdas.domain.errors import ArtifactMissing, InvalidRequest

MOST = 3


class _Attempts(Document):
    etag: str  # of the object
    count: int


@contextmanager
def attempt(outputs: Objects, key: str, etag: str) -> Iterator[None]:
    """Read the files of this version of an object in the block.

    Raises InvalidRequest if the function ended MOST times while it did so.
    """
    counted = keys.drop_result(key, "attempts.json")
    count = _count(outputs, counted, etag)
    if count >= MOST:
        outputs.delete(counted)
        raise InvalidRequest(
            f"The files of this request can't be used: reading them ended the function {MOST} times, for "
            "example because it ran out of memory. Convert them, or make them smaller, and drop them under a "
            "new name.",
            param="object",
        )
    body = _Attempts(etag=etag, count=count + 1).model_dump_json().encode()
    outputs.put(counted, body, "application/json")
    try:
        yield
    finally:
        outputs.delete(counted)


def _count(outputs: Objects, counted: str, etag: str) -> int:
    try:
        attempts = _Attempts.model_validate_json(outputs.get(counted))
    except ArtifactMissing:
        return 0
    return attempts.count if attempts.etag == etag else 0
