"""The field names of vLLM-Omni, SGLang and LiteLLM, as JSON values and as form texts."""

import json
from typing import Any

import pytest

from lambdas.domain.errors import InvalidRequest
from lambdas.domain.video_request import Lora
from lambdas.intake.fields import parse
from lambdas.intake.film_kind import brief_of, film_seconds
from lambdas.intake.other_names import KNOWN, translate


def test_vllm_s_names_mean_ours() -> None:
    values = {
        "width": 1280,
        "height": 720,
        "num_frames": 80,
        "fps": 16,
        "num_inference_steps": 40,
        "guidance_scale": 5.5,
        "lora": {"name": "paper", "scale": 0.5},
    }
    ours = {
        "size": "1280x720",
        "num_frames": 80,
        "fps": 16,
        "steps": 40,
        "guidance": 5.5,
        "loras": [{"name": "paper", "scale": 0.5}],
    }
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    assert parse({"prompt": "x"} | values) == parse({"prompt": "x"} | texts) == parse({"prompt": "x"} | ours)


def test_an_adapter_in_a_form_has_its_scale_as_text() -> None:
    assert parse({"prompt": "x", "lora": {"name": "paper", "scale": "0.5"}}).loras == (
        Lora(name="paper", scale=0.5),
    )
    assert parse({"prompt": "x", "lora": {"name": "paper"}}).loras == (Lora(name="paper"),)


def test_other_names_are_translated() -> None:
    assert translate({"duration": "8", "aspect_ratio": "9:16"}) == (
        {"seconds": "8", "aspect": "9:16"},
        {"seconds": "duration", "aspect": "aspect_ratio"},
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "somebody"},
        {"enable_frame_interpolation": "0"},
        {"enable_upscaling": False, "enable_teacache": "false"},
        {"n": 1, "num_outputs_per_prompt": "1"},
        {"diffusers_kwargs": {}},
        {"extra_params": {}},
        {"extra_params": "{}"},
        dict.fromkeys((*KNOWN, "flow_shift", "audio_reference")),
    ],
)
def test_what_asks_for_nothing_is_accepted(fields: dict[str, Any]) -> None:
    assert parse({"prompt": "x"} | fields) == parse({"prompt": "x"})


@pytest.mark.parametrize(
    ("fields", "clip_sound"),
    [
        ({"generate_sound": True}, "duck"),
        ({"generate_sound": "false"}, "drop"),
        ({"generate_audio": 0}, "drop"),
    ],
)
def test_whether_there_is_sound_is_clip_sound(fields: dict[str, Any], clip_sound: str) -> None:
    assert parse({"prompt": "x"} | fields).clip_sound == clip_sound


def test_a_size_said_twice_alike_is_accepted() -> None:
    assert parse({"prompt": "x", "width": "96", "height": 64, "size": "96x64"}).size == "96x64"


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"width": 96}, "height", "height is required when width is set"),
        ({"height": 96}, "width", "width is required when height is set"),
        ({"width": 0, "height": 64}, "width", "a whole number of pixels from 1 to 99,999; got 0"),
        ({"width": 96, "height": "64.5"}, "height", "a whole number of pixels from 1 to 99,999; got '64.5'"),
        ({"width": True, "height": 64}, "width", "whole number"),
        ({"width": [96], "height": 64}, "width", "whole number"),
        ({"width": 96, "height": 64, "size": "64x96"}, "size", "size must be 96x64, .* got '64x96'"),
        ({"num_inference_steps": 201}, "num_inference_steps", "num_inference_steps must be .* 1 to 200; got"),
        ({"guidance_scale": "0.5"}, "guidance_scale", "guidance_scale must be a number from 1 to 20; got"),
        ({"duration": 4.5}, "duration", "duration must be a whole number of seconds"),
        ({"steps": 3, "num_inference_steps": 3}, "num_inference_steps", "omitted when steps is set"),
        ({"num_inference_steps": 3, "steps": 3}, "steps", "omitted when num_inference_steps is set"),
        ({"num_frames": 0}, "num_frames", "a whole number of frames"),
        ({"num_frames": "81.5"}, "num_frames", "a whole number of frames"),
        ({"num_frames": True}, "num_frames", "a whole number of frames"),
        ({"generate_sound": "perhaps"}, "generate_sound", "must be true or false; got 'perhaps'"),
        ({"generate_audio": True, "clip_sound": "keep"}, "clip_sound", "both mean clip_sound"),
        ({"enable_frame_interpolation": 1}, "enable_frame_interpolation", "send fps"),
        ({"extra_params": {"sigma": 1}}, "extra_params", "empty object or omitted"),
        ({"extra_params": "{"}, "extra_params", "empty object or omitted"),
        ({"diffusers_kwargs": {"x": 1}}, "diffusers_kwargs", "empty object or omitted"),
        ({"n": 2}, "n", "n must be 1 or omitted; got 2: a request makes one film"),
        ({"n": True}, "n", "n must be 1 or omitted"),
        ({"num_outputs_per_prompt": "3"}, "num_outputs_per_prompt", "got '3'"),
        ({"enable_teacache": True}, "enable_teacache", "send speed"),
        ({"enable_upscaling": "true"}, "enable_upscaling", "send size"),
        ({"upscaling_scale": 4}, "upscaling_scale", "send size"),
        ({"upscaling_model_path": "x"}, "upscaling_model_path", "send size"),
        ({"frame_interpolation_exp": 1}, "frame_interpolation_exp", "send fps"),
        ({"frame_interpolation_scale": 1.0}, "frame_interpolation_scale", "send fps"),
        ({"frame_interpolation_model_path": "x"}, "frame_interpolation_model_path", "send fps"),
        ({"output_path": "/tmp"}, "output_path", "films are downloaded"),
        ({"output_quality": "best"}, "output_quality", "one quality"),
        ({"output_compression": 90}, "output_compression", "one quality"),
        ({"generator_device": "cuda"}, "generator_device", "from the seed"),
        ({"max_sequence_length": 512}, "max_sequence_length", "as their model was made for"),
        ({"true_cfg_scale": 4.0}, "true_cfg_scale", "send guidance"),
        ({"boundary_ratio": 0.9}, "boundary_ratio", "second denoising stage"),
        ({"sound_duration": 4}, "sound_duration", "as long as its pictures"),
        ({"video_path": "/x.mp4"}, "video_path", "POST /v1/videos/edits"),
        ({"video_url": "https://example.com/x.mp4"}, "video_url", "POST /v1/videos/edits"),
        ({"seed": [1, 2]}, "seed", "a whole number from 0"),
        ({"user": 7}, "user", "user must be text"),
        ({"lora": {"path": "/models/paper"}}, "lora", 'lora must be {"name": …, "scale": -2 to 2}'),
        ({"lora": {"name": "paper", "int_id": 1}}, "lora", "lora must be"),
        ({"lora": {"name": "paper", "scale": "much"}}, "lora", "lora must be"),
        ({"lora": "paper"}, "lora", "lora must be"),
        ({"lora": [{"name": "paper"}]}, "lora", "lora must be"),
        ({"flow_shift": 3.0}, "flow_shift", "flow_shift must be omitted: engines use the schedule"),
        ({"guidance_scale_2": 3}, "guidance_scale_2", "second denoising stage"),
        ({"video_reference": {"video_url": "data:"}}, "video_reference", "POST /v1/videos/edits"),
        ({"audio_reference": {"audio_url": "data:"}}, "audio_reference", "send music"),
        ({"video_params": {"width": 96}}, "video_params", "send width, height, num_frames and fps"),
        ({"image": "data:image/png;base64,AAEC"}, "image", "input_reference"),
        ({"control_type": "edge"}, "control_type", "'control_type' is not a known field"),
    ],
)
def test_what_can_t_be_honoured_is_refused_as_it_was_sent(
    fields: dict[str, Any], param: str, says: str
) -> None:
    with pytest.raises(InvalidRequest, match=says) as refused:
        parse({"prompt": "x"} | fields)
    assert refused.value.param == param
    assert len(refused.value.message) < 300 or param == "control_type"


def length(fps: int, **fields: Any) -> int:
    parsed = parse({"prompt": "x"} | fields)
    return film_seconds(parsed, brief_of(parsed), fps)


@pytest.mark.parametrize(
    ("frames", "fps", "seconds"),
    [(80, 16, 5), (81, 16, 5), (49, 8, 6), (1, 8, 1), (121, 24, 5), (28800, 8, 3600)],
)
def test_a_length_in_frames_is_rounded_to_seconds(frames: int, fps: int, seconds: int) -> None:
    assert length(fps, num_frames=frames) == length(fps, num_frames=str(frames), seconds=seconds) == seconds


@pytest.mark.parametrize(
    ("fps", "fields", "says"),
    [
        (8, {"num_frames": 28_801}, "num_frames must be at most 28,800, which last 3,600 seconds at 8 fps"),
        (8, {"num_frames": 49, "seconds": "4"}, "num_frames must be about 32, as 4 seconds have at 8 fps"),
        (8, {"num_frames": 8, "seconds": 2}, "about 16"),
    ],
)
def test_a_length_in_frames_must_be_possible(fps: int, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as refused:
        length(fps, **fields)
    assert refused.value.param == "num_frames"


@pytest.mark.parametrize("source", [{"topic": "Kites"}, {"storyboard": {"title": "Kites"}}])
def test_a_film_of_scenes_has_no_length_in_frames(source: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="applies only to prompt") as refused:
        brief_of(parse(source | {"num_frames": 81}))
    assert refused.value.param == "num_frames"


@pytest.mark.parametrize("seconds", ["4", "8", "12", 4, 8, 12, 4.0, "4.0", " 8 ", "08"])
def test_seconds_as_clients_type_them(seconds: Any) -> None:
    assert parse({"prompt": "x", "seconds": seconds}).seconds == int(float(seconds))
