"""The state machine on a local AWS, with small real functions that pass each task's payload to the test.

The test then answers: the function returns or raises it, or, if the task has a token, the token gets it.
"""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import pytest

from lambdas.domain.failures import failure
from tests.cloud.servers import free_port, local_aws, wait_until
from tests.unit.test_state_machine import MACHINE, STATES, TASKS, TEXT

_ROLE = "arn:aws:iam::000000000000:role/any"
_CODE = """
import json, os, time, boto3
sqs, s3 = boto3.client("sqs"), boto3.client("s3")
def handler(event, context):
    call = context.aws_request_id
    body = json.dumps({"task": os.environ["TASK"], "payload": event, "call": call})
    sqs.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=body)
    while "token" not in event:
        try:
            answer = json.load(s3.get_object(Bucket="answers", Key=call)["Body"])
        except s3.exceptions.NoSuchKey:
            time.sleep(0.05)
            continue
        if "error" in answer:
            raise type(answer["error"], (Exception,), {})(answer["cause"])
        return answer["output"]
"""
_INPUT = {"tenant": "acme", "video_id": "video_1"}
_NAME = {"execution": "video_1-2"}
_QUICK = 1  # task timeout in seconds for tests that let a task wait in vain
_PATIENT = 60


class Failure(Exception):
    """A task's error, with the name that Retry and Catch see."""

    def __init__(self, name: str, cause: str = "the cause") -> None:
        super().__init__(name)
        self.name = name
        self.cause = cause


Answer = Callable[[dict[str, Any]], dict[str, Any]]


@cache
def _client(service: str, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@dataclass
class Ended:
    status: str
    output: Any
    error: str | None
    cause: str | None
    calls: list[tuple[str, dict[str, Any]]]  # task and payload without its token, in order

    def payloads(self, task: str) -> list[dict[str, Any]]:
        return [payload for name, payload in self.calls if name == task]

    @property
    def tasks(self) -> list[str]:
        return [name for name, _ in self.calls]


@dataclass
class Stage:
    """A local AWS with one function per task."""

    url: str
    queue: str
    functions: dict[str, str]
    _made: int = field(default=0)

    def client(self, service: str) -> Any:
        return _client(service, self.url)

    def run(
        self,
        answers: dict[str, Answer],
        *,
        definition: dict[str, Any] | None = None,
        document: Any = None,
        render_seconds: int = _PATIENT,
        review_seconds: int = _PATIENT,
    ) -> Ended:
        """Run an execution to its end. A task without an answer keeps waiting."""
        states, sqs = self.client("stepfunctions"), self.client("sqs")
        text = TEXT if definition is None else json.dumps(definition)
        text = text.replace("${Partition}", "aws")
        for task, arn in self.functions.items():
            text = text.replace(f"${{{task}FunctionArn}}", arn)
        for what, seconds in (("RenderClip", render_seconds), ("Review", review_seconds), ("Film", 600)):
            text = text.replace(f"${{{what}TimeoutSeconds}}", str(seconds))
        for what, most in (("PrepareScenes", 4), ("RenderScenes", 40), ("RenderClips", 6)):
            text = text.replace(f"${{{what}AtOnce}}", str(most))
        self._made += 1
        machine = states.create_state_machine(name=f"m{self._made}", definition=text, roleArn=_ROLE)
        execution = states.start_execution(
            stateMachineArn=machine["stateMachineArn"],
            name=_NAME["execution"],
            input=json.dumps(document or _INPUT),
        )["executionArn"]
        calls: list[tuple[str, dict[str, Any]]] = []
        deadline = time.monotonic() + 200
        while True:
            found = states.describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                break
            assert time.monotonic() < deadline, f"the execution does not end; so far: {calls}"
            received = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=1)
            if "Messages" not in received:
                time.sleep(0.1)  # not in the call, which would wait on when the execution has ended
            for message in received.get("Messages", []):
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                call = json.loads(message["Body"])
                token = call["payload"].pop("token", None)
                calls.append((call["task"], call["payload"]))
                if call["task"] in answers:
                    self._answer(token, call["call"], answers[call["task"]], call["payload"])
        output = json.loads(found["output"]) if found["status"] == "SUCCEEDED" else None
        return Ended(found["status"], output, found.get("error"), found.get("cause"), calls)

    def waiting(self) -> int:
        """Return the number of tasks not looked at yet."""
        counted = self.client("sqs").get_queue_attributes(
            QueueUrl=self.queue, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(counted["Attributes"]["ApproximateNumberOfMessages"])

    def _answer(self, token: str | None, call: str, answer: Answer, payload: dict[str, Any]) -> None:
        states = self.client("stepfunctions")
        try:
            output = answer(payload)
        except Failure as failure:
            if token:
                states.send_task_failure(taskToken=token, error=failure.name, cause=failure.cause)
                return
            told: dict[str, Any] = {"error": failure.name, "cause": failure.cause}
        else:
            if token:
                states.send_task_success(taskToken=token, output=json.dumps(output))
                return
            told = {"output": output}
        self.client("s3").put_object(Bucket="answers", Key=call, Body=json.dumps(told))


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    port = free_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SFN_WAIT_SCALE", "0")  # retries come immediately
        environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with local_aws("tests.cloud.function_aws:app", port) as url:
            made = Stage(url, "", {})
            made.client("s3").create_bucket(Bucket="answers")
            made.queue = made.client("sqs").create_queue(QueueName="calls")["QueueUrl"]
            made.functions = {task: _function(made, task) for task in TASKS}
            yield made


def _function(stage: Stage, task: str) -> str:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("code.py", _CODE)
    made = stage.client("lambda").create_function(
        FunctionName=task,
        Runtime="python3.12",
        Handler="code.handler",
        Role=_ROLE,
        Timeout=60,
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"TASK": task, "QUEUE": stage.queue}},
    )
    return str(made["FunctionArn"])


def plan(*scenes: tuple[int, list[tuple[int, str]]], assembler: str = "function") -> Answer:
    """Return Plan's answer: each scene with its concurrency, and its clips with their renderers."""
    described = [
        {
            "concurrency": concurrency,
            "clips": [{"index": index, "scene": number, "renderer": renderer} for index, renderer in clips],
        }
        for number, (concurrency, clips) in enumerate(scenes)
    ]
    return lambda payload: {**payload, "scenes": described, "assembler": assembler}


def storyboard(*scenes: tuple[bool, bool], review: Sequence[str] = ()) -> Answer:
    """Return WriteStoryboard's answer: for each scene, whether it needs a narration and a still; and the
    gates still to wait at."""
    described = [
        {"index": index, "narrate": narrate, "still": still} for index, (narrate, still) in enumerate(scenes)
    ]
    return lambda payload: {**payload, "scenes": described, "review": [*review]}


def clip_made(payload: dict[str, Any]) -> dict[str, Any]:
    return {"clip": payload["clip"], "reused": False}


def part_made(payload: dict[str, Any]) -> dict[str, Any]:
    return {"scene": payload["scene"], "reused": False}


def done(payload: dict[str, Any]) -> dict[str, Any]:
    return {"film": "film.mp4", "review": False}


def recorded(payload: dict[str, Any]) -> dict[str, Any]:
    return {"recorded": True}


def failing(name: str, cause: str = "the cause") -> Answer:
    def fail(payload: dict[str, Any]) -> dict[str, Any]:
        raise Failure(name, cause)

    return fail


def raised(name: str, cause: str = "the cause") -> dict[str, str]:
    """Return a Catch's input for an error that a function raised."""
    return {"Error": name, "Cause": json.dumps({"errorMessage": cause, "errorType": name})}


def in_turn(*answers: Answer) -> Answer:
    """Return the answers in order, then repeat the last one."""
    left = list(answers)
    return lambda payload: (left.pop(0) if len(left) > 1 else left[0])(payload)


DRAFT = plan((3, [(0, "function"), (1, "function"), (2, "function")]))
ANSWERS: dict[str, Answer] = {
    "WriteStoryboard": storyboard(),
    "Narrate": part_made,
    "DrawStill": part_made,
    "Plan": DRAFT,
    "DrawClip": clip_made,
    "RenderClip": clip_made,
    "Assemble": done,
    "AssembleLong": done,
    "Publish": done,
    "RecordFailure": recorded,
}


# --- the whole machine


def test_a_draft_is_planned_drawn_assembled_and_published(stage: Stage) -> None:
    ended = stage.run(ANSWERS)
    assert ended.status == "SUCCEEDED"
    assert ended.tasks == ["WriteStoryboard", "Plan", *3 * ["DrawClip"], "Assemble", "Publish"]
    for task in ("WriteStoryboard", "Plan", "Assemble", "Publish"):
        assert ended.payloads(task) == [_INPUT]
    assert sorted(clip["clip"] for clip in ended.payloads("DrawClip")) == [0, 1, 2]
    assert ended.payloads("DrawClip")[0] == {**_INPUT, "clip": ended.payloads("DrawClip")[0]["clip"]}


def test_narrations_and_stills_are_created_before_the_film_is_planned(stage: Stage) -> None:
    scenes = storyboard((True, True), (True, False), (False, True), (False, False))
    ended = stage.run({**ANSWERS, "WriteStoryboard": scenes})
    assert ended.status == "SUCCEEDED"
    assert ended.tasks[0] == "WriteStoryboard"
    assert sorted(ended.tasks[1:5]) == ["DrawStill", "DrawStill", "Narrate", "Narrate"]
    assert ended.tasks[5] == "Plan"
    assert sorted(part["scene"] for part in ended.payloads("Narrate")) == [0, 1]
    assert sorted(part["scene"] for part in ended.payloads("DrawStill")) == [0, 2]
    assert {**_INPUT, "scene": 1} in ended.payloads("Narrate")
    assert {**_INPUT, "scene": 2} in ended.payloads("DrawStill")


def test_four_scenes_are_prepared_in_parallel(stage: Stage) -> None:
    begun: list[int] = []

    def narrate(payload: dict[str, Any]) -> dict[str, Any]:
        if not begun:  # none is answered yet
            wait_until(lambda: stage.waiting() == 3)
            time.sleep(0.3)  # a fifth would have arrived by now
            assert stage.waiting() == 3
        begun.append(payload["scene"])
        return part_made(payload)

    scenes = storyboard(*6 * [(True, False)])
    ended = stage.run({**ANSWERS, "WriteStoryboard": scenes, "Narrate": narrate})
    assert ended.status == "SUCCEEDED"
    assert sorted(begun) == list(range(6))


def test_scenes_of_several_engines_each_go_to_their_renderer(stage: Stage) -> None:
    answers = {**ANSWERS, "Plan": plan((1, [(0, "endpoint")]), (2, [(1, "function")]))}
    ended = stage.run(answers)
    assert ended.status == "SUCCEEDED"
    assert ended.payloads("RenderClip") == [{**_INPUT, "clip": 0, "retry": 0}]
    assert ended.payloads("DrawClip") == [{**_INPUT, "clip": 1}]


def test_chained_clips_are_requested_one_after_another(stage: Stage) -> None:
    clips = [(index, "endpoint") for index in range(3)]
    answered: list[int] = []

    def render(payload: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.3)  # a clip requested too early would have arrived by now
        assert stage.waiting() == 0
        answered.append(payload["clip"])
        return clip_made(payload)

    ended = stage.run({**ANSWERS, "Plan": plan((1, clips)), "RenderClip": render})
    assert ended.status == "SUCCEEDED"
    assert answered == [0, 1, 2]


def test_a_long_assembly_runs_in_a_build(stage: Stage) -> None:
    answers = {**ANSWERS, "Plan": plan((1, [(0, "function")]), assembler="build")}
    ended = stage.run({**answers, "AssembleLong": in_turn(failing("AssemblerFailed"), done)})
    assert ended.status == "SUCCEEDED"
    assert ended.tasks[1:] == ["Plan", "DrawClip", "AssembleLong", "AssembleLong", "Publish"]
    assert [payload["retry"] for payload in ended.payloads("AssembleLong")] == [0, 1]


def test_a_transient_error_is_retried(stage: Stage) -> None:
    answers = {
        task: in_turn(failing("ServiceUnavailable"), failing("FunctionDied"), answer)
        for task, answer in {
            **ANSWERS,
            "WriteStoryboard": storyboard((True, True)),
            "Plan": plan((1, [(0, "function")])),
        }.items()
    }
    ended = stage.run(answers)
    assert ended.status == "SUCCEEDED"
    tasks = ("WriteStoryboard", "Narrate", "DrawStill", "Plan", "DrawClip", "Assemble", "Publish")
    assert {task: ended.tasks.count(task) for task in tasks} == dict.fromkeys(tasks, 3)


def test_an_unavailable_text_model_is_tried_three_times_and_then_the_video_fails(stage: Stage) -> None:
    away = failing("TextModelUnavailable")
    ended = stage.run({**ANSWERS, "WriteStoryboard": in_turn(away, away, storyboard())})
    assert (ended.status, ended.tasks.count("WriteStoryboard")) == ("SUCCEEDED", 3)
    ended = stage.run({**ANSWERS, "WriteStoryboard": away})
    assert ended.tasks == [*3 * ["WriteStoryboard"], "RecordFailure"]
    assert ended.error == "TextModelUnavailable"


@pytest.mark.parametrize(
    ("task", "error"), [("WriteStoryboard", "TextModelFailed"), ("RenderClip", "EngineBroken")]
)
def test_what_waiting_cannot_change_fails_at_once(stage: Stage, task: str, error: str) -> None:
    answers = {**ANSWERS, "Plan": plan((1, [(0, "endpoint")])), task: failing(error)}
    ended = stage.run(answers)
    assert (ended.error, ended.tasks.count(task)) == (error, 1)


def test_a_failed_engine_is_retried_twice_and_each_try_is_numbered(stage: Stage) -> None:
    render = in_turn(failing("EngineFailed"), failing("EngineFailed"), clip_made)
    ended = stage.run({**ANSWERS, "Plan": plan((1, [(0, "endpoint")])), "RenderClip": render})
    assert ended.status == "SUCCEEDED"
    assert [payload["retry"] for payload in ended.payloads("RenderClip")] == [0, 1, 2]


@pytest.mark.parametrize(("task", "renderer"), [("DrawClip", "function"), ("RenderClip", "endpoint")])
def test_a_failed_clip_is_named_in_the_record(stage: Stage, task: str, renderer: str) -> None:
    def fail_the_second(payload: dict[str, Any]) -> dict[str, Any]:
        if payload["clip"] == 1:
            raise Failure("EngineRejected", '{"errorMessage": "frames must be 8N+1"}')
        return clip_made(payload)

    answers = {**ANSWERS, "Plan": plan((1, [(0, renderer), (1, renderer)])), task: fail_the_second}
    ended = stage.run(answers)
    cause = '{"errorMessage": "frames must be 8N+1"}'
    error = {"Error": "EngineRejected", "Cause": cause}
    if task == "DrawClip":  # its function raises, while a token gets the cause as it is
        error = raised("EngineRejected", cause)
    failure = {"step": task, "scene": 0, "clip": 1, "error": error}
    assert ended.payloads("RecordFailure") == [{**_INPUT, **_NAME, **failure}]
    assert (ended.status, ended.error, json.loads(ended.cause or "")) == ("FAILED", "EngineRejected", failure)
    assert ended.tasks.count(task) == 2  # never retried
    assert "Assemble" not in ended.tasks


def test_a_failed_clip_names_its_scene(stage: Stage) -> None:
    scenes = plan((1, [(0, "function")]), (1, [(1, "function"), (2, "function")]))

    def fail_the_last(payload: dict[str, Any]) -> dict[str, Any]:
        if payload["clip"] == 2:
            raise Failure("ClipUnreadable")
        return clip_made(payload)

    [payload] = stage.run({**ANSWERS, "Plan": scenes, "DrawClip": fail_the_last}).payloads("RecordFailure")
    assert (payload["scene"], payload["clip"]) == (1, 2)


@pytest.mark.parametrize(("task", "name"), [("Narrate", "NarrationRefused"), ("DrawStill", "StillRefused")])
def test_a_scene_that_cannot_be_narrated_or_drawn_is_named_in_the_record(
    stage: Stage, task: str, name: str
) -> None:
    def fail_the_second(payload: dict[str, Any]) -> dict[str, Any]:
        if payload["scene"] == 1:
            raise Failure(name)
        return part_made(payload)

    scenes = storyboard((True, True), (True, True))
    ended = stage.run({**ANSWERS, "WriteStoryboard": scenes, task: fail_the_second})
    error = raised(name)
    failure = {"step": task, "scene": 1, "clip": None, "error": error}
    assert ended.payloads("RecordFailure") == [{**_INPUT, **_NAME, **failure}]
    assert (ended.status, ended.error, json.loads(ended.cause or "")) == ("FAILED", name, failure)
    assert ended.tasks.count(task) == 2  # never retried
    assert "Plan" not in ended.tasks


def test_a_clip_s_long_cause_is_truncated_to_fit_a_fail_state(stage: Stage) -> None:
    answers = {
        **ANSWERS,
        "Plan": plan((1, [(0, "function")])),
        "DrawClip": failing("ClipUnreadable", "x" * 16_000),
    }
    [payload] = stage.run(answers).payloads("RecordFailure")
    assert payload["clip"] == 0
    assert payload["error"]["Cause"] == raised("ClipUnreadable", "x" * 16_000)["Cause"][:12_000]


@pytest.mark.parametrize("task", ["WriteStoryboard", "Plan", "Assemble", "Publish"])
def test_a_failed_step_is_named_in_the_record(stage: Stage, task: str) -> None:
    ended = stage.run({**ANSWERS, task: failing("VideoClosed")})
    error = raised("VideoClosed")
    failure = {"step": task, "scene": None, "clip": None, "error": error}
    assert ended.payloads("RecordFailure") == [{**_INPUT, **_NAME, **failure}]
    assert (ended.status, ended.error) == ("FAILED", "VideoClosed")
    assert ended.tasks.count(task) == 1


def test_a_persistent_transient_error_is_recorded(stage: Stage) -> None:
    ended = stage.run({**ANSWERS, "Plan": failing("ServiceUnavailable")})
    assert ended.tasks == ["WriteStoryboard", *7 * ["Plan"], "RecordFailure"]
    assert ended.error == "ServiceUnavailable"


def test_a_clip_without_an_answer_is_retried_once_and_then_fails(stage: Stage) -> None:
    answers = {**ANSWERS, "Plan": plan((1, [(0, "endpoint")]))}
    del answers["RenderClip"]
    ended = stage.run(answers, render_seconds=_QUICK)
    assert [payload["retry"] for payload in ended.payloads("RenderClip")] == [0, 1]
    [payload] = ended.payloads("RecordFailure")
    assert (payload["step"], payload["clip"], payload["error"]["Error"]) == (
        "RenderClip",
        0,
        "States.Timeout",
    )
    assert (ended.status, ended.error) == ("FAILED", "States.Timeout")


@pytest.mark.parametrize(("task", "map_"), [("WriteStoryboard", "PrepareScenes"), ("Plan", "RenderScenes")])
def test_an_answer_that_the_maps_cannot_use_is_recorded(stage: Stage, task: str, map_: str) -> None:
    ended = stage.run({**ANSWERS, task: lambda payload: {**payload, "scenes": "none"}})
    [payload] = ended.payloads("RecordFailure")
    assert (payload["step"], payload["scene"], payload["clip"]) == (map_, None, None)
    assert payload["error"]["Error"] == "States.QueryEvaluationError"


def test_a_failure_that_cannot_be_recorded_is_in_the_execution(stage: Stage) -> None:
    ended = stage.run({**ANSWERS, "Assemble": failing("ClipsDiffer"), "RecordFailure": failing("Broken")})
    assert (ended.status, ended.error) == ("FAILED", "ClipsDiffer")
    assert json.loads(ended.cause or "")["step"] == "Assemble"


# --- reviews

GATES = ("storyboard", "previews")
TWO_SCENES = ((True, False), (False, True))
PREPARED = {"Narrate", "DrawStill"}
MADE = ["Plan", *3 * ["DrawClip"], "Assemble", "Publish"]


def decisions(*decided: str) -> Answer:
    """Return Review's answers in order."""
    return in_turn(*(lambda _, decision=decision: {"decision": decision} for decision in decided))


def in_order(tasks: list[str]) -> list[str]:
    """Return the tasks, with those of the scenes, which run in parallel, replaced by "scenes"."""
    kept = ["scenes" if task in PREPARED else task for task in tasks]
    return [task for place, task in enumerate(kept) if task != "scenes" or kept[place - 1] != "scenes"]


def test_a_film_waits_at_both_gates(stage: Stage) -> None:
    written = in_turn(
        storyboard(*TWO_SCENES, review=GATES),
        storyboard(*TWO_SCENES, (True, True), review=GATES[1:]),  # edited during the wait
    )
    answers = {**ANSWERS, "WriteStoryboard": written, "Review": decisions("approved")}
    ended = stage.run(answers)
    assert ended.status == "SUCCEEDED"
    before = ["WriteStoryboard", "Review", "WriteStoryboard", "scenes", "Review"]
    assert in_order(ended.tasks) == [*before, *MADE]
    assert [payload["gate"] for payload in ended.payloads("Review")] == [*GATES]
    assert sorted(part["scene"] for part in ended.payloads("Narrate")) == [0, 2]


def test_a_review_s_payload_identifies_the_wait(stage: Stage) -> None:
    written = storyboard(*TWO_SCENES, review=["previews"])
    [payload] = stage.run({**ANSWERS, "WriteStoryboard": written, "Review": decisions("approved")}).payloads(
        "Review"
    )
    entered = datetime.fromisoformat(payload.pop("entered"))
    assert abs((datetime.now(UTC) - entered).total_seconds()) < 600
    assert payload == {**_INPUT, **_NAME, "gate": "previews", "seconds": _PATIENT}


def test_a_change_at_the_storyboard_s_gate_is_shown_again(stage: Stage) -> None:
    written = in_turn(*2 * [storyboard(*TWO_SCENES, review=["storyboard"])], storyboard(*TWO_SCENES))
    answers = {**ANSWERS, "WriteStoryboard": written, "Review": decisions("changed", "approved")}
    ended = stage.run(answers)
    assert ended.status == "SUCCEEDED"
    assert in_order(ended.tasks) == [*2 * ["WriteStoryboard", "Review"], "WriteStoryboard", "scenes", *MADE]


def test_a_change_at_the_previews_gate_is_applied_and_shown_again(stage: Stage) -> None:
    written = storyboard(*TWO_SCENES, review=["previews"])
    answers = {**ANSWERS, "WriteStoryboard": written, "Review": decisions("changed", "approved")}
    ended = stage.run(answers)
    assert ended.status == "SUCCEEDED"
    assert in_order(ended.tasks) == [*2 * ["WriteStoryboard", "scenes", "Review"], *MADE]


def test_a_film_that_warns_waits_before_it_is_delivered(stage: Stage) -> None:
    made = {"film": "film.mp4", "reused": False, "review": True}
    answers = {**ANSWERS, "Assemble": lambda _: made, "Review": decisions("approved")}
    ended = stage.run(answers)
    assert ended.status == "SUCCEEDED"
    assert ended.tasks[-3:] == ["Assemble", "Review", "Publish"]
    [payload] = ended.payloads("Review")
    assert payload["gate"] == "film"


def test_clips_that_warn_are_rendered_again_and_checked_again(stage: Stage) -> None:
    def asked(*scenes: tuple[int, list[tuple[int, str]]], check: bool) -> Answer:
        return lambda payload: {**plan(*scenes)(payload), "check": check}

    answers = {
        **ANSWERS,
        "Plan": asked((2, [(0, "function"), (1, "function")]), check=True),
        "CheckClips": in_turn(asked((1, [(1, "function")]), check=True), asked(check=False)),
    }
    ended = stage.run(answers)
    assert ended.status == "SUCCEEDED"
    assert ended.tasks[1] == "Plan"
    assert ended.tasks[4:] == ["CheckClips", "DrawClip", "CheckClips", "Assemble", "Publish"]
    assert ended.payloads("DrawClip")[-1] == {**_INPUT, "clip": 1}


def test_clips_are_looked_at_until_none_is_left_and_again_if_some_are_rendered_again(stage: Stage) -> None:
    def asked(*scenes: tuple[int, list[tuple[int, str]]], look: bool, check: bool) -> Answer:
        return lambda payload: {**plan(*scenes)(payload), "look": look, "check": check}

    answers = {
        **ANSWERS,
        "Plan": asked((1, [(0, "function")]), look=True, check=True),
        "LookAtClips": in_turn(*(lambda _, more=more: {"more": more} for more in (True, False, False))),
        "CheckClips": in_turn(
            asked((1, [(0, "function")]), look=True, check=True), asked(look=False, check=False)
        ),
    }
    ended = stage.run(answers)
    assert ended.status == "SUCCEEDED"
    looks = [name for name in ended.tasks if name in ("LookAtClips", "CheckClips")]
    assert looks == ["LookAtClips", "LookAtClips", "CheckClips", "LookAtClips", "CheckClips"]


@pytest.mark.parametrize("gate", GATES)
def test_a_review_that_times_out_fails_the_video_and_says_so(stage: Stage, gate: str) -> None:
    answers = {**ANSWERS, "WriteStoryboard": storyboard(*TWO_SCENES, review=[gate])}
    ended = stage.run(answers, review_seconds=_QUICK)
    assert (ended.status, ended.error) == ("FAILED", "ReviewTimedOut")
    assert ended.tasks.count("Review") == 1
    [payload] = ended.payloads("RecordFailure")
    told = failure(payload["step"], payload["error"])
    assert (told.step, told.code) == ("Review", "ReviewTimedOut")
    assert told.reason.startswith(f"Nobody approved the {gate} within ")
    assert "approve or retry" in told.advice.lower()


def test_a_review_whose_function_fails_is_retried_and_then_recorded(stage: Stage) -> None:
    answers = {**ANSWERS, "WriteStoryboard": storyboard(*TWO_SCENES, review=["previews"])}
    once = in_turn(failing("ServiceUnavailable"), decisions("approved"))
    assert stage.run({**answers, "Review": once}).status == "SUCCEEDED"
    ended = stage.run({**answers, "Review": failing("VideoClosed")})
    [payload] = ended.payloads("RecordFailure")
    assert (payload["step"], payload["error"]["Error"]) == ("Review", "VideoClosed")


# --- each state alone


def alone(name: str) -> dict[str, Any]:
    """Return a machine with one state; its output is what it catches."""
    state = {key: value for key, value in STATES[name].items() if key != "Next"} | {"End": True}
    state["Catch"] = [{**catcher, "Next": "Caught"} for catcher in state.get("Catch", [])]
    states = {name: state, "Caught": {"Type": "Succeed"}}
    return {"QueryLanguage": MACHINE["QueryLanguage"], "StartAt": name, "States": states}


CLIP = {**_INPUT, "index": 4, "scene": 2}  # the execution's input, which payloads repeat
PLACES: dict[str, dict[str, int | None]] = {  # the part of it that a task's failure names
    "Narrate": {"scene": 4, "clip": None},
    "DrawStill": {"scene": 4, "clip": None},
    "DrawClip": {"scene": 2, "clip": 4},
    "RenderClip": {"scene": 2, "clip": 4},
}
NOWHERE: dict[str, int | None] = {"scene": None, "clip": None}
FAILED = {"step": "Assemble", **NOWHERE, "error": {"Error": "ClipsDiffer", "Cause": "the cause"}}
STEPS = ["WriteStoryboard", "Plan", "DrawClip", "RenderClip", "Assemble", "Publish"]


@pytest.mark.parametrize("task", STEPS)
def test_a_task_alone_returns_its_function_s_answer(stage: Stage, task: str) -> None:
    ended = stage.run({task: lambda _: {"answer": task}}, definition=_quick(alone(task)), document=CLIP)
    assert ended.output == {"answer": task}


@pytest.mark.parametrize("task", ["Narrate", "DrawStill"])
def test_a_scene_s_task_alone_passes_the_scene_on(stage: Stage, task: str) -> None:
    assert stage.run({task: part_made}, definition=alone(task), document=CLIP).output == CLIP


@pytest.mark.parametrize("task", [*STEPS, "Narrate", "DrawStill"])
def test_a_task_alone_says_which_step_scene_and_clip_failed(stage: Stage, task: str) -> None:
    ended = stage.run({task: failing("ArtifactMissing")}, definition=_quick(alone(task)), document=CLIP)
    told = {"Error": "ArtifactMissing", "Cause": "the cause"}
    error = told if task == "RenderClip" else raised("ArtifactMissing")
    assert ended.output == {"step": task, **PLACES.get(task, NOWHERE), "error": error}


@pytest.mark.parametrize("answer", [recorded, failing("Broken")])
def test_record_failure_alone_passes_the_failure_on(stage: Stage, answer: Answer) -> None:
    document = {**_INPUT, **FAILED}
    ended = stage.run({"RecordFailure": answer}, definition=alone("RecordFailure"), document=document)
    assert ended.payloads("RecordFailure") == [{**document, **_NAME}]
    assert ended.output == document


@pytest.mark.parametrize("state", ["RenderScenes", "RenderClips"])
def test_a_map_alone_renders_every_clip(stage: Stage, state: str) -> None:
    clips = [{"index": i, "scene": 0, "renderer": "function"} for i in range(3)]
    scene = {"concurrency": 2, "clips": clips}
    document = {**_INPUT, **scene, "scenes": [scene]}
    ended = stage.run({"DrawClip": clip_made}, definition=_quick(alone(state)), document=document)
    made = [{"clip": index, "reused": False} for index in range(3)]
    assert ended.output == (document if state == "RenderScenes" else made)


@pytest.mark.parametrize("scenes", [[], [{"index": 0, "narrate": True, "still": False}]])
def test_the_map_of_scenes_alone_passes_its_input_on(stage: Stage, scenes: list[Any]) -> None:
    document = {**_INPUT, "scenes": scenes}
    ended = stage.run({"Narrate": part_made}, definition=alone("PrepareScenes"), document=document)
    assert ended.output == document


@pytest.mark.parametrize(
    ("choice", "asked", "task", "otherwise"),
    [("ChooseVoice", "narrate", "Narrate", "ChooseStill"), ("ChooseStill", "still", "DrawStill", "Prepared")],
)
def test_the_choices_alone_depend_on_the_scene(
    stage: Stage, choice: str, asked: str, task: str, otherwise: str
) -> None:
    machine = {**alone(choice), "States": {choice: STATES[choice]}}
    machine["States"] |= {name: {"Type": "Pass", "Output": name, "End": True} for name in (task, otherwise)}
    for answer, state in ((True, task), (False, otherwise)):
        assert stage.run({}, definition=machine, document={asked: answer}).output == state


@pytest.mark.parametrize(("renderer", "task"), [("function", "DrawClip"), ("endpoint", "RenderClip")])
def test_the_choice_alone_depends_on_the_renderer(stage: Stage, renderer: str, task: str) -> None:
    machine = alone("ChooseRenderer")
    del machine["States"]["ChooseRenderer"]["End"], machine["States"]["ChooseRenderer"]["Catch"]
    machine["States"] |= {
        name: {"Type": "Pass", "Output": name, "End": True} for name in ("DrawClip", "RenderClip")
    }
    assert stage.run({}, definition=machine, document={"renderer": renderer}).output == task


@pytest.mark.parametrize(("assembler", "task"), [("function", "Assemble"), ("build", "AssembleLong")])
def test_the_choice_alone_depends_on_the_assembler(stage: Stage, assembler: str, task: str) -> None:
    machine = alone("ChooseAssembler")
    del machine["States"]["ChooseAssembler"]["End"], machine["States"]["ChooseAssembler"]["Catch"]
    machine["States"] |= {
        name: {"Type": "Pass", "Output": name, "End": True} for name in ("Assemble", "AssembleLong")
    }
    assert stage.run({}, definition=machine, document={"assembler": assembler}).output == task


def test_the_last_state_alone_fails_with_the_first_error(stage: Stage) -> None:
    machine = {**alone("Failed"), "States": {"Failed": STATES["Failed"]}}
    ended = stage.run({}, definition=machine, document=FAILED)
    assert (ended.status, ended.error, json.loads(ended.cause or "")) == ("FAILED", "ClipsDiffer", FAILED)


def _quick(machine: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(machine).replace("25200", str(_PATIENT)))  # type: ignore[no-any-return]
