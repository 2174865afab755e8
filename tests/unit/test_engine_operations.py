"""`reel engines` and the idle seconds of endpoints, with AWS's answers as botocore's models have them."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from lambdas.domain.engines import added
from lambdas.domain.prices import Prices
from lambdas.domain.relays import RelaySettings
from reelworks.deployment import Deployment, DeploymentError
from reelworks.operations.costs import idle_since
from reelworks.operations.engines import Engines
from tests.unit.aws_answers import session

ENDPOINT = "reelworks-cogvideox-5b"
RESOURCE = f"endpoint/{ENDPOINT}/variant/AllTraffic"
VARIANT = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": RESOURCE,
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
NOW = datetime.now(UTC)
ARN = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/e"
SERVICES = ("sagemaker", "application-autoscaling", "cloudwatch", "lambda")


class Aws:
    """Services that answer as told, in order, and refuse any other call."""

    def __init__(self, stack: ExitStack) -> None:
        clients = {name: session().client(name) for name in SERVICES}
        stubs = {name: stack.enter_context(Stubber(one)) for name, one in clients.items()}
        self.sagemaker, self.scaling, self.cloudwatch, self.functions = (stubs[name] for name in SERVICES)
        self.stubs = stubs
        outputs = {"EndpointPrefix": "reelworks", "FunctionApi": "api", "FunctionAssemble": "assemble"}
        self.deployment = Deployment(clients.__getitem__, outputs)
        self.engines = Engines(self.deployment)

    def has_endpoints(self, *names: str, **variables: str) -> None:
        """`variables`: of the API's function."""
        answer = {"Environment": {"Variables": {"REELWORKS_ENGINES": "cogvideox-5b"} | variables}}
        self.functions.add_response("get_function_configuration", answer, {"FunctionName": "api"})
        endpoints = [
            {
                "EndpointName": name,
                "EndpointArn": ARN,
                "CreationTime": NOW,
                "LastModifiedTime": NOW,
                "EndpointStatus": "InService",
            }
            for name in names
        ]
        self.sagemaker.add_response("list_endpoints", {"Endpoints": endpoints}, {"NameContains": "reelworks"})

    def has_target(self, *, least: int = 0) -> None:
        target = {**VARIANT, "MinCapacity": least, "MaxCapacity": 2, "RoleARN": "r" * 20, "CreationTime": NOW}
        self.scaling.add_response("describe_scalable_targets", {"ScalableTargets": [target]})

    def describes(self, *, backlog: list[float], instances: int = 1) -> None:
        variant = {
            "VariantName": "AllTraffic",
            "CurrentInstanceCount": instances,
            "DesiredInstanceCount": instances,
        }
        answer = {
            "EndpointName": ENDPOINT,
            "EndpointArn": ARN,
            "EndpointStatus": "InService",
            "CreationTime": NOW,
            "LastModifiedTime": NOW,
            "ProductionVariants": [variant],
        }
        self.sagemaker.add_response("describe_endpoint", answer, {"EndpointName": ENDPOINT})
        results = [{"Id": "m0", "Values": backlog}]
        self.cloudwatch.add_response("get_metric_data", {"MetricDataResults": results})


@pytest.fixture
def aws() -> Iterator[Aws]:
    with ExitStack() as stack:
        made = Aws(stack)
        yield made
        for stub in made.stubs.values():
            stub.assert_no_pending_responses()


def test_states_of_the_endpoints_of_this_deployment(aws: Aws) -> None:
    aws.has_endpoints(ENDPOINT, "other-reelworks-cogvideox-2b", "reelworks-of-somebody-else")
    aws.describes(backlog=[3.0, 9.0])
    aws.has_target(least=1)
    action = {
        "ScheduledActionName": "reel-engines-warm-ends",
        "ScheduledActionARN": "a",
        **VARIANT,
        "Schedule": "at(2026-12-01T10:00:00)",
        "CreationTime": NOW,
    }
    aws.scaling.add_response("describe_scheduled_actions", {"ScheduledActions": [action]})
    [state] = aws.engines.states()
    assert state.document() == {
        "name": "cogvideox-5b",
        "endpoint": ENDPOINT,
        "status": "InService",
        "instances": 1,
        "wanted": 1,
        "least": 1,
        "most": 2,
        "warm_until": "2026-12-01T10:00:00",
        "backlog": 3,
        "reason": "",
    }


def test_an_unknown_backlog_is_not_zero(aws: Aws) -> None:
    aws.has_endpoints(ENDPOINT)
    aws.describes(backlog=[])
    aws.has_target()
    assert aws.engines.states("cogvideox-5b")[0].backlog is None


@pytest.mark.parametrize("name", ["cogvideox-2b", "animatic", "nothing"])
def test_an_engine_without_an_endpoint_is_refused(aws: Aws, name: str) -> None:
    aws.has_endpoints(ENDPOINT)
    with pytest.raises(DeploymentError, match="use one of: cogvideox-5b"):
        aws.engines.states(name)


def test_offered_engines_and_a_missing_endpoint(aws: Aws) -> None:
    aws.has_endpoints(ENDPOINT, REELWORKS_ENGINES="animatic,cogvideox-5b, cogvideox-2b")
    assert [(one["name"], one["endpoint"], one["status"]) for one in aws.engines.offered()] == [
        ("animatic", None, "ready"),
        ("cogvideox-5b", ENDPOINT, "InService"),
        ("cogvideox-2b", "reelworks-cogvideox-2b", "missing"),
    ]


def test_an_engine_that_the_deployment_adds_is_offered(aws: Aws) -> None:
    wan = RelaySettings(model="Wan-AI/Wan2.2", sizes=("832x480",), fps=(16,)).engine("wan")
    variables = {"REELWORKS_ENGINES": "animatic,wan", "REELWORKS_ADDED_ENGINES": added([wan])}
    aws.has_endpoints("reelworks-wan", **variables)
    shown = aws.engines.offered()[1]
    assert (shown["name"], shown["endpoint"], shown["status"]) == ("wan", "reelworks-wan", "InService")
    assert str(shown["summary"]).startswith("Wan-AI/Wan2.2, by a server of your own")
    aws.has_endpoints("reelworks-wan", **variables)
    with pytest.raises(DeploymentError, match="use one of: wan"):
        aws.engines.states("cogvideox-5b")


def test_warming_sets_its_end_before_its_begin(aws: Aws) -> None:
    aws.has_endpoints(ENDPOINT)
    aws.has_target()
    aws.scaling.add_response(
        "put_scheduled_action",
        {},
        {
            **VARIANT,
            "ScheduledActionName": "reel-engines-warm-ends",
            "Schedule": ANY,
            "ScalableTargetAction": {"MinCapacity": 0},
        },
    )
    aws.scaling.add_response("register_scalable_target", {}, {**VARIANT, "MinCapacity": 2})
    until = aws.engines.warm("cogvideox-5b", 2, timedelta(hours=1))
    assert timedelta(minutes=59) < until - datetime.now(UTC) <= timedelta(hours=1)


@pytest.mark.parametrize("instances", [0, 3])
def test_more_instances_than_allowed_are_refused(aws: Aws, instances: int) -> None:
    aws.has_endpoints(ENDPOINT)
    aws.has_target()
    with pytest.raises(DeploymentError, match=rf"instances must be 1 to 2.*got {instances}"):
        aws.engines.warm("cogvideox-5b", instances, timedelta(hours=1))


def test_an_endpoint_that_nothing_scales_is_not_warmed(aws: Aws) -> None:
    aws.has_endpoints(ENDPOINT)
    aws.scaling.add_response("describe_scalable_targets", {"ScalableTargets": []})
    with pytest.raises(DeploymentError, match="does not scale"):
        aws.engines.warm("cogvideox-5b", 1, timedelta(hours=1))


def cooled(aws: Aws, *, backlog: list[float]) -> None:
    aws.has_endpoints(ENDPOINT)
    aws.has_target()
    aws.has_endpoints(ENDPOINT)
    aws.describes(backlog=backlog)
    aws.has_target()


def released(aws: Aws) -> None:
    """Expect that all instances are released."""
    aws.scaling.add_response("register_scalable_target", {}, {**VARIANT, "MinCapacity": 0})
    aws.scaling.add_client_error("delete_scheduled_action", "ObjectNotFoundException", "no such action")
    wanted = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 0}]
    aws.sagemaker.add_response(
        "update_endpoint_weights_and_capacities",
        {"EndpointArn": ARN},
        {"EndpointName": ENDPOINT, "DesiredWeightsAndCapacities": wanted},
    )


def test_cooling_releases_all_instances(aws: Aws) -> None:
    cooled(aws, backlog=[0.0])
    released(aws)
    aws.engines.cool("cogvideox-5b")


def test_a_busy_endpoint_is_cooled_only_by_force(aws: Aws) -> None:
    cooled(aws, backlog=[2.0])
    with pytest.raises(DeploymentError, match=r"2 clips.*--force"):
        aws.engines.cool("cogvideox-5b")
    cooled(aws, backlog=[2.0])
    released(aws)
    aws.engines.cool("cogvideox-5b", even_if_busy=True)


@pytest.mark.parametrize(("price", "usd"), [(0.001, 5.4), (None, None)])
def test_idle_seconds_are_those_of_the_instances_less_those_of_the_clips(
    aws: Aws, price: float | None, usd: float | None
) -> None:
    prices = Prices(each={} if price is None else {"instance cogvideox-5b": price})
    answer = {"Environment": {"Variables": {"REELWORKS_PRICES": prices.model_dump_json()}}}
    aws.functions.add_response("get_function_configuration", answer, {"FunctionName": "assemble"})
    aws.has_endpoints(ENDPOINT)
    aws.describes(backlog=[])
    aws.has_target()
    # 100 samples: an instance for 100 minutes. It worked for 600 s, in two of the hours.
    hours = {"m0": [60.0, 40.0], "m1": [1.0], "m2": [300.0, 200.0], "m3": [90.0], "m4": [9.0]}
    results = [{"Id": id_, "Values": found} for id_, found in hours.items()]
    aws.cloudwatch.add_response("get_metric_data", {"MetricDataResults": results})
    asked: list[dict[str, Any]] = []
    aws.cloudwatch.client.meta.events.register(
        "provide-client-params.cloudwatch.GetMetricData", lambda params, **_: asked.append(params)
    )
    [idle] = idle_since(aws.deployment, NOW - timedelta(days=1))
    of_engine = [{"Name": "deployment", "Value": "reelworks"}, {"Name": "model", "Value": "cogvideox-5b"}]
    for query in asked[-1]["MetricDataQueries"][1:]:  # those that the engine logs
        assert query["MetricStat"]["Metric"]["Dimensions"] == of_engine
    assert (idle.instance_seconds, idle.worked_seconds, idle.idle_seconds) == (6000, 600, 5400)
    assert idle.usd == (None if usd is None else pytest.approx(usd))
