"""What servers say about a request that they refuse, in the forms that they have for it."""

import json
from typing import Any

_MOST_PARTS = 20  # of a list of complaints


def complaint(document: Any, text: str) -> tuple[str, frozenset[str]]:
    """Return what an error says and the fields that it names. `document`: its JSON; None if it is only text.

    Servers put it under `error` (an object or a text), `message` or `detail` (FastAPI: a text, or a list of
    complaints with the field's `loc`), one in another (Mistral), or in a list (Gemini).
    """
    said = document
    fields: set[str] = set()
    if isinstance(said, list) and said and isinstance(said[0], dict) and "error" in said[0]:
        said = said[0]
    while isinstance(said, dict):
        if isinstance(said.get("param"), str):
            fields.add(said["param"])
        said_at = [name for name in ("error", "detail", "message") if said.get(name)]
        if said_at[:1] == ["error"] and isinstance(said["error"], str):
            said_at.reverse()  # beside a message, a text under `error` is a code
        inner = said[said_at[0]] if said_at else None
        if inner is None:
            break
        said = inner
    if isinstance(said, list):
        told = []
        for one in said[:_MOST_PARTS]:
            where = one.get("loc") if isinstance(one, dict) else None
            path = ".".join(str(part) for part in where if part != "body") if isinstance(where, list) else ""
            fields |= {path} if path else set()
            message = one.get("msg") if isinstance(one, dict) else one
            told.append(f"{path}: {message}" if path else str(message))
        said = "; ".join(told)
    if not isinstance(said, str):
        said = text if document is None else json.dumps(said, ensure_ascii=False)
    return " ".join(said.split()), frozenset(fields)
