"""The engines' container image: its repository, and the build that fills it.

docs/decisions/0035-the-engine-image.md explains why a template only describes the build: cdk/build_image.py
runs it between two deployments.
"""

import hashlib
import shlex

from aws_cdk import IgnoreMode, RemovalPolicy, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from cdk.code import ROOT
from cdk.log_groups import log_group
from cdk.permissions import acknowledge, allow

# SageMaker refuses OCI manifests ("Unsupported manifest media type …", as in
# github.com/aws/amazon-sagemaker-feedback/issues/180). Docker 29 pushes them by default, and for a provenance
# or an SBOM any Docker pushes an OCI index.
BUILD = (
    *("docker", "buildx", "build", "--platform", "linux/amd64"),
    *("--file", "containers/cogvideox/Dockerfile", "--provenance=false", "--sbom=false"),
    *("--output", "type=image,oci-mediatypes=false,push=true"),
)
# What containers/cogvideox/Dockerfile copies, and the Dockerfile.
_SOURCE = ["/*", "!/containers", "/containers/*", "!/containers/__init__.py"]
_SOURCE += ["!/containers/cogvideox", "!/containers/serving", "__pycache__", "*.pyc", "*.md"]
# Has Docker 28 and Buildx (github.com/aws/aws-codebuild-docker-images, al/x86_64/standard/6.0).
_BUILDER = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
_KEPT_IMAGES = 20  # an endpoint fetches its image whenever it starts an instance
_LONGEST_MINUTES = 60


def build_command(image_uri: str) -> list[str]:
    """Return the command that builds the image in the repository's root and pushes it."""
    return [*BUILD, "--tag", image_uri, "."]


class EngineImage(Construct):
    """`repository` and `tag` of the image. The tag is a digest of the sources, so it never moves."""

    def __init__(self, scope: Construct, id: str, *, prefix: str) -> None:
        super().__init__(scope, id)
        self.repository = ecr.Repository(
            self,
            "Repository",
            repository_name=f"{prefix}-engine",
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            empty_on_delete=True,
            removal_policy=RemovalPolicy.DESTROY,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=_KEPT_IMAGES)],
        )
        self.source = assets.Asset(
            self, "Source", path=str(ROOT), exclude=_SOURCE, ignore_mode=IgnoreMode.GIT
        )
        determined_by = f"{self.source.asset_hash} {shlex.join(BUILD)}"
        self.tag = hashlib.sha256(determined_by.encode()).hexdigest()

    @property
    def uri(self) -> str:
        return self.repository.repository_uri_for_tag(self.tag)


class ImageBuild(Construct):
    """The CodeBuild project that builds and pushes the image, so that nobody needs Docker."""

    def __init__(
        self, scope: Construct, id: str, *, image: EngineImage, prefix: str, log_retention_days: int
    ) -> None:
        super().__init__(scope, id)
        name = f"{prefix}-engine-image"
        logs = log_group(self, "Logs", name=f"/aws/codebuild/{name}", days=log_retention_days)
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("codebuild.amazonaws.com"))
        logs.grant_write(role)
        bucket = f"arn:{Stack.of(self).partition}:s3:::{image.source.s3_bucket_name}"
        key = image.source.s3_object_key
        allow(role, "s3:GetObject", "s3:GetObjectVersion", on=[f"{bucket}/{key}"])
        allow(role, "s3:GetBucketAcl", "s3:GetBucketLocation", on=[bucket])
        allow(
            role,
            "ecr:GetAuthorizationToken",
            on=["*"],
            why_wildcard="GetAuthorizationToken takes no resource.",
        )
        # What `docker push` calls (ECR's user guide, "Pushing a Docker image").
        allow(
            role,
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
            on=[image.repository.repository_arn],
        )
        registry = f"{Stack.of(self).account}.dkr.ecr.{Stack.of(self).region}.{Stack.of(self).url_suffix}"
        log_in = f"aws ecr get-login-password | docker login --username AWS --password-stdin {registry}"
        buildspec = {
            "version": "0.2",
            "env": {"shell": "bash"},
            "phases": {
                "pre_build": {"commands": [f"set -o pipefail; {log_in}"]},
                "build": {"commands": [" ".join(build_command(image.uri))]},
            },
        }
        self.project = codebuild.CfnProject(
            self,
            "Project",
            name=name,
            description="Builds the engines' container image",
            service_role=role.role_arn,
            source=codebuild.CfnProject.SourceProperty(
                type="S3",
                location=f"{image.source.s3_bucket_name}/{key}",
                build_spec=Stack.of(self).to_json_string(buildspec),
            ),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="NO_ARTIFACTS"),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="LINUX_CONTAINER",
                compute_type="BUILD_GENERAL1_MEDIUM",  # four processors, 8 GB, and disk for torch
                image=_BUILDER,
                privileged_mode=True,  # Docker's daemon needs it
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=logs.log_group_name
                )
            ),
            timeout_in_minutes=_LONGEST_MINUTES,
        )
        self.project.node.add_dependency(role)  # a build uses its role's policies
        acknowledge(self.project, "CB3", "It builds a container image; Docker's daemon runs privileged.")
        acknowledge(self.project, "CB4", "It produces no artifact to encrypt; ECR encrypts the image.")
