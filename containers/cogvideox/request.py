"""The document that POST /invocations takes, and the checks that need no model."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from containers.cogvideox.errors import InvalidRequest
from containers.cogvideox.limits import Limits

# Longer than any prompt within 226 tokens, and short enough to count the tokens of in a moment.
MAX_PROMPT_CHARACTERS = 20_000

Prompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARACTERS)]


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
    """Base64 of a PNG, JPEG or WebP: the first frame."""


def parse_request(body: bytes) -> ClipRequest:
    """The request in a JSON body; raises InvalidRequest naming the first field that is wrong."""
    try:
        return ClipRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        param = str(first["loc"][0]) if first["loc"] else None
        raise InvalidRequest(
            param, f"{param or 'the body'}: {_explain(first['type'], first['msg'])}"
        ) from None


def check_request(request: ClipRequest, limits: Limits) -> None:
    """Raise InvalidRequest unless the checkpoint with these limits can render the clip."""
    if not request.prompt.strip():
        raise InvalidRequest("prompt", "prompt must not be empty")
    limits.check_size(request.width, request.height)
    limits.check_frames(request.frames, request.skip_frames)
    limits.check_fps(request.fps)
    if limits.takes_image and request.image is None:
        raise InvalidRequest("image", "image is required: this model turns an image into video")
    if not limits.takes_image and request.image is not None:
        raise InvalidRequest("image", "image must be null: this model takes text only")


def check_tokens(param: str, tokens: int, limits: Limits) -> None:
    """Raise InvalidRequest if the field `param` has more tokens than the model reads (it drops the rest)."""
    if tokens > limits.prompt_tokens:
        raise InvalidRequest(
            param, f"{param} must have at most {limits.prompt_tokens} tokens; it has {tokens}: shorten it"
        )


def _explain(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"unknown field; the fields are {', '.join(ClipRequest.model_fields)}"
    return message[:1].lower() + message[1:]
