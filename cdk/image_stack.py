"""A container image of engines: its repository and its build. AWS only."""

import shlex
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from cdk.engine_image import EngineImage, ImageBuild, recipe_of
from cdk.settings import DeploymentSettings, StackKind


class ImageStack(Stack):
    def __init__(
        self, scope: Construct, kind: StackKind, *, settings: DeploymentSettings, **options: Any
    ) -> None:
        super().__init__(
            scope,
            settings.stack_name(kind),
            description="Reelworks: the engines' container image",
            **options,
        )
        recipe = recipe_of(kind, settings)
        self.image = EngineImage(self, "Image", prefix=settings.prefix, recipe=recipe)
        outputs = {
            "Repository": self.image.repository.repository_name,
            "Tag": self.image.tag,
            "Uri": self.image.uri,
            "Options": shlex.join(recipe.options),
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
