"""Metadata of an MP4: what made it and how, so that it can be reproduced."""

from containers.diffusion import VERSION
from containers.diffusion.request import ClipRequest

# Whole images and videos; they belong to the sender.
MEDIA = {"image", "last_image", "video"}


def clip_metadata(
    request: ClipRequest, *, engine: str, model: str, revision: str, speed: str
) -> dict[str, str]:
    """Return the tags of a clip; `engine` is the model's family, and `speed` says what the speed did. The
    tags are the same in every run."""
    return {
        "engine": engine,
        "engine_version": VERSION,
        "model": model,
        "model_revision": revision,
        "seed": str(request.seed),
        "prompt": request.prompt,
        "speed": speed,
        "request": request.model_dump_json(exclude=MEDIA),
    }
