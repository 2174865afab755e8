"""Numbers from CloudWatch."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_QUERIES = 500  # in one call of GetMetricData


@dataclass(frozen=True)
class Metric:
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str


def values(
    cloudwatch: Any, metrics: Mapping[str, Metric], since: datetime, until: datetime, *, period: int
) -> dict[str, list[float]]:
    """Return each metric's values in the time span, by the keys of `metrics`, the newest first. `period`, in
    seconds: of one value; CloudWatch keeps minutes for 15 days, five minutes for 63, hours for 455."""
    found: dict[str, list[float]] = {key: [] for key in metrics}
    keys = list(metrics)
    for start in range(0, len(keys), _QUERIES):
        some = keys[start : start + _QUERIES]
        queries = [_query(f"m{number}", metrics[key], period) for number, key in enumerate(some)]
        pages = cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, StartTime=since, EndTime=until, ScanBy="TimestampDescending"
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                found[some[int(result["Id"][1:])]] += result["Values"]
    return found


def _query(id_: str, metric: Metric, period: int) -> dict[str, Any]:
    return {
        "Id": id_,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
            },
            "Period": period,
            "Stat": metric.statistic,
        },
    }
