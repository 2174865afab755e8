"""Request document of POST /invocations to an engine that renders on a server of the user's."""

from typing import Annotated

from pydantic import Field, ValidationError

from containers.diffusion import request as diffusion
from containers.diffusion.errors import InvalidRequest

# Even, because H.264's chroma has half the size. From a size for tests to 4K.
SIDE = range(64, 4097, 2)
MOST_FRAMES = 3600
MOST_FPS = 120


class ClipRequest(diffusion.ClipRequest):
    """One clip to render; sizes in pixels, lengths in frames."""

    width: Annotated[int, Field(ge=SIDE.start, lt=SIDE.stop, multiple_of=SIDE.step)]
    height: Annotated[int, Field(ge=SIDE.start, lt=SIDE.stop, multiple_of=SIDE.step)]
    frames: Annotated[int, Field(ge=1, le=MOST_FRAMES)]
    fps: Annotated[int, Field(ge=1, le=MOST_FPS)]
    audio: str | None = None
    """Base64 of a WAV or MP3: speech or other sound of the clip."""


def parse_request(body: bytes) -> ClipRequest:
    """Parse the request in a JSON body. Raises InvalidRequest naming the first invalid field."""
    try:
        request = ClipRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        param = str(first["loc"][0]) if first["loc"] else None
        where = ".".join(map(str, first["loc"])) if param == "film" else param
        said = first["msg"][:1].lower() + first["msg"][1:]
        if first["type"] == "extra_forbidden":
            said = f"unknown field; allowed: {', '.join(ClipRequest.model_fields)}"
        raise InvalidRequest(param, f"{where or 'the body'}: {said}") from None
    if not request.prompt.strip():
        raise InvalidRequest("prompt", "prompt is empty or contains only whitespace")
    if request.skip_frames >= request.frames:
        raise InvalidRequest(
            "skip_frames",
            f"skip_frames must be less than frames ({request.frames}); got {request.skip_frames}",
        )
    diffusion.check_film(request)
    return request
