"""Upkeep: repairs what lost events left undone, when something ends and every minute."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk.buckets import object_created
from lambdas.domain import keys

# For the notice of an engine's output and its settlement; then Upkeep looks whether it was settled.
SETTLED_WITHIN = Duration.minutes(1)


class Upkeep(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        heal: lambda_.IFunction,
        failed_events: sqs.IQueue,
        outputs: sqs.IQueue,
        output_bucket: str,
        state_machine_arn: str,
        build_project: str,
    ) -> None:
        """`outputs` is the queue in which an engine's outputs wait for SETTLED_WITHIN."""
        super().__init__(scope, id)
        self._heal = targets.LambdaFunction(heal, dead_letter_queue=failed_events)
        rule = events.Rule(
            self,
            "EveryMinute",
            description="Reconciles a page of the videos that are being made",
            schedule=events.Schedule.rate(Duration.minutes(1)),
        )
        rule.add_target(self._heal)
        self._on(
            "ExecutionFailed",
            "An execution failed; its record should say so",
            source="aws.states",
            detail_type="Step Functions Execution Status Change",
            detail={"stateMachineArn": [state_machine_arn], "status": ["FAILED", "TIMED_OUT", "ABORTED"]},
        )
        self._on(
            "BuildEnded",
            "A build ended; it should have answered its task",
            source="aws.codebuild",
            detail_type="CodeBuild Build State Change",
            detail={
                "project-name": [build_project],
                "build-status": ["SUCCEEDED", "FAILED", "FAULT", "STOPPED", "TIMED_OUT"],
            },
        )
        written = events.Rule(
            self,
            "OutputWritten",
            description="An engine wrote a clip or why there is none; its notice should arrive",
            event_pattern=object_created(
                output_bucket, keys.ENGINE_OUTPUT_PREFIX, keys.ENGINE_FAILURE_PREFIX
            ),
        )
        written.add_target(targets.SqsQueue(outputs, dead_letter_queue=failed_events))

    def _on(self, id: str, description: str, *, source: str, detail_type: str, detail: object) -> None:
        pattern = events.EventPattern(source=[source], detail_type=[detail_type], detail=detail)  # type: ignore[arg-type]
        rule = events.Rule(self, id, description=description, event_pattern=pattern)
        rule.add_target(self._heal)
