"""Translate Google's request for a video into the fields of a create, and the fields' names back.

The values are checked by the rules of every create. What no engine can honour is refused with the reason,
unless it asks for nothing. Source: google-genai 2.34, models.py (_GenerateVideosParameters_to_mldev), and the
parameters of Vertex AI, which its `extra_body` can send.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from lambdas.domain.errors import InvalidRequest
from lambdas.domain.film_format import ASPECT, parse_shape
from lambdas.intake.files import INPUT_REFERENCE, LAST_FRAME
from lambdas.intake.other_names import shown

# Google's parameters by our names.
_PARAMETERS: Mapping[str, str] = {
    "aspect": "aspectRatio",
    "size": "resolution",
    "seconds": "durationSeconds",
    "negative_prompt": "negativePrompt",
    "enhance": "enhancePrompt",
    "generate_audio": "generateAudio",
    "seed": "seed",
    "fps": "fps",
}
_PROMPT, _IMAGE, _LAST_FRAME = "prompt", "image", "lastFrame"
_BYTES, _MIME_TYPE = "bytesBase64Encoded", "mimeType"
_FILES: Mapping[str, str] = {INPUT_REFERENCE: _IMAGE, LAST_FRAME: _LAST_FRAME}
_THEIRS: Mapping[str, str] = {**_PARAMETERS, "clip_sound": "generateAudio", **_FILES}

# The only value of a parameter that asks for nothing, and the reason to refuse any other.
_ONLY: Mapping[str, tuple[object, str]] = {
    "sampleCount": (1, "a request makes one film; send it again for another"),
    "personGeneration": ("allow_all", "engines can't leave people out"),
    "resizeMode": ("CROP", "an image of another shape than the film is cropped"),
}
_NO_BUCKET = "films are delivered to the deployment's bucket; download them"
_NO_WEBHOOK = "create a webhook endpoint: POST /v1/webhook_endpoints"
_REFUSED: Mapping[str, str] = {
    "video": "send the video to POST /v1/videos/edits or /v1/videos/extensions",
    "referenceImages": "make characters of the pictures (POST /v1/videos/characters), and name them",
    "mask": "no engine takes a mask",
    "storageUri": _NO_BUCKET,
    "pubsubTopic": _NO_WEBHOOK,
    "webhookConfig": _NO_WEBHOOK,
    "compressionQuality": "films are encoded in one quality",
    "labels": "films have no labels",
}
_USUAL_SHAPE = "16:9"  # of a `resolution` without `aspectRatio`: Google's default
_LINES = re.compile("([1-9][0-9]{1,3})p", re.IGNORECASE)
_4K = 2160


def translate(model: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the fields of a create, and its files by field. Raises InvalidRequest naming Google's field."""
    body = _given(body, ("instances", "parameters"))
    instance = _given(_only_instance(body.get("instances")), (_PROMPT, *_FILES.values()))
    parameters = body.get("parameters", {})
    if not isinstance(parameters, dict):
        raise InvalidRequest(f"parameters must be an object; got {shown(parameters)}.", param="parameters")
    parameters = _given(parameters, (*_PARAMETERS.values(), *_ONLY))
    for name, (allowed, reason) in _ONLY.items():
        given = parameters.get(name, allowed)
        if type(given) is not type(allowed) or given != allowed:
            raise InvalidRequest(
                f"{name} must be {allowed} or omitted; got {shown(given)}: {reason}.", param=name
            )
    if not instance.get(_PROMPT):
        raise InvalidRequest("prompt is required: text that says what the film shows.", param=_PROMPT)
    fields = {ours: parameters[theirs] for ours, theirs in _PARAMETERS.items() if theirs in parameters}
    if "size" in fields:
        fields["size"] = _size(fields["size"], fields.pop("aspect", _USUAL_SHAPE))
    fields |= {"model": model, "prompt": instance[_PROMPT]}
    files = {ours: _image(instance[theirs], theirs) for ours, theirs in _FILES.items() if theirs in instance}
    return fields, files


@contextmanager
def in_googles_terms() -> Iterator[None]:
    """Name the field of an InvalidRequest that the block raises as Google's clients send it."""
    try:
        yield
    except InvalidRequest as error:
        ours = error.param or ""
        theirs = _THEIRS.get(ours)
        if theirs is None:
            raise
        raise type(error)(re.sub(rf"\b{ours}\b", theirs, error.message, count=1), param=theirs) from error


def _given(fields: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Return the fields that have a value. Raises InvalidRequest for any that can't be honoured."""
    given = {name: value for name, value in fields.items() if value is not None}
    for name in given:
        if name in _REFUSED:
            raise InvalidRequest(f"{name} must be omitted: {_REFUSED[name]}.", param=name)
        if name not in known:
            raise InvalidRequest(
                f"{name[:100]!r} is not a known field; allowed: {', '.join(known)}.", param=name[:100]
            )
    return given


def _only_instance(instances: Any) -> dict[str, Any]:
    if not isinstance(instances, list) or len(instances) != 1 or not isinstance(instances[0], dict):
        raise InvalidRequest(
            f"instances must be a list of one object with the prompt; got {shown(instances)}.",
            param="instances",
        )
    return dict(instances[0])


def _size(resolution: Any, aspect: Any) -> str:
    """Return the size of that shape whose shorter side has the resolution's lines."""
    if not isinstance(aspect, str) or not re.fullmatch(ASPECT, aspect):
        raise InvalidRequest(
            f"aspectRatio must be width:height, for example 9:16; got {shown(aspect)}.", param="aspectRatio"
        )
    with in_googles_terms():
        shape = parse_shape(aspect)
    found = _LINES.fullmatch(resolution) if isinstance(resolution, str) else None
    if not found and str(resolution).lower() != "4k":
        raise InvalidRequest(
            f"resolution must be the lines of the shorter side, for example 720p or 1080p; got "
            f"{shown(resolution)}.",
            param="resolution",
        )
    short = int(found[1]) if found else _4K
    width, height = (max(short, _even(short * side)) for side in (shape, 1 / shape))
    return f"{width}x{height}"


def _even(length: Fraction) -> int:
    return 2 * round(length / 2)


def _image(image: Any, param: str) -> bytes:
    """Return the picture's bytes: Google's client encodes them with either alphabet of base64."""
    encoded = image.get(_BYTES) if isinstance(image, dict) else None
    if not isinstance(encoded, str) or set(image) - {_BYTES, _MIME_TYPE}:
        raise InvalidRequest(
            f"{param} must be {{{_BYTES}, {_MIME_TYPE}}} of a PNG, JPEG or WebP picture; nothing is fetched.",
            param=param,
        )
    try:
        return base64.b64decode(encoded.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"{param}.{_BYTES} must be base64.", param=param) from error
