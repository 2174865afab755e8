from typing import get_args

import pytest

from cdk.settings import DeploymentSettings
from lambdas.adapters.stills import MODELS
from lambdas.domain.prices import AWS, FREE, Prices, of_time, total
from lambdas.domain.video_request import StillQuality, VoiceEngine

DEPLOYMENT = DeploymentSettings.of_checkout({}, {"engines": ["animatic", "cogvideox-5b", "cogvideox-5b-i2v"]})


@pytest.mark.parametrize("engine", get_args(VoiceEngine))
def test_every_voice_engine_has_a_price(engine: str) -> None:
    cost = AWS.narration(engine, 1_000_000)
    assert cost is not None
    assert 4 <= cost <= 100


def test_every_quality_of_stills_has_a_price() -> None:
    assert set(MODELS) == set(get_args(StillQuality))
    assert [AWS.still(quality) for quality in MODELS] == [0.04, 0.14]


def test_text_is_priced_per_thousand_input_and_output_tokens() -> None:
    assert AWS.text("amazon.nova-pro-v1:0", 3_000, 500) == pytest.approx(0.0024 + 0.0016)
    assert AWS.text("amazon.nova-pro-v1:0", 1, 1) == pytest.approx(0.0000008 + 0.0000032)


def test_the_default_deployment_has_all_prices_it_needs() -> None:
    prices = DEPLOYMENT.price_list
    assert prices.text(DEPLOYMENT.text_model, 1_000, 1_000) == 0.006
    assert prices.narration(DEPLOYMENT.voice_engine, 1) == 16e-6
    for engine in DEPLOYMENT.endpoint_engines:
        assert prices.instance_second(engine) == pytest.approx(2.80 / 3600)


def test_an_instance_without_a_known_price_gives_no_price() -> None:
    endpoint = {"instance_types": ["ml.p5.4xlarge"], "max_instances": 1}
    endpoints = DEPLOYMENT.model_dump()["endpoints"] | {"cogvideox-5b": endpoint}
    given = DeploymentSettings.model_validate(DEPLOYMENT.model_dump() | {"endpoints": endpoints})
    assert given.price_list.instance_second("cogvideox-5b") is None
    assert given.price_list.instance_second("cogvideox-5b-i2v") is not None


def test_a_function_is_priced_by_memory_and_a_build_per_minute() -> None:
    assert AWS.function_second(2048) == pytest.approx(2 * 0.0000133334)
    assert AWS.build_second() == pytest.approx(0.0034 / 60)


def test_an_unknown_price_means_an_unknown_cost() -> None:
    assert AWS.text("a-model-of-mine", 10, 10) is None
    assert Prices(each={"input half": 1.0}).text("half", 1_000, 1_000) is None
    assert AWS.instance_second("comfyui") is None
    assert of_time(None, 0, 1_000) is None


def test_a_pc_has_no_costs() -> None:
    assert FREE.text("llama", 10, 10) == FREE.instance_second("comfyui") == FREE.function_second(512) == 0.0
    assert FREE.narration("standard", 9) == FREE.still("premium") == FREE.build_second() == 0.0


def test_time_is_priced_per_second() -> None:
    assert of_time(0.5, 1_000, 3_500) == 1.25


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    assert total([0.1, 0.2]) == 0.3
    assert total([]) == 0.0
    assert total([0.1, None]) is None


def test_the_price_list_fits_a_parameter_and_an_environment() -> None:
    # 4,096 bytes is the limit of a CloudFormation parameter and of a function's whole environment.
    text = DEPLOYMENT.price_list.model_dump_json()
    assert len(text) < 2_600
    assert Prices.model_validate_json(text) == DEPLOYMENT.price_list


def test_a_deployment_s_own_prices_override_the_list() -> None:
    own = {"still standard": 0.01, "instance cogvideox-5b": 0.002, "input mine.model-v1:0": 0.5}
    given = DeploymentSettings.model_validate(DEPLOYMENT.model_dump() | {"prices": own}).price_list
    assert given.still("standard") == 0.01
    assert given.instance_second("cogvideox-5b") == 0.002
    assert given.still("premium") == AWS.still("premium")
    assert given.text("mine.model-v1:0", 1_000, 0) is None  # no price for output tokens


def test_every_text_model_has_both_prices() -> None:
    named = {side: {name for kind, _, name in map(_parts, AWS.each) if kind == side} for side in _SIDES}
    assert named["input"] == named["output"] != set()


_SIDES = ("input", "output")


def _parts(name: str) -> tuple[str, str, str]:
    return name.partition(" ")
