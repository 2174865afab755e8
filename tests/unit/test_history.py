"""The events of an execution's history on AWS, which ends an execution at its 25,000th.

Events of a state: the types of GetExecutionHistory (Step Functions' API reference). A PC's history has fewer.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lambdas.domain.planning import MOST_CLIPS
from lambdas.domain.second_tries import MOST
from lambdas.domain.storyboard import MOST_SCENES
from tests.unit.test_state_machine import MACHINE, STATES

MOST_EVENTS = 25_000
ENTERED_AND_EXITED = 2
OF_A_TASK = 3  # TaskScheduled, TaskStarted, TaskSucceeded
OF_A_TOKEN = 1  # TaskSubmitted
OF_A_MAP = 2  # MapStateStarted, MapStateSucceeded
OF_AN_ITERATION = 2  # MapIterationStarted, MapIterationSucceeded
OF_AN_EXECUTION = 2  # ExecutionStarted, ExecutionSucceeded

Choose = Callable[[str], str]  # a Choice state's name → the next state


def has_token(state: Mapping[str, Any]) -> bool:
    return str(state["Resource"]).endswith(".waitForTaskToken")


def of_a_retry(task: str) -> int:
    """TaskFailed, and then what a try has but its TaskSucceeded."""
    return OF_A_TASK + (OF_A_TOKEN if has_token(STATES[task]) else 0)


def walked(machine: Mapping[str, Any], choose: Choose, iterations: Mapping[str, int]) -> int:
    """Return the events of a machine from its start to its end. `iterations`: of each map, in each of its
    runs."""
    events, name = 0, machine["StartAt"]
    while name is not None:
        state = machine["States"][name]
        events += ENTERED_AND_EXITED
        match state["Type"]:
            case "Task":
                events += OF_A_TASK + (OF_A_TOKEN if has_token(state) else 0)
            case "Map":
                one = OF_AN_ITERATION + walked(state["ItemProcessor"], choose, iterations)
                events += OF_A_MAP + iterations[name] * one
        name = choose(name) if state["Type"] == "Choice" else state.get("Next")
    return events


def history(renderer: str, *, scenes: int, clips: int, prepared: int = 0) -> int:
    """Return the events of a film whose scenes have equally many clips, `prepared` of them with a narration
    and a still. `renderer`: DrawClip or RenderClip."""
    chosen = {
        "ChooseStoryboardReview": "PrepareScenes",
        "ChooseVoice": "Narrate",
        "ChooseStill": "DrawStill",
        "ChoosePreviewsReview": "Plan",
        "ChooseRenderer": renderer,
        "ChooseAssembler": "Assemble",
        "ChooseFilmReview": "Publish",
    }
    iterations = {"PrepareScenes": prepared, "RenderScenes": scenes, "RenderClips": clips // scenes}
    return OF_AN_EXECUTION + walked(MACHINE, chosen.__getitem__, iterations)


@pytest.mark.parametrize("clips", [1, 3, 12, 200, 1000])
def test_a_film_of_one_prompt_has_ten_events_for_each_clip(clips: int) -> None:
    """The figures in docs/decisions/0041-a-film-of-1000-clips.md."""
    assert history("RenderClip", scenes=1, clips=clips) == 46 + 10 * clips
    assert history("DrawClip", scenes=1, clips=clips) == 46 + 9 * clips


def test_a_scene_has_six_events_and_eighteen_to_be_prepared() -> None:
    one = history("RenderClip", scenes=1, clips=1)
    assert history("RenderClip", scenes=2, clips=2) - one == 6 + 10
    assert history("RenderClip", scenes=1, clips=1, prepared=1) - one == 18


def test_the_largest_film_has_room_for_its_second_tries_too() -> None:
    """CheckClips comes twice, and the second time no clip is rendered."""
    film = history("RenderClip", scenes=MOST_SCENES, clips=MOST_CLIPS, prepared=MOST_SCENES)
    of_a_clip = OF_AN_ITERATION + 2 * ENTERED_AND_EXITED + OF_A_TASK + OF_A_TOKEN
    of_a_scene = OF_AN_ITERATION + ENTERED_AND_EXITED + OF_A_MAP
    checks = 2 * (3 * ENTERED_AND_EXITED + OF_A_TASK + OF_A_MAP)
    again = checks + MOST * (of_a_clip + of_a_scene)
    assert film + again + 3 * (MOST_CLIPS + MOST) * of_a_retry("RenderClip") < MOST_EVENTS


@pytest.mark.parametrize("renderer", ["DrawClip", "RenderClip"])
def test_the_largest_film_has_room_for_three_retries_of_every_clip(renderer: str) -> None:
    """More than the two that an engine's failure gets: for a day on which everything fails."""
    film = history(renderer, scenes=MOST_SCENES, clips=MOST_CLIPS, prepared=MOST_SCENES)
    assert film + 3 * MOST_CLIPS * of_a_retry(renderer) < MOST_EVENTS
