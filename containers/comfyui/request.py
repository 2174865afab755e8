"""Check a request against what the workflow takes, and map it to the workflow's values."""

from containers.comfyui.workflow import Workflow
from containers.diffusion.errors import InvalidRequest
from containers.serving.clip_request import ClipRequest

# Without these in the request, the workflow's own value stays.
OPTIONAL = ("negative_prompt", "steps", "guidance")
# Loaded by the workflow from a file. A workflow that takes one always needs it: the file that its author left
# in the node is not meant for the user's film.
MEDIA = ("image", "audio")
# Likewise, but the workflow does without it: its node is left out.
LAST_IMAGE = "last_image"
# Set in workflows themselves.
_NEVER = ("video", "strength", "loras", "speed")


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
