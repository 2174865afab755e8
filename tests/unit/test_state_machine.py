"""The state machine's definition: its references, and that no task can hang, give up or fail silently."""

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from lambdas.domain import errors
from lambdas.domain.errors import ReelworksError, TransientError

TEXT = (Path(__file__).parents[2] / "statemachines" / "produce_video.asl.json").read_text()
MACHINE = json.loads(
    TEXT.replace("${RenderClipTimeoutSeconds}", "25200")
    .replace("${ReviewTimeoutSeconds}", "604800")
    .replace("${FilmTimeoutSeconds}", "6566400")
    .replace("${PrepareScenesAtOnce}", "4")
    .replace("${RenderScenesAtOnce}", "40")
    .replace("${RenderClipsAtOnce}", "6")
)


def states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every state, including those within maps."""
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


STATES = dict(states(MACHINE))
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
# The tasks within maps, and the state that reports their failure.
WITHIN_MAPS = {
    "Narrate": "SceneFailed",
    "DrawStill": "SceneFailed",
    "DrawClip": "ClipFailed",
    "RenderClip": "ClipFailed",
}
ALL_TASKS = pytest.mark.parametrize("name", TASKS)


def kinds(root: type[ReelworksError]) -> set[str]:
    return {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, root) and kind is not root
    }


def retried(task: dict[str, Any]) -> set[str]:
    return set(chain.from_iterable(retrier["ErrorEquals"] for retrier in task["Retry"]))


def test_placeholders_are_the_partition_the_tasks_functions_and_the_timeouts() -> None:
    expected = {"Partition", *(f"{name}FunctionArn" for name in TASKS)}
    expected |= {f"{what}TimeoutSeconds" for what in ("RenderClip", "Review", "Film")}
    expected |= {f"{what}AtOnce" for what in ("PrepareScenes", "RenderScenes", "RenderClips")}
    assert set(re.findall(r"\$\{(\w+)\}", TEXT)) == expected


def test_the_tasks_match_the_pipeline_s() -> None:
    assert set(TASKS) == {
        "WriteStoryboard",
        "Review",
        "Narrate",
        "DrawStill",
        "Plan",
        "DrawClip",
        "RenderClip",
        "LookAtClips",
        "CheckClips",
        "Assemble",
        "AssembleLong",
        "Publish",
        "RecordFailure",
    }


PASSED_ON = (
    "{% $states.result.Payload %}",
    "{% $states.input %}",
    "{% $merge([$states.input, {'look': $states.result.Payload.more}]) %}",
)
# Ended by a user, an engine, a build.
CALLED_BACK = {"Review", "RenderClip", "AssembleLong"}


@ALL_TASKS
def test_a_task_calls_the_function_of_its_name_with_the_video(name: str) -> None:
    arguments = TASKS[name]["Arguments"]
    assert arguments["FunctionName"] == f"${{{name}FunctionArn}}"
    assert {"tenant", "video_id"} <= set(arguments["Payload"])


@ALL_TASKS
def test_only_what_another_party_ends_has_a_token(name: str) -> None:
    """So that a film needs few SendTask calls, whose rate is limited for each account."""
    called_back = name in CALLED_BACK
    invoke = "arn:${Partition}:states:::lambda:invoke"
    assert TASKS[name]["Resource"] == (f"{invoke}.waitForTaskToken" if called_back else invoke)
    assert ("token" in TASKS[name]["Arguments"]["Payload"]) is called_back
    if not called_back:  # otherwise the result would be Lambda's answer around the output
        assert TASKS[name]["Output"] in PASSED_ON


@ALL_TASKS
def test_every_task_has_a_timeout(name: str) -> None:
    assert TASKS[name]["TimeoutSeconds"] > 0


@ALL_TASKS
def test_retries_have_exponential_backoff_with_jitter(name: str) -> None:
    for retrier in TASKS[name]["Retry"]:
        assert retrier["IntervalSeconds"] >= 1
        assert retrier["BackoffRate"] > 1
        assert retrier["MaxAttempts"] >= 1
        assert retrier["MaxDelaySeconds"] > retrier["IntervalSeconds"]
        assert retrier["JitterStrategy"] == "FULL"
    assert {"ServiceUnavailable", "Lambda.TooManyRequestsException"} <= retried(TASKS[name])
    # A user who did not decide within a week does not get another week.
    assert ("States.Timeout" in retried(TASKS[name])) is (name != "Review")


@ALL_TASKS
def test_every_error_of_a_task_is_caught(name: str) -> None:
    catcher = TASKS[name]["Catch"][-1]
    assert catcher["ErrorEquals"] == ["States.ALL"]
    if name != "RecordFailure":
        assert catcher["Next"] == WITHIN_MAPS.get(name, "RecordFailure")
        assert catcher["Output"]["step"] == name


def test_every_failure_names_its_scene_and_clip_or_none() -> None:
    given = STATES["RecordFailure"]["Arguments"]["Payload"]
    told = {name: f"{{% $states.input.{name} %}}" for name in ("step", "scene", "clip", "error")}
    assert told.items() <= given.items()
    caught = [rule["Output"] for state in STATES.values() for rule in state.get("Catch", ())]
    documents = [output for output in caught if isinstance(output, dict)]
    # From every task except RecordFailure, from the outer maps, and from a review that timed out.
    assert len(documents) == len(TASKS) - 1 + 2 + 1
    for document in documents:
        assert set(document) == set(told)


DEATHS = {
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Lambda.Unknown",
    "FunctionDied",
    "OutOfMemory",
    "DiskFull",
}


@ALL_TASKS
def test_the_state_machine_waits_for_the_function_and_so_knows_that_it_died(name: str) -> None:
    """With InvocationType Event, only the token's timeout would tell."""
    assert set(TASKS[name]["Arguments"]) == {"FunctionName", "Payload"}


@ALL_TASKS
def test_a_function_that_died_is_tried_again_within_ten_seconds(name: str) -> None:
    [retrier] = [retrier for retrier in TASKS[name]["Retry"] if DEATHS & set(retrier["ErrorEquals"])]
    assert set(retrier["ErrorEquals"]) >= DEATHS
    first, rate, most = retrier["IntervalSeconds"], retrier["BackoffRate"], retrier["MaxDelaySeconds"]
    delays = [min(first * rate**attempt, most) for attempt in range(3)]
    assert retrier["MaxAttempts"] >= 3
    assert sum(delays[:1] if name == "RecordFailure" else delays) <= 10


@ALL_TASKS
def test_a_function_that_ran_out_of_time_is_tried_again(name: str) -> None:
    assert "Sandbox.Timedout" in retried(TASKS[name])


def test_every_named_error_exists() -> None:
    # A Fail state's own error name is only visible within the machine.
    own = {state["Error"] for state in STATES.values() if state["Type"] == "Fail"}
    for state in STATES.values():
        for rule in (*state.get("Retry", ()), *state.get("Catch", ())):
            for name in rule["ErrorEquals"]:
                assert name in kinds(ReelworksError) | own or name.startswith(
                    ("States.", "Lambda.", "Runtime.", "Sandbox.")
                )


def test_every_transient_error_is_retried() -> None:
    everywhere = set(chain.from_iterable(map(retried, TASKS.values())))
    assert kinds(TransientError) <= everywhere


def test_no_other_error_of_ours_is_retried() -> None:
    for task in TASKS.values():
        assert not retried(task) & (kinds(ReelworksError) - kinds(TransientError))


def test_nothing_waits_by_polling() -> None:
    assert {state["Type"] for state in STATES.values()} == {"Task", "Map", "Choice", "Fail", "Succeed"}
    assert "HeartbeatSeconds" not in TEXT


def test_a_review_that_times_out_ends_with_our_error() -> None:
    [name] = {
        rule["Output"]["error"]["Error"]
        for rule in TASKS["Review"]["Catch"]
        if rule["ErrorEquals"] == ["States.Timeout"]
    }
    assert issubclass(getattr(errors, name), errors.StepError)


def test_a_failure_names_its_execution() -> None:
    for name in ("RecordFailure", "Review"):
        assert TASKS[name]["Arguments"]["Payload"]["execution"] == "{% $states.context.Execution.Name %}"


@pytest.mark.parametrize("name", [name for name, state in STATES.items() if state["Type"] == "Map"])
def test_maps_run_within_the_execution(name: str) -> None:
    assert STATES[name]["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}


def test_every_state_leads_to_one_at_its_own_level() -> None:
    def check(machine: dict[str, Any]) -> None:
        names = set(machine["States"])
        assert machine["StartAt"] in names
        for state in machine["States"].values():
            rules = (*state.get("Choices", ()), *state.get("Catch", ()), state)
            targets = {rule["Next"] for rule in rules if "Next" in rule}
            assert targets <= names
            assert targets or state.get("End") or state["Type"] in ("Fail", "Succeed")
            if "ItemProcessor" in state:
                check(state["ItemProcessor"])

    check(MACHINE)
