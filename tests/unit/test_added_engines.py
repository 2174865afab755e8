"""Engines that a deployment adds to the catalogue, and their settings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cdk.settings import DeploymentSettings, SettingsError
from containers.relay.form import DIALECTS, Kind
from containers.relay.options import KEY_VARIABLE
from containers.relay.options import parse as parse_options
from lambdas.domain.engines import CATALOGUE, added, engine_named
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.relays import RelaySettings
from lambdas.settings import ADDED_ENGINES, StoreSettings
from reelworks.cloud.backends.clips.engine_servers import local_engines, offered_engines
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home
from reelworks.cloud.settings import ComfyUI, Settings

WAN: dict[str, Any] = {"model": "Wan-AI/Wan2.2", "sizes": ["832x480", "480x832"], "fps": [16, 24]}
TABLE = """
[engines.wan]
videos_url = "http://10.0.0.7:8091/v1/"
model = "Wan-AI/Wan2.2"
sizes = ["832x480", "480x832"]
fps = [16, 24]
"""


def wan(**changed: Any) -> RelaySettings:
    return RelaySettings.model_validate(WAN | changed)


@pytest.fixture(autouse=True)
def _others_see_none() -> Iterator[None]:
    yield
    CATALOGUE.add("")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


# --- the catalogue


def test_a_function_knows_the_engines_of_its_environment() -> None:
    engine = wan(image="required", sound=True).engine("wan")
    store = {"REELWORKS_VIDEOS_TABLE": "v", "REELWORKS_INPUT_BUCKET": "i", "REELWORKS_OUTPUT_BUCKET": "o"}
    assert "wan" not in CATALOGUE
    StoreSettings.from_env({**store, ADDED_ENGINES: added([engine])})
    assert CATALOGUE["wan"] == engine
    assert [*CATALOGUE][-1] == "wan"
    assert len(CATALOGUE) == len([*CATALOGUE.values()]) == len(CATALOGUE.built_in) + 1
    assert engine_named("wan", frozenset({"wan"}), "") == engine
    assert (engine.image, engine.chained, engine.sound) == ("required", True, True)
    assert engine.rendered_size((720, 1280)) == (480, 832)
    assert engine.frames_to_render(80) == 81
    StoreSettings.from_env({**store, ADDED_ENGINES: ""})
    assert "wan" not in CATALOGUE


def test_the_document_is_small_because_a_function_s_variables_are() -> None:
    assert added([]) == ""
    every = added([wan().engine(f"wan-{number}") for number in range(5)])
    assert len(every) < 2000
    assert [engine["name"] for engine in json.loads(every)] == [f"wan-{number}" for number in range(5)]


def test_a_film_of_a_removed_engine_is_still_shown_but_none_is_begun() -> None:
    assert (CATALOGUE["gone"].name, CATALOGUE["gone"].draft) == ("gone", False)
    assert "gone" not in CATALOGUE
    with pytest.raises(InvalidRequest, match="'gone' is not offered"):
        engine_named("gone", frozenset({"gone"}), "")


@pytest.mark.parametrize(
    "changed", [{"model": "another"}, {"kind": "sglang"}, {"extra": {"flow_shift": 5}}, {"sound": True}]
)
def test_what_changes_the_pictures_changes_the_revision(changed: dict[str, Any]) -> None:
    assert wan(**changed).engine("wan").revision != wan().engine("wan").revision
    assert wan(sizes=["832x480"], patience_seconds=60).engine("wan").revision == wan().engine("wan").revision


def test_the_kinds_are_those_that_the_relay_knows() -> None:
    for kind in Kind:
        refused = wan(kind=kind).engine("wan").refuses
        assert set(refused) == {"negative_prompt", "steps", "guidance"} - set(DIALECTS[kind].fields)
    with pytest.raises(ValidationError, match="vllm-omni"):
        wan(kind="comfyui")


# --- a PC's settings


def test_a_server_is_described_in_a_table_of_its_own(home: Home) -> None:
    home.settings.write_text(f'[engines]\naliases = {{sora-2 = "wan"}}\n{TABLE}api_key_variable = "KEY"\n')
    settings = Settings.load(home, {"KEY": "sk-1"})
    relay = settings.engines.relays["wan"]
    assert (relay.videos_url, relay.api_key, relay.kind) == ("http://10.0.0.7:8091/v1", "sk-1", "vllm-omni")
    assert "sk-1" not in repr(settings)
    # The cloud's process reads them again, without the user's variables.
    again = Settings.model_validate_json(settings.model_dump_json())
    assert again == settings
    assert [engine.name for engine in again.engines.catalogue()] == ["wan"]
    assert offered_engines(home.folder, ComfyUI(), again.engines.relays) == ["animatic", "wan"]


def test_the_server_process_has_the_settings_and_the_key_in_no_option(home: Home) -> None:
    home.settings.write_text(f'{TABLE}api_key = "sk-1"\nsound = true\nextra = {{flow_shift = 5}}\n')
    engines = local_engines(
        home.folder,
        ComfyUI(),
        Settings.load(home, {}).engines.relays,
        revision="",
        prefix="reelworks",
        output_bucket="films",
        success_topic_arn="arn:success",
        error_topic_arn="arn:error",
    )
    [endpoint] = engines.values()
    assert (endpoint.name, endpoint.env) == ("reelworks-wan", {KEY_VARIABLE: "sk-1"})
    assert endpoint.command[1:3] == ("-m", "containers.relay")
    assert not any("sk-1" in part for part in endpoint.command)
    options = parse_options([part.replace("{socket}", "/run/http") for part in endpoint.command[3:]])
    assert (options.url, options.model, options.name) == ("http://10.0.0.7:8091/v1", "Wan-AI/Wan2.2", "wan")
    assert (options.kind, options.sound, options.extra) == ("vllm-omni", True, {"flow_shift": 5})
    assert (options.patience, options.socket) == (1800, "/run/http")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABLE.replace("videos_url", "#"), "engines.wan.videos_url: required"),
        (f"{TABLE}model_id = 'x'", "engines.wan.model_id: unknown setting; allowed: model, kind, sizes"),
        (TABLE.replace("832x480", "832"), r"engines.wan.sizes.0: must be WIDTHxHEIGHT .* got '832'"),
        (TABLE.replace("832x480", "833x480"), "engines.wan.sizes.0: .*even"),
        (TABLE.replace("[16, 24]", "[]"), "engines.wan.fps: .*at least 1 item"),
        (TABLE.replace("http://10.0.0.7:8091/v1/", "ftp://x"), "engines.wan.videos_url: must be a URL"),
        (f"{TABLE}kind = 'comfyui'", "engines.wan.kind: .*'vllm-omni', 'sglang'"),
        (f"{TABLE}patience_seconds = 1", "engines.wan.patience_seconds: .*greater than or equal to 10"),
        (
            f"{TABLE}api_key = 'k'\napi_key_file = '/k'",
            "engines.wan: set at most one of api_key, api_key_file",
        ),
        (f"{TABLE}api_key_variable = 'MINE'", "engines.wan: the variable MINE, .* is not set"),
        (f"{TABLE}api_key_file = 'key'", "engines.wan.api_key_file: must be an absolute path"),
        (TABLE.replace("[engines.wan]", "[engines.Wan]"), "the name of an engine must be small .* got 'Wan'"),
        (TABLE.replace("[engines.wan]", "[engines.animatic]"), "that Reelworks brings"),
        (TABLE.replace("[engines.wan]", "[engines.cogvideox-1-5-5b]"), "that Reelworks brings"),
        (f"[engines]\naliases = {{wan = 'animatic'}}\n{TABLE}", "wan is an engine's own name"),
        (f"[engines]\naliases = {{sora-2 = 'wane'}}\n{TABLE}", "must be one of: animatic.*, wan; got 'wane'"),
        ("[engines]\nalias = 'wan'", "engines.alias: "),
    ],
)
def test_an_invalid_description_is_named_with_what_is_allowed(home: Home, text: str, said: str) -> None:
    home.settings.write_text(text)
    with pytest.raises(CloudError, match=said):
        Settings.load(home, {})


# --- a deployment's settings


def deployment(**changed: Any) -> DeploymentSettings:
    endpoints = {"wan": {"instance_types": ["ml.g6e.2xlarge"], "max_instances": 1}}
    given = {"engines": ["animatic", "wan"], "relays": {"wan": WAN}, "endpoints": endpoints}
    return DeploymentSettings.of_checkout({}, given | changed)


def test_a_deployment_s_own_engine_is_an_engine_like_others() -> None:
    settings = deployment(default_engine="wan", model_aliases={"sora-2": "wan"})
    assert settings.endpoint_engines == ("wan",)
    assert [engine.name for engine in settings.added_engines] == ["wan"]
    assert settings.image_stack_of("wan") == "RelayImage"
    assert settings.price_list.has_instance("wan")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"endpoints": {}}, "endpoints must have an entry for engine 'wan'"),
        ({"relays": {}}, "engines must be one of: animatic.*; got 'wan'"),
        ({"relays": {"Wan": WAN}}, "relays.Wan.*must be small letters"),
        ({"relays": {"wan": WAN | {"videos_url": "http://x"}}}, "relays.wan.videos_url: Extra inputs"),
        ({"relays": {"wan": WAN | {"environment": {"a b": "c"}}}}, "relays.wan.environment"),
        ({"relay_image": "vllm"}, "relay_image: String should match pattern"),
    ],
)
def test_invalid_settings_of_a_deployment_are_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        deployment(**changed)
