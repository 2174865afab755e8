"""The templates as they were last looked at.

A change of the CDK app that is meant: `UPDATE_SNAPSHOTS=1 python -m pytest tests/template/test_snapshots.py`,
then read the difference before committing it.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.mark.parametrize("stack", ["Pipeline", "Engines", "Operations"])
def test_the_template_is_as_it_was(templates: dict[str, dict[str, Any]], stack: str) -> None:
    found = _normal(templates[stack])
    path = SNAPSHOTS / f"{stack.lower()}.json"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(path.read_text())


def _normal(template: dict[str, Any]) -> dict[str, Any]:
    """Without what changes with the functions' and the engines' code, or with the state machine's text,
    which lies beside its own tests."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", json.dumps(template))
    normal: dict[str, Any] = json.loads(text)
    for resource in normal["Resources"].values():
        resource["Properties"].pop("DefinitionString", None)
    return normal
