"""The SageMaker stand-in, driven by unmodified boto3 clients, with real S3, SNS and server processes."""

import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from reelworks.cloud.backends.clips.endpoint import Endpoint
from reelworks.cloud.backends.clips.server_process import LONGEST_SOCKET
from reelworks.cloud.services.inference_queue import EndpointQueue, Job
from reelworks.cloud.services.sagemaker import SageMakerRuntime
from tests.cloud.servers import local_aws, serving, stopping, wait_until

ROOT = Path(__file__).parents[2]
BUCKET = "film-bucket"


@pytest.fixture(scope="module")
def aws() -> Iterator[Callable[[str], Any]]:
    """Return a function that creates clients of the local AWS."""
    with local_aws() as url:
        session: Any = boto3.Session("test", "test", region_name="us-east-1")
        with ExitStack() as stack:
            yield lambda service: stack.enter_context(closing(session.client(service, endpoint_url=url)))


class Notices:
    """The messages of two topics, in order, read from a queue subscribed to both."""

    def __init__(self, aws: Callable[[str], Any], name: str) -> None:
        self.sqs = aws("sqs")
        sns = aws("sns")
        self.queue = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        self.topics = []
        for kind in ("success", "error"):
            topic = sns.create_topic(Name=f"{name}-{kind}")["TopicArn"]
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
            self.topics.append(topic)

    def next(self) -> tuple[str, dict[str, Any]]:
        """("success" or "error", the notice)"""
        messages: list[Any] = []

        def received() -> bool:
            answer = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=1, WaitTimeSeconds=1)
            messages.extend(answer.get("Messages", []))
            return bool(messages)

        wait_until(received)
        self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=messages[0]["ReceiptHandle"])
        envelope = json.loads(messages[0]["Body"])
        return envelope["TopicArn"].rpartition("-")[2], json.loads(envelope["Message"])


class Bench:
    """A runtime with one endpoint, `film`, with echo engines."""

    def __init__(self, aws: Callable[[str], Any], name: str, logs: Path) -> None:
        self.s3 = aws("s3")
        self.sns = aws("sns")
        self.s3.create_bucket(Bucket=BUCKET)
        self.notices = Notices(aws, name)
        self.name = name
        self.logs = logs
        self.endpoints: dict[str, Endpoint] = {}
        self.runtime: Any = None
        self.service: Any = None  # SageMaker's own API
        self.stand_in: Any = None
        self.rooms = 0  # how often room was made

    async def make_room(self) -> None:
        self.rooms += 1

    def endpoint(self, *arguments: str, **settings: Any) -> Endpoint:
        command = (sys.executable, "-m", "tests.cloud.echo_engine", "--socket", "{socket}", *arguments)
        success, error = self.notices.topics
        defaults = {
            "name": "film",
            "command": command,
            "cwd": ROOT,
            "s3_output_path": f"s3://{BUCKET}/out/{self.name}/",
            "s3_failure_path": f"s3://{BUCKET}/failed/{self.name}",
            "success_topic_arn": success,
            "error_topic_arn": error,
            "startup_seconds": 20,
        }
        return Endpoint(**(defaults | settings))

    def offer(self, *arguments: str, **settings: Any) -> None:
        self.endpoints["film"] = self.endpoint(*arguments, **settings)

    def ask(self, prompt: str, **parameters: Any) -> Any:
        key = f"in/{self.name}/{prompt}"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps({"prompt": prompt}))
        return self.runtime.invoke_endpoint_async(
            EndpointName="film", InputLocation=f"s3://{BUCKET}/{key}", **parameters
        )

    def read(self, location: str) -> Any:
        bucket, key = location.removeprefix("s3://").split("/", 1)
        return self.s3.get_object(Bucket=bucket, Key=key)

    def server_pid(self) -> int:
        """Ask the running server."""
        answer = self.ask("environment")
        self.notices.next()
        pid: int = json.loads(self.read(answer["OutputLocation"])["Body"].read())["pid"]
        return pid


@pytest.fixture
def bench(aws: Callable[[str], Any], request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60]
    bench = Bench(aws, name, tmp_path)
    runtime = SageMakerRuntime(
        bench.endpoints, s3=bench.s3, sns=bench.sns, logs=tmp_path, make_room=bench.make_room
    )

    with serving(stopping(runtime)) as url:
        session = boto3.Session("test", "test", region_name="us-east-1")
        with (
            closing(session.client("sagemaker-runtime", endpoint_url=url)) as bench.runtime,
            closing(session.client("sagemaker", endpoint_url=url)) as bench.service,
        ):
            bench.stand_in = runtime
            yield bench


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc").exists() else True


def test_answer_and_success_notice(bench: Bench) -> None:
    bench.offer()
    answer = bench.ask(
        "a bee",
        InferenceId="clip-1",
        ContentType="application/json",
        Accept="video/mp4",
        RequestTTLSeconds=60,
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["InferenceId"] == "clip-1"
    assert answer["OutputLocation"] == f"s3://{BUCKET}/out/{bench.name}/clip-1.out"
    assert answer["FailureLocation"] == f"s3://{BUCKET}/failed/{bench.name}/clip-1-error.out"

    topic, notice = bench.notices.next()
    assert topic == "success"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", notice.pop("eventTime"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", notice.pop("receivedTime"))
    assert notice == {
        "awsRegion": "us-east-1",
        "invocationStatus": "Completed",
        "requestParameters": {
            "accept": "video/mp4",
            "contentType": "application/json",
            "endpointName": "film",
            "inputLocation": f"s3://{BUCKET}/in/{bench.name}/a bee",
        },
        "responseParameters": {"contentType": "video/mp4", "outputLocation": answer["OutputLocation"]},
        "inferenceId": "clip-1",
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    output = bench.read(answer["OutputLocation"])
    assert output["ContentType"] == "video/mp4"
    assert output["Body"].read() == b"a bee"


def test_inline_body_and_headers_reach_the_server(bench: Bench) -> None:
    bench.offer()
    answer = bench.runtime.invoke_endpoint_async(
        EndpointName="film",
        Body=json.dumps({"prompt": "headers"}),
        ContentType="application/json",
        Accept="video/mp4",
        CustomAttributes="trace=1",
    )
    _, notice = bench.notices.next()
    assert "inputLocation" not in notice["requestParameters"]
    headers = json.loads(bench.read(answer["OutputLocation"])["Body"].read())
    assert headers["content-type"] == "application/json"
    assert headers["accept"] == "video/mp4"
    assert headers["x-amzn-sagemaker-custom-attributes"] == "trace=1"
    assert answer["InferenceId"] == notice["inferenceId"]


@pytest.mark.parametrize(
    ("prompt", "reason", "code"),
    [
        (
            "refuse",
            r"Received client error \(400\) from model with message .*frames must be 8N\+1",
            "invalid_request",
        ),
        ("fail", r"Received server error \(500\) from model with message .*out of memory", "out_of_memory"),
    ],
)
def test_a_server_that_returns_an_error(bench: Bench, prompt: str, reason: str, code: str) -> None:
    bench.offer()
    answer = bench.ask(prompt)
    topic, notice = bench.notices.next()
    assert (topic, notice["invocationStatus"]) == ("error", "Failed")
    assert re.search(reason, notice["failureReason"])
    assert notice["responseParameters"] == {"failureLocation": answer["FailureLocation"]}
    failure = bench.read(answer["FailureLocation"])
    assert failure["ContentType"] == "application/json"
    assert json.loads(failure["Body"].read())["error"]["code"] == code
    with pytest.raises(ClientError, match="NoSuchKey"):
        bench.read(answer["OutputLocation"])


def test_an_unreadable_response_fails_the_job(bench: Bench) -> None:
    bench.offer()
    bench.ask("garble")
    topic, notice = bench.notices.next()
    assert (topic, notice["invocationStatus"]) == ("error", "Failed")
    assert "DecodingError" in notice["failureReason"]
    bench.ask("the next")
    assert bench.notices.next()[1]["invocationStatus"] == "Completed"


def test_a_timeout_fails_the_job_and_ends_the_server(bench: Bench) -> None:
    bench.offer()
    pid = bench.server_pid()
    answer = bench.ask("sleep 300", InvocationTimeoutSeconds=1)
    topic, notice = bench.notices.next()
    assert (topic, notice["failureReason"]) == ("error", "The invocation timed out after 1 s.")
    assert bench.read(answer["FailureLocation"])["Body"].read() == b"The invocation timed out after 1 s."
    assert not alive(pid)
    assert bench.server_pid() != pid


def test_a_crash_fails_the_job_with_what_the_server_printed(bench: Bench) -> None:
    bench.offer()
    bench.ask("crash")
    bench.ask("after the crash")
    topic, notice = bench.notices.next()
    assert topic == "error"
    assert "exited with code 3 during the invocation" in notice["failureReason"]
    assert "the GPU fell off the bus" in notice["failureReason"]
    assert bench.notices.next()[1]["invocationStatus"] == "Completed"


def test_a_missing_input_fails_immediately_and_starts_no_server(bench: Bench) -> None:
    bench.offer()
    bench.runtime.invoke_endpoint_async(EndpointName="film", InputLocation=f"s3://{BUCKET}/no/such/input")
    topic, notice = bench.notices.next()
    assert topic == "error"
    assert "no/such/input could not be read" in notice["failureReason"]
    assert "NoSuchKey" in notice["failureReason"]
    assert list(bench.logs.iterdir()) == []


def test_room_is_made_before_each_job(bench: Bench) -> None:
    bench.offer()
    for number in (1, 2):
        bench.ask("a bee", InferenceId=f"clip-{number}")
        assert bench.notices.next()[0] == "success"
        assert bench.rooms == number


def test_one_job_at_a_time_in_the_order_of_arrival(bench: Bench) -> None:
    """The echo engine returns 500 to a second request while it renders one."""
    bench.offer()
    asked = [bench.ask("sleep 0.3")["InferenceId"] for _ in range(3)]
    notices = [bench.notices.next()[1] for _ in asked]
    assert [n["invocationStatus"] for n in notices] == ["Completed"] * 3
    assert [n["inferenceId"] for n in sorted(notices, key=lambda n: n["eventTime"])] == asked


def test_two_instances_are_two_servers(bench: Bench) -> None:
    bench.offer(instances=2)
    for _ in range(2):
        bench.ask("sleep 1")
    assert [bench.notices.next()[1]["invocationStatus"] for _ in range(2)] == ["Completed"] * 2
    assert {log.name for log in bench.logs.iterdir()} == {"film-0.log", "film-1.log"}


def test_a_server_starts_on_demand_and_ends_when_idle(bench: Bench) -> None:
    bench.offer(idle_seconds=0.5)
    assert list(bench.logs.iterdir()) == []
    pid = bench.server_pid()
    wait_until(lambda: not alive(pid))
    assert bench.server_pid() != pid


def test_jobs_wait_for_a_server_that_loads(bench: Bench) -> None:
    bench.offer("--load", "1")
    bench.ask("patience")
    assert bench.notices.next()[1]["invocationStatus"] == "Completed"


def test_a_busy_server_is_retried(bench: Bench) -> None:
    bench.offer()
    bench.ask("busy")
    assert bench.notices.next()[1]["invocationStatus"] == "Completed"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"command": (sys.executable, "-c", "raise SystemExit('no CUDA')")},
            r"exited with code 1 while starting.*no CUDA",
        ),
        ({"command": ("no-such-program",)}, r"exited with code 1 while starting.*no-such-program"),
        ({"cwd": Path("/no/such/folder")}, r"could not be started.*no/such/folder"),
        ({"arguments": ("--fail-to-start",)}, r"can't serve: the checkpoint is truncated"),
        ({"arguments": ("--load", "99"), "startup_seconds": 1}, r"not ready within 1 s"),
    ],
)
def test_a_server_that_fails_to_start(bench: Bench, settings: dict[str, Any], reason: str) -> None:
    bench.offer(*settings.pop("arguments", ()), **settings)
    bench.ask("a bee")
    topic, notice = bench.notices.next()
    assert (topic, notice["invocationStatus"]) == ("error", "Failed")
    assert re.search(reason, notice["failureReason"], re.DOTALL)


def test_a_server_that_cannot_serve_is_reported_as_broken(bench: Bench) -> None:
    """In the form of the engine contract: another start would fail in the same way."""
    bench.offer("--fail-to-start")
    answer = bench.ask("a bee")
    bench.notices.next()
    error = json.loads(bench.read(answer["FailureLocation"])["Body"].read())["error"]
    assert error["code"] == "broken"
    assert error["message"] == "The server can't serve: the checkpoint is truncated"


def test_an_unwritable_output(bench: Bench) -> None:
    bench.offer(s3_output_path="s3://no-such-bucket/out")
    bench.ask("a bee")
    topic, notice = bench.notices.next()
    assert topic == "error"
    assert "could not be written to s3://no-such-bucket/out/" in notice["failureReason"]


def test_no_aws_in_the_environment_of_a_server(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    bench.offer(env={"HF_HUB_OFFLINE": "1"})
    answer = bench.ask("environment")
    bench.notices.next()
    environment = json.loads(bench.read(answer["OutputLocation"])["Body"].read())
    assert [name for name in environment if name.startswith("AWS_")] == []
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize("deep", [False, True], ids=["usual folder", "long name"])
def test_only_this_user_can_reach_a_server(
    bench: Bench, deep: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / ("deep" * 20 if deep else "t")
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    bench.offer()
    answer = bench.ask("command")
    bench.notices.next()
    command = json.loads(bench.read(answer["OutputLocation"])["Body"].read())
    server = Path(command[command.index("--socket") + 1])
    assert stat.S_ISSOCK(server.stat().st_mode)
    assert (server.parent.stat().st_mode & 0o777, server.parent.stat().st_uid) == (0o700, os.geteuid())
    assert server.is_relative_to(temporary) is not deep
    assert len(os.fsencode(server)) <= LONGEST_SOCKET


def test_the_endpoint_is_unknown(bench: Bench) -> None:
    with pytest.raises(bench.runtime.exceptions.ValidationError, match="Endpoint other not found") as caught:
        bench.runtime.invoke_endpoint_async(EndpointName="other", InputLocation="s3://b/k")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "exactly one of InputLocation and Body"),
        ({"InputLocation": "s3://b/k", "Body": b"{}"}, "exactly one of InputLocation and Body"),
        ({"Body": b"x" * 128_001}, "at most 128000 bytes"),
        ({"InputLocation": "https://b/k"}, "s3://bucket/key"),
        ({"InputLocation": "s3://b/k", "InvocationTimeoutSeconds": 3601}, "integer from 1 to 3600"),
        ({"InputLocation": "s3://b/k", "RequestTTLSeconds": 21_601}, "integer from 60 to 21600"),
        ({"InputLocation": "s3://b/k", "InferenceId": "x" * 65}, "1 to 64 printable"),
        ({"InputLocation": "s3://b/k", "CustomAttributes": "x" * 1025}, "at most 1024"),
        ({"InputLocation": "s3://b/k", "Filename": "clip"}, "not supported"),
    ],
)
def test_an_invalid_parameter(bench: Bench, parameters: dict[str, Any], message: str) -> None:
    bench.offer()
    with pytest.raises(bench.runtime.exceptions.ValidationError, match=message):
        bench.runtime.invoke_endpoint_async(EndpointName="film", **parameters)


def test_other_operations_are_rejected(bench: Bench) -> None:
    with pytest.raises(ClientError, match="UnknownOperationException"):
        bench.runtime.invoke_endpoint(EndpointName="film", Body=b"{}")


JSON = {"ContentType": "application/json"}


@pytest.fixture
def record(bench: Bench, tmp_path: Path) -> Callable[[], list[str]]:
    """Offer the stoppable engine; return a function that reads its record."""
    file = tmp_path / "record"
    bench.offer(
        command=(sys.executable, "-m", "tests.cloud.stoppable_engine", "--socket", "{socket}", str(file))
    )
    return lambda: file.read_text().splitlines() if file.exists() else []


def withdraw(bench: Bench, prompt: str) -> None:
    bench.s3.delete_object(Bucket=BUCKET, Key=f"in/{bench.name}/{prompt}")


def test_a_running_job_stops_once_its_input_is_deleted(bench: Bench, record: Callable[[], list[str]]) -> None:
    answer = bench.ask("endless", **JSON)
    bench.ask("the next film", **JSON)
    wait_until(lambda: record() == ["begun endless"])
    withdraw(bench, "endless")
    topic, notice = bench.notices.next()
    assert (topic, notice["invocationStatus"], notice["inferenceId"]) == (
        "error",
        "Failed",
        answer["InferenceId"],
    )
    assert "The request was withdrawn" in notice["failureReason"]
    assert bench.notices.next()[1]["invocationStatus"] == "Completed"
    assert record() == ["begun endless", "stopped endless", "begun the next film", "made the next film"]


def test_a_queued_job_whose_input_is_deleted_does_not_start(
    bench: Bench, record: Callable[[], list[str]]
) -> None:
    bench.ask("endless", **JSON)
    bench.ask("queued", **JSON)
    wait_until(lambda: record() == ["begun endless"])
    withdraw(bench, "queued")
    withdraw(bench, "endless")
    assert [bench.notices.next()[0] for _ in range(2)] == ["error", "error"]
    assert record() == ["begun endless", "stopped endless"]


def test_a_job_with_its_input_in_the_call_is_not_withdrawn(
    bench: Bench, record: Callable[[], list[str]]
) -> None:
    bench.runtime.invoke_endpoint_async(EndpointName="film", Body=json.dumps({"prompt": "a bee"}), **JSON)
    assert bench.notices.next()[0] == "success"
    assert record() == ["begun a bee", "made a bee"]


def test_a_call_that_is_sent_twice_is_one_job(bench: Bench, record: Callable[[], list[str]]) -> None:
    """The answer to the first was lost."""
    for _ in range(2):
        bench.ask("endless", InferenceId="clip-1", **JSON)
    wait_until(lambda: record() == ["begun endless"])
    bench.ask("the next", InferenceId="clip-2", **JSON)
    withdraw(bench, "endless")
    notices = [bench.notices.next()[1] for _ in range(2)]
    assert [one["inferenceId"] for one in notices] == ["clip-1", "clip-2"]
    bench.ask("again", InferenceId="clip-1", **JSON)  # it has ended, so this is another job
    assert bench.notices.next()[1]["inferenceId"] == "clip-1"


def test_a_job_that_waited_longer_than_its_ttl_expires(bench: Bench) -> None:
    """Below the wire format, which allows a TTL under the service's minimum of 60 s."""

    def job(inference_id: str, prompt: str, ttl_seconds: float) -> Job:
        return Job(
            inference_id=inference_id,
            input=json.dumps({"prompt": prompt}).encode(),
            output_location=f"s3://{BUCKET}/{inference_id}.out",
            failure_location=f"s3://{BUCKET}/{inference_id}-error.out",
            invocation_seconds=60,
            ttl_seconds=ttl_seconds,
            headers={"content-type": "application/json", "accept": "*/*"},
        )

    async def run() -> None:
        queue = EndpointQueue(
            bench.endpoint(), s3=bench.s3, sns=bench.sns, logs=bench.logs, make_room=bench.make_room
        )
        queue.submit(job("in-hand", "sleep 0.5", ttl_seconds=60))
        queue.submit(job("too-late", "a bee", ttl_seconds=0.1))
        try:
            assert (await asyncio.to_thread(bench.notices.next))[1]["invocationStatus"] == "Completed"
            topic, notice = await asyncio.to_thread(bench.notices.next)
        finally:
            await queue.stop()
        assert (topic, notice["invocationStatus"]) == ("error", "Expired")
        assert notice["inferenceId"] == "too-late"
        assert "TTL of 0.1 s" in notice["failureReason"]

    asyncio.run(run())


def test_stopping_the_cloud_ends_the_servers(aws: Callable[[str], Any], tmp_path: Path) -> None:
    bench = Bench(aws, "stopped", tmp_path)
    bench.offer()
    runtime = SageMakerRuntime(
        bench.endpoints, s3=bench.s3, sns=bench.sns, logs=tmp_path, make_room=bench.make_room
    )
    with serving(stopping(runtime)) as url:
        session = boto3.Session("test", "test", region_name="us-east-1")
        with closing(session.client("sagemaker-runtime", endpoint_url=url)) as bench.runtime:
            pid = bench.server_pid()
            bench.ask("sleep 300")
        assert alive(pid)
    assert not alive(pid)


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(300)
"""
CLOUD = """
import subprocess, sys, time
from reelworks.cloud.processes import watchdog
subprocess.Popen([sys.executable, "-I", "-S", watchdog.__file__, *sys.argv[1:]], stdin=subprocess.PIPE)
time.sleep(300)
"""


def test_a_killed_cloud_s_servers_end_too() -> None:
    """kill -9 of the parent; the server ignores SIGTERM and has its own child."""
    parent = subprocess.Popen(
        [sys.executable, "-c", CLOUD, sys.executable, "-c", STUBBORN],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert all(map(alive, pids))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_until(lambda: not any(map(alive, pids)))


# --- SageMaker's own API


def test_endpoints_are_listed(bench: Bench) -> None:
    bench.offer()
    bench.endpoints["other"] = bench.endpoint(name="other")
    listed = bench.service.list_endpoints()["Endpoints"]
    assert [(one["EndpointName"], one["EndpointStatus"]) for one in listed] == [
        ("film", "InService"),
        ("other", "InService"),
    ]
    found = bench.service.list_endpoints(NameContains="fil")["Endpoints"]
    assert [one["EndpointName"] for one in found] == ["film"]


def test_an_endpoint_tells_its_instances_and_its_backlog(bench: Bench) -> None:
    bench.offer()

    def instances() -> int:
        [variant] = bench.service.describe_endpoint(EndpointName="film")["ProductionVariants"]
        return int(variant["CurrentInstanceCount"])

    assert (instances(), bench.stand_in.gauges()[0]["Value"]) == (0, 0)
    key = f"in/{bench.name}/sleep 600"  # until its request is withdrawn
    bench.ask("sleep 600")
    wait_until(lambda: instances() == 1)
    bench.ask("a bee")
    [gauge] = bench.stand_in.gauges()
    assert (gauge["MetricName"], gauge["Value"]) == ("ApproximateBacklogSize", 2)
    bench.s3.delete_object(Bucket=BUCKET, Key=key)
    wait_until(lambda: bench.stand_in.gauges()[0]["Value"] == 0)


def test_an_unknown_endpoint_or_call_is_refused(bench: Bench) -> None:
    with pytest.raises(ClientError, match="Could not find endpoint") as caught:
        bench.service.describe_endpoint(EndpointName="film")
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError, match="CreateEndpoint is not supported") as caught:
        bench.service.create_endpoint(EndpointName="film", EndpointConfigName="film")
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
