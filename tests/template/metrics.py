"""The metrics that a template's alarms and dashboards refer to."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.template.reading import Template


class Metric(NamedTuple):
    namespace: str
    name: str
    dimensions: frozenset[str]  # their names


def metrics_of(template: Template) -> list[Metric]:
    """Return each reference to a metric, in alarms, expressions, graphs and their searches."""
    found: list[Metric] = []
    for resource in template["Resources"].values():
        settings = resource["Properties"]
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            found += _of_alarm(settings)
        elif resource["Type"] == "AWS::CloudWatch::Dashboard":
            found += of_dashboard(body_of(settings["DashboardBody"]))
    return found


def body_of(text: Any) -> dict[str, Any]:
    """Return a dashboard's body; what is known only at deployment is X in it."""
    if isinstance(text, dict):
        text = "".join(part if isinstance(part, str) else "X" for part in text["Fn::Join"][1])
    body: dict[str, Any] = json.loads(text)
    return body


def _of_alarm(alarm: dict[str, Any]) -> Iterator[Metric]:
    metrics = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
    for metric in metrics or [alarm]:
        dimensions = frozenset(one["Name"] for one in metric.get("Dimensions", []))
        yield Metric(metric["Namespace"], metric["MetricName"], dimensions)


def of_dashboard(body: dict[str, Any]) -> Iterator[Metric]:
    for widget in body["widgets"]:
        for row in widget["properties"].get("metrics", []):
            if isinstance(row[0], dict):
                yield from _of_expression(row[0]["expression"])
            else:
                namespace, name, *pairs = [part for part in row if isinstance(part, str)]
                yield Metric(namespace, name, frozenset(pairs[::2]))


def _of_expression(expression: str) -> Iterator[Metric]:
    """SEARCH('{namespace,dimension,…} MetricName="name" …', statistic, period)"""
    for schema, name in re.findall(r"SEARCH\('\{([^}]+)\} MetricName=\"(\w+)\"", expression):
        namespace, *dimensions = schema.split(",")
        yield Metric(namespace, name, frozenset(dimensions))
