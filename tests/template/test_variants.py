"""Settings that change the templates."""

import json
from pathlib import Path
from typing import Any

from cdk.app import reelworks
from tests.template.conftest import SOURCE_ONLY
from tests.template.reading import listed, properties, statements


def _synthesize(folder: Path, **settings: Any) -> dict[str, Any]:
    reelworks(outdir=str(folder), context={**SOURCE_ONLY, "reelworks": settings}).synth()
    pipeline: dict[str, Any] = json.loads((folder / "Reelworks-Pipeline.template.json").read_text())
    return pipeline


def test_only_the_networks_named_reach_the_api(account: None, tmp_path: Path) -> None:
    pipeline = _synthesize(tmp_path, allowed_cidrs=["203.0.113.0/24"], engines=["animatic"], endpoints={})
    ((_, api),) = properties(pipeline, "AWS::ApiGateway::RestApi").items()
    allow, deny = api["Policy"]["Statement"]
    assert (allow["Effect"], deny["Effect"]) == ("Allow", "Deny")
    assert deny["Condition"] == {"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24"]}}
    # Without an engine on an endpoint there is no engines stack.
    assert not (tmp_path / "Reelworks-Engines.template.json").exists()


def test_a_plain_model_is_allowed_without_a_wildcard(account: None, tmp_path: Path) -> None:
    model = "amazon.nova-lite-v1:0"
    pipeline = _synthesize(tmp_path, text_model=model)
    assert _models(pipeline) == [f":bedrock:eu-west-1::foundation-model/{model}"]


def test_a_profile_is_allowed_with_the_models_behind_it(pipeline: dict[str, Any]) -> None:
    model = "anthropic.claude-haiku-4-5-20251001-v1:0"
    assert _models(pipeline) == [
        f":bedrock:*::foundation-model/{model}",
        f":bedrock:eu-west-1:111122223333:inference-profile/global.{model}",
    ]


def test_buckets_are_named_at_deployment_where_no_account_is_known(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.delenv("CDK_DEFAULT_ACCOUNT", raising=False)
    monkeypatch.delenv("CDK_DEFAULT_REGION", raising=False)
    pipeline = _synthesize(tmp_path)
    for bucket in properties(pipeline, "AWS::S3::Bucket").values():
        assert json.dumps(bucket["BucketName"]).count("AWS::") == 2


def _models(pipeline: dict[str, Any]) -> list[str]:
    return sorted(
        arn["Fn::Join"][1][-1]
        for _, statement in statements(pipeline, "AWS::IAM::Policy")
        if statement["Action"] == "bedrock:InvokeModel"
        for arn in listed(statement["Resource"])
    )
