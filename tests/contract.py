"""The documents of the engine contract, tests/contracts/."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "contracts"


def document(name: str) -> Any:
    """Load the document `name` (without .json)."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def bad_requests(kind: str) -> list[tuple[str, dict[str, Any], str]]:
    """Return (reason, request, param) for each invalid request of a kind (text, image, video)."""
    return [
        (entry["why"], _changed(document(f"clip_request.{kind}"), entry), entry["param"])
        for entry in document("clip_request.bad")
        if entry["request"] == kind
    ]


def _changed(request: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in request.items() if name not in entry.get("remove", [])}
    return kept | entry["patch"]
