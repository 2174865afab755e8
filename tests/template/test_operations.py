"""The operations stack."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cdk.api import ACCESS_LOG
from cdk.code import ROOT
from cdk.functions import FUNCTIONS
from cdk.state_machine import DEFINITION
from lambdas.adapters.events import Events
from lambdas.domain import names
from lambdas.domain.video_parts import Failure
from tests.factories import a_video
from tests.template.conftest import ENDPOINTS, SETTINGS
from tests.template.metrics import body_of, metrics_of, of_dashboard
from tests.template.reading import Template, listed, of_type, properties

METRICS = {name: value for name, value in vars(names).items() if name.startswith("METRIC_")}


@pytest.fixture
def dashboard(operations: Template) -> dict[str, Any]:
    ((_, found),) = properties(operations, "AWS::CloudWatch::Dashboard").items()
    return body_of(found["DashboardBody"])


RUNBOOKS = ROOT / "docs" / "runbooks"


def test_alarms(operations: Template) -> None:
    alarms = properties(operations, "AWS::CloudWatch::Alarm").values()
    watched = [alarm.get("MetricName", "an expression") for alarm in alarms]
    assert sorted(watched) == sorted(
        [
            "ApproximateNumberOfMessagesVisible",  # the requests' dead letters
            "ApproximateNumberOfMessagesVisible",  # failed events
            "ApproximateAgeOfOldestMessage",
            *("FailureRate",) * 2,
            "ExecutionsTimedOut",
            "UpkeepRuns",
            "UpkeepFailures",
            "5XXError",
            *("an expression",) * 3,  # functions throttled
            "ExecutionThrottled",
            "Throttles",
            *("an expression", "ApproximateAgeOfOldestMessage"),  # of Deliver and its queue
            *("HasBacklogWithoutCapacity", "OldestClipSeconds", "ClipFailureRate") * 2,
            *("lost_count", "an expression") * 2,  # instances without work
        ]
    )
    for alarm in alarms:
        assert alarm["AlarmActions"] == alarm["OKActions"] != []
        silent = alarm.get("MetricName") == "UpkeepRuns"
        assert alarm["TreatMissingData"] == ("breaching" if silent else "notBreaching")


def test_no_alarm_watches_the_users_own_mistakes(operations: Template) -> None:
    faults = [
        dimension["Value"]
        for alarm in properties(operations, "AWS::CloudWatch::Alarm").values()
        for dimension in alarm.get("Dimensions", [])
        if dimension["Name"] == "fault"
    ]
    assert sorted(faults) == ["engine", "engine", "engine", "pipeline"]


def test_every_alarm_names_its_runbook_and_every_runbook_an_alarm(
    templates: dict[str, Template], noticed: Template
) -> None:
    descriptions = [
        alarm["AlarmDescription"]
        for stack in ("Engines", "Operations")
        for alarm in properties(templates[stack], "AWS::CloudWatch::Alarm").values()
    ]
    named = {description.rpartition(" Runbook: docs/runbooks/")[2] for description in descriptions}
    ((_, rule),) = properties(noticed, "AWS::Events::Rule").items()
    named |= set(re.findall(r"Runbook: https://runbooks.test/([\w-]+\.md)", json.dumps(rule)))
    # Budgets have no description; deploy.md's row of the setting stands for it.
    named |= {"spend.md"}
    assert named == {page.name for page in RUNBOOKS.glob("*.md")} - {"index.md"}


def test_every_alarm_has_the_name_in_its_runbook_s_symptom(operations: Template) -> None:
    for alarm in properties(operations, "AWS::CloudWatch::Alarm").values():
        name = alarm["AlarmName"].removeprefix("Reelworks-Operations-")
        named = re.sub(r"^cogvideox-5b(-i2v)?-", "ENGINE-", re.sub(r"\d$", "…", name))
        page = alarm["AlarmDescription"].rpartition("/")[2]
        symptom = (RUNBOOKS / page).read_text(encoding="utf-8").partition("## What users see")[0]
        assert f"`{named}`" in symptom, page


def test_an_alarm_s_expression_has_at_most_ten_metrics(operations: Template) -> None:
    throttled: set[str] = set()
    for alarm in properties(operations, "AWS::CloudWatch::Alarm").values():
        metrics = [one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
        assert len(metrics) <= 10
        throttled |= {
            metric["Dimensions"][0]["Value"] for metric in metrics if metric["Namespace"] == "AWS/Lambda"
        }
    assert throttled == {f"reelworks-{name}" for name in FUNCTIONS}


# Those that SageMaker publishes by endpoint; all others are by endpoint and variant. A metric with other
# dimensions has no data. Source: SageMaker's guide, "Monitor asynchronous endpoint".
BY_ENDPOINT = {
    "ApproximateBacklogSize",
    "ApproximateBacklogSizePerInstance",
    "HasBacklogWithoutCapacity",
}


def test_metrics_of_endpoints_have_the_dimensions_that_sagemaker_publishes(
    templates: dict[str, Template],
) -> None:
    found = [
        metric
        for stack in ("Engines", "Operations")
        for metric in metrics_of(templates[stack])
        if metric.namespace == "AWS/SageMaker"
    ]
    assert {metric.name for metric in found} >= {*BY_ENDPOINT - {"ApproximateBacklogSizePerInstance"}}
    assert "InvocationFailures" in {metric.name for metric in found}
    for metric in found:
        wanted = {"EndpointName"} if metric.name in BY_ENDPOINT else {"EndpointName", "VariantName"}
        assert metric.dimensions == wanted, metric.name


def test_every_metric_of_ours_is_one_that_the_functions_write(operations: Template) -> None:
    ours = [metric for metric in metrics_of(operations) if metric.namespace == names.METRICS_NAMESPACE]
    assert ours
    written = {
        (metric.name, frozenset({"service", *chosen})) for metric in METRICS.values() for chosen in metric.by
    }
    for metric in ours:
        assert (metric.name, metric.dimensions) in written


def test_every_metric_is_written_by_a_function() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "lambdas").rglob("*.py"))
    for constant in METRICS:
        assert re.search(rf"\b(count|measure|rate)\(\s*names\.{constant}\b", source), constant


def test_the_dashboard_shows_all_our_metrics(dashboard: dict[str, Any]) -> None:
    shown = {metric.name for metric in of_dashboard(dashboard)}
    assert {metric.name for metric in METRICS.values()} <= shown


def test_the_dashboard_follows_a_film_from_request_to_delivery(dashboard: dict[str, Any]) -> None:
    titles = [widget["properties"].get("title", "") for widget in dashboard["widgets"]]
    wanted = [
        "API: latency (ms)",
        "Waiting: oldest request, oldest clip (s)",
        "Waiting: clips by tenant class",
        "Failures by step and code",
        "Steps: duration (ms, p50)",
        "Steps: duration (ms, p90)",
        "Steps: duration (ms, p99)",
        "From start to clip (s)",
        "From request to film (s, without waits for users)",
        "Films per day",
        "Films per day: cost (USD, list prices)",
        "Throttles: functions",
        "Throttles: calls to AWS services",
        "cogvideox-5b: clips in flight, and for each instance",
        "cogvideox-5b: GPU (%)",
        "cogvideox-5b-i2v: GPU (%)",
    ]
    assert [title for title in titles if title in wanted] == wanted


def test_a_tenant_that_floods_an_engine_is_seen_without_a_series_for_each(dashboard: dict[str, Any]) -> None:
    (waiting,) = [
        widget["properties"]["metrics"]
        for widget in dashboard["widgets"]
        if widget["properties"].get("title") == "Waiting: clips by tenant class"
    ]
    shown = [dict(zip(row[2:-1:2], row[3:-1:2], strict=True)) for row in waiting]
    engines = ("cogvideox-5b", "cogvideox-5b-i2v")
    assert [(one["engine"], one["tenant_class"]) for one in shown] == [
        (engine, tenant_class) for engine in engines for tenant_class in ("largest", "others")
    ]


def test_every_step_s_duration_is_shown(dashboard: dict[str, Any], pipeline: Template) -> None:
    for statistic in ("p50", "p90", "p99"):
        (steps,) = [
            widget["properties"]["metrics"]
            for widget in dashboard["widgets"]
            if widget["properties"].get("title") == f"Steps: duration (ms, {statistic})"
        ]
        shown = {row[3].removeprefix("reelworks-") for row in steps}
        assert shown == set(re.findall(r"\$\{(\w+)FunctionArn\}", DEFINITION.read_text(encoding="utf-8")))


def test_the_dashboard_stays_within_cloudwatch_s_quotas(dashboard: dict[str, Any]) -> None:
    """500 widgets, 500 metrics a widget, 2,500 a dashboard (CloudWatch's service quotas)."""
    counts = [len(widget["properties"].get("metrics", [])) for widget in dashboard["widgets"]]
    assert len(counts) <= 500
    assert max(counts) <= 500
    assert sum(counts) <= 2500


def test_graphs_do_not_overlap(dashboard: dict[str, Any]) -> None:
    cells: set[tuple[int, int]] = set()
    for widget in dashboard["widgets"]:
        columns = range(widget["x"], widget["x"] + widget["width"])
        rows = range(widget["y"], widget["y"] + widget["height"])
        taken = {(x, y) for x in columns for y in rows}
        assert not taken & cells, widget["properties"].get("title")
        assert max(columns) < 24
        cells |= taken


@pytest.mark.parametrize("stack", ["Pipeline", "Engines", "Operations"])
def test_a_template_stays_within_cloudformation_s_quotas(templates: dict[str, Template], stack: str) -> None:
    template = templates[stack]
    assert len(template["Resources"]) <= 500
    assert len(json.dumps(template)) <= 1_000_000


def test_engine_metrics_match_those_the_engines_log(operations: Template) -> None:
    from containers.diffusion.metrics import NAMESPACE

    engines = [metric for metric in metrics_of(operations) if metric.namespace == NAMESPACE]
    source = "".join(path.read_text() for path in (ROOT / "containers" / "diffusion").glob("*.py"))
    assert len(engines) == 2 * (7 + 1)
    for metric in engines:
        assert f'"{metric.name}": ' in source
        assert metric.dimensions == {"deployment", "model"}


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


@pytest.fixture
def noticed(two: dict[str, dict[str, Template]]) -> Template:
    """The operations stack of a deployment whose operator wants to be told everything."""
    return two["reel"]["Reel-Operations"]


def test_alarms_link_to_where_the_team_keeps_its_runbooks(noticed: Template) -> None:
    for alarm in properties(noticed, "AWS::CloudWatch::Alarm").values():
        assert " Runbook: https://runbooks.test/" in alarm["AlarmDescription"]


def test_failed_films_are_told_with_their_reason_and_a_link(noticed: Template) -> None:
    ((_, rule),) = properties(noticed, "AWS::Events::Rule").items()
    assert rule["EventPattern"] == {
        "source": [names.EVENT_SOURCE],
        "detail-type": [names.VIDEO_FAILED],
        "detail": {"fault": ["pipeline", "engine"]},
    }
    (target,) = rule["Targets"]
    transformer = target["InputTransformer"]
    told = "".join(
        part if isinstance(part, str) else "X" for part in transformer["InputTemplate"]["Fn::Join"][1]
    )
    for name in transformer["InputPathsMap"]:
        # A variable is a JSON value, or stands within the text of the link.
        told = told.replace(f":X:<{name}>", f":X:{name}").replace(f"<{name}>", json.dumps(name))
    message = json.loads(told)
    assert (message["reason"], message["advice"]) == ("detail-failure-reason", "detail-failure-advice")
    assert re.fullmatch(
        r"https://eu-west-1\.console\.aws\.amazon\.com/states/home\?region=eu-west-1#/v2/executions/details/"
        r"arn:X:states:eu-west-1:111122223333:execution:X:detail-execution",
        message["link"],
    )
    assert set(transformer["InputPathsMap"].values()) <= {
        f"$.detail.{path}" for path in paths_of(event_of_a_failure())
    }


def event_of_a_failure() -> dict[str, Any]:
    """The detail of the event that RecordFailure emits."""
    sent: list[dict[str, Any]] = []

    class EventBridge:
        def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803  (boto3's name)
            sent.extend(Entries)
            return {"FailedEntryCount": 0}

    failure = Failure(step="Plan", code="KeyError", reason="no 'x'", advice="Retry.")
    Events(EventBridge(), "bus").video_ended(a_video(failure=failure), names.VIDEO_FAILED)
    detail: dict[str, Any] = json.loads(sent[0]["Detail"])
    return detail


def paths_of(document: dict[str, Any]) -> set[str]:
    inner = {
        f"{name}.{path}"
        for name, value in document.items()
        if isinstance(value, dict)
        for path in paths_of(value)
    }
    return set(document) | inner


def test_a_budget_tells_the_topic(noticed: Template) -> None:
    ((_, budget),) = properties(noticed, "AWS::Budgets::Budget").items()
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 500, "Unit": "USD"}
    ((topic, _),) = properties(noticed, "AWS::SNS::Topic").items()
    notices = {
        (one["Notification"]["NotificationType"], one["Notification"]["Threshold"])
        for one in budget["NotificationsWithSubscribers"]
        if one["Subscribers"] == [{"SubscriptionType": "SNS", "Address": {"Ref": topic}}]
    }
    assert notices == {("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)}


@pytest.mark.parametrize("service", ["cloudwatch", "events", "budgets"])
def test_services_that_tell_the_topic_may_publish_and_encrypt(noticed: Template, service: str) -> None:
    principal = f"{service}.amazonaws.com"
    for type_, policy, action in (
        ("AWS::SNS::TopicPolicy", "PolicyDocument", "sns:Publish"),
        ("AWS::KMS::Key", "KeyPolicy", "kms:GenerateDataKey*"),
    ):
        ((_, found),) = properties(noticed, type_).items()
        assert [
            statement
            for statement in found[policy]["Statement"]
            if statement["Effect"] == "Allow"
            and action in listed(statement["Action"])
            and principal in listed(statement["Principal"].get("Service", []))
        ], type_


def test_nobody_is_told_by_default(operations: Template) -> None:
    types = {resource["Type"] for resource in operations["Resources"].values()}
    assert not types & {"AWS::Events::Rule", "AWS::Budgets::Budget"}


def test_alarms_are_mailed_to_the_configured_address(noticed: Template) -> None:
    ((_, subscription),) = properties(noticed, "AWS::SNS::Subscription").items()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")


def test_alarms_are_not_mailed_by_default(operations: Template) -> None:
    assert "AWS::SNS::Subscription" not in {r["Type"] for r in operations["Resources"].values()}


# --- an existing topic


def test_notices_and_the_budget_reach_an_existing_topic(hardened: dict[str, Template]) -> None:
    topic = SETTINGS["hardened"]["alarm_topic"]
    ((_, rule),) = properties(hardened["Operations"], "AWS::Events::Rule").items()
    assert [target["Arn"] for target in rule["Targets"]] == [topic]
    ((_, budget),) = properties(hardened["Operations"], "AWS::Budgets::Budget").items()
    for one in budget["NotificationsWithSubscribers"]:
        assert one["Subscribers"] == [{"SubscriptionType": "SNS", "Address": topic}]


def test_what_the_owner_of_an_existing_topic_must_allow_is_documented() -> None:
    """Nobody can add to its policy from here."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    ((allowed,),) = [re.findall(r"\*\*An alarm topic\*\*(.*?)\n- \*\*", page, flags=re.S)]
    for service in ("cloudwatch", "events", "budgets"):
        assert f"`{service}.amazonaws.com`" in allowed


# --- saved queries


Queries = dict[str, dict[str, Any]]


@pytest.fixture
def queries(two: dict[str, dict[str, Template]]) -> Queries:
    """The saved queries of a deployment with engines and logs of the API, by name."""
    found = [
        query
        for stack in ("Operations", "Engines")
        for query in properties(two["reel"][f"Reel-{stack}"], "AWS::Logs::QueryDefinition").values()
    ]
    by_name = {query["Name"]: query for query in found}
    assert len(by_name) == len(found) >= 8
    return by_name


def test_saved_queries_are_listed_under_the_prefix(queries: Queries) -> None:
    for name, query in queries.items():
        assert name.startswith("reel/")
        assert 0 < len(query["LogGroupNames"]) <= 50


def test_saved_queries_read_logs_that_exist_when_they_are_saved(two: dict[str, dict[str, Template]]) -> None:
    """Operations is deployed before Engines."""
    groups: set[str] = set()
    for stack in ("Pipeline", "Operations", "Engines"):
        template = two["reel"][f"Reel-{stack}"]
        groups |= {
            resource["Properties"]["LogGroupName"]
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::Logs::LogGroup"
            and isinstance(resource["Properties"]["LogGroupName"], str)
        }
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Logs::QueryDefinition":
                assert set(resource["Properties"]["LogGroupNames"]) <= groups
                assert stack != "Engines" or len(resource["DependsOn"]) == len(ENDPOINTS)


def test_without_logs_of_the_api_no_query_reads_them(operations: Template) -> None:
    assert "/aws/apigateway" not in json.dumps(of_type(operations, "AWS::Logs::QueryDefinition"))


def test_saved_queries_look_for_lines_that_the_code_logs(queries: Queries) -> None:
    def logged(folder: str) -> set[str]:
        sources = (path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py"))
        return {line for source in sources for line in re.findall(r'logger\.\w+\(\s*"([^"]+)"', source)}

    # Powertools' logger and the engine servers' formatter have different names for what happened.
    for field, folder in (("message", "lambdas"), ("event", "containers")):
        lines = [
            line
            for query in queries.values()
            if ("/aws/sagemaker/" in query["LogGroupNames"][0]) == (folder == "containers")
            for filter_ in re.findall(rf"filter {field} (?:=|in) (.*)", query["QueryString"])
            for line in re.findall(r'"([^"]+)"', filter_)
        ]
        assert len(lines) > 3
        assert set(lines) <= logged(folder)


def test_saved_queries_of_the_api_use_fields_of_its_access_log(queries: Queries) -> None:
    latency = queries["reel/API: requests and latency by tenant"]["QueryString"]
    assert {*re.findall(r"pct\((\w+),", latency), *re.findall(r"by (\w+)$", latency, re.M)} == {
        "responseLatency",
        "tenant",
    }
    assert {"responseLatency", "tenant"} <= set(ACCESS_LOG)
