"""The tables of videos and of API keys, which no task can write, and how a table is made."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.permissions import allow
from lambdas.adapters.api_keys import BY_TENANT
from lambdas.adapters.videos import BY_CREATED, OPEN, PARTS
from lambdas.domain import keys


class VideosTable(Construct):
    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        string, number = dynamodb.AttributeType.STRING, dynamodb.AttributeType.NUMBER
        self.table = new_table(self, time_to_live_attribute="expires")
        # CloudFormation can't change an index. A table with another one needs another construct id: it is a
        # new table, which Upkeep fills from the journal.
        for name, partition, sort, kind, more in (
            (BY_CREATED, "tenant", "created", string, [PARTS]),
            (OPEN, "open", "updated_ms", number, None),
        ):
            self.table.add_global_secondary_index(
                index_name=name,
                partition_key=dynamodb.Attribute(name=partition, type=string),
                sort_key=dynamodb.Attribute(name=sort, type=kind),
                projection_type=dynamodb.ProjectionType.INCLUDE
                if more
                else dynamodb.ProjectionType.KEYS_ONLY,
                non_key_attributes=more,
            )

    def grant(self, role: iam.IRole, calls: Sequence[str]) -> None:
        """Allow calls on items, one at a time or by partition; no scan."""
        allow(role, *(f"dynamodb:{call}" for call in calls), on=[self.table.table_arn])

    def grant_list(self, role: iam.IRole, index: str) -> None:
        """Allow listing videos by an index: a tenant's by age, or all that are being made."""
        allow(role, "dynamodb:Query", on=[f"{self.table.table_arn}/index/{index}"])


class ApiKeysTable(Construct):
    """API keys, and the quotas that tenants have of their own. No task of the pipeline can write them."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.table = new_table(self)
        self.table.add_global_secondary_index(
            index_name=BY_TENANT,
            partition_key=dynamodb.Attribute(name="tenant", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="created", type=dynamodb.AttributeType.NUMBER),
        )

    def grant_get(self, role: iam.IRole) -> None:
        """Allow looking up a key, and noting that it is used, but no other change of it."""
        allow(role, "dynamodb:GetItem", on=[self.table.table_arn])
        allow(
            role,
            "dynamodb:UpdateItem",
            on=[self.table.table_arn],
            conditions={"ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "used"]}},
        )

    def grant_manage_keys(self, role: iam.IRole) -> None:
        """Allow creating, listing and revoking keys, but not setting quotas."""
        of_keys = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [keys.api_key_item("*")[0]]}}
        calls = ("GetItem", "UpdateItem", "DeleteItem")
        allow(role, *(f"dynamodb:{call}" for call in calls), on=[self.table.table_arn], conditions=of_keys)
        allow(role, "dynamodb:Query", on=[f"{self.table.table_arn}/index/{BY_TENANT}"])

    def grant_get_quotas(self, role: iam.IRole) -> None:
        """Allow looking up a tenant's quotas, but no keys."""
        allow(
            role,
            "dynamodb:GetItem",
            on=[self.table.table_arn],
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [keys.tenant_partition("*")]}},
        )


def new_table(
    scope: Construct,
    *,
    removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    **options: Any,
) -> dynamodb.Table:
    string = dynamodb.AttributeType.STRING
    return dynamodb.Table(
        scope,
        "Table",
        partition_key=dynamodb.Attribute(name="pk", type=string),
        sort_key=dynamodb.Attribute(name="sk", type=string),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        # AWS's own key for DynamoDB costs nothing per month; KMS bills its calls.
        encryption=dynamodb.TableEncryption.AWS_MANAGED,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=removal_policy,
        **options,
    )
