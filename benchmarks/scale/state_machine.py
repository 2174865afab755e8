"""What a film's execution costs of Step Functions: state transitions, and events of its history.

States are taken from the state machine itself; how often each is entered is data. count.py compares it with
the histories of real executions, which ministack keeps without what is inside of maps (1.5.33), and the tasks
with the invocations of their functions. A state that is missing here fails a test.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.scale.calls import amount
from benchmarks.scale.film import Unit

DEFINITION = Path(__file__).parents[2] / "statemachines" / "produce_video.asl.json"
MOST_EVENTS = 25_000  # of one execution (docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html)

# How often a state is entered, in a film without a review that succeeds at its first try.
VISITS: Mapping[str, Mapping[Unit, float]] = {
    "WriteStoryboard": {Unit.FILM: 1},
    "ChooseStoryboardReview": {Unit.FILM: 1},
    "Review": {},
    "FollowDecision": {},
    "PrepareScenes": {Unit.FILM: 1},
    "ChooseVoice": {Unit.PREPARED: 1},
    "Narrate": {Unit.NARRATION: 1},
    "ChooseStill": {Unit.PREPARED: 1},
    "DrawStill": {Unit.STILL: 1},
    "Prepared": {Unit.PREPARED: 1},
    "SceneFailed": {},
    "ChoosePreviewsReview": {Unit.FILM: 1},
    "Plan": {Unit.FILM: 1},
    "RenderScenes": {Unit.FILM: 1},
    "RenderClips": {Unit.SCENE: 1},
    "ChooseRenderer": {Unit.CLIP: 1},
    "DrawClip": {Unit.DRAWN: 1},
    "RenderClip": {Unit.RENDERED: 1},
    "ClipFailed": {},
    "ChooseAssembler": {Unit.FILM: 1},
    "LookAtClips": {},
    "CheckClips": {},
    "Assemble": {Unit.FILM: 1},
    "AssembleLong": {},
    "ChooseFilmReview": {Unit.FILM: 1},
    "Publish": {Unit.FILM: 1},
    "Done": {Unit.FILM: 1},
    "RecordFailure": {},
    "Failed": {},
}

# Events of one visit: the state is entered and exited; a task is scheduled, started and has succeeded, and
# one with a token is also submitted; a map is started and has succeeded.
_EVENTS = {"Task": 5, "Choice": 2, "Map": 4, "Succeed": 2, "Pass": 2, "Wait": 2, "Fail": 1, "Parallel": 4}
_SUBMITTED = 1
_ITERATION = 2  # of a map: started and succeeded
_EXECUTION = 2


@cache
def outer_states() -> Mapping[str, dict[str, Any]]:
    """Return the states of the machine by name, without those inside of maps."""
    text = re.sub(r"(: |, )\$\{\w+\}", r"\g<1>1", DEFINITION.read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = json.loads(text)["States"]
    return found


@cache
def states() -> Mapping[str, dict[str, Any]]:
    """Return every state of the machine by name, those inside of maps too."""
    return dict(_within(outer_states()))


def _within(some: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in some.items():
        yield name, state
        inner = [state["ItemProcessor"]] if state["Type"] == "Map" else state.get("Branches", [])
        for machine in inner:
            yield from _within(machine["States"])


def visits_of(units: Mapping[Unit, float]) -> dict[str, float]:
    found = {name: amount(by_unit, units) for name, by_unit in VISITS.items()}
    return {name: times for name, times in found.items() if times}


def transitions_of(units: Mapping[Unit, float]) -> float:
    """Return the state transitions that Step Functions bills; the start is one."""
    return 1 + sum(visits_of(units).values())


def events_of(units: Mapping[Unit, float]) -> float:
    """Return the events of the execution's history on AWS; ministack records fewer."""
    visits = visits_of(units)
    total: float = _EXECUTION
    for name, times in visits.items():
        state = states()[name]
        total += times * _EVENTS[state["Type"]]
        if state.get("Resource", "").endswith(".waitForTaskToken"):
            total += times * _SUBMITTED
        if state["Type"] == "Map":
            total += _ITERATION * visits.get(state["ItemProcessor"]["StartAt"], 0)
    return total
