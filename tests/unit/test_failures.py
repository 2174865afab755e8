import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.domain import errors
from lambdas.domain.errors import (
    ClipsDiffer,
    DiskFull,
    EngineFailed,
    Fault,
    NarrationRefused,
    OutOfMemory,
    ReelworksError,
    ServiceUnavailable,
)
from lambdas.domain.failures import LONGEST_REASON, cause, failure, fault_of, named
from lambdas.domain.video_parts import Failure


def caught(error: Exception) -> dict[str, str]:
    """Return a Catch's input for an error that a task raised."""
    return {"Error": type(error).__name__, "Cause": cause(error)}


def test_our_errors_keep_their_message_clip_and_advice() -> None:
    told = failure("Assemble", caught(ClipsDiffer("clip 3 has another size", clip=3)))
    assert (told.step, told.clip, told.code) == ("Assemble", 3, "ClipsDiffer")
    assert (told.reason, told.advice) == ("clip 3 has another size", ClipsDiffer.advice)


def test_an_error_s_own_advice_overrides_its_class_s() -> None:
    told = failure("RenderClip", caught(EngineFailed("expired", advice="Have more instances.")))
    assert told.advice == "Have more instances."


def test_lambda_s_own_cause_is_read_and_the_class_gives_the_advice() -> None:
    text = json.dumps({"errorMessage": "no film", "errorType": "ArtifactMissing", "stackTrace": ["line"]})
    told = failure("Publish", {"Error": "ArtifactMissing", "Cause": text})
    assert told.reason == "no film"
    assert told.advice == "Retry the video: missing artifacts are regenerated."


def test_what_a_task_raises_keeps_its_advice_and_its_clip() -> None:
    """Lambda reports an exception's message and the name of its class, and Step Functions passes them on."""
    message = cause(ClipsDiffer("clip 3 has another size", clip=3, advice="Render it again."))
    text = json.dumps({"errorMessage": message, "errorType": "ClipsDiffer", "stackTrace": ["line"]})
    told = failure("Assemble", {"Error": "ClipsDiffer", "Cause": text})
    assert (told.clip, told.code) == (3, "ClipsDiffer")
    assert (told.reason, told.advice) == ("clip 3 has another size", "Render it again.")


@pytest.mark.parametrize("error", [{"Error": "States.Timeout"}, {"Error": "States.Timeout", "Cause": ""}])
def test_a_timeout_without_a_message_gets_one(error: dict[str, str]) -> None:
    assert failure("RenderClip", error).reason == "The step did not end within its time limit."


DIED = "RequestId: 74646775 Error: Runtime exited with error: "


@pytest.mark.parametrize(
    ("name", "message", "code", "reason"),
    [
        # As Step Functions shows them for functions that exceeded their memory.
        ("Runtime.OutOfMemory", DIED + "signal: killed", "OutOfMemory", "ran out of memory"),
        ("Runtime.ExitError", DIED + "signal: killed", "FunctionDied", "was killed"),
        ("Runtime.ExitError", DIED + "signal: segmentation fault", "FunctionDied", "segmentation fault"),
        ("Runtime.ExitError", DIED + "exit status 3", "FunctionDied", "exit status 3"),
        (
            "Runtime.ExitError",
            "Runtime exited without providing a reason",
            "FunctionDied",
            "without providing",
        ),
        ("Lambda.Unknown", "", "FunctionDied", "no reason is known"),
        ("MemoryError", "", "OutOfMemory", "ran out of memory"),
        ("OSError", "[Errno 28] No space left on device: '/tmp/x'", "DiskFull", "The disk is full"),
        ("Runtime.ExitError", "[Errno 28] No space left on device", "DiskFull", "The disk is full"),
        ("OSError", "[Errno 122] Disk quota exceeded", "DiskFull", "The disk is full"),
        (
            "Sandbox.Timedout",
            "RequestId: x Error: Task timed out after 900.00 seconds",
            "Sandbox.Timedout",
            "time",
        ),
    ],
)
def test_a_function_that_died_gets_a_reason_and_advice(
    name: str, message: str, code: str, reason: str
) -> None:
    text = json.dumps({"errorType": name, "errorMessage": message})
    told = failure("DrawClip", {"Error": name, "Cause": text}, scene=1, clip=2)
    assert (told.code, told.scene, told.clip) == (code, 1, 2)
    assert reason in told.reason
    assert told.advice == getattr(errors, code, ReelworksError).advice


def test_our_errors_keep_their_names_whatever_they_say() -> None:
    told = failure("Narrate", caught(ServiceUnavailable("put: No space left on device")))
    assert told.code == "ServiceUnavailable"


def test_an_engine_s_message_about_a_full_disk_is_not_this_machine_s() -> None:
    told = failure("RenderClip", caught(EngineFailed("OSError: No space left on device")))
    assert told.code == "EngineFailed"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), OutOfMemory),
        (OSError(28, "No space left on device", "/tmp/x"), DiskFull),
        (OSError(122, "Disk quota exceeded"), DiskFull),
        (FileNotFoundError(2, "No such file"), FileNotFoundError),
        (KeyError("x"), KeyError),
    ],
)
def test_a_machine_that_ran_short_is_named(error: Exception, kind: type[Exception]) -> None:
    assert type(named(error)) is kind


def test_the_clip_named_by_the_machine_takes_precedence() -> None:
    assert failure("RenderClip", caught(ClipsDiffer("x", clip=3)), clip=0).clip == 0


def test_the_last_state_s_cause_is_unwrapped() -> None:
    inner = {"step": "DrawClip", "scene": 1, "clip": 2, "error": caught(ClipsDiffer("sizes"))}
    told = failure("ProduceVideo", {"Error": "ClipsDiffer", "Cause": json.dumps(inner)})
    assert (told.step, told.scene, told.clip) == ("DrawClip", 1, 2)
    assert (told.code, told.reason) == ("ClipsDiffer", "sizes")


def test_the_scene_named_by_the_machine_is_reported() -> None:
    told = failure("Narrate", caught(NarrationRefused("no such voice")), scene=1)
    assert (told.step, told.scene, told.clip, told.reason) == ("Narrate", 1, None, "no such voice")


def test_a_long_reason_is_shortened() -> None:
    told = failure("Plan", {"Error": "ValueError", "Cause": "x" * 50_000})
    assert len(told.reason) == LONGEST_REASON
    assert told.advice == ReelworksError.advice


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["error", "step", "scene", "clip", "Cause"]), inner)
    ),
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["Error", "Cause", "other"]), anything | anything.map(json.dumps)))
def test_every_error_becomes_a_failure_with_a_reason_and_advice(error: dict[str, Any]) -> None:
    told = failure("Plan", error)
    assert told.step
    assert told.code
    assert 0 < len(told.reason) <= LONGEST_REASON
    assert 0 < len(told.advice) <= LONGEST_REASON


def test_failures_within_failures_end_with_the_innermost() -> None:
    error = {"Error": "Innermost", "Cause": "at last"}
    for _ in range(8):
        error = {"Error": "Outer", "Cause": json.dumps({"step": "Plan", "clip": None, "error": error})}
    assert failure("ProduceVideo", error).reason == "at last"


@pytest.mark.parametrize(
    ("step", "code", "fault"),
    [
        ("RenderClip", "EngineRejected", Fault.USER),  # a refused prompt
        ("Review", "ReviewTimedOut", Fault.USER),
        ("Narrate", "NarrationRefused", Fault.USER),
        ("ProduceVideo", "VideoClosed", Fault.USER),
        ("RenderClip", "EngineFailed", Fault.ENGINE),
        ("RenderClip", "EngineBroken", Fault.ENGINE),
        ("RenderClip", "ClipMismatch", Fault.ENGINE),
        ("RenderClip", "States.Timeout", Fault.ENGINE),  # the state waits for the engine's answer
        ("Plan", "States.Timeout", Fault.PIPELINE),
        ("Assemble", "OutOfMemory", Fault.PIPELINE),
        ("WriteStoryboard", "TextModelFailed", Fault.PIPELINE),
        ("Publish", "ClientError", Fault.PIPELINE),
        ("Publish", "KeyError", Fault.PIPELINE),
        ("Publish", "HTTPStatus", Fault.PIPELINE),  # a name in the errors' module that is no error
    ],
)
def test_whose_fault_a_failure_is(step: str, code: str, fault: Fault) -> None:
    assert fault_of(Failure(step=step, code=code, reason="", advice="")) is fault


def test_every_error_that_the_caller_must_fix_is_the_user_s_fault() -> None:
    def kinds(of: type[ReelworksError]) -> list[type[ReelworksError]]:
        return [of, *(kind for below in of.__subclasses__() for kind in kinds(below))]

    assert {kind.fault for kind in kinds(errors.RequestError)} == {Fault.USER}
