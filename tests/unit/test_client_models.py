"""The client's models and the API's document."""

import os
from pathlib import Path

from tests.client_models import written

MODELS = Path(__file__).parents[2] / "reelworks/client/models.py"


def test_the_models_are_those_of_the_document() -> None:
    """`UPDATE_SNAPSHOTS=1` writes them anew."""
    if os.environ.get("UPDATE_SNAPSHOTS"):
        MODELS.write_text(written(), encoding="utf-8")
    assert MODELS.read_text("utf-8") == written(), "run this test with UPDATE_SNAPSHOTS=1"
