"""A CodeBuild project whose source is an archive in S3, with its log and its role."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.log_groups import log_group
from cdk.permissions import acknowledge, allow


class BuildProject:
    """Adds a `project`, its `role` and its log group to a scope. Grant further permissions to the role."""

    def __init__(
        self,
        scope: Construct,
        *,
        name: str,
        description: str,
        bucket: str,
        key: str,
        buildspec: Mapping[str, Any],
        environment: codebuild.CfnProject.EnvironmentProperty,
        log_retention_days: int,
        minutes: int,
        queued_minutes: int | None = None,
        why_unencrypted: str,
    ) -> None:
        """`bucket` and `key` are the source's. `minutes`, `queued_minutes`: the longest that a build may
        run and wait. `why_unencrypted` answers cdk-nag's question about artifacts."""
        logs = log_group(scope, "Logs", name=f"/aws/codebuild/{name}", days=log_retention_days)
        self.role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("codebuild.amazonaws.com"))
        logs.grant_write(self.role)
        stack = Stack.of(scope)
        bucket_arn = f"arn:{stack.partition}:s3:::{bucket}"
        allow(self.role, "s3:GetObject", "s3:GetObjectVersion", on=[f"{bucket_arn}/{key}"])
        allow(self.role, "s3:GetBucketAcl", "s3:GetBucketLocation", on=[bucket_arn])
        self.project = codebuild.CfnProject(
            scope,
            "Project",
            name=name,
            description=description,
            service_role=self.role.role_arn,
            source=codebuild.CfnProject.SourceProperty(
                type="S3", location=f"{bucket}/{key}", build_spec=stack.to_json_string(buildspec)
            ),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="NO_ARTIFACTS"),
            environment=environment,
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=logs.log_group_name
                )
            ),
            timeout_in_minutes=minutes,
            queued_timeout_in_minutes=queued_minutes,
        )
        # A build uses its role's policies, so the project must depend on the role.
        self.project.node.add_dependency(self.role)
        acknowledge(self.project, "CB4", why_unencrypted)
