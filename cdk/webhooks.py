"""Webhooks: the bus's events and the tries of their deliveries wait in one queue for Deliver."""

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.permissions import allow
from cdk.queues import KEPT, is_for_failures, new_queue
from cdk.table import new_table
from lambdas.adapters.webhooks import BY_CREATED
from lambdas.domain import names
from lambdas.domain.webhooks import EventType

# So many receivers are called at once, so that slow ones can't use up the account's concurrent functions.
AT_ONCE = 10
_LOOK = ("GetItem", "PutItem")


class Webhooks(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        bus: events.IEventBus,
        deliver_timeout: Duration,
        failed_events: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id)
        self.table = new_table(self, time_to_live_attribute="expires")
        self.table.add_local_secondary_index(
            index_name=BY_CREATED,
            sort_key=dynamodb.Attribute(name="created", type=dynamodb.AttributeType.NUMBER),
        )
        self.dead_letters = new_queue(self, "DeadLetters", retention_period=KEPT)
        is_for_failures(self.dead_letters)
        self.queue = new_queue(
            self,
            "Queue",
            retention_period=Duration.days(4),
            visibility_timeout=Duration.seconds(6 * deliver_timeout.to_seconds()),  # as of the requests
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=5),
        )
        rule = events.Rule(
            self,
            "Events",
            description="Events of videos, for which there may be webhooks",
            event_bus=bus,
            event_pattern=events.EventPattern(source=[names.EVENT_SOURCE], detail_type=list(EventType)),
        )
        rule.add_target(targets.SqsQueue(self.queue, dead_letter_queue=failed_events))

    def grant_deliver(self, role: iam.IRole) -> None:
        """Allow reading endpoints, writing what becomes of deliveries, and queueing the next try."""
        allow(role, *(f"dynamodb:{call}" for call in _LOOK), on=[self.table.table_arn])
        allow(role, "sqs:SendMessage", on=[self.queue.queue_arn, self.dead_letters.queue_arn])

    def grant_manage(self, role: iam.IRole) -> None:
        """Allow changing endpoints, listing their deliveries and asking for one again."""
        allow(role, *(f"dynamodb:{call}" for call in _LOOK), on=[self.table.table_arn])
        allow(role, "dynamodb:Query", on=[f"{self.table.table_arn}/index/{BY_CREATED}"])
        allow(role, "sqs:SendMessage", on=[self.queue.queue_arn])
