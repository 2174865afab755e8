"""The scaling of an endpoint: no instance while idle, one job per instance."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.endpoint_metrics import endpoint_metric
from cdk.runbooks import with_runbook
from lambdas.domain.names import VARIANT


def _service_role(scope: Construct) -> iam.IRole:
    """Return the role that Application Auto Scaling creates; the L2 would create one that it ignores."""
    arn = Stack.of(scope).format_arn(
        service="iam",
        region="",
        resource="role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com",
        resource_name="AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
    )
    return iam.Role.from_role_arn(scope, "ServiceRole", arn)


class EndpointScaling(Construct):
    def __init__(
        self, scope: Construct, id: str, *, endpoint_name: str, max_instances: int, runbooks: str
    ) -> None:
        super().__init__(scope, id)
        self.target = autoscaling.ScalableTarget(
            self,
            "Instances",
            service_namespace=autoscaling.ServiceNamespace.SAGEMAKER,
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            resource_id=f"endpoint/{endpoint_name}/variant/{VARIANT}",
            min_capacity=0,
            max_capacity=max_instances,
            role=_service_role(self),
        )
        self.target.scale_to_track_metric(
            "Backlog",
            custom_metric=endpoint_metric("ApproximateBacklogSizePerInstance", endpoint_name),
            # The backlog includes jobs in flight. With a target above 1, one long job looks idle, and its
            # instance is removed while it runs.
            target_value=1,
            scale_out_cooldown=Duration.minutes(5),  # about the time an instance takes to load its model
            scale_in_cooldown=Duration.minutes(10),
        )
        # Target tracking does not wake an endpoint without instances.
        self.wake = autoscaling.StepScalingAction(
            self,
            "Wake",
            scaling_target=self.target,
            adjustment_type=autoscaling.AdjustmentType.EXACT_CAPACITY,
            metric_aggregation_type=autoscaling.MetricAggregationType.MAXIMUM,
            cooldown=Duration.minutes(5),
        )
        self.wake.add_adjustment(adjustment=1, lower_bound=0)
        alarm = cloudwatch.Alarm(
            self,
            "HasBacklogWithoutCapacity",
            alarm_description=with_runbook(
                f"{endpoint_name}: requests wait and no instance runs. Starts one instance.",
                runbooks,
                "engine-without-instance",
            ),
            metric=endpoint_metric("HasBacklogWithoutCapacity", endpoint_name, statistic="Maximum"),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.MISSING,
        )
        alarm.add_alarm_action(actions.ApplicationScalingAction(self.wake))
