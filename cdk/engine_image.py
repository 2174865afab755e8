"""The engines' container images: their repositories, and the builds that fill them.

docs/decisions/0035-the-engine-image.md explains why a template only describes the build: cdk/build_image.py
runs it between two deployments.
"""

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import IgnoreMode, RemovalPolicy, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from cdk.build_project import BuildProject
from cdk.code import ROOT
from cdk.permissions import acknowledge, allow
from cdk.settings import DeploymentSettings, StackKind

# SageMaker refuses OCI manifests ("Unsupported manifest media type …", as in
# github.com/aws/amazon-sagemaker-feedback/issues/180). Docker 29 pushes them by default, and for a provenance
# or an SBOM any Docker pushes an OCI index.
BUILD = (
    *("docker", "buildx", "build", "--platform", "linux/amd64", "--provenance=false", "--sbom=false"),
    *("--output", "type=image,oci-mediatypes=false,push=true"),
)


@dataclass(frozen=True)
class Recipe:
    """How an image is built of the repository's sources."""

    name: str
    """In the names of its repository and project, after the deployment's prefix."""
    dockerfile: str
    folders: tuple[str, ...]
    """Those that the Dockerfile copies, and its own."""
    arguments: tuple[tuple[str, str], ...] = ()
    """Of the build, by name."""

    @property
    def options(self) -> list[str]:
        """Docker's options that determine the image, besides BUILD."""
        pairs = (("--build-arg", f"{name}={value}") for name, value in self.arguments)
        return ["--file", self.dockerfile, *(part for pair in pairs for part in pair)]

    @property
    def exclude(self) -> list[str]:
        """Patterns of the files that determine nothing."""
        kept = [f"!/{folder}" for folder in self.folders]
        excluded = ["/*", "!/containers", "/containers/*", "!/containers/__init__.py", *kept]
        return [*excluded, "__pycache__", "*.pyc", "*.md"]


def recipe_of(stack: StackKind, settings: DeploymentSettings) -> Recipe:
    """Return the recipe of the image of that stack: the engines' own, or that of those that the deployment
    adds."""
    if stack == "RelayImage":
        return Recipe(
            name="relay",
            dockerfile="containers/relay/Dockerfile",
            # Some of the diffusion server's modules are common to all servers.
            folders=("containers/relay", "containers/diffusion", "containers/serving"),
            arguments=(("BASE_IMAGE", settings.relay_image),),
        )
    return Recipe(
        name="engine",
        dockerfile="containers/diffusion/Dockerfile",
        folders=("containers/diffusion", "containers/serving"),
    )


# Has Docker 28 and Buildx (github.com/aws/aws-codebuild-docker-images, al/x86_64/standard/6.0).
_BUILDER = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
_KEPT_IMAGES = 20  # an endpoint fetches its image whenever it starts an instance
_LONGEST_MINUTES = 60


def build_command(image_uri: str, options: Sequence[str]) -> list[str]:
    """Return the command that builds the image in the repository's root and pushes it. `options`: those of
    its recipe."""
    return [*BUILD, *options, "--tag", image_uri, "."]


class EngineImage(Construct):
    """`repository` and `tag` of the image. The tag is a digest of the sources, so it never moves."""

    def __init__(self, scope: Construct, id: str, *, prefix: str, recipe: Recipe) -> None:
        super().__init__(scope, id)
        self.recipe = recipe
        self.repository = ecr.Repository(
            self,
            "Repository",
            repository_name=f"{prefix}-{recipe.name}",
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            empty_on_delete=True,
            removal_policy=RemovalPolicy.DESTROY,
            lifecycle_rules=[ecr.LifecycleRule(max_image_count=_KEPT_IMAGES)],
        )
        self.source = assets.Asset(
            self, "Source", path=str(ROOT), exclude=recipe.exclude, ignore_mode=IgnoreMode.GIT
        )
        determined_by = f"{self.source.asset_hash} {shlex.join([*BUILD, *recipe.options])}"
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
        name = f"{prefix}-{image.recipe.name}-image"
        registry = f"{Stack.of(self).account}.dkr.ecr.{Stack.of(self).region}.{Stack.of(self).url_suffix}"
        log_in = f"aws ecr get-login-password | docker login --username AWS --password-stdin {registry}"
        buildspec = {
            "version": "0.2",
            "env": {"shell": "bash"},
            "phases": {
                "pre_build": {"commands": [f"set -o pipefail; {log_in}"]},
                "build": {"commands": [" ".join(build_command(image.uri, image.recipe.options))]},
            },
        }
        build = BuildProject(
            self,
            name=name,
            description="Builds the engines' container image",
            bucket=image.source.s3_bucket_name,
            key=image.source.s3_object_key,
            buildspec=buildspec,
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="LINUX_CONTAINER",
                compute_type="BUILD_GENERAL1_MEDIUM",  # four processors, 8 GB, and disk for torch
                image=_BUILDER,
                privileged_mode=True,  # Docker's daemon needs it
            ),
            log_retention_days=log_retention_days,
            minutes=_LONGEST_MINUTES,
            why_unencrypted="It produces no artifact to encrypt; ECR encrypts the image.",
        )
        allow(
            build.role,
            "ecr:GetAuthorizationToken",
            on=["*"],
            why_wildcard="GetAuthorizationToken takes no resource.",
        )
        # What `docker push` calls (ECR's user guide, "Pushing a Docker image").
        allow(
            build.role,
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
            on=[image.repository.repository_arn],
        )
        acknowledge(build.project, "CB3", "It builds a container image; Docker's daemon runs privileged.")
        self.project = build.project
