"""Select the image backend by the user's settings: [stills] in reelworks.toml."""

from reelworks.cloud.backends.image.comfyui import ComfyWorkflow
from reelworks.cloud.backends.image.diffusers import Diffusers
from reelworks.cloud.backends.image.drawn import DrawnCard
from reelworks.cloud.backends.image.interface import ImageBackend
from reelworks.cloud.settings import ComfyUI, Stills


def connect(stills: Stills | None, comfyui: ComfyUI) -> ImageBackend:
    if stills is None:
        return DrawnCard()
    if stills.workflow:
        return ComfyWorkflow(comfyui.url, stills.workflow)
    assert stills.model  # noqa: S101  the settings have either a model or a workflow
    return Diffusers(stills.model, steps=stills.steps, guidance=stills.guidance)
