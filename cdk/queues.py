"""The request queue, and two queues for messages and events that failed."""

from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.permissions import Pack, acknowledge

KEPT = Duration.days(14)  # SQS's maximum, to leave time to look at failures
_WITHOUT_DEAD_LETTERS = (("SQS3", Pack.SOLUTIONS), ("SQSRedrivePolicy", Pack.SERVERLESS))


class Queues(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        consumer_timeout: Duration,
        upkeep_timeout: Duration,
        settled_within: Duration,
    ) -> None:
        super().__init__(scope, id)
        self.requests_dead_letters = new_queue(self, "RequestsDeadLetters", retention_period=KEPT)
        self.requests = new_queue(
            self,
            "Requests",
            retention_period=Duration.days(4),
            # Lambda's documentation: at least six times the function's timeout, so that a batch does not
            # reappear while the function's poller retries it.
            visibility_timeout=Duration.seconds(6 * consumer_timeout.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.requests_dead_letters, max_receive_count=5),
        )
        # Engines' outputs, each for as long as its notice and settlement may take. Those on which Upkeep
        # fails are not kept: it finds them on its schedule too.
        self.outputs = new_queue(
            self,
            "Outputs",
            retention_period=Duration.hours(6),
            delivery_delay=settled_within,
            visibility_timeout=Duration.seconds(6 * upkeep_timeout.to_seconds()),
        )
        for rule, pack in _WITHOUT_DEAD_LETTERS:
            acknowledge(self.outputs, rule, "Upkeep finds what is lost from it on its schedule.", pack=pack)
        # Events that an asynchronous function failed on after all retries.
        self.failed_events = new_queue(self, "FailedEvents", retention_period=KEPT)
        for queue in self.dead_letters:
            is_for_failures(queue)

    @property
    def dead_letters(self) -> list[sqs.Queue]:
        """All queues for what failed."""
        return [self.requests_dead_letters, self.failed_events]


def new_queue(scope: Construct, name: str, **options: Any) -> sqs.Queue:
    return sqs.Queue(
        scope,
        name,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        **options,
    )


def is_for_failures(queue: sqs.Queue) -> None:
    """Acknowledge that a queue has no dead-letter queue."""
    for rule, pack in _WITHOUT_DEAD_LETTERS:
        acknowledge(queue, rule, "It is itself the queue for failures; an alarm watches it.", pack=pack)
