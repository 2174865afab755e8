"""The deployment settings."""

import json
from typing import Any

import pytest

from cdk.code import ROOT
from cdk.instances import default_instances
from cdk.settings import DeploymentSettings, SettingsError
from lambdas.domain.engines import CATALOGUE

DEFAULTS: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]["reelworks"]
HOSTED = ", ".join(name for name, engine in CATALOGUE.items() if not engine.workflow)
CHOSEN = "animatic"
LTX = {
    "engines": ["animatic", "ltx-2-19b"],
    "endpoints": {"ltx-2-19b": {"instance_types": ["ml.g6e.4xlarge"], "max_instances": 1}},
}


def test_the_command_line_overrides_cdk_json() -> None:
    settings = DeploymentSettings.of_context(DEFAULTS, '{"retention_days": 7}')
    assert (settings.retention_days, settings.prefix) == (7, "reelworks")


def test_an_engine_whose_licences_are_accepted_is_deployed() -> None:
    settings = DeploymentSettings.of_context(DEFAULTS, LTX | {"accepted_licences": ["ltx-2", "gemma"]})
    assert settings.endpoint_engines == ("ltx-2-19b",)


def test_an_endpoint_without_settings_has_the_default_instances() -> None:
    own = {"instance_types": ["ml.g6.2xlarge"], "max_instances": 7}
    settings = DeploymentSettings.of_context(
        DEFAULTS,
        {"engines": ["animatic", "cogvideox-2b", "cogvideox-5b"], "endpoints": {"cogvideox-2b": own}},
    )
    assert settings.endpoint("cogvideox-2b").model_dump(mode="json") == own
    assert settings.endpoint("cogvideox-5b").instance_types == default_instances("cogvideox-5b")
    assert settings.price_list.each["instance cogvideox-5b"] == pytest.approx(2.80 / 3600)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"retention": 7}, "retention: Extra inputs are not permitted"),
        ({"retention_days": 0}, "retention_days: Input should be greater than or equal to 1"),
        ({"prefix": "Reel_Works"}, "prefix: String should match pattern"),
        ({"prefix": "a" * 21}, "prefix: String should match pattern"),
        ({"log_retention_days": 31}, "log_retention_days: Input should be 1, 3, 5, 7, 14, 30, 60, 90"),
        ({"engines": ["animatic", "sora"]}, f"engines must be one of: {HOSTED}; got 'sora'"),
        ({"engines": ["animatic", "comfyui"]}, f"engines must be one of: {HOSTED}; got 'comfyui'"),
        ({"default_engine": "cogvideox-2b"}, f"default_engine must be one of: {CHOSEN}; got 'cogvideox-2b'"),
        ({"model_aliases": {"sora-2": "x"}}, f"model_aliases must be one of: {CHOSEN}; got 'x'"),
        ({"model_aliases": {"a,b": "animatic"}}, "String should match pattern"),
        (LTX, "accepted_licences must have ltx-2 and gemma for engine 'ltx-2-19b'"),
        (
            LTX | {"accepted_licences": ["ltx-2"]},
            "must have gemma for engine 'ltx-2-19b': accept the licences by adding",
        ),
        ({"accepted_licences": ["mit"]}, "accepted_licences.0: Input should be 'ltx-2' or 'gemma'"),
        ({"voice_engine": "natural"}, "voice_engine: Input should be 'standard', 'neural', 'long-form'"),
        ({"text_models": [""]}, "text_models.0: String should have at least 1 character"),
        (
            {"endpoints": {"cogvideo": {"instance_types": ["ml.g5.2xlarge"], "max_instances": 1}}},
            f"endpoints must be one of: {HOSTED}; got 'cogvideo'",
        ),
        (
            {"endpoints": {"cogvideox-5b": {"instance_types": ["ml.m5.large"], "max_instances": 1}}},
            "instance_types must be one of: ml.g6.2xlarge, ml.g5.2xlarge, ml.g6e.2xlarge, ml.g6e.4xlarge, "
            "ml.p5.4xlarge (cdk/instances.py); got 'ml.m5.large'",
        ),
        ({"endpoints": {"cogvideox-5b": {"instance_types": [], "max_instances": 1}}}, "at least 1 item"),
        ({"allowed_cidrs": ["10.0.0.1/8"]}, "allowed_cidrs.0"),
        ({"alarm_email": "nobody"}, "alarm_email: String should match pattern"),
        (
            {"alarm_email": "ops@example.com", "alarm_topic": "arn:aws:sns:eu-west-1:111122223333:pages"},
            "alarm_email must be empty with alarm_topic; got 'ops@example.com'. Subscribe the address to the",
        ),
        (
            {"alarm_topic": "pages"},
            "must be the ARN of an SNS topic (arn:aws:sns:…) or empty; got",
        ),
        ({"kms_key": "alias/films"}, "kms_key: Value error, must be the ARN of a KMS key (arn:aws:kms:…)"),
        ({"kms_key": "alias/films"}, "or empty; got 'alias/films'"),
        (
            {"permissions_boundary": "Boundary"},
            "permissions_boundary: Value error, must be the ARN of a",
        ),
        ({"vpc": {"id": "vpc-1", "subnets": []}}, "vpc.subnets: Tuple should have at least 1 item"),
        ({"vpc": {"id": "vpc-1", "subnets": ["a"]}}, "vpc.subnets.0: String should match pattern"),
        ({"vpc": {"id": "vpc-1"}}, "vpc.security_groups: Field required"),
        ({"tags": {"AWS:x": "y"}}, "must not start with aws:, which AWS reserves; got 'AWS:x'"),
        ({"tags": {"team!": "y"}}, "tags.team!.[key]: String should match pattern"),
        ({"api_logs": True}, "api_logs: Input should be 'off', 'existing-role' or 'create-role'"),
        ({"api_domain": {"name": "localhost", "certificate": ""}}, "api_domain.name: String should match"),
        (
            {"api_domain": {"name": "a.example.com", "certificate": ""}},
            "api_domain.certificate: String",
        ),
        ({"studio": "yes please"}, "studio: Input should be a valid boolean"),
        ({"journal_version_days": -1}, "journal_version_days: Input should be greater than or equal to 0"),
        ({"failed_film_notices": ["nobody"]}, "failed_film_notices.0: Input should be 'pipeline', 'engine'"),
        ({"monthly_budget": -1}, "monthly_budget: Input should be greater than or equal to 0"),
        ({"runbooks": "https://wiki.test/"}, "runbooks: String should match pattern"),
        ({"at_once": {"render_clips": 41}}, "at_once.render_clips: Input should be less than or equal to 40"),
        ({"film_hours": 4001}, "film_hours: Input should be less than or equal to 4000"),
        ({"review_hours": 721}, "review_hours: Input should be less than or equal to 720"),
        ({"prices": {"still cheap": -1}}, "prices.still cheap: Input should be greater than or equal to 0"),
        ({"prices": {"stills": 1}}, "prices.stills.[key]: String should match pattern"),
        ({"invocation_seconds": 3601}, "invocation_seconds: Input should be less than or equal to 3600"),
        ("[]", "must be a JSON object; got '[]'"),
        ("retention_days=7", "must be a JSON object; got 'retention_days=7'"),
    ],
)
def test_an_invalid_setting_is_reported(given: Any, problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        DeploymentSettings.of_context(DEFAULTS, given)
    assert problem in str(raised.value)


def test_a_variable_chooses_another_deployment() -> None:
    assert DeploymentSettings.of_checkout({}).stack_name("Pipeline") == "Reelworks-Pipeline"
    another = DeploymentSettings.of_checkout({"REELWORKS_PREFIX": "reel-two"})
    assert (another.prefix, another.stack_name("Engines")) == ("reel-two", "Reel-two-Engines")
    with pytest.raises(SettingsError, match="prefix: String should match pattern"):
        DeploymentSettings.of_checkout({"REELWORKS_PREFIX": "Two"})


def test_a_new_account_deploys_no_engine_that_needs_a_gpu() -> None:
    """New accounts have no quota for GPU instances, and no model in a bucket."""
    assert DeploymentSettings.of_context(DEFAULTS, {}).endpoint_engines == ()


def test_an_engine_of_cdk_json_is_added_by_its_name() -> None:
    added = DeploymentSettings.of_context(DEFAULTS, {"engines": ["animatic", "cogvideox-5b"]})
    assert added.endpoint_engines == ("cogvideox-5b",)


def test_a_missing_setting_is_reported() -> None:
    incomplete = {name: value for name, value in DEFAULTS.items() if name != "text_model"}
    with pytest.raises(SettingsError, match="text_model: Field required"):
        DeploymentSettings.of_context(incomplete, {})
