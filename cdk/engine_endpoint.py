"""A SageMaker asynchronous endpoint of one engine. CDK has no L2 for the async config (aws-cdk#23149)."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from cdk.buckets import bucket_name
from cdk.log_groups import log_group
from cdk.notices import Notices
from cdk.settings import DeploymentSettings
from lambdas.domain import keys
from lambdas.domain.names import endpoint_name

VARIANT = "AllTraffic"

# The host whose GPU driver is new enough for the container (containers/cogvideox/Dockerfile).
_HOST = "al2023-ami-sagemaker-inference-gpu-4-1"

# SageMaker's longest: tens of gigabytes of weights are fetched, then loaded.
_DOWNLOAD_SECONDS = 3600
_STARTUP_SECONDS = 3600


class EngineEndpoint(Construct):
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: DeploymentSettings,
        image_uri: str,
        model_uri: str,
        role: iam.IRole,
        notices: Notices,
    ) -> None:
        """`id` is the engine's name, `model_uri` an S3 folder of safetensors."""
        super().__init__(scope, id)
        self.name = endpoint_name(settings.prefix, id)
        output_bucket = bucket_name(self, settings.prefix, "output")
        model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=role.role_arn,
            enable_network_isolation=True,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=image_uri,
                environment={"COGVIDEOX_NAME": id},
                model_data_source=sagemaker.CfnModel.ModelDataSourceProperty(
                    s3_data_source=sagemaker.CfnModel.S3DataSourceProperty(
                        s3_uri=model_uri, s3_data_type="S3Prefix", compression_type="None"
                    )
                ),
            ),
        )
        model.node.add_dependency(role)  # SageMaker reads the S3 folder when the model is made
        config = sagemaker.CfnEndpointConfig(
            self,
            "Config",
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=VARIANT,
                    model_name=model.attr_model_name,
                    instance_type=settings.endpoints[id].instance_type,
                    initial_instance_count=1,  # an endpoint can't be made with none; scaling takes it to 0
                    initial_variant_weight=1,
                    inference_ami_version=_HOST,
                    model_data_download_timeout_in_seconds=_DOWNLOAD_SECONDS,
                    container_startup_health_check_timeout_in_seconds=_STARTUP_SECONDS,
                )
            ],
            async_inference_config=sagemaker.CfnEndpointConfig.AsyncInferenceConfigProperty(
                client_config=sagemaker.CfnEndpointConfig.AsyncInferenceClientConfigProperty(
                    max_concurrent_invocations_per_instance=1  # a clip takes the whole GPU
                ),
                output_config=sagemaker.CfnEndpointConfig.AsyncInferenceOutputConfigProperty(
                    s3_output_path=f"s3://{output_bucket}/{keys.ENGINE_OUTPUT_PREFIX}",
                    s3_failure_path=f"s3://{output_bucket}/{keys.ENGINE_FAILURE_PREFIX}",
                    # No error topic, no notice of a failure.
                    notification_config=sagemaker.CfnEndpointConfig.AsyncInferenceNotificationConfigProperty(
                        success_topic=notices.success.topic_arn, error_topic=notices.error.topic_arn
                    ),
                ),
            ),
        )
        self.endpoint = sagemaker.CfnEndpoint(
            self, "Endpoint", endpoint_name=self.name, endpoint_config_name=config.attr_endpoint_config_name
        )
        logs = log_group(
            self, "Logs", name=f"/aws/sagemaker/Endpoints/{self.name}", days=settings.log_retention_days
        )
        self.endpoint.node.add_dependency(logs)  # before SageMaker makes one that never expires
