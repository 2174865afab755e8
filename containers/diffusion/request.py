"""Request document of POST /invocations, and the checks that need no model."""

import math
from collections.abc import Collection
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from containers.diffusion.errors import InvalidRequest
from containers.diffusion.film import Film, instants
from containers.diffusion.limits import Limits
from containers.diffusion.speed import Speed

# Longer than any prompt within 1,024 tokens, and short enough to tokenize quickly.
MAX_PROMPT_CHARACTERS = 20_000
# Default strength for a video: diffusers' default.
STRENGTH = 0.8

Prompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARACTERS)]


class Lora(BaseModel):
    """One adapter in the checkpoint's folder, and how strongly to apply it."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    scale: Annotated[float, Field(ge=-2, le=2)] = 1.0


class ClipRequest(BaseModel):
    """One clip to render; sizes in pixels, lengths in frames."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    prompt: Prompt
    negative_prompt: Prompt = ""
    width: int
    height: int
    frames: int
    skip_frames: Annotated[int, Field(ge=0)]
    """Leading frames that are rendered but left out of the MP4."""
    fps: int
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    steps: Annotated[int, Field(ge=1, le=200)] | None = None
    guidance: Annotated[float, Field(ge=1, le=20)] | None = None
    image: str | None = None
    """Base64 of a PNG, JPEG or WebP: the first frame. One of the film's size is a picture of the film."""
    last_image: str | None = None
    """The same for the last frame."""
    video: str | None = None
    """Base64 of an MP4 with the clip's or the film's size and the clip's frame count, which the clip starts
    from."""
    strength: Annotated[float, Field(gt=0, le=1)] | None = None
    """How much of `video` to replace: 1 leaves nothing of it."""
    loras: Annotated[tuple[Lora, ...], Field(max_length=4, strict=False)] = ()
    speed: Annotated[Speed, Field(strict=False)] | None = None
    """None: the server's default."""
    film: Film | None = None
    """None: the MP4 has the rendered size, rate and length."""


def parse_request(body: bytes) -> ClipRequest:
    """Parse the request in a JSON body. Raises InvalidRequest naming the first invalid field."""
    try:
        return ClipRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        param = str(first["loc"][0]) if first["loc"] else None
        where = ".".join(map(str, first["loc"])) if param == "film" else param
        raise InvalidRequest(
            param, f"{where or 'the body'}: {_explain(first['type'], first['msg'])}"
        ) from None


def check_request(
    request: ClipRequest,
    limits: Limits,
    *,
    steps: int,
    speed: Speed,
    speeds: Collection[Speed],
    loras: Collection[str],
) -> None:
    """Raise InvalidRequest unless a checkpoint with these limits, speeds and adapters can render the clip at
    `speed`, in `steps` steps unless the request says otherwise."""
    if not request.prompt.strip():
        raise InvalidRequest("prompt", "prompt is empty or contains only whitespace")
    limits.check_size(request.width, request.height)
    limits.check_frames(request.frames, request.skip_frames)
    limits.check_fps(request.fps)
    check_film(request)
    _check_inputs(request, limits)
    _check_strength(request, steps if request.steps is None else request.steps)
    _check_speed(request, speed, speeds)
    _check_loras([lora.name for lora in request.loras], loras)


def check_film(request: ClipRequest) -> None:
    """Raise InvalidRequest if the film has more frames than the rendered clip lasts."""
    film = request.film
    if film is None:
        return
    last = instants(film, rate=request.fps, skip_frames=request.skip_frames)[-1].frame
    if last >= request.frames:
        shown = request.frames - request.skip_frames
        nearest = shown * film.fps // request.fps
        raise InvalidRequest(
            "film",
            f"film.frames must last no longer than the {shown} frames rendered at {request.fps} fps; got "
            f"{film.frames} at {film.fps} fps, the nearest is {nearest}",
        )


def _check_inputs(request: ClipRequest, limits: Limits) -> None:
    if limits.image == "required":
        takes = "turns an image into video"
    else:
        inputs = {"a video": limits.video, "an image": limits.image}
        takes = "accepts " + " or ".join(
            ["text", *(what for what, taken in inputs.items() if taken != "none")]
        )
    if limits.image == "required" and request.image is None:
        raise InvalidRequest("image", f"image is required: this model {takes}")
    for param, taken in (("image", limits.image), ("video", limits.video)):
        if taken == "none" and getattr(request, param) is not None:
            raise InvalidRequest(param, f"{param} must be null: this model {takes}")
    if request.image is not None and request.video is not None:
        raise InvalidRequest("video", "video must be null with an image")
    if request.last_image is not None:
        if limits.last_image == "none":
            raise InvalidRequest("last_image", "last_image must be null: this model takes no last frame")
        if request.image is None:
            raise InvalidRequest("last_image", "last_image must be null without an image")
    elif limits.last_image == "required":
        raise InvalidRequest(
            "last_image", "last_image is required: this model moves from a first frame to a last one"
        )
    if request.strength is not None and request.video is None:
        raise InvalidRequest("strength", "strength must be null without a video")


def _check_strength(request: ClipRequest, steps: int) -> None:
    if request.video is None:
        return
    strength = STRENGTH if request.strength is None else request.strength
    # The pipeline renders the last int(steps × strength) steps.
    if int(steps * strength) < 1:
        nearest = math.ceil(10_000 / steps) / 10_000
        raise InvalidRequest(
            "strength",
            f"strength must leave at least 1 of {steps} steps; got {strength}, the nearest is {nearest}",
        )


def _check_speed(request: ClipRequest, speed: Speed, speeds: Collection[Speed]) -> None:
    if speed not in speeds:
        raise InvalidRequest("speed", f"speed must be {' or '.join(speeds)} for this model; got {speed}")
    if speed is Speed.TURBO and request.guidance not in (None, 1):
        raise InvalidRequest(
            "guidance",
            f"guidance must be null or 1 at speed turbo, which renders without it; got {request.guidance:g}",
        )


def _check_loras(names: list[str], known: Collection[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        allowed = f"allowed: {', '.join(known)}" if known else "this model has none"
        raise InvalidRequest("loras", f"loras: unknown adapter {unknown[0]!r}; {allowed}")
    if len(set(names)) < len(names):
        raise InvalidRequest("loras", "loras must name each adapter only once")


def check_tokens(param: str, tokens: int, limits: Limits) -> None:
    """Raise InvalidRequest if the field `param` has more tokens than the model reads (it drops the rest)."""
    if tokens > limits.prompt_tokens:
        raise InvalidRequest(
            param, f"{param} must have at most {limits.prompt_tokens} tokens; got {tokens}. Shorten it"
        )


def _explain(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"unknown field; allowed: {', '.join(ClipRequest.model_fields)}"
    return message[:1].lower() + message[1:]
