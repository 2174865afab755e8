"""The drop folder: an object put under drop/ in the input bucket invokes Intake."""

from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.buckets import object_created
from lambdas.domain import keys


class DropFolder(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        bucket: s3.IBucket,
        intake: lambda_.IFunction,
        failed_events: sqs.IQueue,
    ) -> None:
        super().__init__(scope, id)
        self.rule = events.Rule(
            self,
            "ObjectCreated",
            description="An object was put into the drop folder",
            event_pattern=object_created(bucket.bucket_name, keys.DROP_PREFIX),
        )
        self.rule.add_target(targets.LambdaFunction(intake, dead_letter_queue=failed_events))
