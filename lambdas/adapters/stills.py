"""Stills from Bedrock's image models, in Stability AI's format (docs/decisions/0017).

Source: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html.
"""

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, error_message, translated
from lambdas.domain.errors import ImageRejected, ServiceUnavailable, StillRefused
from lambdas.media.images import check_image, cover

REGION = "us-west-2"  # the only region with these models
# By quality. The best takes longest and costs most.
MODELS = {
    "standard": "stability.stable-image-core-v1:1",
    "premium": "stability.stable-image-ultra-v1:1",
}
# Qualities whose model takes a picture to start from, and how far it may leave it, from 0 (not at all) to 1.
REFERENCES = frozenset({"premium"})
STRENGTH = 0.7  # other poses and places, the same figure and colours
_MEGAPIXEL = 1024 * 1024
ASPECT_RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
MOST_CHARACTERS = 10_000  # in a prompt
_SEEDS = 4_294_967_294  # seeds are 1 to this; 0 means any
MAX_BYTES = 32 * 1024 * 1024  # the largest accepted image in base64, and the JSON around it


@dataclass(frozen=True)
class Still:
    png: bytes
    by: str  # the image model


class Stills:
    def __init__(self, bedrock_runtime: Any, models: Mapping[str, str] = MODELS) -> None:
        """`bedrock_runtime`: a client in REGION."""
        self._bedrock = bedrock_runtime
        self._models = models

    def draw(
        self,
        prompt: str,
        *,
        negative_prompt: str = "",
        width: int,
        height: int,
        quality: str,
        seed: int,
        reference: bytes | None = None,
    ) -> Still:
        """Draw a picture of exactly width × height pixels; `seed` starts at 0. `reference`: an image of the
        picture's subject, for a quality of REFERENCES.

        The model draws in its nearest aspect ratio, or in that of the reference, which is cropped to the
        picture's before; the excess is cropped evenly.
        Raises StillRefused if the model won't draw it, ServiceUnavailable if the failure is temporary.
        """
        model = self._models[quality]
        request = {
            "prompt": prompt,
            **_start(reference, width, height),
            "output_format": "png",
            "seed": seed % _SEEDS + 1,
        }
        if negative_prompt:
            request["negative_prompt"] = negative_prompt
        answer = self._invoke(model, request)
        try:
            drawn = _image(answer, model)
            check_image(drawn, "the still")
        except (ValueError, LookupError, TypeError, ImageRejected) as error:
            raise StillRefused(f"{model} returned no picture: {error}") from error
        return Still(png=cover(drawn, width, height), by=str(answer.get("answered_by", model)))

    def _invoke(self, model: str, request: dict[str, Any]) -> dict[str, Any]:
        with translated(f"draw with {model}"):
            try:
                response = self._bedrock.invoke_model(
                    modelId=model,
                    body=json.dumps(request),
                    contentType="application/json",
                    accept="application/json",
                )
            except ClientError as error:
                if error_code(error) in ("ValidationException", "ModelErrorException"):
                    raise StillRefused(f"{model} can't draw the still: {error_message(error)}") from error
                raise
            body = response["body"].read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise StillRefused(f"{model} returned more than {MAX_BYTES:,} bytes")
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise StillRefused(f"{model} returned no JSON object: {body[:200]!r}")
        return answer


def nearest_ratio(width: int, height: int) -> str:
    """Return the one of ASPECT_RATIOS that needs the least cropping."""

    def cut(ratio: str) -> float:
        wide, high = map(int, ratio.split(":"))
        return abs(math.log(width * high / (height * wide)))

    return min(ASPECT_RATIOS, key=cut)


def _start(reference: bytes | None, width: int, height: int) -> dict[str, Any]:
    if reference is None:
        return {"mode": "text-to-image", "aspect_ratio": nearest_ratio(width, height)}
    # The ratio is only valid without an image, whose size the answer has.
    shown = cover(reference, *_about_a_megapixel(width, height))
    return {"image": base64.b64encode(shown).decode(), "strength": STRENGTH}


def _about_a_megapixel(width: int, height: int) -> tuple[int, int]:
    """Return a size of that shape, in multiples of 64 pixels as the models draw."""
    scale = math.sqrt(_MEGAPIXEL / (width * height))
    wide, high = (max(1, round(side * scale / 64)) * 64 for side in (width, height))
    return wide, high


def _image(answer: dict[str, Any], model: str) -> bytes:
    reason = (answer.get("finish_reasons") or [None])[0]
    if reason == "Inference error":
        raise ServiceUnavailable(f"draw with {model}: {reason}")
    if reason is not None:
        raise StillRefused(
            f"{model} refused to draw the still: {reason}",
            advice="Change the scene's image prompt: the model's filter blocked it.",
        )
    return base64.b64decode(answer["images"][0], validate=True)
