"""Metrics that functions write to their logs, in CloudWatch's embedded metric format (EMF), and those of the
PC's engines.

CloudWatch extracts them as the lines arrive; ministack doesn't (1.5.33). Here they are extracted when
somebody asks CloudWatch, before the question is passed on, so that every answer is complete.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)

# A line may reach its log after a later one; it is looked for this long.
_LATE_MS = 60_000
_Event = tuple[str, str, int, str, int]  # log group, stream, time, message, its number among equal ones
_MOST_VALUES = 100  # of a metric in one line, by the specification


class LogMetrics:
    """An ASGI app for requests signed for `monitoring`. `logs` and `cloudwatch` are clients of the cloud; the
    latter's calls pass through here, too. `gauges` returns the metrics of AWS/SageMaker as of now."""

    def __init__(
        self,
        ministack: ASGIApp,
        *,
        logs: Any,
        cloudwatch: Any,
        gauges: Callable[[], list[dict[str, Any]]] = list,
    ) -> None:
        self._ministack = ministack
        self._logs = logs
        self._cloudwatch = cloudwatch
        self._gauges = gauges
        self._extracting = asyncio.Lock()
        self._newest_ms = 0
        self._seen: dict[_Event, int] = {}  # the times of the events extracted lately

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A call while metrics are extracted is the extraction's own, or finds them a moment later.
        if scope["type"] == "http" and not self._extracting.locked():
            async with self._extracting:
                try:
                    await asyncio.to_thread(self._extract)
                except Exception:  # the question itself is still answered
                    logger.exception("metrics not extracted")
        await self._ministack(scope, receive, send)

    def _extract(self) -> None:
        if gauges := self._gauges():
            self._cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=gauges)
        since = max(0, self._newest_ms - _LATE_MS)
        newest = self._newest_ms
        same: Counter[tuple[str, str, int, str]] = Counter()
        for group, event in self._events(since):
            at = int(event["timestamp"])
            newest = max(newest, at)
            # ministack gives no id to the lines of functions. Equal lines of one stream and millisecond are
            # told apart by their order, since a query returns either all of them or none.
            line = (group, str(event["logStreamName"]), at, str(event["message"]))
            known = (*line, same[line])
            same[line] += 1
            if known in self._seen:
                continue
            for namespace, data in embedded(event["message"]):
                self._cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
            self._seen[known] = at
        self._newest_ms = newest
        self._seen = {known: at for known, at in self._seen.items() if at >= newest - _LATE_MS}

    def _events(self, since_ms: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the events that may be in the format, each with its log group."""
        for groups in self._logs.get_paginator("describe_log_groups").paginate():
            for group in groups["logGroups"]:
                query = {
                    "logGroupName": group["logGroupName"],
                    "startTime": since_ms,
                    "filterPattern": '"CloudWatchMetrics"',
                }
                for page in self._logs.get_paginator("filter_log_events").paginate(**query):
                    yield from ((query["logGroupName"], event) for event in page["events"])


def embedded(line: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each namespace and its metrics, for PutMetricData, of a log line in the format; none of any
    other line."""
    try:
        document = json.loads(line)
        about = document["_aws"]
        at = datetime.fromtimestamp(about["Timestamp"] / 1000, UTC)
        directives = [
            (str(one["Namespace"]), [*_data(document, one, at)]) for one in about["CloudWatchMetrics"]
        ]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return
    yield from ((namespace, data) for namespace, data in directives if data)


def _data(document: dict[str, Any], directive: dict[str, Any], at: datetime) -> Iterator[dict[str, Any]]:
    for metric in directive["Metrics"]:
        given = document[metric["Name"]]
        values = [float(value) for value in (given if isinstance(given, list) else [given])][:_MOST_VALUES]
        for names in directive.get("Dimensions") or [[]]:
            yield {
                "MetricName": metric["Name"],
                "Dimensions": [{"Name": name, "Value": str(document[name])} for name in names],
                "Timestamp": at,
                "Values": values,
                "Unit": metric.get("Unit", "None"),
            }
