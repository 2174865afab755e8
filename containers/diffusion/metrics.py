"""Metrics that CloudWatch reads from log lines: its embedded metric format is JSON and needs no AWS code.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import os
import time
from collections.abc import Mapping
from typing import Any

NAMESPACE = "Reelworks/Engines"
# Names the deployment, so that two in one account do not add to each other's metrics.
DEPLOYMENT = "DIFFUSION_DEPLOYMENT"
# Unit of a metric, by the suffix of its name.
UNITS = {"_seconds": "Seconds", "_bytes": "Bytes", "_percent": "Percent", "_count": "Count"}

Value = float | list[float]


def metrics(values: Mapping[str, Value], dimensions: Mapping[str, str]) -> dict[str, Any]:
    """Return log fields (`extra`) that CloudWatch turns into metrics; each name ends with its unit.

    They also have the dimension `deployment`, from the environment.
    """
    dimensions = {"deployment": os.environ.get(DEPLOYMENT, "reelworks"), **dimensions}
    described = [{"Name": name, "Unit": UNITS[name[name.rindex("_") :]]} for name in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [list(dimensions)], "Metrics": described}
    return {
        **dimensions,
        **values,
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
    }
