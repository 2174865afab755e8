"""Translate the field names of other video servers into ours.

LiteLLM, and programs written for vLLM-Omni or SGLang, send them. A field that no engine can honour is refused
with the reason, unless it asks for nothing. Sources: vLLM-Omni, docs/serving/videos_api.md; SGLang,
multimodal_gen/runtime/entrypoints/openai/protocol.py (VideoGenerationsRequest); LiteLLM 1.110,
llms/hosted_vllm/videos/transformation.py.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from lambdas.domain.assembly import ClipSound
from lambdas.domain.errors import InvalidRequest
from lambdas.domain.video_request import Lora

OURS: Mapping[str, str] = {
    "num_inference_steps": "steps",
    "guidance_scale": "guidance",
    "duration": "seconds",
    "aspect_ratio": "aspect",
    "lora": "loras",
    "generate_sound": "clip_sound",
    "generate_audio": "clip_sound",
}
_WIDTH, _HEIGHT, _LORA, _USER = "width", "height", "lora", "user"
_SOUND = ("generate_sound", "generate_audio")
_EXTRAS = ("extra_params", "diffusers_kwargs")
_COUNTS = ("n", "num_outputs_per_prompt")

_NO_INTERPOLATION = "frames are not interpolated; send fps for another rate"
_NO_UPSCALING = "send size for a film of another size"
_OF_VIDEO = "send the video to POST /v1/videos/edits or /v1/videos/extensions"
_ONE_QUALITY = "films are encoded in one quality"
# Accepted while they are false, and the reason to refuse them otherwise.
_OFF: Mapping[str, str] = {
    "enable_frame_interpolation": _NO_INTERPOLATION,
    "enable_upscaling": _NO_UPSCALING,
    "enable_teacache": "engines skip computation as speed says; send speed",
}
_REFUSED: Mapping[str, str] = {
    "guidance_scale_2": "no engine has a second denoising stage; send guidance",
    "boundary_ratio": "no engine has a second denoising stage",
    "true_cfg_scale": "no engine has a second guidance scale; send guidance",
    "flow_shift": "engines use the schedule of their model",
    "sound_duration": "a clip's sound is as long as its pictures",
    "audio_reference": "engines take no sound from a request; send music, or a storyboard with narration",
    **dict.fromkeys(("video_reference", "video_path", "video_url"), _OF_VIDEO),
    "frame_interpolation_exp": _NO_INTERPOLATION,
    "frame_interpolation_scale": _NO_INTERPOLATION,
    "frame_interpolation_model_path": _NO_INTERPOLATION,
    "upscaling_scale": _NO_UPSCALING,
    "upscaling_model_path": _NO_UPSCALING,
    "output_path": "films are downloaded",
    "output_quality": _ONE_QUALITY,
    "output_compression": _ONE_QUALITY,
    "generator_device": "engines draw their noise in one way, from the seed",
    "max_sequence_length": "engines read as much of a prompt as their model was made for",
    "video_params": "send width, height, num_frames and fps as fields of their own",
    "image": "send the picture as input_reference, or make a character of it",
}
# What each name means, for the API's document.
KNOWN: Mapping[str, str] = {
    **{name: f"Another name of `{ours}`." for name, ours in OURS.items()},
    **dict.fromkeys(_SOUND, "`clip_sound`: `duck` if true, `drop` if false."),
    _LORA: "`loras` with this adapter: {name, scale}.",
    _WIDTH: "With `height`, another form of `size`.",
    _HEIGHT: "With `width`, another form of `size`.",
    _USER: "Ignored: it changes no film.",
    **dict.fromkeys(_EXTRAS, "Accepted if empty."),
    **dict.fromkeys(_COUNTS, "Accepted if 1."),
    **dict.fromkeys(_OFF, "Accepted if false."),
}

_PIXELS = TypeAdapter(Annotated[int, Field(ge=1, lt=100_000)])
_BOOLEAN = TypeAdapter(bool)


def translate(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields under our names, and the name under which each translated one was sent.

    Raises InvalidRequest naming the sent field that can't be honoured.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    for name in given:
        if name in _REFUSED:
            raise InvalidRequest(f"{name} must be omitted: {_REFUSED[name]}.", param=name)
    _check_off(given)
    _check_empty(given)
    ours: dict[str, Any] = {}
    sent: dict[str, str] = {}
    for name, value in given.items():
        if name in (_WIDTH, _HEIGHT, _USER, *_EXTRAS, *_COUNTS, *_OFF):
            continue
        our = OURS.get(name, name)
        if our in ours:
            raise InvalidRequest(
                f"{name} must be omitted when {sent.get(our, our)} is set: both mean {our}.", param=name
            )
        ours[our] = _ours(name, value)
        if our != name:
            sent[our] = name
    if _WIDTH in given or _HEIGHT in given:
        ours["size"] = _size(given)
    return ours, sent


def _ours(name: str, value: Any) -> Any:
    """Return the value of our field for that of another name."""
    if name == _LORA:
        return [_lora(value)]
    if name not in _SOUND:
        return value
    try:
        return ClipSound.DUCK if _BOOLEAN.validate_python(value) else ClipSound.DROP
    except ValidationError as error:
        raise InvalidRequest(f"{name} must be true or false; got {shown(value)}.", param=name) from error


def _size(given: Mapping[str, Any]) -> str:
    for name, other in ((_WIDTH, _HEIGHT), (_HEIGHT, _WIDTH)):
        if name not in given:
            raise InvalidRequest(
                f"{name} is required when {other} is set: a whole number of pixels; or send size instead of "
                "both.",
                param=name,
            )
    size = f"{_pixels(given, _WIDTH)}x{_pixels(given, _HEIGHT)}"
    if given.get("size", size) != size:
        raise InvalidRequest(
            f"size must be {size}, as width and height say, or be omitted; got {shown(given['size'])}.",
            param="size",
        )
    return size


def _pixels(given: Mapping[str, Any], name: str) -> int:
    value = given[name]
    try:
        if isinstance(value, bool):
            raise ValueError("pydantic would read true as 1")
        return _PIXELS.validate_python(value)
    except ValueError as error:  # pydantic's errors are ValueErrors
        raise InvalidRequest(
            f"{name} must be a whole number of pixels from 1 to 99,999; got {shown(value)}.", param=name
        ) from error


def _check_off(given: Mapping[str, Any]) -> None:
    for name, reason in _OFF.items():
        if name not in given:
            continue
        try:
            on = _BOOLEAN.validate_python(given[name])
        except ValidationError as error:
            raise InvalidRequest(
                f"{name} must be false or omitted; got {shown(given[name])}.", param=name
            ) from error
        if on:
            raise InvalidRequest(f"{name} must be false or omitted; got true: {reason}.", param=name)


def _check_empty(given: Mapping[str, Any]) -> None:
    """`user` says who asks, which changes nothing. A model's own parameters may be empty, a count 1."""
    if _USER in given and not isinstance(given[_USER], str):
        raise InvalidRequest(f"{_USER} must be text; got {shown(given[_USER])}.", param=_USER)
    for name in _EXTRAS:
        if name in given and _from_text(given[name]) != {}:
            raise InvalidRequest(
                f"{name} must be an empty object or omitted; got {shown(given[name])}: engines take no "
                "parameters other than the API's fields.",
                param=name,
            )
    for name in _COUNTS:
        if name in given and (isinstance(given[name], bool) or _from_text(given[name]) != 1):
            raise InvalidRequest(
                f"{name} must be 1 or omitted; got {shown(given[name])}: a request makes one film.",
                param=name,
            )


def _lora(value: Any) -> dict[str, Any]:
    """Return the adapter as an entry of `loras`; in a form, its scale is text."""
    adapter = _from_text(value)
    try:
        if isinstance(adapter, dict) and isinstance(adapter.get("scale"), str):
            adapter = adapter | {"scale": float(adapter["scale"])}
        return Lora.model_validate(adapter).model_dump()
    except ValueError as error:
        raise InvalidRequest(
            f'{_LORA} must be {{"name": …, "scale": -2 to 2}}, an adapter in the engine\'s model folder; '
            f"got {shown(value)}.",
            param=_LORA,
        ) from error


def _from_text(value: Any) -> Any:
    """Parse JSON text, as a form sends an object; return text that is not JSON as it is."""
    try:
        return from_json(value) if isinstance(value, str) else value
    except ValueError:
        return value


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
