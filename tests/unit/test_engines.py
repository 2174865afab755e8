from typing import Any

import pytest

from containers.diffusion.speed import Speed as ServerSpeed
from lambdas.domain.engines import CATALOGUE, SPEEDS, Speed, Workflow, deployed, engine_named
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.names import endpoint_name
from tests.contract import document


def test_every_engine_allows_its_own_defaults() -> None:
    for engine in CATALOGUE.values():
        width, height = engine.sizes.default
        engine.check(
            width=width,
            height=height,
            fps=engine.fps[0],
            image=engine.image == "required",
            last_image=engine.last_image == "required",
            steps=engine.least_steps,
            offered=frozenset(CATALOGUE),
        )


@pytest.mark.parametrize(
    ("engine", "given", "param", "says"),
    [
        ("cogvideox-5b", {"width": 721}, "size", "720x480.*got 721x480.*nearest is 722x480"),
        ("cogvideox-5b", {"width": 2050}, "size", "nearest is 2048x480"),
        ("cogvideox-5b", {"width": 1920, "height": 1200}, "size", "at most 2,200,000 pixels"),
        ("cogvideox-5b", {"width": 96, "height": 64}, "size", "nearest is 384x256"),
        ("cogvideox-5b", {"fps": 7}, "fps", "8 to 60; got 7.*nearest is 8"),
        ("animatic", {"fps": 61}, "fps", "8 to 60; got 61.*nearest is 60"),
        ("cogvideox-5b", {"image": True}, "input_reference", "cogvideox-5b-i2v"),
        ("cogvideox-5b-i2v", {"image": False}, "input_reference", "image"),
        ("cogvideox-1.5-5b-i2v", {"height": 761, "image": True}, "size", "shorter side 768"),
        ("animatic", {"speed": Speed.FAST}, "speed", "speed fast; .* does: cogvideox-5b, cogvideox-5b-i2v"),
        ("animatic", {"loras": True}, "loras", "LoRA adapters; .* does: cogvideox-5b, cogvideox-5b-i2v"),
        (
            "animatic",
            {"last_image": True},
            "last_frame",
            r"does not support a last frame; omit last_frame\.$",
        ),
        (
            "animatic",
            {"sound": "generate_sound"},
            "generate_sound",
            r"does not support sound of its clips; omit generate_sound\.$",
        ),
        ("ltx-2-19b", {"steps": 1}, "steps", r"steps must be at least 2 .* got 1\. The nearest is 2\."),
        ("animatic", {"width": 1281}, "size", "multiple of 2"),
        ("animatic", {"width": 3840, "height": 2160}, "size", "1920"),
    ],
)
def test_an_unsupported_field_is_named(engine: str, given: dict[str, Any], param: str, says: str) -> None:
    entry = CATALOGUE[engine]
    width, height = entry.sizes.default
    defaults = {"width": width, "height": height, "fps": entry.fps[0], "image": entry.image == "required"}
    offered = frozenset({"animatic", "cogvideox-5b", "cogvideox-5b-i2v"})
    with pytest.raises(InvalidRequest, match=says) as caught:
        entry.check(**{**defaults, **given}, offered=offered)
    assert caught.value.param == param
    assert "nano" not in caught.value.message, "only what is offered here is suggested"


def test_no_engine_is_suggested_if_none_supports_the_field() -> None:
    animatic = CATALOGUE["animatic"]
    offered = frozenset({"animatic"})
    with pytest.raises(InvalidRequest, match=r"does not support speed exact; omit speed\.$"):
        animatic.check(width=64, height=64, fps=8, image=False, offered=offered, speed=Speed.EXACT)


def test_a_workflow_that_takes_the_field_is_suggested() -> None:
    workflow = Workflow(revision="1", takes=("prompt", "image", "last_image")).model_dump_json()
    offered = frozenset({"animatic", "comfyui"})
    size = {"width": 64, "height": 64, "fps": 8, "offered": offered, "workflow": workflow}
    with pytest.raises(InvalidRequest, match=r"choose an engine that does: comfyui\.$"):
        CATALOGUE["animatic"].check(**size, image=False, last_image=True)
    with pytest.raises(
        InvalidRequest, match=r"omit scenes\[2\]\.meets_next or choose .*: comfyui\.$"
    ) as refused:
        CATALOGUE["animatic"].check_frame(
            "scenes[2].meets_next", last=True, offered=offered, workflow=workflow
        )
    assert refused.value.param == "scenes[2].meets_next"
    deployed("comfyui", workflow).check(**size, image=True, last_image=True, sound="clip_sound")


def test_the_sound_of_a_workflow_that_follows_speech_is_that_speech() -> None:
    for takes, sound in ((("prompt",), True), (("prompt", "image", "audio"), False)):
        workflow = Workflow(revision="1", takes=takes).model_dump_json()
        assert deployed("comfyui", workflow).sound is sound


def test_the_speeds_match_those_of_the_engine_servers() -> None:
    assert list(SPEEDS) == list(document("ping.ready")["speeds"])
    assert list(Speed) == list(ServerSpeed)


def test_an_engine_that_is_not_enabled_is_not_found() -> None:
    offered = frozenset({"animatic"})
    assert engine_named("animatic", offered, "").draft
    for name in ("cogvideox-5b", "nope", ""):
        with pytest.raises(InvalidRequest, match="allowed: animatic") as caught:
            engine_named(name, offered, "")
        assert caught.value.param == "model"


def test_a_workflow_engine_supports_the_workflow_s_inputs() -> None:
    static = CATALOGUE["comfyui"]
    assert deployed("comfyui", "") == static
    speech = Workflow(revision="ab12", takes=("audio", "image", "prompt", "steps"))
    engine = deployed("comfyui", speech.model_dump_json())
    assert (engine.image, engine.audio, engine.chained) == ("required", "required", True)
    assert engine.refuses == ("negative_prompt", "guidance")
    assert engine.revision == f"{static.revision}-ab12"
    text = deployed("comfyui", Workflow(revision="cd34", takes=("prompt",)).model_dump_json())
    assert (text.image, text.audio, text.chained) == ("none", "none", False)
    assert deployed("animatic", speech.model_dump_json()) is CATALOGUE["animatic"]


def test_endpoint_names_are_distinct_and_allowed_by_sagemaker() -> None:
    names = [endpoint_name("reelworks", name) for name in CATALOGUE]
    assert len(set(names)) == len(names)
    for name in names:
        assert name.replace("-", "").isalnum()
        assert len(name) <= 63
