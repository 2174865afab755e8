"""What a person reads in a terminal."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from reelworks.progress import log_line, videos_table

VIDEO = {"id": "video_" + "0" * 32, "seconds": "300", "model": "cogvideox-1.5-5b-i2v"}
RENDERING = {"stage": "rendering", "status": "in_progress", "progress": 22}


def printed(width: int, *videos: dict[str, Any]) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(videos_table(list(videos)))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("prompt", ["a [/b] bee", "a [red]bee[/red]", "a\nbee \\[x]"])
def test_a_prompt_is_printed_as_it_is_on_one_line(prompt: str) -> None:
    _, line = printed(200, VIDEO | RENDERING | {"prompt": prompt})
    assert line.rstrip().endswith(prompt.replace("\n", " "))


def test_id_stage_and_seconds_are_whole_in_80_columns() -> None:
    lines = printed(80, VIDEO | RENDERING | {"prompt": "A bee on a flower " * 20})
    assert len(lines) == 2
    assert f"{VIDEO['id']}  rendering 22 %  300  cogvideox" in lines[1]
    assert len(lines[1]) <= 80


def test_a_log_line_is_the_event_and_what_belongs_to_it() -> None:
    message = {"level": "INFO", "message": "video planned", "clips": 3, "service": "reelworks", "code": None}
    assert log_line(message) == "video planned clips=3"
    assert log_line(message | {"level": "ERROR"}) == "ERROR: video planned clips=3"
    assert log_line("START RequestId: 1") == "START RequestId: 1"
