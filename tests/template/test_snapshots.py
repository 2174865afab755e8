"""Snapshots of the templates.

After an intended change of the CDK app, run
`UPDATE_SNAPSHOTS=1 python -m pytest tests/template/test_snapshots.py` and read the diff before committing it.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize("stack", ["Pipeline", "Image", "Engines", "Operations"])
def test_the_template_matches_its_snapshot(templates: dict[str, dict[str, Any]], stack: str) -> None:
    found = _normal(templates[stack])
    path = SNAPSHOTS / f"{stack.lower()}.json"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(path.read_text())


def _normal(template: dict[str, Any]) -> dict[str, Any]:
    """Remove what changes with the code of functions and engines, and the state machine's definition, which
    has its own tests."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", json.dumps(template))
    normal: dict[str, Any] = json.loads(text)
    for resource in normal["Resources"].values():
        resource["Properties"].pop("DefinitionString", None)
    return normal
