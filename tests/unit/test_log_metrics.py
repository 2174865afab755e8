"""Log lines in CloudWatch's embedded metric format, and lines that only look like it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lambdas.domain import names
from lambdas.domain.errors import Fault
from lambdas.telemetry import count, logger, measure, rate
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


def written(log: str) -> list[tuple[str, dict[str, str], list[float]]]:
    """Return the name, the dimensions and the values of each metric in the log."""
    return [
        (one["MetricName"], {each["Name"]: each["Value"] for each in one["Dimensions"]}, one["Values"])
        for text in log.splitlines()
        for _, data in embedded(text)
        for one in data
    ]


@pytest.mark.parametrize("constant", [name for name in vars(names) if name.startswith("METRIC_")])
def test_a_metric_has_a_series_for_each_set_of_its_dimensions(
    capsys: pytest.CaptureFixture[str], constant: str
) -> None:
    metric = vars(names)[constant]
    values = {name: f"some {name}" for chosen in metric.by for name in chosen}
    measure(metric, 2.5, **values)
    assert written(capsys.readouterr().out) == [
        (metric.name, {"service": logger.service, **{name: values[name] for name in chosen}}, [2.5])
        for chosen in metric.by
    ]


def test_a_metric_without_one_of_its_dimensions_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \['code', 'step'\]; got \['step'\]"):
        count(names.METRIC_VIDEOS_FAILED, step="Plan")


def test_the_average_of_outcomes_is_the_failure_rate(capsys: pytest.CaptureFixture[str]) -> None:
    for fault in (None, Fault.ENGINE, None, Fault.USER):
        rate(names.METRIC_FAILURE_RATE, fault)
    outcomes: dict[str, list[float]] = {}
    for _, dimensions, values in written(capsys.readouterr().out):
        outcomes.setdefault(dimensions["fault"], []).extend(values)
    averages = {fault: sum(values) / len(values) for fault, values in outcomes.items()}
    assert averages == {"pipeline": 0, "engine": 25, "user": 25}


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
