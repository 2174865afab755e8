"""Read the reason for a failed clip from what the engine or its endpoint reports."""

import json
import re
from typing import Any

from lambdas.domain.errors import EngineBroken, EngineFailed, EngineRejected

# Codes of the engine contract (tests/contracts/): the one of a 4xx, and that of what must be repaired first.
_REFUSED, _BROKEN = "invalid_request", "broken"
_CLIENT_ERROR = re.compile(r"client error \(4\d\d\)", re.IGNORECASE)  # SageMaker's wording for a 4xx


def engine_failure(*texts: str) -> EngineRejected | EngineBroken | EngineFailed:
    """Return the error of a failed inference, read from the failure object and the notice's reason; the first
    text that contains an engine's error document counts."""
    documents = (_error_document(text) for text in texts)
    document = next(filter(None, documents), None)
    if document is not None:
        message = str(document.get("message") or document)
        if document.get("code") == _REFUSED:
            return EngineRejected(message)
        return EngineBroken(message) if document.get("code") == _BROKEN else EngineFailed(message)
    message = next(filter(None, (text.strip() for text in texts)), "the endpoint gave no reason")
    return EngineRejected(message) if any(map(_CLIENT_ERROR.search, texts)) else EngineFailed(message)


def took_too_long() -> EngineFailed:
    return EngineFailed(
        "The engine worked on the clip for longer than it may.",
        advice="Make the clip shorter or smaller, or raise invocation_seconds in the settings.",
    )


def _error_document(text: str) -> dict[str, Any] | None:
    """Return the engine's `{"error": {…}}` from a text that may contain more, as SageMaker's reasons do."""
    decoder = json.JSONDecoder()
    for brace in re.finditer(r"\{", text):
        try:
            value, _ = decoder.raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(error := value.get("error"), dict):
            return error
    return None
