"""The operations stack."""

import json
from pathlib import Path

from lambdas.domain import names
from tests.template.reading import Template, properties


def test_alarms(operations: Template) -> None:
    alarms = properties(operations, "AWS::CloudWatch::Alarm").values()
    watched = [alarm["MetricName"] for alarm in alarms]
    assert sorted(watched) == sorted(
        [
            "ApproximateNumberOfMessagesVisible",  # the requests' dead letters
            "ApproximateNumberOfMessagesVisible",  # failed events
            "ApproximateAgeOfOldestMessage",
            "ExecutionsFailed",
            "ExecutionsTimedOut",
            "Errors",  # of upkeep
            "5XXError",
            *("HasBacklogWithoutCapacity", "InvocationFailures", "lost_count") * 2,
        ]
    )
    for alarm in alarms:
        assert alarm["AlarmActions"] == alarm["OKActions"] != []
        assert alarm["AlarmDescription"]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_the_dashboard_shows_all_our_metrics(operations: Template) -> None:
    ((_, dashboard),) = properties(operations, "AWS::CloudWatch::Dashboard").items()
    body = json.dumps(dashboard["DashboardBody"])
    metrics = [value for name, value in vars(names).items() if name.startswith("METRIC_")]
    assert metrics
    for metric in metrics:
        assert metric in body
    for engine in ("cogvideox-5b", "cogvideox-5b-i2v"):
        assert f"reelworks-{engine}" in body


def test_engine_metrics_match_those_the_engines_log(operations: Template) -> None:
    from containers.cogvideox.metrics import NAMESPACE

    ((_, dashboard),) = properties(operations, "AWS::CloudWatch::Dashboard").items()
    assert json.dumps(dashboard["DashboardBody"]).count(NAMESPACE) == 2 * 7
    alarms = properties(operations, "AWS::CloudWatch::Alarm").values()
    (lost, _) = [alarm for alarm in alarms if alarm["MetricName"] == "lost_count"]
    assert lost["Namespace"] == NAMESPACE
    assert lost["Dimensions"] == [
        {"Name": "deployment", "Value": "reelworks"},
        {"Name": "model", "Value": "cogvideox-5b"},
    ]


def test_alarms_exist_before_the_endpoints(assembly: Path, templates: dict[str, Template]) -> None:
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    assert "Reelworks-Operations" in artifacts["Reelworks-Engines"]["dependencies"]
    assert "Reelworks-Engines" not in artifacts["Reelworks-Operations"]["dependencies"]
    # By name: a reference to an endpoint would turn the order around.
    exported = {
        output["Export"]["Name"]
        for output in templates["Engines"].get("Outputs", {}).values()
        if "Export" in output
    }
    assert not exported


def test_alarms_are_mailed_to_the_configured_address(drafts: dict[str, Template]) -> None:
    ((_, subscription),) = properties(drafts["Operations"], "AWS::SNS::Subscription").items()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")


def test_alarms_are_not_mailed_by_default(operations: Template) -> None:
    assert "AWS::SNS::Subscription" not in {r["Type"] for r in operations["Resources"].values()}
