"""`reel ops redrive` and `purge` on a PC's cloud: queues as the template has them, and its own function."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reelworks.cloud import aws
from reelworks.cloud.credentials import read_credentials
from reelworks.cloud.lifecycle.cloud_status import Status
from reelworks.deployment import Deployment, DeploymentError
from reelworks.operations.dead_letters import DeadLetters, Queue
from tests.cloud import small_stack
from tests.cloud.deployment import event
from tests.cloud.servers import wait_until

VIDEO = "video_00000000000000000000000000000001"


class Bench:
    def __init__(self, cloud: Status, name: str) -> None:
        assert cloud.aws_endpoint_url is not None
        assert cloud.aws_credentials_file is not None
        signed = read_credentials(Path(cloud.aws_credentials_file))
        self.client = partial(aws.client, base_url=cloud.aws_endpoint_url, credentials=signed)
        self.sqs = self.client("sqs")
        self.dead = self._queue(f"{name}-dead")
        policy = json.dumps({"deadLetterTargetArn": self.arn(self.dead), "maxReceiveCount": 1})
        self.live = self._queue(name, RedrivePolicy=policy)
        self.events = self._queue(f"{name}-events")
        self.note = cloud.outputs["UpkeepFunction"]
        outputs = {
            "RequestsQueueUrl": self.live,
            "RequestsDeadLetterQueueUrl": self.dead,
            "FailedEventsQueueUrl": self.events,
            "FunctionNote": self.note,
        }
        self.letters = DeadLetters(Deployment(self.client, outputs))

    def queue(self, name: str) -> Queue:
        [queue] = self.letters.queues(name)
        return queue

    def put(self, body: dict[str, Any], **attributes: str) -> None:
        """Put a message about an event into the queue for those."""
        told = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
        self.sqs.send_message(QueueUrl=self.events, MessageBody=json.dumps(body), MessageAttributes=told)

    def notes(self) -> list[dict[str, Any]]:
        """The events that the function was invoked with."""
        s3 = self.client("s3")
        found = s3.list_objects_v2(Bucket=small_stack.BUCKET, Prefix="notes/").get("Contents", [])
        bodies = [s3.get_object(Bucket=small_stack.BUCKET, Key=one["Key"])["Body"].read() for one in found]
        return [json.loads(body)["event"] for body in bodies]

    def arn_of_note(self) -> str:
        return str(self.client("lambda").get_function_configuration(FunctionName=self.note)["FunctionArn"])

    def subscribe_note(self) -> str:
        topic = self.client("sns").create_topic(Name="notices")["TopicArn"]
        self.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=self.arn_of_note())
        return str(topic)

    def _queue(self, name: str, **attributes: str) -> str:
        return str(self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def arn(self, url: str) -> str:
        return str(
            self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        )


@pytest.fixture
def bench(cloud: Status, request: pytest.FixtureRequest) -> Bench:
    return Bench(cloud, f"q{abs(hash(request.node.name))}")


def test_queues_are_known_by_what_feeds_them(bench: Bench) -> None:
    found = {queue.name: queue.feeders for queue in bench.letters.queues()}
    assert found == {"RequestsDeadLetter": ("Requests",), "FailedEvents": ()}
    with pytest.raises(DeploymentError, match="FailedEvents, RequestsDeadLetter"):
        bench.letters.queues("Requests")


def test_messages_return_to_their_queue(bench: Bench) -> None:
    for number in range(3):
        body = json.dumps({"tenant": "acme", "video_id": f"video_{number}"})
        bench.sqs.send_message(QueueUrl=bench.live, MessageBody=body)
        bench.sqs.receive_message(QueueUrl=bench.live, VisibilityTimeout=0)
    bench.sqs.receive_message(QueueUrl=bench.live)
    wait_until(lambda: bench.queue("RequestsDeadLetter").messages == 3)
    queue = bench.queue("RequestsDeadLetter")
    assert [one.letter.about for one in bench.letters.peek(queue)] == ["video_0", "video_1", "video_2"]
    done = bench.letters.redrive(queue)
    assert (done.sent, done.left, done.problem) == (3, [], None)
    assert bench.queue("RequestsDeadLetter").messages == 0


def test_each_event_is_sent_to_its_function_again(bench: Bench) -> None:
    failed = event("dead_letter_function")
    failed["requestContext"]["functionArn"] = f"{bench.arn_of_note()}:$LATEST"
    bench.put(failed)
    bench.put(event("object_created"), TARGET_ARN=bench.arn_of_note(), ERROR_MESSAGE="throttled")
    notice = event("dead_letter_topic") | {"TopicArn": bench.subscribe_note()}
    bench.put(notice)
    queue = bench.queue("FailedEvents")
    assert queue.messages == 3
    done = bench.letters.redrive(queue)
    assert (done.sent, done.left, done.problem) == (3, [], None)

    def arrived() -> tuple[int, int, int]:
        notes = bench.notes()
        notices = [one for one in notes if one.get("Records", [{}])[0].get("Sns") == notice]
        return notes.count(failed["requestPayload"]), notes.count(event("object_created")), len(notices)

    wait_until(lambda: all(arrived()))
    assert arrived() == (1, 1, 1)
    assert bench.queue("FailedEvents").messages == 0


def test_an_event_that_a_rule_could_not_queue_is_queued_again(bench: Bench) -> None:
    told = {"source": "reelworks", "detail-type": "video.completed", "detail": {"id": VIDEO}}
    bench.put(told, TARGET_ARN=bench.arn(bench.live), ERROR_MESSAGE="throttled")
    [letter] = bench.letters.peek(bench.queue("FailedEvents"))
    assert letter.letter.about == VIDEO
    done = bench.letters.redrive(bench.queue("FailedEvents"))
    assert (done.sent, done.left, done.problem) == (1, [], None)
    [message] = bench.sqs.receive_message(QueueUrl=bench.live)["Messages"]
    assert json.loads(message["Body"]) == told


def test_what_can_t_be_sent_again_stays_with_the_reason(bench: Bench) -> None:
    foreign = event("dead_letter_function")  # of a function that this deployment doesn't have
    bench.put(foreign)
    bench.put({"put here": "by hand"})
    done = bench.letters.redrive(bench.queue("FailedEvents"))
    assert done.sent == 0
    reasons = {left["about"]: left["reason"] for left in done.left}
    assert "no function of this deployment" in reasons[VIDEO]
    assert "names no function" in reasons[""]
    assert len(bench.letters.peek(bench.queue("FailedEvents"))) == 2


def test_looking_takes_nothing_and_more_than_one_batch_is_seen(bench: Bench) -> None:
    for number in range(13):
        bench.put({"video_id": f"video_{number}"})
    for _ in range(2):
        assert len(bench.letters.peek(bench.queue("FailedEvents"))) == 13


def test_a_purge_deletes_all_messages(bench: Bench) -> None:
    bench.put({"video_id": VIDEO})
    bench.letters.purge(bench.queue("FailedEvents"))
    assert bench.queue("FailedEvents").messages == 0
    assert bench.letters.peek(bench.queue("FailedEvents")) == []
