"""Functions' processes in a running cloud: how many there are, and what happens when one dies."""

import json
import os
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from reelworks.cloud.home import Home
from reelworks.cloud.lifecycle.cloud_status import Status, status
from reelworks.cloud.lifecycle.start_stop import down, up
from tests.cloud import small_stack

SECONDS = 30  # only a failing test waits for so long
CPUS = os.cpu_count() or 1

CODE = (
    small_stack.CODE
    + """
def work(event, context):
    name, how, bucket, s3 = event["name"], event["how"], os.environ["BUCKET"], boto3.client("s3")

    def count(prefix):
        return s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"]

    s3.put_object(Bucket=bucket, Key=f"work/{name}/{uuid.uuid4()}", Body=str(os.getpid()))
    if how == "raise":
        raise KeyError(os.getpid())
    if how == "exit":
        os._exit(3)
    if how == "print":
        print('{"status": "ok", "result": "printed"}')
    if how == "killed once" and count(f"work/{name}/") == 1:
        os.kill(os.getpid(), 9)
    while how == "wait" and not count(f"go/{name}"):
        time.sleep(0.05)
    if "token" in event and how != "unanswered":
        boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output=json.dumps(how))
    return os.getpid()
"""
)
FUNCTIONS = {
    "Work": {"Handler": "code.work", "MemorySize": 1769},
    "Other": {"Handler": "code.work"},
    "Brief": {"Handler": "code.work", "Timeout": 2},
    "Broken": {"Handler": "missing.work"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    template = small_stack.template()
    for name, properties in FUNCTIONS.items():
        function = json.loads(json.dumps(template["Resources"]["Sleep"]))
        function["Properties"] |= {"FunctionName": name, **properties}
        template["Resources"][name] = function
    folder = tmp_path_factory.mktemp("cloud")
    home = Home(folder / "home", small_stack.write_checkout(folder / "checkout", template, CODE))
    up(home)
    yield home
    down(home)


@pytest.fixture(scope="module")
def cloud(home: Home) -> "Machine":
    return Machine(home, status(home))


class Machine:
    """A state machine with one task, which calls a function and waits for its token."""

    def __init__(self, home: Home, cloud: Status) -> None:
        assert cloud.aws_endpoint_url
        self.home = home
        self.url = cloud.aws_endpoint_url
        self.s3, self.lambda_ = small_stack.aws(cloud, "s3"), small_stack.aws(cloud, "lambda")
        self._states = small_stack.aws(cloud, "stepfunctions")

    def start(self, how: str, *, function: str = "Work", name: str = "", retry: tuple[str, ...] = ()) -> str:
        return self._start(_task(function, retry), {"how": how, "name": name or str(uuid4())})

    def start_film(self, scenes: list[list[str]], name: str) -> str:
        """Start an execution with a Map of scenes, in each a Map of its calls, two at a time."""
        clips = _map(_task("Work", ()), "$.clips") | {
            "ItemSelector": {"how.$": "$$.Map.Item.Value", "name.$": "$.name"}
        }
        whole = _map(clips, "$.scenes") | {
            "ItemSelector": {"clips.$": "$$.Map.Item.Value", "name.$": "$.name"}
        }
        return self._start(whole, {"scenes": scenes, "name": name})

    def _start(self, state: dict[str, Any], document: dict[str, Any]) -> str:
        machine = self._states.create_state_machine(
            name=f"m-{uuid4()}",
            definition=json.dumps({"StartAt": "Work", "States": {"Work": state}}),
            roleArn="arn:aws:iam::000000000000:role/any",
        )["stateMachineArn"]
        arn = self._states.start_execution(stateMachineArn=machine, input=json.dumps(document))[
            "executionArn"
        ]
        return str(arn)

    def end_of(self, execution: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self._states.describe_execution(executionArn=execution)
            return None if found["status"] == "RUNNING" else found

        return until(ended)

    def at_work(self, name: str) -> list[int]:
        """The processes of the calls with this name that have begun."""
        listed = self.s3.list_objects_v2(Bucket=small_stack.BUCKET, Prefix=f"work/{name}/").get(
            "Contents", []
        )
        return [
            int(self.s3.get_object(Bucket=small_stack.BUCKET, Key=entry["Key"])["Body"].read())
            for entry in listed
        ]

    def go(self, name: str) -> None:
        self.s3.put_object(Bucket=small_stack.BUCKET, Key=f"go/{name}")

    def invoke(self, how: str, function: str = "Work") -> Any:
        event = json.dumps({"how": how, "name": "invoked"})
        answer = self.lambda_.invoke(FunctionName=function, Payload=event.encode())
        return json.loads(answer["Payload"].read())


def _task(function: str, retry: tuple[str, ...]) -> dict[str, Any]:
    task: dict[str, Any] = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {
            "FunctionName": function,
            "Payload": {
                "token.$": "$$.Task.Token",
                "tenant": "acme",
                "video_id": "v",
                "how.$": "$.how",
                "name.$": "$.name",
            },
        },
        "TimeoutSeconds": 900,
        "End": True,
    }
    if retry:
        task["Retry"] = [{"ErrorEquals": list(retry), "IntervalSeconds": 1, "MaxAttempts": 3}]
    return task


def _map(state: dict[str, Any], items: str) -> dict[str, Any]:
    return {
        "Type": "Map",
        "ItemsPath": items,
        "MaxConcurrency": 2,
        "ItemProcessor": {"StartAt": "Work", "States": {"Work": state}},
        "End": True,
    }


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_state_learns_at_once_that_its_function_was_killed(cloud: Machine, number: signal.Signals) -> None:
    name = f"killed-{number}"
    execution = cloud.start("wait", name=name)
    [pid] = until(lambda: cloud.at_work(name))
    os.kill(pid, number)
    ended = cloud.end_of(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "Runtime.ExitError")
    how = (signal.strsignal(number) or "").lower()
    assert json.loads(ended["cause"])["errorMessage"].endswith(f"Runtime exited with error: signal: {how}")


@pytest.mark.parametrize(
    "scenes",
    [
        [["unanswered", "raise", "any", "any", "any"]],
        [["unanswered", "unanswered"], ["raise", "unanswered", "any"]],
    ],
)
def test_a_film_fails_at_its_first_failure_and_begins_nothing_after_it(
    cloud: Machine, scenes: list[list[str]]
) -> None:
    name = str(uuid4())
    ended = cloud.end_of(cloud.start_film(scenes, name))  # though calls of it are never answered
    assert (ended["status"], ended["error"]) == ("FAILED", "KeyError")
    begun = len(cloud.at_work(name))
    time.sleep(2)
    assert len(cloud.at_work(name)) == begun < sum(map(len, scenes))


@pytest.mark.parametrize(
    ("how", "function", "error", "reason"),
    [
        ("exit", "Work", "Runtime.ExitError", "exit status 3"),
        ("any", "Broken", "Runtime.ImportModuleError", "No module named 'missing'"),
        ("wait", "Brief", "Sandbox.Timedout", "Task timed out after 2.00 seconds"),
        ("raise", "Work", "KeyError", ""),
    ],
)
def test_a_state_learns_at_once_that_its_function_ended(
    cloud: Machine, how: str, function: str, error: str, reason: str
) -> None:
    ended = cloud.end_of(cloud.start(how, function=function))
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert reason in json.loads(ended["cause"])["errorMessage"]


def test_a_function_that_was_killed_is_tried_again(cloud: Machine) -> None:
    ended = cloud.end_of(cloud.start("killed once", name="again", retry=("Runtime.ExitError",)))
    assert (ended["status"], ended["output"]) == ("SUCCEEDED", '"killed once"')
    assert len(set(cloud.at_work("again"))) == 2


def test_a_process_survives_an_exception(cloud: Machine) -> None:
    """Otherwise each wrong API key would cost a new process."""
    first = cloud.invoke("raise")
    assert first["errorType"] == "KeyError"
    assert [cloud.invoke("raise")["errorMessage"] for _ in range(3)] == [first["errorMessage"]] * 3


def test_an_idle_process_that_was_killed_costs_no_call(cloud: Machine) -> None:
    pid = cloud.invoke("any")
    os.kill(pid, signal.SIGKILL)
    assert cloud.invoke("any") != pid


def test_what_a_function_prints_is_not_its_answer(cloud: Machine) -> None:
    assert isinstance(cloud.invoke("print"), int)


def test_steps_wait_for_a_processor_and_the_api_does_not(cloud: Machine) -> None:
    name = "turns"
    executions = [cloud.start("wait", name=name) for _ in range(CPUS + 3)]
    assert len(until(lambda: len(pids := cloud.at_work(name)) == CPUS and pids)) == CPUS
    report = until(lambda: waiting_of(cloud.home, "Work", 3))
    assert report["running"] == {"Work": CPUS}
    assert report["memory_bytes"] > 10e6
    assert report["processes"] >= CPUS
    assert httpx.get(f"{cloud.url}/v1/videos", timeout=SECONDS).status_code == 200
    cloud.go(name)
    assert {cloud.end_of(execution)["status"] for execution in executions} == {"SUCCEEDED"}
    assert len(set(cloud.at_work(name))) == CPUS


def add_function_with_code_of_its_own(cloud: Machine, name: str) -> None:
    """Its start needs disk space, as functions with the same code share their files."""
    code = BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("code.py", f"# {name * 100_000}\n{CODE}")
    cloud.lambda_.create_function(
        FunctionName=name,
        Role="arn:aws:iam::000000000000:role/any",
        Runtime="python3.12",
        Handler="code.work",
        Timeout=60,
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"BUCKET": small_stack.BUCKET}},
    )


def fill(file: Path) -> None:
    with file.open("ab", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(tmp_path)]).returncode:
        pytest.skip("only root can mount a small disk")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_full_disk_is_named_and_functions_still_start(small_disk: Path, home: Home) -> None:
    full = Home(small_disk / "home", home.checkout)
    try:
        cloud = Machine(full, up(full))
        for name in ("First", "Second"):
            add_function_with_code_of_its_own(cloud, name)
        fill(small_disk / "filler")
        assert shutil.disk_usage(small_disk).free < 8192
        assert cloud.invoke("any", "First"), "it has the reserve's space"
        fill(small_disk / "filler")
        written = cloud.invoke("any", "First")["errorMessage"]
        assert "InternalError" in written
        assert "No space left on device" in written
        ended = cloud.end_of(cloud.start("any", function="Second"))
        assert ended["error"] == "DiskFull"
        assert "No space left on device" in json.loads(ended["cause"])["errorMessage"]
        (small_disk / "filler").unlink()
        assert cloud.end_of(cloud.start("any", function="Second"))["status"] == "SUCCEEDED"
    finally:
        down(full)


def waiting_of(home: Home, function: str, count: int) -> dict[str, Any] | None:
    functions = status(home).functions  # None while the cloud is too busy to say
    return functions if functions and functions["waiting"].get(function) == count else None


def test_a_cloud_that_does_not_respond_is_not_down(home: Home, cloud: Machine) -> None:
    pid = int(json.loads(Path(home.process_lock).read_text())["pid"])
    os.kill(pid, signal.SIGSTOP)
    try:
        found = status(home)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (found.state, found.functions) == ("up", None)
    assert until(lambda: status(home).functions)


# --- what they call


def test_the_calls_of_each_function_are_counted(cloud: Machine) -> None:
    """By the name in botocore's user agent, which the cloud sets. Those of this test are nobody's."""

    def counts() -> tuple[dict[str, int], int]:
        report = httpx.get(f"{cloud.url}/_reelworks", timeout=SECONDS).json()
        return report["calls"].get("Other", {}), report["functions"]["invoked"].get("Other", 0)

    before, invoked = counts()
    for _ in range(2):
        cloud.invoke("return", "Other")
    cloud.go("anything")
    after, times = counts()
    assert times - invoked == 2
    assert {call: after[call] - before.get(call, 0) for call in after} == {"s3 PutObject": 2}
