"""The role that engine endpoints run as."""

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from cdk.buckets import REQUESTS, bucket_name, grant_objects
from cdk.engine_endpoint import rollback_alarm_name
from cdk.permissions import allow
from lambdas.domain import keys
from lambdas.domain.names import endpoint_name


class EngineRole(Construct):
    """The role reads models and requests, writes clips and publishes to the topics.

    The container itself can do none of this: it has no network.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        prefix: str,
        engines: Sequence[str],
        models: s3.IBucket,
        model_prefix: str,
        topics: list[sns.ITopic],
    ) -> None:
        super().__init__(scope, id)
        # Each by name: `{prefix}-*` would match another deployment whose prefix starts alike.
        endpoints = [endpoint_name(prefix, engine) for engine in engines]
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("sagemaker.amazonaws.com"))
        grant_objects(models, self.role, read=[f"{model_prefix}/"])
        grant_objects(self._bucket(prefix, "input"), self.role, read=[REQUESTS])
        grant_objects(
            self._bucket(prefix, "output"),
            self.role,
            write=[keys.ENGINE_OUTPUT_PREFIX, keys.ENGINE_FAILURE_PREFIX],
        )
        allow(self.role, "sns:Publish", on=[topic.topic_arn for topic in topics])
        allow(
            self.role,
            *(f"logs:{call}" for call in ("CreateLogStream", "DescribeLogStreams", "PutLogEvents")),
            on=[
                Stack.of(self).format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name=f"/aws/sagemaker/Endpoints/{endpoint}:*",
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
                for endpoint in endpoints
            ],
            why_wildcard="The log streams of the endpoints' log groups, which SageMaker names.",
        )
        allow(
            self.role,
            "cloudwatch:PutMetricData",
            on=["*"],
            why_wildcard="PutMetricData takes no resource; the namespace condition limits it.",
            conditions={"StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "AWS/SageMaker*"]}},
        )
        allow(
            self.role,
            "cloudwatch:DescribeAlarms",
            on=[
                Stack.of(self).format_arn(
                    service="cloudwatch",
                    resource="alarm",
                    resource_name=rollback_alarm_name(endpoint),
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
                for endpoint in endpoints
            ],
        )

    def _bucket(self, prefix: str, name: str) -> s3.IBucket:
        return s3.Bucket.from_bucket_name(self, name.capitalize(), bucket_name(self, prefix, name))
