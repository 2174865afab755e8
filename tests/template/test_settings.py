"""The deployment's settings."""

import json
from typing import Any

import pytest

from cdk.code import ROOT
from cdk.settings import DeploymentSettings, SettingsError

DEFAULTS: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]["reelworks"]


def test_the_command_line_goes_over_cdk_json() -> None:
    settings = DeploymentSettings.of_context(DEFAULTS, '{"retention_days": 7}')
    assert (settings.retention_days, settings.prefix) == (7, "reelworks")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"retention": 7}, "retention: Extra inputs are not permitted"),
        ({"retention_days": 0}, "retention_days: Input should be greater than or equal to 1"),
        ({"prefix": "Reel_Works"}, "prefix: String should match pattern"),
        ({"prefix": "a" * 21}, "prefix: String should match pattern"),
        ({"log_retention_days": 31}, "log_retention_days: Input should be 1, 3, 5, 7, 14, 30, 60, 90"),
        ({"engines": ["animatic", "sora"]}, "engines: 'sora' is not one of: animatic, cogvideox-2b"),
        ({"engines": ["animatic", "comfyui"]}, "engines: 'comfyui' is not one of: animatic, cogvideox-2b"),
        ({"default_engine": "cogvideox-2b"}, "default_engine: 'cogvideox-2b' is not one of: animatic"),
        ({"model_aliases": {"sora-2": "x"}}, "model_aliases: 'x' is not one of: animatic"),
        ({"model_aliases": {"a,b": "animatic"}}, "String should match pattern"),
        ({"voice_engine": "natural"}, "voice_engine: Input should be 'standard', 'neural', 'long-form'"),
        ({"text_models": [""]}, "text_models.0: String should have at least 1 character"),
        ({"endpoints": {}}, "endpoints: no instance type for the engine 'cogvideox-5b'"),
        (
            {"endpoints": {"cogvideox-5b": {"instance_types": ["ml.m5.large"], "max_instances": 1}}},
            "'ml.m5.large' is not one of: ml.g6.2xlarge, ml.g5.2xlarge",
        ),
        ({"endpoints": {"cogvideox-5b": {"instance_types": [], "max_instances": 1}}}, "at least 1 item"),
        ({"allowed_cidrs": ["10.0.0.1/8"]}, "allowed_cidrs.0"),
        ({"alarm_email": "nobody"}, "alarm_email: String should match pattern"),
        ({"review_hours": 721}, "review_hours: Input should be less than or equal to 720"),
        ({"prices": {"still cheap": -1}}, "prices.still cheap: Input should be greater than or equal to 0"),
        ({"prices": {"stills": 1}}, "prices.stills.[key]: String should match pattern"),
        ({"invocation_seconds": 3601}, "invocation_seconds: Input should be less than or equal to 3600"),
        ("[]", "takes a JSON object, not '[]'"),
        ("retention_days=7", "takes a JSON object, not 'retention_days=7'"),
    ],
)
def test_what_is_wrong_is_told(given: Any, told: str) -> None:
    with pytest.raises(SettingsError) as raised:
        DeploymentSettings.of_context(DEFAULTS, given)
    assert told in str(raised.value)


def test_what_is_missing_is_told() -> None:
    incomplete = {name: value for name, value in DEFAULTS.items() if name != "text_model"}
    with pytest.raises(SettingsError, match="text_model: Field required"):
        DeploymentSettings.of_context(incomplete, {})
