"""The operations stack."""

import json
from typing import Any

from cdk.app import reelworks
from lambdas.domain import names
from tests.template.conftest import SOURCE_ONLY
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
            "UpkeepFailures",
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
    assert lost["Dimensions"] == [{"Name": "model", "Value": "cogvideox-5b"}]


def test_alarms_are_mailed_to_the_configured_address(account: None, tmp_path: Any) -> None:
    settings = {"alarm_email": "ops@example.com"}
    reelworks(outdir=str(tmp_path), context={**SOURCE_ONLY, "reelworks": settings}).synth()
    template = json.loads((tmp_path / "Reelworks-Operations.template.json").read_text())
    ((_, subscription),) = properties(template, "AWS::SNS::Subscription").items()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")


def test_alarms_are_not_mailed_by_default(operations: Template) -> None:
    assert "AWS::SNS::Subscription" not in {r["Type"] for r in operations["Resources"].values()}
