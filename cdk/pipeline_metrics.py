"""Metrics that the functions write to their logs (lambdas/telemetry.py)."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from lambdas.domain import names

PERIOD = Duration.minutes(5)


class PipelineMetrics:
    """The metrics of one deployment, which is their dimension `service`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def metric(
        self,
        metric: names.Metric,
        *,
        statistic: str = "Sum",
        period: Duration = PERIOD,
        label: str | None = None,
        **dimensions: str,
    ) -> cloudwatch.Metric:
        """Raises ValueError if the functions don't write the metric with these dimensions."""
        _require_written(metric, tuple(dimensions))
        return cloudwatch.Metric(
            namespace=names.METRICS_NAMESPACE,
            metric_name=metric.name,
            dimensions_map={"service": self._prefix, **dimensions},
            statistic=statistic,
            period=period,
            label=label,
        )

    def search(self, metric: names.Metric, *dimensions: str, statistic: str = "Sum") -> cloudwatch.IMetric:
        """Return all series of the metric with these dimensions, whatever their values. For graphs only: an
        alarm can't search.

        Raises ValueError if the functions don't write the metric with these dimensions.
        """
        _require_written(metric, dimensions)
        schema = ",".join((names.METRICS_NAMESPACE, "service", *dimensions))
        wanted = f'{{{schema}}} MetricName="{metric.name}" service="{self._prefix}"'
        return cloudwatch.MathExpression(
            expression=f"SEARCH('{wanted}', '{statistic}', {PERIOD.to_seconds()})", using_metrics={}, label=""
        )


def _require_written(metric: names.Metric, dimensions: tuple[str, ...]) -> None:
    if dimensions not in metric.by:
        raise ValueError(f"dimensions of {metric.name} must be one of {metric.by}; got {dimensions}")
