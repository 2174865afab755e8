"""The base class of all documents, and the limits that several of them share."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

LONGEST_FILM = 3_600  # seconds
LONGEST_PROMPT = 2_000  # characters


class Document(BaseModel):
    """A frozen document that one component sends to the next; unknown fields are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def fingerprint(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON value in canonical form."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def json_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in a text; an empty one if it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
