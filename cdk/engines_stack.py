"""The engines: a SageMaker endpoint for each engine in the settings that needs one. AWS only."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.buckets import bucket_name
from cdk.endpoint_scaling import EndpointScaling
from cdk.engine_endpoint import EngineEndpoint
from cdk.engine_image import EngineImage
from cdk.engine_role import EngineRole
from cdk.notices import Notices
from cdk.saved_queries import SavedQueries, engine_queries
from cdk.settings import DeploymentSettings, StackKind


class EnginesStack(Stack):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: DeploymentSettings,
        notices: Notices,
        images: Mapping[StackKind, EngineImage],
        **options: Any,
    ) -> None:
        """`images` by the stack that each is in."""
        super().__init__(scope, id, description="Reelworks: the engines' endpoints", **options)
        prefix = settings.prefix
        models = s3.Bucket.from_bucket_name(
            self, "Models", settings.model_bucket or bucket_name(self, prefix, "models")
        )
        role = EngineRole(
            self,
            "EngineRole",
            prefix=prefix,
            engines=settings.endpoint_engines,
            models=models,
            model_prefix=settings.model_prefix,
            topics=[notices.success, notices.error],
        )
        for image in images.values():
            image.repository.grant_pull(role.role)
        queries = SavedQueries(self, "SavedQueries", prefix=prefix, queries=engine_queries(settings))
        for engine in settings.endpoint_engines:
            endpoint = EngineEndpoint(
                self,
                engine,
                settings=settings,
                image_uri=images[settings.image_stack_of(engine)].uri,
                model_uri=f"s3://{models.bucket_name}/{settings.model_prefix}/{engine}/",
                role=role.role,
                notices=notices,
            )
            scaling = EndpointScaling(
                endpoint,
                "Scaling",
                endpoint_name=endpoint.name,
                max_instances=settings.endpoints[engine].max_instances,
                runbooks=settings.runbooks,
            )
            scaling.target.node.add_dependency(endpoint.endpoint)
            queries.node.add_dependency(endpoint.logs)
