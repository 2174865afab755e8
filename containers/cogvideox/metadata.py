"""What an MP4 says of itself: what made it and how, so that it can be made again."""

from containers.cogvideox import VERSION
from containers.cogvideox.request import ClipRequest

# Given as whole images and videos; they belong to whoever sent them.
MEDIA = {"image", "video"}


def clip_metadata(request: ClipRequest, *, model: str, revision: str, speed: str) -> dict[str, str]:
    """The tags of a clip; `speed` says what it did. Nothing in them changes from run to run."""
    return {
        "engine": "cogvideox",
        "engine_version": VERSION,
        "model": model,
        "model_revision": revision,
        "seed": str(request.seed),
        "prompt": request.prompt,
        "speed": speed,
        "request": request.model_dump_json(exclude=MEDIA),
    }
