"""`reel show --quality`: what it prints of a film's report."""

import json
from pathlib import Path
from typing import Any, cast

import pytest

from lambdas.domain.quality import ClipMeasures, report
from reelworks.cli.quality import show_quality
from reelworks.client import Client
from tests.factories import a_plan, a_video


class OneFilm:
    """A client whose film was black in its first clip."""

    def download(self, video_id: str, path: Path, *, variant: str) -> None:
        assert (video_id, variant) == ("video_1", "quality")
        plan = a_plan(a_video(), ["A bee", "A bee", "A bee"])
        clips = [ClipMeasures(seconds=6, high=200, black=((1, 4),)), *[None] * (len(plan.clips) - 1)]
        path.write_text(report(plan, clips, None, ()).model_dump_json(exclude_none=True))


def test_the_report_is_a_table_with_places(capsys: pytest.CaptureFixture[str]) -> None:
    show_quality(cast(Client, OneFilm()), "video_1", as_json=False)
    printed = " ".join(capsys.readouterr().out.split())
    assert "black for 3.0 s" in printed
    assert "1 of 13 checks warn." in printed


def test_the_report_is_json_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    show_quality(cast(Client, OneFilm()), "video_1", as_json=True)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (found["status"], found["warnings"]) == ("warn", 1)
    assert found["checks"][0]["found"][0]["start"] == 1
