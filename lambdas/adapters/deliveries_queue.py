"""The queue of webhooks: each message is an event of the bus, or the next try of a delivery."""

from typing import Any

from lambdas.adapters.clients import translated
from lambdas.domain.webhooks import DueTry

LONGEST_DELAY_SECONDS = 900  # SQS's; a try that is due later is put off again when its message arrives


class DeliveriesQueue:
    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def send(self, due: DueTry, now_ms: int) -> None:
        """Send a message that arrives when the try is due, or as late before as SQS can."""
        delay = min(LONGEST_DELAY_SECONDS, max(0, -(-(due.due_ms - now_ms) // 1000)))
        with translated("queue delivery"):
            self._sqs.send_message(
                QueueUrl=self._url,
                MessageBody=due.model_dump_json(),
                DelaySeconds=delay,
                # SQS then lets no tenant's slow receivers hold up the others (its guide, "Fair queues").
                MessageGroupId=due.tenant,
            )
