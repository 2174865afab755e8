"""The state machine of statemachines/produce_video.asl.json, with its functions put in."""

import re

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.code import ROOT
from cdk.functions import Functions
from cdk.log_groups import log_group
from cdk.permissions import acknowledge, allow

DEFINITION = ROOT / "statemachines" / "produce_video.asl.json"
_TASK = re.compile(r"\$\{(\w+)FunctionArn\}")


# Of a film, but for the time that it waits for its user: any of its steps ends far earlier.
_FILM_SECONDS = 6 * 24 * 3600
# As often it may wait as long as it may: at both gates, and again after changes. With the longest wait that
# the settings take, all of it is less than the year that an execution may last (Step Functions' quota).
_REVIEWS = 10


class ProduceVideo(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        functions: Functions,
        render_timeout_seconds: int,
        review_timeout_seconds: int,
        prefix: str,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, id)
        definition = DEFINITION.read_text()
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        substitutions = {
            "FilmTimeoutSeconds": str(_FILM_SECONDS + _REVIEWS * review_timeout_seconds),
            "RenderClipTimeoutSeconds": str(render_timeout_seconds),
            "ReviewTimeoutSeconds": str(review_timeout_seconds),
        }
        self.tasks = sorted(set(_TASK.findall(definition)))  # the functions that are its tasks
        for name in self.tasks:
            arn = functions[name].function_arn
            substitutions[f"{name}FunctionArn"] = arn
            allow(role, "lambda:InvokeFunction", on=[arn])
        acknowledge(
            role, "IAM5[Resource::*]", "X-Ray's calls and those that set up a log delivery take no resource."
        )
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            definition_body=sfn.DefinitionBody.from_string(definition),
            definition_substitutions=substitutions,
            role=role,
            state_machine_type=sfn.StateMachineType.STANDARD,
            logs=sfn.LogOptions(
                destination=log_group(
                    # Log groups of this path need no entry in the account's log resource policy, which
                    # holds few (Step Functions' documentation).
                    self,
                    "Logs",
                    name=f"/aws/vendedlogs/states/{prefix}-produce-video",
                    days=log_retention_days,
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=False,  # prompts are the tenants'
            ),
            tracing_enabled=True,
        )

    def grant_start(self, role: iam.IRole) -> None:
        allow(role, "states:StartExecution", on=[self.machine.state_machine_arn])

    def grant_oversee(self, role: iam.IRole) -> None:
        """Allows looking at executions and stopping them."""
        allow(
            role,
            "states:DescribeExecution",
            "states:StopExecution",
            on=[
                Stack.of(self).format_arn(
                    service="states",
                    resource="execution",
                    resource_name=f"{self.machine.state_machine_name}:*",
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
            why_wildcard="Executions are named by their video.",
        )

    def grant_answer(self, *roles: iam.IRole) -> None:
        """Allows answering task tokens. A policy of its own: in the role's it would make a circle, since
        the machine waits for its functions and they for their role."""
        iam.Policy(
            self,
            "AnswerTasks",
            roles=list(roles),
            statements=[
                iam.PolicyStatement(
                    actions=["states:SendTaskSuccess", "states:SendTaskFailure"],
                    resources=[self.machine.state_machine_arn],
                )
            ],
        )
