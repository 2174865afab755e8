"""A dead-letter queue: look at its messages, delete some, leave the others."""

import time
from collections.abc import Generator
from typing import Any

from lambdas.adapters.clients import translated
from lambdas.domain.dead_letters import DeadLetter, read_dead_letter
from lambdas.domain.documents import Document

_BATCH = 10  # SQS's largest
_HELD_SECONDS = 120  # how long a message is hidden from others while it is looked at


class Message(Document):
    id: str
    receipt: str
    sent_ms: int
    letter: DeadLetter


class DeadLetterQueue:
    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self.url = url

    def messages(self, *, wait_seconds: int = 1) -> Generator[Message, None, None]:
        """Yield each message that is in the queue now, once; those that arrive meanwhile stay. The caller
        deletes or releases each. `wait_seconds`: 0 may overlook some, because SQS asks only a part of its
        servers."""
        began = int(time.time() * 1000)
        seen: set[str] = set()
        later: list[Message] = []
        fresh: list[Message] = []
        try:
            while batch := self._receive(wait_seconds):
                fresh = [one for one in batch if one.id not in seen and one.sent_ms <= began]
                later += [one for one in batch if one not in fresh]
                seen |= {one.id for one in batch}
                while fresh:
                    yield fresh.pop(0)
        finally:
            self.release(later + fresh)

    def delete(self, message: Message) -> None:
        with translated("delete dead letter"):
            self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message.receipt)

    def release(self, messages: list[Message]) -> None:
        """Let others see the messages at once. SQS counts the receives, to no effect: a dead-letter queue has
        none of its own."""
        with translated("release dead letters"):
            for message in messages:
                self._sqs.change_message_visibility(
                    QueueUrl=self.url, ReceiptHandle=message.receipt, VisibilityTimeout=0
                )

    def _receive(self, wait_seconds: int) -> list[Message]:
        with translated("receive dead letters"):
            received = self._sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=_BATCH,
                VisibilityTimeout=_HELD_SECONDS,
                WaitTimeSeconds=wait_seconds,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            )
        return [_message(found) for found in received.get("Messages", [])]


def _message(found: dict[str, Any]) -> Message:
    attributes = {
        name: str(value.get("StringValue", "")) for name, value in found.get("MessageAttributes", {}).items()
    }
    return Message(
        id=found["MessageId"],
        receipt=found["ReceiptHandle"],
        sent_ms=int(found["Attributes"]["SentTimestamp"]),
        letter=read_dead_letter(found["Body"], attributes),
    )
