"""Upkeep: repairs every minute what lost events left undone."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class Upkeep(Construct):
    def __init__(
        self, scope: Construct, id: str, *, heal: lambda_.IFunction, failed_events: sqs.IQueue
    ) -> None:
        super().__init__(scope, id)
        self.rule = events.Rule(
            self,
            "EveryMinute",
            description="Repairs what lost events left undone",
            schedule=events.Schedule.rate(Duration.minutes(1)),
        )
        self.rule.add_target(targets.LambdaFunction(heal, dead_letter_queue=failed_events))
