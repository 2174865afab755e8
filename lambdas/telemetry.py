"""Logger and metrics of the functions."""

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.domain import names

logger = Logger(service=names.SERVICE)


def gauge(metric: str, value: float, *, engine: str) -> None:
    """Report the present value of a metric named in lambdas.domain.names for an engine."""
    with single_metric(metric, MetricUnit.NoUnit, value, namespace=names.METRICS_NAMESPACE) as one:
        one.add_dimension("service", names.SERVICE)
        one.add_dimension("engine", engine)


def count(metric: str) -> None:
    """Add one to a metric named in lambdas.domain.names."""
    with single_metric(metric, MetricUnit.Count, 1, namespace=names.METRICS_NAMESPACE) as one:
        one.add_dimension("service", names.SERVICE)
