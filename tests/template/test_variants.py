"""Settings that change the templates."""

import json
from pathlib import Path
from typing import Any

from cdk.app import reelworks
from lambdas.domain.names import LANES, lane_of
from tests.template.conftest import SOURCE_ONLY
from tests.template.reading import function_ids, listed, properties, target


def _synthesize(folder: Path, **settings: Any) -> dict[str, Any]:
    reelworks(outdir=str(folder), context={**SOURCE_ONLY, "reelworks": settings}).synth()
    pipeline: dict[str, Any] = json.loads((folder / "Reelworks-Pipeline.template.json").read_text())
    return pipeline


def test_only_allowed_networks_reach_the_api(drafts: dict[str, dict[str, Any]]) -> None:
    ((_, api),) = properties(drafts["Pipeline"], "AWS::ApiGateway::RestApi").items()
    allow, deny = api["Policy"]["Statement"]
    assert (allow["Effect"], deny["Effect"]) == ("Allow", "Deny")
    assert deny["Condition"] == {"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24"]}}


def test_the_api_s_functions_start_from_snapshots_of_their_versions(
    drafts: dict[str, dict[str, Any]],
) -> None:
    functions = properties(drafts["Pipeline"], "AWS::Lambda::Function")
    snapped = {id_ for id_, function in functions.items() if "SnapStart" in function}
    aliases = properties(drafts["Pipeline"], "AWS::Lambda::Alias")
    assert {alias["FunctionName"]["Ref"] for alias in aliases.values()} == snapped
    assert {functions[id_]["Handler"] for id_ in snapped} == {
        "lambdas.api.app.handler",
        "lambdas.api.authorizer.handler",
    }
    # A call of the function itself would start without its snapshot.
    called = [
        json.dumps(method["Integration"]["Uri"])
        for method in properties(drafts["Pipeline"], "AWS::ApiGateway::Method").values()
    ]
    directly = [uri for uri in called if not any(alias in uri for alias in aliases)]
    assert directly
    # No film waits for their start; the studio's function has no library to import.
    without = ("FunctionsApiKeys", "FunctionsOperations", "FunctionsStudio")
    assert all(any(function in uri for function in without) for uri in directly)
    for authorizer in properties(drafts["Pipeline"], "AWS::ApiGateway::Authorizer").values():
        assert any(alias in json.dumps(authorizer["AuthorizerUri"]) for alias in aliases)


def test_without_engines_on_endpoints_there_is_no_engines_stack(drafts: dict[str, dict[str, Any]]) -> None:
    assert set(drafts) == {"Pipeline", "Operations"}


def test_a_plain_model_is_allowed_without_a_wildcard(account: None, tmp_path: Path) -> None:
    model = "amazon.nova-lite-v1:0"
    pipeline = _synthesize(tmp_path, text_model=model)
    assert _models(pipeline, "Plan") == [f":bedrock:eu-west-1::foundation-model/{model}"]


def test_a_profile_is_allowed_with_the_models_behind_it(pipeline: dict[str, Any]) -> None:
    model = "anthropic.claude-haiku-4-5-20251001-v1:0"
    for name in ("Plan", "WriteStoryboard"):
        assert _models(pipeline, name) == [
            f":bedrock:*::foundation-model/{model}",
            f":bedrock:eu-west-1:111122223333:inference-profile/global.{model}",
        ]


def test_write_storyboard_may_use_every_model_that_requests_may_choose(account: None, tmp_path: Path) -> None:
    one, other = "amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"
    pipeline = _synthesize(tmp_path, text_model=one, text_models=[other])
    assert _models(pipeline, "WriteStoryboard") == [
        f":bedrock:eu-west-1::foundation-model/{model}" for model in (one, other)
    ]
    assert _models(pipeline, "Plan") == [f":bedrock:eu-west-1::foundation-model/{one}"]


def test_draw_still_may_use_both_image_models_in_their_region(pipeline: dict[str, Any]) -> None:
    assert _models(pipeline, "DrawStill") == [
        f":bedrock:us-west-2::foundation-model/stability.stable-image-{model}-v1:1"
        for model in ("core", "ultra")
    ]


def test_buckets_are_named_at_deployment_if_no_account_is_known(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.delenv("CDK_DEFAULT_ACCOUNT", raising=False)
    monkeypatch.delenv("CDK_DEFAULT_REGION", raising=False)
    pipeline = _synthesize(tmp_path)
    for bucket in properties(pipeline, "AWS::S3::Bucket").values():
        assert json.dumps(bucket["BucketName"]).count("AWS::") == 2


def _models(pipeline: dict[str, Any], function: str) -> list[str]:
    """Return the Bedrock models that the function may call: their ARNs without the partition."""
    role = properties(pipeline, "AWS::Lambda::Function")[function_ids(pipeline)[function]]["Role"]
    return sorted(
        arn["Fn::Join"][1][-1]
        for policy in properties(pipeline, "AWS::IAM::Policy").values()
        if target(role) in {target(one) for one in policy["Roles"]}
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "bedrock:InvokeModel"
        for arn in listed(statement["Resource"])
    )


def test_a_usage_plan_has_a_key_for_each_lane_and_the_authorizer_names_it(
    drafts: dict[str, dict[str, Any]],
) -> None:
    pipeline = drafts["Pipeline"]
    ((_, api),) = properties(pipeline, "AWS::ApiGateway::RestApi").items()
    assert api["ApiKeySourceType"] == "AUTHORIZER"
    methods = properties(pipeline, "AWS::ApiGateway::Method").values()
    public = [method for method in methods if method["AuthorizationType"] == "NONE"]
    assert len(public) == 6  # the API's document, two pages; the studio, two paths with GET and HEAD
    assert not any(method.get("ApiKeyRequired", False) for method in public)
    assert all(method["ApiKeyRequired"] is True for method in methods if method not in public)
    ((_, plan),) = properties(pipeline, "AWS::ApiGateway::UsagePlan").items()
    assert plan["Throttle"] == {"RateLimit": 10, "BurstLimit": 100}
    lanes = {key["Value"] for key in properties(pipeline, "AWS::ApiGateway::ApiKey").values()}
    assert len(properties(pipeline, "AWS::ApiGateway::UsagePlanKey")) == len(lanes) == LANES
    assert all(20 <= len(lane) <= 128 for lane in lanes)  # API Gateway's limits
    assert {lane_of("drafts", f"tenant-{number}") for number in range(1000)} == lanes
    (authorizer,) = (
        function
        for function in properties(pipeline, "AWS::Lambda::Function").values()
        if function["Handler"] == "lambdas.api.authorizer.handler"
    )
    assert authorizer["Environment"]["Variables"]["REELWORKS_USAGE_PLAN"] == "drafts"


def test_a_web_acl_limits_the_requests_of_an_address(drafts: dict[str, dict[str, Any]]) -> None:
    pipeline = drafts["Pipeline"]
    ((_, acl),) = properties(pipeline, "AWS::WAFv2::WebACL").items()
    (rule,) = acl["Rules"]
    assert rule["Statement"]["RateBasedStatement"] == {
        "AggregateKeyType": "IP",
        "EvaluationWindowSec": 300,
        "Limit": 2000,
    }
    assert "Block" in rule["Action"]
    ((_, association),) = properties(pipeline, "AWS::WAFv2::WebACLAssociation").items()
    assert "/stages/" in json.dumps(association["ResourceArn"])
    filtered = [
        answer
        for answer in properties(pipeline, "AWS::ApiGateway::GatewayResponse").values()
        if answer["ResponseType"] == "WAF_FILTERED"
    ]
    assert filtered[0]["StatusCode"] == "429"


def test_by_default_requests_are_limited_by_neither(pipeline: dict[str, Any]) -> None:
    types = {resource["Type"] for resource in pipeline["Resources"].values()}
    assert not types & {"AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::ApiKey", "AWS::WAFv2::WebACL"}


def test_the_quotas_reach_who_accepts_requests(drafts: dict[str, dict[str, Any]]) -> None:
    functions = properties(drafts["Pipeline"], "AWS::Lambda::Function").values()
    told = [
        variables for one in functions if "REELWORKS_QUOTAS" in (variables := one["Environment"]["Variables"])
    ]
    assert len(told) == 2
    for variables in told:
        assert json.loads(variables["REELWORKS_QUOTAS"])["videos_in_flight"] == 20
