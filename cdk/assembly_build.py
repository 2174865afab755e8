"""The build that assembles long films: the functions' own code in CodeBuild, without Lambda's time limit.

docs/decisions/0013-long-assembly.md explains why it is CodeBuild.
"""

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.code import PYTHON
from cdk.log_groups import log_group
from cdk.permissions import acknowledge, allow
from lambdas.domain import names
from lambdas.settings import PricedSettings, env_of

LONGEST_MINUTES = 8 * 60
LONGEST_QUEUED_MINUTES = 60
# Amazon Linux 2023, as in Lambda, so the wheels bundled for Lambda run here too.
_IMAGE = "aws/codebuild/amazonlinux-aarch64-standard:3.0"


class AssemblyBuild(Construct):
    """The CodeBuild project. Grant permissions to its `role` where it is used."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        code: s3.Location,
        settings: PricedSettings,
        prefix: str,
        log_retention_days: int,
    ) -> None:
        """`code` is an archive with lambdas/ and the media libraries."""
        super().__init__(scope, id)
        name = self._physical_name = f"{prefix}-assemble"
        logs = log_group(self, "Logs", name=f"/aws/codebuild/{name}", days=log_retention_days)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("codebuild.amazonaws.com"))
        logs.grant_write(self.role)
        bucket = f"arn:{Stack.of(self).partition}:s3:::{code.bucket_name}"
        allow(self.role, "s3:GetObject", "s3:GetObjectVersion", on=[f"{bucket}/{code.object_key}"])
        allow(self.role, "s3:GetBucketAcl", "s3:GetBucketLocation", on=[bucket])
        variables = {
            "POWERTOOLS_SERVICE_NAME": prefix,
            "POWERTOOLS_METRICS_NAMESPACE": names.METRICS_NAMESPACE,
            **env_of(settings),
        }
        buildspec = {
            "version": "0.2",
            "phases": {
                "install": {"runtime-versions": {"python": PYTHON}},
                "build": {"commands": ["python -m lambdas.builds.assemble_film"]},
            },
        }
        self.project = codebuild.CfnProject(
            self,
            "Project",
            name=name,
            description="Assembles films that take longer than a function may run",
            service_role=self.role.role_arn,
            source=codebuild.CfnProject.SourceProperty(
                type="S3",
                location=f"{code.bucket_name}/{code.object_key}",
                build_spec=Stack.of(self).to_json_string(buildspec),
            ),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="NO_ARTIFACTS"),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="ARM_CONTAINER",
                compute_type="BUILD_GENERAL1_SMALL",  # two processors, 4 GB
                image=_IMAGE,
                environment_variables=[
                    codebuild.CfnProject.EnvironmentVariableProperty(name=name, value=value)
                    for name, value in variables.items()
                ],
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=logs.log_group_name
                )
            ),
            timeout_in_minutes=LONGEST_MINUTES,
            queued_timeout_in_minutes=LONGEST_QUEUED_MINUTES,
        )
        # A build uses its role's policies, so the project must depend on the role.
        self.project.node.add_dependency(self.role)
        acknowledge(self.project, "CB4", "It produces no artifact to encrypt; films are encrypted in S3.")

    @property
    def name(self) -> str:
        return self.project.ref

    def metric_duration(self, statistic: str) -> cloudwatch.Metric:
        """Return the seconds that builds take. By the project's physical name, so that the operations stack
        needs no reference to the project."""
        return cloudwatch.Metric(
            namespace="AWS/CodeBuild",
            metric_name="Duration",
            dimensions_map={"ProjectName": self._physical_name},
            statistic=statistic,
            period=Duration.minutes(5),
            label=statistic,
        )

    def grant_start(self, role: iam.IRole) -> None:
        allow(role, "codebuild:StartBuild", on=[self.project.attr_arn])

    def grant_look(self, role: iam.IRole) -> None:
        """Allow reading builds."""
        allow(role, "codebuild:BatchGetBuilds", on=[self.project.attr_arn])
