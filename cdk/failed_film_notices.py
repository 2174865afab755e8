"""Notices of failed films: the record's reason and a link, to the alarms' topic."""

from collections.abc import Sequence

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.permissions import Pack, acknowledge
from cdk.runbooks import with_runbook
from lambdas.domain import names
from lambdas.domain.errors import Fault


class FailedFilmNotices(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        faults: Sequence[Fault],
        bus: events.IEventBus,
        topic: sns.ITopic,
        machine: sfn.IStateMachine,
        runbooks: str,
    ) -> None:
        """`faults`: whose faults are told. `runbooks`: the folder of the runbooks."""
        super().__init__(scope, id)
        stack = Stack.of(self)
        parts = stack.split_arn(machine.state_machine_arn, ArnFormat.COLON_RESOURCE_NAME)
        machine_name = parts.resource_name
        executions = stack.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{machine_name}:",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        console = f"https://{stack.region}.console.aws.amazon.com/states/home?region={stack.region}"

        def detail(path: str) -> str:
            return events.EventField.from_path(f"$.detail.{path}")

        # As JSON: EventBridge then escapes what the reason may contain.
        message = {
            "told": with_runbook("A film failed.", runbooks, "failed-film"),
            "video": detail("id"),
            "tenant": detail("tenant"),
            "fault": detail("fault"),
            "step": detail("failure.step"),
            "code": detail("failure.code"),
            "reason": detail("failure.reason"),
            "advice": detail("failure.advice"),
            "link": f"{console}#/v2/executions/details/{executions}{detail('execution')}",
        }
        self.rule = events.Rule(
            self,
            "VideoFailed",
            description="Tells the alarms' topic about failed films",
            event_bus=bus,
            event_pattern=events.EventPattern(
                source=[names.EVENT_SOURCE],
                detail_type=[names.VIDEO_FAILED],
                detail={"fault": list(faults)},
            ),
        )
        self.rule.add_target(targets.SnsTopic(topic, message=events.RuleTargetInput.from_object(message)))
        acknowledge(
            self.rule,
            "EventBusDLQ",
            "EventBridge retries a notice for a day, and what it says is in the film's record and log, too.",
            pack=Pack.SERVERLESS,
        )
