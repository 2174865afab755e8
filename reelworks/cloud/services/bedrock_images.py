"""Bedrock's InvokeModel for image models on this machine, in the wire format of Stability AI's models: the
ones left on Bedrock since Amazon ended its own (docs/decisions/0017-stills-by-stability.md).

Source: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html. Any of their
model ids is accepted; `answered_by`, which Bedrock's response lacks, names the backend that drew the image.
"""

import asyncio
import base64
import secrets
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse

from lambdas.domain.errors import ImageRejected
from lambdas.media.images import check_image, cover
from reelworks.cloud.backends.image.catalogue import connect
from reelworks.cloud.backends.image.interface import Order
from reelworks.cloud.errors import ServiceError
from reelworks.cloud.services.wire import parsed
from reelworks.cloud.settings import Settings

# The models' image sizes, about one megapixel (platform.stability.ai/docs/api-reference).
SIZES = {
    "16:9": (1344, 768),
    "1:1": (1024, 1024),
    "21:9": (1536, 640),
    "2:3": (832, 1216),
    "3:2": (1216, 832),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}
HIGHEST_SEED = 4_294_967_294


class _ImageRequest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: Annotated[str, Field(pattern=r"\S", max_length=10_000)]
    negative_prompt: Annotated[str, Field(max_length=10_000)] = ""
    aspect_ratio: Literal["16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"] = "1:1"
    mode: Literal["text-to-image"] = "text-to-image"
    output_format: Literal["png"] = "png"
    seed: Annotated[int, Field(ge=0, le=HIGHEST_SEED)] = 0  # 0: any
    image: Annotated[str, Field(max_length=32 * 1024 * 1024)] | None = None  # base64, to start from
    strength: Annotated[float, Field(ge=0, le=1)] | None = (
        None  # how far from it; the backends have their own
    )


class BedrockImages:
    """InvokeModel: the configured backend draws, and only it, even when it is down; else the drawn card."""

    def __init__(self, settings: Settings) -> None:
        self._backend = connect(settings.stills, settings.comfyui)

    async def stop(self) -> None:
        await self._backend.stop()

    async def free(self) -> None:
        await self._backend.free()

    async def invoke_model(self, http: Request) -> JSONResponse:
        model = http.path_params["model"]
        if not model.rpartition("stability.")[1]:
            message = f"modelId {model} is not supported; use an image model of Stability AI."
            raise ServiceError(400, "ValidationException", message)
        request = parsed(_ImageRequest, await http.body())
        seed = request.seed or 1 + secrets.randbelow(HIGHEST_SEED)
        reference = None
        width, height = SIZES[request.aspect_ratio]
        if request.image is not None:
            reference, width, height = await asyncio.to_thread(_reference, request.image, model)
        order = Order(request.prompt, request.negative_prompt, width, height, seed, reference)
        drawn = await self._backend.draw(order)
        try:
            picture = await asyncio.to_thread(_of_size, drawn, width, height)
        except ImageRejected as error:
            message = f"{self._backend.name} returned no usable image: {error}"
            raise ServiceError(424, "ModelErrorException", message) from error
        image = base64.b64encode(picture).decode()
        answer = {"seeds": [seed], "finish_reasons": [None], "images": [image]}
        return JSONResponse(answer | {"answered_by": self._backend.name})


def _reference(image: str, model: str) -> tuple[bytes, int, int]:
    """Return the image to start from and its size, which the answer has, too."""
    if "core" in model:
        raise ServiceError(400, "ValidationException", f"{model} takes no image; use Stable Image Ultra.")
    try:
        data = base64.b64decode(image, validate=True)
        found = check_image(data, "image")
    except (ValueError, ImageRejected) as error:
        raise ServiceError(400, "ValidationException", str(error)) from error
    return data, found.width, found.height


def _of_size(drawn: bytes, width: int, height: int) -> bytes:
    """Return the image as a PNG of the requested size; a model may draw in its own size."""
    found = check_image(drawn, "the picture")
    exact = (found.width, found.height, found.media_type) == (width, height, "image/png")
    return drawn if exact else cover(drawn, width, height)
