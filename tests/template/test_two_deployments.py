"""Two deployments in one account, whose prefixes begin alike, share no physical name."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from cdk.permissions import flat
from lambdas.domain.engines import CATALOGUE
from tests.template.conftest import PREFIXES, STACKS
from tests.template.reading import Template, listed, properties

# Named within another resource of their deployment: an API, an endpoint, a role, a function.
PARTS = {
    *("AWS::ApiGateway::Authorizer", "AWS::ApiGateway::Method", "AWS::ApiGateway::Stage"),
    *("AWS::ApplicationAutoScaling::ScalableTarget", "AWS::IAM::Policy", "AWS::Lambda::EventInvokeConfig"),
}


def physical_names(template: Template) -> Iterator[tuple[str, str]]:
    """Yield the type and the name of each resource that the template names, by the identifiers in its type's
    schema, or by its name."""
    for resource in template["Resources"].values():
        type_ = resource["Type"]
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_).schema
        identifiers = [schema["primaryIdentifier"], *schema.get("additionalIdentifiers", [])]
        named = {path.removeprefix("/properties/") for identifier in identifiers for path in identifier}
        # Some types have an identifier of the service besides their name; a budget's name is in "Budget".
        kind = type_.split("::")[-1]
        given = resource.get("Properties", {})
        given = {**given, **given[kind]} if isinstance(given.get(kind), dict) else given
        for property_ in named | {"Name", f"{kind}Name"}:
            value = given.get(property_)
            # The stack's id is in no other stack.
            if value is not None and "<" not in (name := flat(value)) and "AWS::StackId" not in name:
                yield type_, name


def test_no_physical_name_is_shared(two: dict[str, dict[str, Template]]) -> None:
    one, other = (set(chain.from_iterable(map(physical_names, two[prefix].values()))) for prefix in PREFIXES)
    types = {type_ for type_, _ in one}
    assert {
        *("AWS::S3::Bucket", "AWS::Lambda::Function", "AWS::Logs::LogGroup", "AWS::Events::EventBus"),
        *("AWS::CodeBuild::Project", "AWS::SageMaker::Endpoint", "AWS::CloudWatch::Alarm"),
        *("AWS::CloudWatch::Dashboard", "AWS::Logs::QueryDefinition", "AWS::Budgets::Budget"),
    } <= types
    assert [(type_, name) for type_, name in one & other if type_ not in PARTS] == []


def test_stacks_and_exports_follow_the_prefix(two: dict[str, dict[str, Template]]) -> None:
    for prefix in PREFIXES:
        assert set(two[prefix]) == {f"{prefix.capitalize()}-{stack}" for stack in STACKS}
    exports = [
        {
            output["Export"]["Name"]
            for template in two[prefix].values()
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }
        for prefix in PREFIXES
    ]
    assert exports[0]
    assert not exports[0] & exports[1]


def test_our_metrics_have_a_dimension_of_the_deployment(two: dict[str, dict[str, Template]]) -> None:
    for prefix in PREFIXES:
        found = 0
        stacks = two[prefix]
        operations = stacks[f"{prefix.capitalize()}-Operations"]
        for alarm in properties(operations, "AWS::CloudWatch::Alarm").values():
            expressed = (
                one["MetricStat"]["Metric"] for one in alarm.get("Metrics", []) if "MetricStat" in one
            )
            for metric in (alarm, *expressed):
                if metric.get("Namespace", "").startswith("Reelworks"):
                    found += 1
                    assert prefix in {one["Value"] for one in metric["Dimensions"]}
        ((_, dashboard),) = properties(operations, "AWS::CloudWatch::Dashboard").items()
        body = flat(dashboard["DashboardBody"])
        for metric in re.findall(r'\["Reelworks[^]]*\]', body):
            found += 1
            assert f'"{prefix}"' in metric
        assert found > 10
        searches = re.findall(r"SEARCH\('([^']*)'", body)
        assert len(searches) == 3
        for search in searches:
            assert f'service=\\"{prefix}\\"' in search
        pipeline = stacks[f"{prefix.capitalize()}-Pipeline"]
        for function in properties(pipeline, "AWS::Lambda::Function").values():
            assert function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == prefix
        ((_, project),) = properties(pipeline, "AWS::CodeBuild::Project").items()
        variables = {one["Name"]: one["Value"] for one in project["Environment"]["EnvironmentVariables"]}
        assert variables["POWERTOOLS_SERVICE_NAME"] == prefix
        for model in properties(stacks[f"{prefix.capitalize()}-Engines"], "AWS::SageMaker::Model").values():
            environment = model["PrimaryContainer"]["Environment"]
            # The relay writes no metrics.
            assert "RELAY_NAME" in environment or environment["DIFFUSION_DEPLOYMENT"] == prefix


def test_no_permission_reaches_the_other_deployment(two: dict[str, dict[str, Template]]) -> None:
    names = {name for template in two["reel-two"].values() for _, name in physical_names(template)}
    names |= {f"reel-two-{engine}" for engine in CATALOGUE}
    wildcards = 0
    for template in two["reel"].values():
        for arn in _resources(template):
            start, wildcard, _ = flat(arn).partition("*")
            if wildcard:
                wildcards += 1
                begun = re.split(r"[:/]", start)[-1]
                assert not begun or not any(name.startswith(begun) for name in names), flat(arn)
    assert wildcards > 20


def _resources(template: Template) -> Iterator[Any]:
    for resource in template["Resources"].values():
        document = resource.get("Properties", {}).get("PolicyDocument")
        for statement in document["Statement"] if document else ():
            yield from listed(statement.get("Resource", []))
