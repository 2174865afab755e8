"""The functions' log and metrics."""

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.domain import names

logger = Logger(service=names.SERVICE)


def count(metric: str) -> None:
    """Adds one to a metric of lambdas.domain.names."""
    with single_metric(metric, MetricUnit.Count, 1, namespace=names.METRICS_NAMESPACE) as one:
        one.add_dimension("service", names.SERVICE)
