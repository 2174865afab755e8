"""Metrics of asynchronous endpoints (SageMaker's guide, "Monitor asynchronous endpoint") and metrics from
the engines' log lines (containers/diffusion/metrics.py)."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from lambdas.domain.names import VARIANT


def endpoint_metric(
    name: str, endpoint_name: str, *, statistic: str = "Average", label: str | None = None
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/SageMaker",
        metric_name=name,
        dimensions_map={"EndpointName": endpoint_name},
        statistic=statistic,
        period=Duration.minutes(1),
        label=label,
    )


def variant_metric(name: str, endpoint_name: str, *, statistic: str = "Sum") -> cloudwatch.Metric:
    """Return a metric that SageMaker publishes by variant, as it does all that count requests."""
    return cloudwatch.Metric(
        namespace="AWS/SageMaker",
        metric_name=name,
        dimensions_map={"EndpointName": endpoint_name, "VariantName": VARIANT},
        statistic=statistic,
        period=Duration.minutes(1),
    )


def instances_metric(endpoint_name: str) -> cloudwatch.Metric:
    """Return the number of running instances: each reports its CPU utilization once a minute."""
    return cloudwatch.Metric(
        namespace="/aws/sagemaker/Endpoints",
        metric_name="CPUUtilization",
        dimensions_map={"EndpointName": endpoint_name, "VariantName": VARIANT},
        statistic="SampleCount",
        period=Duration.minutes(1),
        label=endpoint_name,
    )


def engine_metric(name: str, engine: str, *, prefix: str, statistic: str = "Average") -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="Reelworks/Engines",
        metric_name=name,
        dimensions_map={"deployment": prefix, "model": engine},
        statistic=statistic,
        period=Duration.minutes(5),
    )
