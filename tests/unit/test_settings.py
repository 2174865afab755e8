import pytest
from pydantic import ValidationError

from lambdas.settings import IntakeSettings, StoreSettings, env_of

STORE = {"videos_table": "t", "input_bucket": "i", "output_bucket": "o"}


def test_what_is_written_is_read_back() -> None:
    settings = StoreSettings(**STORE)
    assert StoreSettings.from_env(env_of(settings)) == settings


def test_a_missing_variable_is_named() -> None:
    environment = env_of(StoreSettings(**STORE))
    del environment["REELWORKS_OUTPUT_BUCKET"]
    with pytest.raises(ValidationError, match="output_bucket"):
        StoreSettings.from_env(environment)


def test_a_misspelt_setting_fails() -> None:
    with pytest.raises(ValidationError, match="tabel"):
        StoreSettings(**STORE, tabel="t")  # type: ignore[call-arg]


def test_engines_and_aliases_are_lists_in_one_variable() -> None:
    settings = IntakeSettings(
        **STORE,
        requests_queue_url="q",
        engines="animatic, cogvideox-5b",
        default_engine="animatic",
        model_aliases="sora-2=cogvideox-5b",
        retention_days=90,
        prices="{}",
        text_model="m",
        text_seconds="60",
        voice="Joanna",
        voice_engine="neural",
        api_keys_table="k",
    )
    assert settings.offered == {"animatic", "cogvideox-5b"}
    assert settings.aliases == {"sora-2": "cogvideox-5b"}
