"""Request document of POST /invocations, checked against what the workflow takes."""

from typing import Annotated

from pydantic import Field, ValidationError

from containers.comfyui.workflow import Workflow
from containers.diffusion import request as diffusion
from containers.diffusion.errors import InvalidRequest

# Even, because H.264's chroma has half the size. From a size for tests to 4K.
SIDE = range(64, 4097, 2)
MOST_FRAMES = 3600
MOST_FPS = 120

# Without these in the request, the workflow's own value stays.
OPTIONAL = ("negative_prompt", "steps", "guidance")
# Loaded by the workflow from a file. A workflow that takes one always needs it: the file that its author left
# in the node is not meant for the user's film.
MEDIA = ("image", "audio")
# Likewise, but the workflow does without it: its node is left out.
LAST_IMAGE = "last_image"
# Set in workflows themselves.
_NEVER = ("video", "strength", "loras", "speed")


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


def check_request(request: ClipRequest, workflow: Workflow) -> None:
    """Raise InvalidRequest unless the workflow takes everything in the request and gets what it needs."""
    for param in _NEVER:
        if getattr(request, param):
            raise InvalidRequest(param, f"{param} is not supported by workflows; leave it out")
    for param in (*OPTIONAL, *MEDIA, LAST_IMAGE):
        given, bound = bool(getattr(request, param)), param in workflow.slots
        if given and not bound:
            raise InvalidRequest(
                param,
                f"{param} is not supported: no node of the workflow {workflow.name} is titled "
                f'"reelworks: {param}"; leave it out',
            )
        if bound and not given and param in MEDIA:
            raise InvalidRequest(param, f"{param} is required: the workflow {workflow.name} starts from one")


def scalars(request: ClipRequest, workflow: Workflow) -> dict[str, str | int | float]:
    """Return the workflow's values, except files, by binding."""
    return {
        binding: value
        for binding in workflow.slots
        if binding not in (*MEDIA, LAST_IMAGE)
        and ((value := getattr(request, binding)) not in (None, "") or binding not in OPTIONAL)
    }
