"""Metrics that the functions write to their logs (lambdas/telemetry.py)."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from lambdas.domain import names

PERIOD = Duration.minutes(5)


def pipeline_metric(
    metric: names.Metric,
    *,
    statistic: str = "Sum",
    period: Duration = PERIOD,
    label: str | None = None,
    **dimensions: str,
) -> cloudwatch.Metric:
    """Raises ValueError if the functions don't write the metric with these dimensions."""
    if tuple(dimensions) not in metric.by:
        raise ValueError(f"dimensions of {metric.name} must be one of {metric.by}; got {tuple(dimensions)}")
    return cloudwatch.Metric(
        namespace=names.METRICS_NAMESPACE,
        metric_name=metric.name,
        dimensions_map={"service": names.SERVICE, **dimensions},
        statistic=statistic,
        period=period,
        label=label,
    )


def search(metric: names.Metric, *dimensions: str, statistic: str = "Sum") -> cloudwatch.IMetric:
    """Return all series of the metric with these dimensions, whatever their values. For graphs only: an alarm
    can't search.

    Raises ValueError if the functions don't write the metric with these dimensions.
    """
    if dimensions not in metric.by:
        raise ValueError(f"dimensions of {metric.name} must be one of {metric.by}; got {dimensions}")
    schema = ",".join((names.METRICS_NAMESPACE, "service", *dimensions))
    wanted = f'{{{schema}}} MetricName="{metric.name}" service="{names.SERVICE}"'
    return cloudwatch.MathExpression(
        expression=f"SEARCH('{wanted}', '{statistic}', {PERIOD.to_seconds()})", using_metrics={}, label=""
    )
