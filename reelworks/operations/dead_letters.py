"""A deployment's dead-letter queues: what is in them, and each message sent again in the way of its kind.

A message that came from another queue goes back there by SQS's own redrive. SQS refuses that for a queue that
Lambda, SNS or EventBridge fill (StartMessageMoveTask in its API reference), and their events can't be put on
the bus again, because only AWS may send events of the source `aws.s3`. So the function that failed on an
event is invoked with it again.
"""

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.adapters.dead_letters import DeadLetterQueue, Message
from lambdas.domain.dead_letters import DeadLetter, Origin
from lambdas.domain.errors import ReelworksError
from reelworks.deployment import Deployment, DeploymentError

_URL = "QueueUrl"  # ends the output of each queue
UNDELIVERED = "WebhooksDeadLetter"
_EVENTS = "FailedEvents"  # the queue for events; all others come from queues
_AGAIN = "each event sent to its function again"
_POLL_SECONDS = 0.5
_MOVE_SECONDS = 300  # how long to follow a redrive, which goes on without us


@dataclass(frozen=True)
class Queue:
    """A dead-letter queue. `feeders`: the queues that it takes messages from; none for events."""

    name: str
    url: str
    arn: str
    messages: int  # about so many, those in flight included
    feeders: tuple[str, ...] = ()


@dataclass
class Redriven:
    """What became of one queue's messages. `left`: those that stay, each with the reason."""

    queue: str
    way: str
    sent: int = 0
    left: list[dict[str, str]] = field(default_factory=list)
    problem: str | None = None

    def document(self) -> dict[str, Any]:
        return asdict(self)


class DeadLetters:
    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._sqs = deployment.client("sqs")

    def queues(self, name: str | None = None) -> list[Queue]:
        """Return all dead-letter queues, or the one of that name. Raises DeploymentError if there is none."""
        urls = {
            key.removesuffix(_URL): url for key, url in self._deployment.outputs.items() if key.endswith(_URL)
        }
        attributes = {queue: self._attributes(url) for queue, url in urls.items()}
        feeders: dict[str, list[str]] = {}
        for queue, found in attributes.items():
            if policy := found.get("RedrivePolicy"):
                feeders.setdefault(json.loads(policy)["deadLetterTargetArn"], []).append(queue)
        every = [
            Queue(
                queue,
                urls[queue],
                found["QueueArn"],
                _length(found),
                tuple(feeders.get(found["QueueArn"], ())),
            )
            for queue, found in attributes.items()
            if queue == _EVENTS or found["QueueArn"] in feeders
        ]
        chosen = [queue for queue in every if name in (None, queue.name)]
        if not chosen:
            names = ", ".join(sorted(queue.name for queue in every))
            raise DeploymentError(f"no dead-letter queue {name!r}; use one of: {names}")
        return chosen

    def peek(self, queue: Queue) -> list[Message]:
        """Return the messages of a queue and leave them there, the oldest first."""
        here = DeadLetterQueue(self._sqs, queue.url)
        held: list[Message] = []
        try:
            for message in here.messages():
                held.append(message)
        finally:
            here.release(held)
        return sorted(held, key=lambda message: message.sent_ms)

    def redrive(self, queue: Queue) -> Redriven:
        """Send every message of a queue again."""
        done = Redriven(queue.name, f"SQS redrive to {', '.join(queue.feeders)}" if queue.feeders else _AGAIN)
        try:
            self._move(queue, done) if queue.feeders else self._invoke_again(queue, done)
        except (BotoCoreError, ClientError, ReelworksError) as error:
            done.problem = str(error)  # the other queues are still redriven
        return done

    def purge(self, queue: Queue) -> None:
        """Delete all messages of a queue. SQS takes up to a minute and allows one purge a minute."""
        self._sqs.purge_queue(QueueUrl=queue.url)

    # --- messages of a queue

    def _move(self, queue: Queue, done: Redriven) -> None:
        # Named, because Deliver puts messages there too, which have no queue to go back to.
        [feeder] = queue.feeders
        target = self._attributes(self._deployment.outputs[f"{feeder}{_URL}"])["QueueArn"]
        self._sqs.start_message_move_task(SourceArn=queue.arn, DestinationArn=target)
        until = time.monotonic() + _MOVE_SECONDS
        while time.monotonic() < until:
            [task] = self._sqs.list_message_move_tasks(SourceArn=queue.arn, MaxResults=1)["Results"]
            done.sent = int(task.get("ApproximateNumberOfMessagesMoved", 0))
            match task["Status"]:
                case "RUNNING" | "CANCELLING":
                    time.sleep(_POLL_SECONDS)
                case "COMPLETED":
                    return
                case status:
                    done.problem = f"{status.lower()}: {task.get('FailureReason', 'no reason given')}"
                    return
        done.problem = f"still moving after {_MOVE_SECONDS} s; SQS goes on"

    # --- events

    def _invoke_again(self, queue: Queue, done: Redriven) -> None:
        here = DeadLetterQueue(self._sqs, queue.url)
        for message in here.messages():
            try:
                self._send_again(message.letter)
            except (DeploymentError, BotoCoreError, ClientError) as error:
                done.left.append({"id": message.id, "about": message.letter.about, "reason": str(error)})
                here.release([message])
            else:
                here.delete(message)
                done.sent += 1

    def _send_again(self, letter: DeadLetter) -> None:
        event = json.dumps(letter.event)
        if letter.origin is Origin.RULE and (url := self._queue_url(letter.function)):
            self._sqs.send_message(QueueUrl=url, MessageBody=event)
            return
        self._deployment.client("lambda").invoke(
            FunctionName=self._function_of(letter), InvocationType="Event", Payload=event.encode()
        )

    def _queue_url(self, arn: str | None) -> str | None:
        """Return the URL of the queue that a rule could not reach, if it is this deployment's."""
        urls = (url for name, url in self._deployment.outputs.items() if name.endswith(_URL))
        return next((url for url in urls if self._attributes(url)["QueueArn"] == arn), None)

    def _function_of(self, letter: DeadLetter) -> str:
        """Return the name of the function that failed, which must be this deployment's: anything that may
        write to the queue could name another."""
        arn = letter.function or (self._subscriber(letter.topic) if letter.topic else None)
        if arn is None or letter.origin is Origin.QUEUE:
            raise DeploymentError("the message names no function; look at it, then purge the queue")
        name = arn.partition(":function:")[2].partition(":")[0]
        if name not in self._deployment.functions.values():
            raise DeploymentError(f"{arn} is no function of this deployment")
        return name

    def _subscriber(self, topic: str) -> str | None:
        pages = self._deployment.client("sns").get_paginator("list_subscriptions_by_topic")
        endpoints = [
            subscription["Endpoint"]
            for page in pages.paginate(TopicArn=topic)
            for subscription in page["Subscriptions"]
            if subscription["Protocol"] == "lambda"
        ]
        return endpoints[0] if len(endpoints) == 1 else None

    def _attributes(self, url: str) -> dict[str, str]:
        found: dict[str, str] = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
            "Attributes"
        ]
        return found


def _length(attributes: dict[str, str]) -> int:
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    return sum(int(attributes.get(name, 0)) for name in counts)


def document(message: Message) -> dict[str, Any]:
    """Return a message for `--json`, without the event itself: it may hold a user's prompt."""
    letter = message.letter
    return {
        "id": message.id,
        "sent_ms": message.sent_ms,
        "origin": letter.origin,
        "function": letter.function,
        "about": letter.about,
        "error": letter.error,
    }
