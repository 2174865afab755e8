"""The state machine of statemachines/produce_video.asl.json, with its functions filled in."""

import re
from collections.abc import Sequence

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.code import ROOT
from cdk.functions import Functions
from cdk.log_groups import log_group
from cdk.permissions import acknowledge, allow
from cdk.settings import AtOnce

DEFINITION = ROOT / "statemachines" / "produce_video.asl.json"
_TASK = re.compile(r"\$\{(\w+)FunctionArn\}")


# How long a film's execution may last, and a clip in it: they may wait for their engine for as long as it is
# busy with others. Upkeep ends a film that takes too long after its first clip has started (`film_hours`).
# An execution lasts at most a year (Step Functions' quota).
_FILM_SECONDS = 364 * 24 * 3600


class ProduceVideo(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        functions: Functions,
        review_timeout_seconds: int,
        at_once: AtOnce,
        prefix: str,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, id)
        definition = DEFINITION.read_text()
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        substitutions = {
            "Partition": Aws.PARTITION,
            "FilmTimeoutSeconds": str(_FILM_SECONDS),
            "RenderClipTimeoutSeconds": str(_FILM_SECONDS),
            "ReviewTimeoutSeconds": str(review_timeout_seconds),
            "PrepareScenesAtOnce": str(at_once.prepare_scenes),
            "RenderScenesAtOnce": str(at_once.render_scenes),
            "RenderClipsAtOnce": str(at_once.render_clips),
        }
        self.tasks = sorted(set(_TASK.findall(definition)))  # the functions it calls as tasks
        for name in self.tasks:
            arn = functions[name].function_arn
            substitutions[f"{name}FunctionArn"] = arn
            allow(role, "lambda:InvokeFunction", on=[arn])
        acknowledge(role, "IAM5[Resource::*]", "Calls to X-Ray and to set up log delivery take no resource.")
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            definition_body=sfn.DefinitionBody.from_string(definition),
            definition_substitutions=substitutions,
            role=role,
            state_machine_type=sfn.StateMachineType.STANDARD,
            logs=sfn.LogOptions(
                destination=log_group(
                    # Log groups under this path need no entry in the account's log resource policy, which
                    # holds only a few (Step Functions' documentation).
                    self,
                    "Logs",
                    name=f"/aws/vendedlogs/states/{prefix}-produce-video",
                    days=log_retention_days,
                ),
                level=sfn.LogLevel.ALL,
                include_execution_data=False,  # prompts belong to the tenants
            ),
            tracing_enabled=True,
        )

    def grant_start(self, role: iam.IRole) -> None:
        allow(role, "states:StartExecution", on=[self.machine.state_machine_arn])

    def grant_executions(self, role: iam.IRole, *calls: str) -> None:
        """Allow calls on executions, such as StopExecution."""
        allow(
            role,
            *(f"states:{call}" for call in calls),
            on=[
                Stack.of(self).format_arn(
                    service="states",
                    resource="execution",
                    resource_name=f"{self.machine.state_machine_name}:*",
                    arn_format=ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
            why_wildcard="Executions are named after their video.",
        )

    def grant_answer(self, *, succeed: Sequence[iam.IRole], fail: Sequence[iam.IRole]) -> None:
        """Allow answering task tokens.

        In policies of their own: in the roles' own it would be a circular dependency, since the machine
        depends on its functions and they depend on their role.
        """
        for id, call, roles in (
            ("AnswerTasks", "SendTaskSuccess", succeed),
            ("FailTasks", "SendTaskFailure", fail),
        ):
            iam.Policy(
                self,
                id,
                roles=list(roles),
                statements=[
                    iam.PolicyStatement(
                        actions=[f"states:{call}"], resources=[self.machine.state_machine_arn]
                    )
                ],
            )
