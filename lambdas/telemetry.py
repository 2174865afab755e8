"""Logger and metrics of the functions. Their service is the deployment's prefix (POWERTOOLS_SERVICE_NAME), so
that two deployments in one account do not add to each other's metrics."""

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.domain import names
from lambdas.domain.errors import Fault
from lambdas.domain.names import Metric

logger = Logger()


def count(metric: Metric, **dimensions: str) -> None:
    """Add one to a metric of lambdas.domain.names."""
    measure(metric, 1, **dimensions)


def measure(metric: Metric, value: float, **dimensions: str) -> None:
    """Write a value of a metric of lambdas.domain.names, with a value for each of its dimensions.

    Raises ValueError if a dimension is missing or is not one of the metric's.
    """
    allowed = {name for chosen in metric.by for name in chosen}
    if set(dimensions) != allowed:
        raise ValueError(f"dimensions of {metric.name} must be {sorted(allowed)}; got {sorted(dimensions)}")
    for chosen in metric.by:
        with single_metric(
            metric.name, MetricUnit(metric.unit), value, namespace=names.METRICS_NAMESPACE
        ) as one:
            one.add_dimension("service", logger.service)
            for name in chosen:
                one.add_dimension(name, dimensions[name])


def rate(metric: Metric, fault: Fault | None, **dimensions: str) -> None:
    """Write an outcome of a failure rate of lambdas.domain.names: a failure's fault, or None."""
    for each in Fault:
        measure(metric, 100 if each is fault else 0, fault=each, **dimensions)
