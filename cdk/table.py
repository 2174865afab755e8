"""The tables: one of videos and what their tasks wait for, one of API keys, which no task can write."""

from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.permissions import allow
from lambdas.adapters.videos import BY_CREATED, OPEN


class VideosTable(Construct):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        string, number = dynamodb.AttributeType.STRING, dynamodb.AttributeType.NUMBER
        self.table = _table(self, time_to_live_attribute="expires")
        self.table.add_local_secondary_index(
            index_name=BY_CREATED, sort_key=dynamodb.Attribute(name="created", type=string)
        )
        self.table.add_global_secondary_index(
            index_name=OPEN,
            partition_key=dynamodb.Attribute(name="open", type=string),
            sort_key=dynamodb.Attribute(name="updated_ms", type=number),
        )

    def grant_get(self, role: iam.IRole) -> None:
        """Allow reading one item by its key."""
        allow(role, "dynamodb:GetItem", on=[self.table.table_arn])

    def grant_items(self, role: iam.IRole) -> None:
        """Allow reading and writing items, one at a time or by partition; no scan, no batch."""
        allow(
            role,
            *(f"dynamodb:{call}" for call in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")),
            on=[self.table.table_arn],
        )

    def grant_indexes(self, role: iam.IRole) -> None:
        """Allow listing a tenant's videos by age, and all videos that have not ended."""
        arns = [f"{self.table.table_arn}/index/{index}" for index in (BY_CREATED, OPEN)]
        allow(role, "dynamodb:Query", on=arns)


class ApiKeysTable(Construct):
    """Written only by operators (`reel keys`), with their own credentials."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.table = _table(self)

    def grant_get(self, role: iam.IRole) -> None:
        """Allow looking up a key."""
        allow(role, "dynamodb:GetItem", on=[self.table.table_arn])


def _table(scope: Construct, **options: Any) -> dynamodb.Table:
    string = dynamodb.AttributeType.STRING
    return dynamodb.Table(
        scope,
        "Table",
        partition_key=dynamodb.Attribute(name="pk", type=string),
        sort_key=dynamodb.Attribute(name="sk", type=string),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        # Keys owned by AWS cost nothing per month and nothing per call.
        encryption=dynamodb.TableEncryption.AWS_MANAGED,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        **options,
    )
