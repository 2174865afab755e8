"""The build that assembles long films: the functions' own code in CodeBuild, without Lambda's time limit.

docs/decisions/0013-long-assembly.md explains why it is CodeBuild.
"""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.build_project import BuildProject
from cdk.code import PYTHON
from cdk.permissions import allow
from lambdas.domain import names
from lambdas.settings import ADDED_ENGINES, PricedSettings, env_of

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
        added_engines: str,
        prefix: str,
        log_retention_days: int,
    ) -> None:
        """`code` is an archive with lambdas/ and the media libraries; `added_engines` as in Functions."""
        super().__init__(scope, id)
        name = self._physical_name = f"{prefix}-assemble"
        variables = {
            "POWERTOOLS_SERVICE_NAME": prefix,
            "POWERTOOLS_METRICS_NAMESPACE": names.METRICS_NAMESPACE,
            ADDED_ENGINES: added_engines,
            **env_of(settings),
        }
        buildspec = {
            "version": "0.2",
            "phases": {
                "install": {"runtime-versions": {"python": PYTHON}},
                "build": {"commands": ["python -m lambdas.builds.assemble_film"]},
            },
        }
        build = BuildProject(
            self,
            name=name,
            description="Assembles films that take longer than a function may run",
            bucket=code.bucket_name,
            key=code.object_key,
            buildspec=buildspec,
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="ARM_CONTAINER",
                compute_type="BUILD_GENERAL1_SMALL",  # two processors, 4 GB
                image=_IMAGE,
                environment_variables=[
                    codebuild.CfnProject.EnvironmentVariableProperty(name=name, value=value)
                    for name, value in variables.items()
                ],
            ),
            log_retention_days=log_retention_days,
            minutes=LONGEST_MINUTES,
            queued_minutes=LONGEST_QUEUED_MINUTES,
            why_unencrypted="It produces no artifact to encrypt; films are encrypted in S3.",
        )
        self.project, self.role = build.project, build.role

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
