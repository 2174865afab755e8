"""What an operator does on AWS and can practise on a PC: move messages from a dead-letter queue, watch
metrics, read the history of executions."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from starlette.types import Receive, Scope, Send

from reelworks.cloud.server.dispatch import signed_for
from reelworks.cloud.services.execution_history import ExecutionHistory
from reelworks.cloud.services.log_metrics import LogMetrics
from reelworks.cloud.services.message_moves import MessageMoves
from tests.cloud.servers import local_aws, serving, stopping, wait_until
from tests.cloud.test_codebuild_stand_in import Passing


class Cloud:
    """The two services, and ministack for everything else."""

    def __init__(self, url: str, clients: Any) -> None:
        behind = Passing(url)
        self._moves = MessageMoves(behind, sqs=clients("sqs"))
        self._metrics = LogMetrics(behind, logs=clients("logs"), cloudwatch=clients("cloudwatch"))
        self._apps = {"sqs": self._moves, "monitoring": self._metrics}
        self._behind = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._apps.get(signed_for(scope) or "", self._behind)(scope, receive, send)

    async def stop(self) -> None:
        await self._moves.stop()


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    """A function that returns clients of the cloud."""
    session: Any = boto3.Session("test", "test", region_name="us-east-1")
    with local_aws() as url, ExitStack() as stack:

        def clients(service: str, at: str = url) -> Any:
            return stack.enter_context(closing(session.client(service, endpoint_url=at)))

        with serving(stopping(Cloud(url, clients))) as cloud:
            yield lambda service: clients(service, cloud)


class Queues:
    """A queue and its dead-letter queue, which takes what was received once."""

    def __init__(self, sqs: Any, name: str, **attributes: str) -> None:
        self.sqs = sqs
        fifo = ".fifo" if attributes else ""
        self.dead = sqs.create_queue(QueueName=f"{name}-dead{fifo}", Attributes=attributes)["QueueUrl"]
        self.dead_arn = self.arn(self.dead)
        policy = json.dumps({"deadLetterTargetArn": self.dead_arn, "maxReceiveCount": 1})
        self.live = sqs.create_queue(
            QueueName=f"{name}{fifo}", Attributes=attributes | {"RedrivePolicy": policy}
        )["QueueUrl"]

    def arn(self, url: str) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def fail(self, *bodies: str, **options: Any) -> None:
        """Let these messages end in the dead-letter queue."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.live, MessageBody=body, **options)
            self.sqs.receive_message(QueueUrl=self.live, VisibilityTimeout=0)
        self.sqs.receive_message(QueueUrl=self.live)
        wait_until(lambda: self.count(self.dead) == len(bodies))

    def count(self, url: str) -> int:
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(found["Attributes"]["ApproximateNumberOfMessages"])

    def task(self) -> dict[str, Any]:
        [task] = self.sqs.list_message_move_tasks(SourceArn=self.dead_arn)["Results"]
        return dict(task)

    def ended(self) -> dict[str, Any]:
        wait_until(lambda: self.task()["Status"] not in ("RUNNING", "CANCELLING"))
        return self.task()

    def bodies(self, url: str) -> list[str]:
        found: list[str] = []
        while batch := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in batch]
            for message in batch:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return sorted(found)


@pytest.fixture
def queues(aws: Any, request: pytest.FixtureRequest) -> Queues:
    return Queues(aws("sqs"), f"q{abs(hash(request.node.name))}")


def test_messages_return_to_where_they_came_from(queues: Queues) -> None:
    names = [f"film {number}" for number in range(12)]
    queues.fail(*names, MessageAttributes={"kind": {"DataType": "String", "StringValue": "film"}})
    started = queues.sqs.start_message_move_task(SourceArn=queues.dead_arn)
    assert started["TaskHandle"]
    task = queues.ended()
    assert task.pop("StartedTimestamp") > 0
    assert task == {
        "Status": "COMPLETED",
        "SourceArn": queues.dead_arn,
        "ApproximateNumberOfMessagesMoved": 12,
        "ApproximateNumberOfMessagesToMove": 12,
    }
    assert queues.count(queues.dead) == 0
    first = queues.sqs.receive_message(
        QueueUrl=queues.live, MessageAttributeNames=["All"], VisibilityTimeout=0
    )
    assert first["Messages"][0]["MessageAttributes"]["kind"]["StringValue"] == "film"


def test_messages_go_to_another_queue_if_asked(queues: Queues) -> None:
    queues.fail("a", "b")
    other = queues.sqs.create_queue(QueueName="other")["QueueUrl"]
    queues.sqs.start_message_move_task(SourceArn=queues.dead_arn, DestinationArn=queues.arn(other))
    assert queues.ended()["DestinationArn"] == queues.arn(other)
    assert queues.bodies(other) == ["a", "b"]
    assert queues.bodies(queues.dead) == queues.bodies(queues.live) == []


def test_a_running_task_is_the_only_one_and_can_be_cancelled(queues: Queues) -> None:
    queues.fail(*"abcdefghij")
    handle = queues.sqs.start_message_move_task(SourceArn=queues.dead_arn, MaxNumberOfMessagesPerSecond=1)[
        "TaskHandle"
    ]
    assert queues.task()["TaskHandle"] == handle
    with pytest.raises(ClientError, match="already a task running"):
        queues.sqs.start_message_move_task(SourceArn=queues.dead_arn)
    wait_until(lambda: queues.task()["ApproximateNumberOfMessagesMoved"] > 0)
    queues.sqs.cancel_message_move_task(TaskHandle=handle)
    task = queues.ended()
    assert task["Status"] == "CANCELLED"
    assert 0 < task["ApproximateNumberOfMessagesMoved"] < 10
    with pytest.raises(ClientError, match="CANCELLED"):
        queues.sqs.cancel_message_move_task(TaskHandle=handle)


def test_a_message_of_unknown_origin_fails_the_task_and_stays(queues: Queues) -> None:
    queues.sqs.send_message(QueueUrl=queues.dead, MessageBody="put there by hand")
    queues.sqs.start_message_move_task(SourceArn=queues.dead_arn)
    task = queues.ended()
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert queues.bodies(queues.dead) == ["put there by hand"]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"SourceArn": "arn:aws:sqs:us-east-1:000000000000:nowhere"}, "ResourceNotFoundException"),
        ({"DestinationArn": "arn:aws:sqs:us-east-1:000000000000:nowhere"}, "ResourceNotFoundException"),
        ({"MaxNumberOfMessagesPerSecond": 501}, "InvalidParameterValue"),
        ({"MaxNumberOfMessagesPerSecond": 0}, "InvalidParameterValue"),
    ],
)
def test_what_can_t_be_moved_is_refused(queues: Queues, parameters: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        queues.sqs.start_message_move_task(**{"SourceArn": queues.dead_arn} | parameters)
    assert code in str(caught.value)


def test_a_queue_that_is_no_dead_letter_queue_is_refused(queues: Queues) -> None:
    with pytest.raises(ClientError, match="not the dead-letter queue"):
        queues.sqs.start_message_move_task(SourceArn=queues.arn(queues.live))


# --- metrics


def test_metrics_in_the_logs_are_in_cloudwatch_each_once(aws: Any) -> None:
    logs, cloudwatch = aws("logs"), aws("cloudwatch")
    logs.create_log_group(logGroupName="/aws/lambda/Publish")
    logs.create_log_stream(logGroupName="/aws/lambda/Publish", logStreamName="s")
    now = datetime.now(UTC)

    def log(*messages: str) -> None:
        at = int(datetime.now(UTC).timestamp() * 1000)
        events = [{"timestamp": at, "message": message} for message in messages]
        logs.put_log_events(logGroupName="/aws/lambda/Publish", logStreamName="s", logEvents=events)

    def completed() -> float:
        found = cloudwatch.get_metric_statistics(
            Namespace="Reelworks",
            MetricName="VideosCompleted",
            Dimensions=[{"Name": "service", "Value": "reelworks"}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=3600,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in found["Datapoints"])

    directive = {
        "Namespace": "Reelworks",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "VideosCompleted", "Unit": "Count"}],
    }
    about = {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    line = json.dumps({"_aws": about, "service": "reelworks", "VideosCompleted": [1.0]})
    assert completed() == 0
    log("START RequestId: 1", line, '{"message": "CloudWatchMetrics"}')
    assert completed() == 1
    assert completed() == 1
    log(line, line)
    assert completed() == 3
    listed = cloudwatch.list_metrics(Namespace="Reelworks")["Metrics"]
    assert [metric["MetricName"] for metric in listed] == ["VideosCompleted"]


# --- executions

_PASSING = {
    "StartAt": "A",
    "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "End": True}},
}
_FAILING = {"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "Broken", "Cause": "because"}}}
_WAITING = {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 600, "End": True}}}


@contextmanager
def stepping(folder: Path) -> Iterator[Any]:
    """A Step Functions client of a cloud that keeps executions in `folder`. Its ministack is new."""
    session: Any = boto3.Session("test", "test", region_name="us-east-1")
    with local_aws() as url, closing(session.client("stepfunctions", endpoint_url=url)) as behind:
        history = ExecutionHistory(Passing(url), states=behind, folder=folder)
        with (
            serving(stopping(history)) as cloud,
            closing(session.client("stepfunctions", endpoint_url=cloud)) as states,
        ):
            yield states


def machine(states: Any, name: str, definition: dict[str, Any]) -> str:
    role = "arn:aws:iam::000000000000:role/any"
    made = states.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)
    return str(made["stateMachineArn"])


def ended(states: Any, arn: str) -> dict[str, Any]:
    wait_until(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING")
    return plain(states.describe_execution(executionArn=arn))


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_ended_executions_are_there_after_a_restart(tmp_path: Path) -> None:
    with stepping(tmp_path / "executions") as states:
        passing, failing = machine(states, "passing", _PASSING), machine(states, "failing", _FAILING)
        waiting = machine(states, "waiting", _WAITING)
        arns = [
            states.start_execution(stateMachineArn=arn, name=f"film-{number}", input='{"video": 1}')[
                "executionArn"
            ]
            for number, arn in enumerate((passing, failing, waiting))
        ]
        done, broken = ended(states, arns[0]), ended(states, arns[1])
        events = states.get_execution_history(executionArn=arns[0])["events"]
        wait_until(lambda: len([*(tmp_path / "executions").glob("*.json")]) == 2)
    with stepping(tmp_path / "executions") as states:
        assert machine(states, "passing", _PASSING) == passing
        assert plain(states.describe_execution(executionArn=arns[0])) == done
        found = plain(states.describe_execution(executionArn=arns[1]))
        assert found == broken
        assert (found["error"], found["cause"]) == ("Broken", "because")
        assert states.get_execution_history(executionArn=arns[0])["events"] == events
        back = states.get_execution_history(executionArn=arns[0], reverseOrder=True, maxResults=2)
        assert back["events"] == events[::-1][:2]
        pages = states.get_paginator("get_execution_history").paginate(
            executionArn=arns[0], PaginationConfig={"PageSize": 2}
        )
        assert [event for page in pages for event in page["events"]] == events
        listed = states.list_executions(stateMachineArn=passing)["executions"]
        assert [(one["name"], one["status"]) for one in listed] == [("film-0", "SUCCEEDED")]
        assert states.list_executions(stateMachineArn=passing, statusFilter="FAILED")["executions"] == []
        # Upkeep starts a new attempt for a video whose execution does not exist.
        with pytest.raises(states.exceptions.ExecutionDoesNotExist):
            states.describe_execution(executionArn=arns[2])


def test_a_new_execution_of_the_same_name_is_the_one_that_is_seen(tmp_path: Path) -> None:
    with stepping(tmp_path) as states:
        arn = machine(states, "film", _PASSING)
        first = states.start_execution(stateMachineArn=arn, name="film-1")["executionArn"]
        wait_until(lambda: len([*tmp_path.glob("*.json")]) == 1)
    with stepping(tmp_path) as states:
        machine(states, "film", _WAITING)
        assert states.start_execution(stateMachineArn=arn, name="film-1")["executionArn"] == first
        assert states.describe_execution(executionArn=first)["status"] == "RUNNING"
        listed = states.list_executions(stateMachineArn=arn)["executions"]
        assert [one["status"] for one in listed] == ["RUNNING"]


def test_executions_are_forgotten_after_a_day_and_broken_files_are_passed_over(tmp_path: Path) -> None:
    with stepping(tmp_path) as states:
        arn = machine(states, "film", _PASSING)
        first = states.start_execution(stateMachineArn=arn, name="film-1")["executionArn"]
        wait_until(lambda: len([*tmp_path.glob("*.json")]) == 1)
    [file] = tmp_path.glob("*.json")
    assert file.stat().st_mode & 0o077 == 0
    (tmp_path / "torn.json").write_text("{")
    long_ago = time.time() - 25 * 3600
    os.utime(file, (long_ago, long_ago))
    with stepping(tmp_path) as states:
        machine(states, "film", _PASSING)
        assert states.list_executions(stateMachineArn=arn)["executions"] == []
        with pytest.raises(states.exceptions.ExecutionDoesNotExist):
            states.describe_execution(executionArn=first)
        states.start_execution(stateMachineArn=arn, name="film-2")
        wait_until(lambda: not file.exists())
