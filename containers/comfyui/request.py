"""The document that POST /invocations takes, checked against what the workflow takes."""

from typing import Annotated

from pydantic import Field, ValidationError

from containers.cogvideox import request as cogvideox
from containers.cogvideox.errors import InvalidRequest
from containers.comfyui.workflow import Workflow

# Even: H.264's chroma is at half the size. From what a test takes to 4K.
SIDE = range(64, 4097, 2)
MOST_FRAMES = 3600
MOST_FPS = 120

# Of a request that has none of these the workflow's own value stays.
OPTIONAL = ("negative_prompt", "steps", "guidance")
# What the workflow loads from a file. A workflow that takes one always needs it: the file that its maker left
# in the node is not for the user's film.
MEDIA = ("image", "audio")
# What workflows say themselves.
_NEVER = ("video", "strength", "loras", "speed")


class ClipRequest(cogvideox.ClipRequest):
    """One clip to render; sizes in pixels, lengths in frames."""

    width: Annotated[int, Field(ge=SIDE.start, lt=SIDE.stop, multiple_of=SIDE.step)]
    height: Annotated[int, Field(ge=SIDE.start, lt=SIDE.stop, multiple_of=SIDE.step)]
    frames: Annotated[int, Field(ge=1, le=MOST_FRAMES)]
    fps: Annotated[int, Field(ge=1, le=MOST_FPS)]
    audio: str | None = None
    """Base64 of a WAV or MP3: what is said or heard in the clip."""


def parse_request(body: bytes) -> ClipRequest:
    """The request in a JSON body; raises InvalidRequest naming the first field that is wrong."""
    try:
        request = ClipRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        param = str(first["loc"][0]) if first["loc"] else None
        said = first["msg"][:1].lower() + first["msg"][1:]
        if first["type"] == "extra_forbidden":
            said = f"unknown field; the fields are {', '.join(ClipRequest.model_fields)}"
        raise InvalidRequest(param, f"{param or 'the body'}: {said}") from None
    if not request.prompt.strip():
        raise InvalidRequest("prompt", "prompt must not be empty")
    if request.skip_frames >= request.frames:
        raise InvalidRequest(
            "skip_frames",
            f"skip_frames must be less than frames ({request.frames}); {request.skip_frames} was given",
        )
    return request


def check_request(request: ClipRequest, workflow: Workflow) -> None:
    """Raise InvalidRequest unless the workflow takes what the request gives, and gets what it takes."""
    for param in _NEVER:
        if getattr(request, param):
            raise InvalidRequest(param, f"{param} must be left out: a workflow takes none")
    for param in (*OPTIONAL, *MEDIA):
        given, bound = bool(getattr(request, param)), param in workflow.slots
        if given and not bound:
            raise InvalidRequest(
                param,
                f"{param} must be left out: no node of the workflow {workflow.name} is titled "
                f'"reelworks: {param}"',
            )
        if bound and not given and param in MEDIA:
            raise InvalidRequest(param, f"{param} is required: the workflow {workflow.name} starts from one")


def scalars(request: ClipRequest, workflow: Workflow) -> dict[str, str | int | float]:
    """What goes into the workflow, but for files, by binding."""
    return {
        binding: value
        for binding in workflow.slots
        if binding not in MEDIA
        and ((value := getattr(request, binding)) not in (None, "") or binding not in OPTIONAL)
    }
