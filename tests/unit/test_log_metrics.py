"""Log lines in CloudWatch's embedded metric format, and lines that only look like it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.domain import names
from lambdas.telemetry import count, logger
from reelworks.cloud.services.log_metrics import embedded

AT = datetime(2026, 11, 30, 6, 0, tzinfo=UTC)


def line(metrics: Any, dimensions: Any = (("service",),), namespace: Any = "Reelworks", **values: Any) -> str:
    directive = {"Namespace": namespace, "Dimensions": dimensions, "Metrics": metrics}
    about = {"Timestamp": int(AT.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": about, "service": "reelworks", **values})


def test_the_metrics_of_a_line() -> None:
    text = line(
        [{"Name": "Clips", "Unit": "Count"}, {"Name": "Seconds"}], [["service"], ["service", "engine"]],
        Clips=[1, 2.5], Seconds=7, engine="animatic",
    )  # fmt: skip
    service, engine = {"Name": "service", "Value": "reelworks"}, {"Name": "engine", "Value": "animatic"}
    clips = {"MetricName": "Clips", "Timestamp": AT, "Values": [1.0, 2.5], "Unit": "Count"}
    seconds = {"MetricName": "Seconds", "Timestamp": AT, "Values": [7.0], "Unit": "None"}
    assert [*embedded(text)] == [
        (
            "Reelworks",
            [
                clips | {"Dimensions": [service]},
                clips | {"Dimensions": [service, engine]},
                seconds | {"Dimensions": [service]},
                seconds | {"Dimensions": [service, engine]},
            ],
        )
    ]


def test_a_metric_without_dimensions() -> None:
    [(_, [metric])] = embedded(line([{"Name": "Clips"}], [], Clips=1))
    assert metric["Dimensions"] == []


def test_what_the_functions_write_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    count(names.METRIC_VIDEOS_CREATED)
    [(namespace, [metric])] = embedded(capsys.readouterr().out)
    assert namespace == names.METRICS_NAMESPACE
    assert (metric["MetricName"], metric["Values"], metric["Unit"]) == ("VideosCreated", [1.0], "Count")
    assert metric["Dimensions"] == [{"Name": "service", "Value": logger.service}]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "START RequestId: CloudWatchMetrics",
        "[]",
        '"CloudWatchMetrics"',
        '{"_aws": null}',
        '{"_aws": {"CloudWatchMetrics": 1, "Timestamp": 1}}',
        '{"_aws": {"CloudWatchMetrics": [], "Timestamp": 1}}',
        '{"_aws": {"CloudWatchMetrics": [{}], "Timestamp": 1e300}}',
        line([{"Name": "Missing"}]),
        line([{"Name": "Clips"}], Clips="many"),
        line([{"Name": "Clips"}], Clips=None),
        line([{"Name": "Clips"}], [["nowhere"]], Clips=1),
        line(None, Clips=1),
    ],
)
def test_other_lines_have_none(text: str) -> None:
    assert [*embedded(text)] == []
