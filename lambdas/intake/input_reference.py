"""The image of a request where it is no file: {"image_url": "data:image/png;base64,…"}, or that as text."""

import base64
import binascii
import json
import re
from typing import Any

from lambdas.domain.errors import InvalidRequest
from lambdas.intake.fields import INPUT_REFERENCE

_ALLOWED = 'a file, or {"image_url": "data:image/png;base64,…"} with a PNG, JPEG or WebP image'
_DATA_URL = re.compile(r"data:image/(?:png|jpeg|jpg|webp);base64,", re.IGNORECASE)


def image_of(reference: Any) -> bytes:
    """The bytes of the data URL. Nothing is fetched: any other URL, or a file_id, is refused.

    Raises InvalidRequest.
    """
    if isinstance(reference, str):  # a form has no objects
        try:
            reference = json.loads(reference)
        except (ValueError, RecursionError) as error:
            raise _refused("text was given") from error
    if not isinstance(reference, dict) or set(reference) != {"image_url"}:
        raise _refused("something else was given")
    url = reference["image_url"]
    start = _DATA_URL.match(url) if isinstance(url, str) else None
    if start is None:
        raise _refused("another kind of image_url was given")
    try:
        return base64.b64decode(url[start.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused("its base64 is malformed") from error


def _refused(but: str) -> InvalidRequest:
    return InvalidRequest(f"{INPUT_REFERENCE} must be {_ALLOWED}; {but}.", param=INPUT_REFERENCE)
