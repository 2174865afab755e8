"""The table in which clips wait for their engine, and engine calls for their answer."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.permissions import allow
from cdk.table import new_table
from lambdas.adapters.clip_queue import BY_TURN

_LOOK = ("GetItem", "Query")
_WITHDRAW = (*_LOOK, "UpdateItem", "DeleteItem")
_MOVE = (*_WITHDRAW, "PutItem")


class ClipQueue(Construct):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.table = new_table(
            self,
            time_to_live_attribute="expires",
            # It only holds work in progress, which ends with the stack's functions.
            removal_policy=RemovalPolicy.DESTROY,
        )
        # Local, so that it can be read consistently: a tenant that has just begun to wait is seen. An
        # engine's partition holds an item for each tenant that waits, so it stays small.
        self.table.add_local_secondary_index(
            index_name=BY_TURN,
            sort_key=dynamodb.Attribute(name="turn", type=dynamodb.AttributeType.NUMBER),
        )

    def grant_look(self, role: iam.IRole) -> None:
        """Allow seeing what waits and what is in flight."""
        allow(role, *(f"dynamodb:{call}" for call in _LOOK), on=[self.table.table_arn])
        allow(role, "dynamodb:Query", on=[f"{self.table.table_arn}/index/{BY_TURN}"])

    def grant_move(self, role: iam.IRole) -> None:
        """Allow queueing, admitting and settling clips."""
        allow(role, *(f"dynamodb:{call}" for call in _MOVE), on=[self.table.table_arn])
        allow(role, "dynamodb:Query", on=[f"{self.table.table_arn}/index/{BY_TURN}"])

    def grant_withdraw(self, role: iam.IRole) -> None:
        """Allow taking a video's clips out of the queue."""
        allow(role, *(f"dynamodb:{call}" for call in _WITHDRAW), on=[self.table.table_arn])
