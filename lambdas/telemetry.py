"""Logger and metrics of the functions. Their service is the deployment's prefix (POWERTOOLS_SERVICE_NAME), so
that two deployments in one account do not add to each other's metrics."""

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.domain import names

logger = Logger()


def count(metric: str) -> None:
    """Add one to a metric named in lambdas.domain.names."""
    with single_metric(metric, MetricUnit.Count, 1, namespace=names.METRICS_NAMESPACE) as one:
        one.add_dimension("service", logger.service)
