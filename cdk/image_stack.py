"""The engines' container image: its repository and its build. AWS only."""

from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from cdk.engine_image import EngineImage, ImageBuild
from cdk.settings import DeploymentSettings


class ImageStack(Stack):
    def __init__(self, scope: Construct, id: str, *, settings: DeploymentSettings, **options: Any) -> None:
        super().__init__(scope, id, description="Reelworks: the engines' container image", **options)
        self.image = EngineImage(self, "Image", prefix=settings.prefix)
        outputs = {
            "Repository": self.image.repository.repository_name,
            "Tag": self.image.tag,
            "Uri": self.image.uri,
        }
        if settings.image_builder == "codebuild":
            build = ImageBuild(
                self,
                "Build",
                image=self.image,
                prefix=settings.prefix,
                log_retention_days=settings.log_retention_days,
            )
            outputs["Project"] = build.project.ref
        for name, value in outputs.items():
            CfnOutput(self, f"{name}Output", value=value).override_logical_id(name)
