"""What a person reads in a terminal."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from reelworks.progress import (
    describe,
    failure_text,
    log_line,
    makers,
    storyboard_table,
    videos_table,
)

VIDEO = {"id": "video_" + "0" * 32, "seconds": "300", "model": "cogvideox-1.5-5b-i2v"}
RENDERING = {"stage": "rendering", "status": "in_progress", "progress": 22}


def printed(width: int, *videos: dict[str, Any]) -> list[str]:
    return lines_of(videos_table(list(videos)), width)


def lines_of(table: Table, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("prompt", ["a [/b] bee", "a [red]bee[/red]", "a\nbee \\[x]"])
def test_a_prompt_is_printed_as_it_is_on_one_line(prompt: str) -> None:
    _, line = printed(200, VIDEO | RENDERING | {"prompt": prompt})
    assert line.rstrip().endswith(prompt.replace("\n", " "))


def test_id_stage_and_seconds_are_whole_in_80_columns() -> None:
    lines = printed(80, VIDEO | RENDERING | {"prompt": "A bee on a flower " * 20})
    assert len(lines) == 2
    assert f"{VIDEO['id']}  rendering 22 %  300   cogvideox" in lines[1]
    assert len(lines[1]) <= 80


def test_a_log_line_is_the_event_and_what_belongs_to_it() -> None:
    message = {"level": "INFO", "message": "video planned", "clips": 3, "service": "reelworks", "code": None}
    assert log_line(message) == "video planned clips=3"
    assert log_line(message | {"level": "ERROR"}) == "ERROR: video planned clips=3"
    assert log_line("START RequestId: 1") == "START RequestId: 1"


DONE, WAITING = {"state": "done", "by": "Joanna"}, {"state": "waiting", "by": None}


@pytest.mark.parametrize(
    ("narrations", "stills", "words"),
    [
        ([DONE, WAITING], [WAITING, WAITING], "speaking and drawing: 1 of 4"),
        ([DONE, WAITING], [], "speaking: 1 of 2"),
        ([], [DONE, DONE], "drawing: 2 of 2"),
        ([], [], "speaking and drawing"),
    ],
)
def test_voices_and_stills_are_counted(narrations: Any, stills: Any, words: str) -> None:
    assert describe({"stage": "preparing", "clips": [], "narrations": narrations, "stills": stills}) == words


def test_who_wrote_spoke_and_drew() -> None:
    video = {
        "storyboard": {"by": None, "note": "Two words less."},
        "narrations": [DONE, DONE, WAITING],
        "stills": [],
    }
    lines = ["storyboard by: you", "storyboard note: Two words less.", "narrated by: Joanna"]
    assert makers(video) == lines
    assert makers({"storyboard": None, "narrations": [], "stills": []}) == []


def test_a_failure_names_its_scene_and_clip_as_people_count() -> None:
    failure = {"step": "narrate", "scene": 1, "clip": None, "reason": "No such voice.", "advice": "Another."}
    assert failure_text({"failure": failure}) == "narrate, scene 2: No such voice.\nAnother."
    assert failure_text({"failure": failure | {"clip": 0}}).startswith("narrate, scene 2, clip 1: ")


def test_a_storyboard_is_shown_scene_by_scene() -> None:
    storyboard = {
        "title": "The [kite]",
        "style": "Watercolour.",
        "scenes": [
            {
                "narration": {"text": "A [kite] rises."},
                "image": {"positive_prompt": "A kite.", "negative_prompt": "rain"},
                "video": {"positive_prompt": "It rises.", "negative_prompt": ""},
                "seconds": 2.5,
            },
            {
                "narration": None,
                "image": {"positive_prompt": "A field.", "negative_prompt": ""},
                "video": {"positive_prompt": "Grass moves.", "negative_prompt": ""},
                "seconds": None,
            },
        ],
    }
    shown = "\n".join(lines_of(storyboard_table(storyboard), 120))
    for text in ("The [kite]: Watercolour.", "2.5", "A [kite] rises.", "not: rain", "Grass moves."):
        assert text in shown
