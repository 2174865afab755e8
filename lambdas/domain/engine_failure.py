"""What an engine or its endpoint said of a clip that it did not make."""

import json
import re
from typing import Any

from lambdas.domain.errors import EngineFailed, EngineRejected

_REFUSED = "invalid_request"  # the one code of an engine's 4xx (tests/contracts/)
_CLIENT_ERROR = re.compile(r"client error \(4\d\d\)", re.IGNORECASE)  # SageMaker's words for a 4xx


def engine_failure(*texts: str) -> EngineRejected | EngineFailed:
    """The error that a failed inference stands for, read from the failure object and from the notice's
    reason, of which the first that holds an engine's error document counts."""
    documents = (_error_document(text) for text in texts)
    document = next(filter(None, documents), None)
    if document is not None:
        message = str(document.get("message") or document)
        if document.get("code") == _REFUSED:
            return EngineRejected(message)
        return EngineFailed(message)
    message = next(filter(None, (text.strip() for text in texts)), "the endpoint gave no reason")
    return EngineRejected(message) if any(map(_CLIENT_ERROR.search, texts)) else EngineFailed(message)


def expired() -> EngineFailed:
    return EngineFailed(
        "The request waited or ran longer at the endpoint than it may.",
        advice="Let the engine's endpoint have more instances, or allow requests more time in the settings.",
    )


def _error_document(text: str) -> dict[str, Any] | None:
    """The engine's `{"error": {…}}` in a text that may have more around it, as SageMaker's reasons do."""
    decoder = json.JSONDecoder()
    for brace in re.finditer(r"\{", text):
        try:
            value, _ = decoder.raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            continue
        error = value.get("error")
        return error if isinstance(error, dict) else None
    return None
