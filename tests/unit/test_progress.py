"""Progress output in a terminal."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from reelworks.cli.progress import (
    details,
    edited_lines,
    film_lines,
    log_line,
    makers,
    stage_seconds,
    storyboard_table,
    videos_table,
    waiting_lines,
)
from reelworks.client.models import Storyboard, Video
from reelworks.video_words import describe, failure_text, tried_again

VIDEO = {"id": "video_" + "0" * 32, "seconds": "300", "model": "cogvideox-1.5-5b-i2v"}


def video_of(document: dict[str, Any]) -> Video:
    return Video.model_validate({"id": "video_1", **document})


RENDERING = {"stage": "rendering", "status": "in_progress", "progress": 22}


def printed(width: int, *videos: dict[str, Any]) -> list[str]:
    return lines_of(videos_table([video_of(video) for video in videos]), width)


def lines_of(table: Table, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("prompt", ["a [/b] bee", "a [red]bee[/red]", "a\nbee \\[x]"])
def test_a_prompt_is_printed_unchanged_on_one_line(prompt: str) -> None:
    _, line = printed(200, VIDEO | RENDERING | {"prompt": prompt})
    assert line.rstrip().endswith(prompt.replace("\n", " "))


def test_id_stage_and_seconds_fit_80_columns() -> None:
    lines = printed(80, VIDEO | RENDERING | {"prompt": "A bee on a flower " * 20})
    assert len(lines) == 2
    assert f"{VIDEO['id']}  rendering 22 %  300   cogvideox" in lines[1]
    assert len(lines[1]) <= 80


def test_a_log_line_has_the_event_and_its_fields() -> None:
    message = {"level": "INFO", "message": "video planned", "clips": 3, "service": "reelworks", "code": None}
    assert log_line(message) == "video planned clips=3"
    assert log_line(message | {"level": "ERROR"}) == "ERROR: video planned clips=3"
    assert log_line("START RequestId: 1") == "START RequestId: 1"


def test_clips_in_progress_are_listed_if_there_are_few() -> None:
    def of(count: int) -> str:
        clips = [{"state": "done"}, *({"state": "rendering"} for _ in range(count))]
        return describe(video_of({"stage": "rendering", "clips": clips}))

    assert of(2) == "rendering clips 2, 3 of 3"
    assert of(12) == "rendering clips: 1 of 13 done"


DONE, WAITING = {"state": "done", "by": "Joanna"}, {"state": "waiting", "by": None}


@pytest.mark.parametrize(
    ("narrations", "stills", "words"),
    [
        ([DONE, WAITING], [WAITING, WAITING], "generating voices and stills: 1 of 4"),
        ([DONE, WAITING], [], "generating voices: 1 of 2"),
        ([], [DONE, DONE], "generating stills: 2 of 2"),
        ([], [], "generating voices and stills"),
    ],
)
def test_voices_and_stills_are_counted(narrations: Any, stills: Any, words: str) -> None:
    video = {"stage": "preparing", "clips": [], "narrations": narrations, "stills": stills}
    assert describe(video_of(video)) == words


def test_writer_voice_and_image_model_are_shown() -> None:
    video = {
        "storyboard": {"by": None, "note": "Two words less."},
        "narrations": [DONE, DONE, WAITING],
        "stills": [],
    }
    lines = ["storyboard by: you", "storyboard note: Two words less.", "narrated by: Joanna"]
    assert makers(video_of(video)) == lines
    assert makers(video_of({"storyboard": None, "narrations": [], "stills": []})) == []


def test_a_failure_counts_scenes_and_clips_from_one() -> None:
    failure = {"step": "narrate", "scene": 1, "clip": None, "reason": "No such voice.", "advice": "Another."}
    assert failure_text(video_of({"failure": failure})) == "narrate, scene 2: No such voice.\nAnother."
    assert failure_text(video_of({"failure": failure | {"clip": 0}})).startswith("narrate, scene 2, clip 1: ")


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
    shown = "\n".join(lines_of(storyboard_table(Storyboard.model_validate(storyboard)), 120))
    for text in ("The [kite]: Watercolour.", "2.5", "A [kite] rises.", "not: rain", "Grass moves."):
        assert text in shown


def entered(*stages: tuple[str, int]) -> Video:
    return video_of({"stages": [{"stage": stage, "at_ms": at * 1000} for stage, at in stages]})


def test_a_stage_s_time_is_the_sum_over_all_attempts() -> None:
    video = entered(
        ("queued", 0),
        ("rendering", 2),
        ("completed", 7),
        ("queued", 1000),
        ("reviewing", 1001),
        ("rendering", 1011),
        ("rendering", 1012),
        ("failed", 1014),
    )
    assert stage_seconds(video) == {"queued": 3.0, "rendering": 8.0, "reviewing": 10.0}


REVIEWING = {
    "id": "video_1",
    "status": "in_progress",
    "stage": "reviewing",
    "review": {"gate": "storyboard", "until": 1_800_000_000},
    "enhance": {"prompt": None, "by": None, "note": None},
    "clips": [],
    "stages": [],
}


def test_the_gate_a_film_waits_at_is_shown() -> None:
    assert describe(video_of(REVIEWING)) == "waiting for you: the storyboard is ready"
    assert dict(details(video_of(REVIEWING)))["waiting for you"].startswith("storyboard, until 2027-01-")
    assert "  reel approve video_1" in waiting_lines(video_of(REVIEWING))


def test_only_existing_parts_can_be_regenerated() -> None:
    previews = REVIEWING | {"review": REVIEWING["review"] | {"gate": "previews"}, "stills": []}
    lines = waiting_lines(video_of(previews | {"narrations": [{"scene": 1}, {"scene": 2}]}))
    assert "  reel regenerate video_1 2 voice --speed 0.9" in lines
    assert not [line for line in lines if " still " in line]


def test_each_artifact_is_shown_as_reused_or_with_its_time() -> None:
    made = {"state": "done", "reused": False, "by": "Joe", "took": 3.25, "cost": 0.0123, "scene": 0}
    free = made | {"cost": 0.0, "scene": 1}
    waiting = made | {"state": "waiting", "took": None, "cost": None, "scene": 1}
    video = REVIEWING | {
        "stage": "completed",
        "status": "completed",
        "attempt": 2,
        "cost": 1.5,
        "storyboard": {"by": "director", "note": None, "filmed": False},
        "narrations": [made, free],
        "stills": [made | {"reused": True, "cost": 0.0}, waiting],
        "clips": [made | {"seconds": 4.0}],
        "assembly": {"made": {"reused": False, "took": 2.0, "cost": 0.0}},
    }
    shown = dict(details(video_of(video)))
    assert shown["narration 1"] == "made in 3.2 s, $0.0123"
    assert shown["narration 2"] == "made in 3.2 s"
    assert (shown["still 1"], shown["still 2"]) == ("reused", "waiting")
    assert shown["clip 1"] == "4.0 s long, made in 3.2 s, $0.0123"
    assert shown["film"] == "made in 2.0 s"
    assert (shown["attempt"], shown["cost"]) == ("2", "$1.5000")
    assert shown["edited"] == "render the changes with: reel approve video_1"
    assert "generated: 4 of 5 voices, stills and clips" in film_lines(video_of(video))
    assert "cost" not in dict(details(video_of(video | {"cost": 0.0, "attempt": 1})))


def test_the_next_step_after_an_edit_is_shown() -> None:
    assert "reel approve video_1" in edited_lines(video_of(REVIEWING))[0]
    ended = REVIEWING | {"stage": "completed", "storyboard": {"filmed": False}}
    assert "reel approve video_1" in edited_lines(video_of(ended))[0]
    assert "nothing to re-render" in edited_lines(video_of(ended | {"storyboard": {"filmed": True}}))[0]
    assert "reel get video_1" in edited_lines(video_of(REVIEWING | {"stage": "planning"}))[0]


def test_waiting_for_the_text_model_is_said() -> None:
    video = {"stage": "planning", "waits_for": "text_model", "clips": []}
    assert describe(video_of(video)) == "waiting for the text model"
    assert describe(video_of(video | {"waits_for": None})) == "planning the film"


def test_notes_on_how_a_film_is_made_are_shown() -> None:
    video = REVIEWING | {"notes": ["Most is cut.", "Frames are repeated."], "rendered_size": "720x480"}
    assert [text for name, text in details(video_of(video)) if name == "note"] == video["notes"]
    assert dict(details(video_of(video)))["rendered_size"] == "720x480"
    assert "note" not in dict(details(video_of(REVIEWING))), "an older cloud sends none"


@pytest.mark.parametrize(
    ("tries", "said"),
    [
        (None, ""),
        ({"clips": [], "kept": [], "note": None}, ""),
        ({"clips": [0, 2], "kept": None, "note": None}, "clips rendered again because they warn: 1, 3."),
        (
            {"clips": [0, 2], "kept": [2], "note": None},
            "clips rendered again because they warn: 1, 3, 1 of them better.",
        ),
        ({"clips": [], "kept": [], "note": "max_cost is 1 USD."}, "max_cost is 1 USD."),
    ],
)
def test_second_tries_are_said(tries: Any, said: str) -> None:
    assert tried_again(video_of(REVIEWING | {"second_tries": tries})) == said


def test_a_film_of_one_prompt_that_waits_has_nothing_to_edit() -> None:
    waiting = REVIEWING | {"review": REVIEWING["review"] | {"gate": "film"}, "storyboard": None}
    assert describe(video_of(waiting)) == "waiting for you: the film is ready, and its quality report warns"
    assert waiting_lines(video_of(waiting))[1:] == ["  reel approve video_1"]
