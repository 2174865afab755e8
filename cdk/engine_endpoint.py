"""A SageMaker asynchronous endpoint for one engine. CDK has no L2 for the async config (aws-cdk#23149)."""

import json

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from cdk.buckets import bucket_name
from cdk.endpoint_metrics import variant_metric
from cdk.log_groups import log_group
from cdk.notices import Notices
from cdk.permissions import Pack, acknowledge
from cdk.runbooks import with_runbook
from cdk.settings import DeploymentSettings
from lambdas.domain import keys
from lambdas.domain.names import VARIANT, endpoint_name

# A host with a GPU driver new enough for the container (containers/diffusion/Dockerfile): driver 580,
# CUDA 13.0 (ProductionVariant.InferenceAmiVersion in SageMaker's API reference).
_HOST = "al2023-ami-sagemaker-inference-gpu-4-1"

# SageMaker's maximum: tens of gigabytes of weights are downloaded, then loaded.
_DOWNLOAD_SECONDS = 3600
_STARTUP_SECONDS = 3600
# Operators report half an hour without capacity. Excludes the download and the start.
_PROVISION_SECONDS = 1800
# How long the old instances run beside the new ones after an update, while the rollback alarm is watched:
# long enough for the old ones to finish a clip in progress (docs/engines.md has the times) and for the new
# ones to render one.
_BAKING_SECONDS = 900
_UPDATE_SECONDS = _PROVISION_SECONDS + _DOWNLOAD_SECONDS + _STARTUP_SECONDS + _BAKING_SECONDS


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
        """`id` is the engine's name; `model_uri` is an S3 folder of safetensors."""
        super().__init__(scope, id)
        self.name = endpoint_name(settings.prefix, id)
        self._runbooks = settings.runbooks
        output_bucket = bucket_name(self, settings.prefix, "output")
        model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=role.role_arn,
            enable_network_isolation=True,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                image=image_uri,
                environment=_environment(id, settings),
                model_data_source=sagemaker.CfnModel.ModelDataSourceProperty(
                    s3_data_source=sagemaker.CfnModel.S3DataSourceProperty(
                        s3_uri=model_uri, s3_data_type="S3Prefix", compression_type="None"
                    )
                ),
            ),
        )
        model.node.add_dependency(role)  # SageMaker reads the S3 folder when it creates the model
        config = sagemaker.CfnEndpointConfig(
            self,
            "Config",
            production_variants=[
                sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                    variant_name=VARIANT,
                    model_name=model.attr_model_name,
                    instance_pools=[
                        sagemaker.CfnEndpointConfig.InstancePoolProperty(
                            instance_type=instance_type, priority=priority
                        )
                        for priority, instance_type in enumerate(settings.endpoints[id].instance_types, 1)
                    ],
                    variant_instance_provision_timeout_in_seconds=_PROVISION_SECONDS,
                    initial_instance_count=1,  # SageMaker requires one; scaling reduces it to 0
                    initial_variant_weight=1,
                    inference_ami_version=_HOST,
                    model_data_download_timeout_in_seconds=_DOWNLOAD_SECONDS,
                    container_startup_health_check_timeout_in_seconds=_STARTUP_SECONDS,
                )
            ],
            async_inference_config=sagemaker.CfnEndpointConfig.AsyncInferenceConfigProperty(
                client_config=sagemaker.CfnEndpointConfig.AsyncInferenceClientConfigProperty(
                    max_concurrent_invocations_per_instance=1  # a clip uses the whole GPU
                ),
                output_config=sagemaker.CfnEndpointConfig.AsyncInferenceOutputConfigProperty(
                    s3_output_path=f"s3://{output_bucket}/{keys.ENGINE_OUTPUT_PREFIX}",
                    kms_key_id=settings.kms_key or None,
                    s3_failure_path=f"s3://{output_bucket}/{keys.ENGINE_FAILURE_PREFIX}",
                    # Without an error topic, SageMaker sends no failure notices.
                    notification_config=sagemaker.CfnEndpointConfig.AsyncInferenceNotificationConfigProperty(
                        success_topic=notices.success.topic_arn, error_topic=notices.error.topic_arn
                    ),
                ),
            ),
        )
        self.endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self.name,
            endpoint_config_name=config.attr_endpoint_config_name,
            deployment_config=self._careful_updates(),
            # An update keeps as many instances as scaling has set; otherwise it would start with the
            # configuration's one. Without ExcludeRetainedVariantProperties, nothing is left out.
            retain_all_variant_properties=True,
        )
        self.logs = log_group(
            self, "Logs", name=f"/aws/sagemaker/Endpoints/{self.name}", days=settings.log_retention_days
        )
        self.endpoint.node.add_dependency(self.logs)  # or SageMaker creates a log group that never expires

    def _careful_updates(self) -> sagemaker.CfnEndpoint.DeploymentConfigProperty:
        """Start new instances beside the old ones; roll back if the new ones do not start or fail on clips.

        Not SageMaker's rolling policy: a batch is at most half of the instances (RollingUpdatePolicy in its
        API reference), and an endpoint that scales from zero has zero or one instance most of the time.
        """
        alarm = cloudwatch.Alarm(
            self,
            "Rollback",
            alarm_name=rollback_alarm_name(self.name),
            alarm_description=with_runbook(
                f"{self.name}: clips fail. Rolls back an update in progress.",
                self._runbooks,
                "engine-failures",
            ),
            metric=variant_metric("InvocationFailures", self.name),
            # A single failure may be caused by its request.
            threshold=2,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=_BAKING_SECONDS // 60,
            datapoints_to_alarm=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        acknowledge(
            alarm,
            "CloudWatchAlarmAction",
            "SageMaker reads it during an update; the operations stack has the alarms that notify.",
            pack=Pack.NIST,
        )
        properties = sagemaker.CfnEndpoint
        return properties.DeploymentConfigProperty(
            blue_green_update_policy=properties.BlueGreenUpdatePolicyProperty(
                traffic_routing_configuration=properties.TrafficRoutingConfigProperty(
                    type="ALL_AT_ONCE",
                    wait_interval_in_seconds=0,  # between steps; there is only one
                ),
                maximum_execution_timeout_in_seconds=_UPDATE_SECONDS,
                termination_wait_in_seconds=_BAKING_SECONDS,
            ),
            auto_rollback_configuration=properties.AutoRollbackConfigProperty(
                alarms=[properties.AlarmProperty(alarm_name=alarm.alarm_name)]
            ),
        )


def _environment(engine: str, settings: DeploymentSettings) -> dict[str, str]:
    """Return the variables of the engine's container."""
    relay = settings.relays.get(engine)
    if relay is None:
        return {"DIFFUSION_NAME": engine, "DIFFUSION_DEPLOYMENT": settings.prefix}
    return {
        **relay.environment,
        "RELAY_NAME": engine,
        "RELAY_MODEL": relay.model,
        "RELAY_KIND": relay.kind,
        "RELAY_EXTRA": json.dumps(relay.extra),
        "RELAY_SOUND": "1" if relay.sound else "0",
        "RELAY_PATIENCE": str(relay.patience_seconds),
        "RELAY_SECONDS": str(settings.invocation_seconds),
        # AWS's image serves the model's folder under this name.
        "SM_VLLM_SERVED_MODEL_NAME": relay.model,
    }


def rollback_alarm_name(endpoint_name: str) -> str:
    return f"{endpoint_name}-rollback"
