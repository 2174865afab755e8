"""What each kind of server takes with a video: OpenAI's fields, and its own.

docs/decisions/0060-relay.md has the sources.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from containers.diffusion.errors import InvalidRequest
from containers.diffusion.film import Film
from containers.diffusion.image import given_frame
from containers.serving.clip_request import ClipRequest


class Kind(StrEnum):
    VLLM_OMNI = "vllm-omni"
    SGLANG = "sglang"
    REELWORKS = "reelworks"
    OPENAI = "openai"
    """Only what OpenAI's own service took: a prompt, whole seconds, a size and an image."""


@dataclass(frozen=True)
class Dialect:
    fields: Mapping[str, str]
    """The server's names for fields of a request. All others are refused if they are set."""
    json: bool = False
    """Without a file, it reads JSON and no form."""
    frames: bool = True
    """It renders a number of frames; otherwise whole seconds."""
    always: tuple[tuple[str, str], ...] = ()
    sound: tuple[tuple[str, str], ...] = ()
    """Asks for sound."""


_DIFFUSION = {
    "negative_prompt": "negative_prompt",
    "frames": "num_frames",
    "fps": "fps",
    "seed": "seed",
    "steps": "num_inference_steps",
    "guidance": "guidance_scale",
}
DIALECTS: Mapping[Kind, Dialect] = {
    Kind.VLLM_OMNI: Dialect(_DIFFUSION, sound=(("generate_sound", "true"),)),
    Kind.SGLANG: Dialect(_DIFFUSION, json=True),
    Kind.REELWORKS: Dialect(
        {name: name for name in ("negative_prompt", "fps", "seed", "steps", "guidance")},
        frames=False,
        # The prompt is written already.
        always=(("enhance", "false"),),
    ),
    Kind.OPENAI: Dialect({}, frames=False),
}
# Sent in another form by every server, or only needed here.
_OWN = {"prompt", "width", "height", "frames", "fps", "seed", "skip_frames", "image", "film"}
# What OpenAI's fields mean in a request; `size` is blamed on its first part.
_BLAMED = {"prompt": "prompt", "size": "width", "width": "width", "height": "height", "seconds": "frames"}
_BLAMED |= {"input_reference": "image", "image_reference": "image"}


# A seed that every server takes; the engine contract's have 63 bits.
SEEDS = 2**32


@dataclass(frozen=True)
class Order:
    """A request as the server gets it."""

    fields: Mapping[str, Any]
    image: bytes | None
    """PNG of the requested size."""
    json: bool
    clip: ClipRequest
    """The request with the frames that the server renders, and the film that is made of them."""


def order(request: ClipRequest, kind: Kind, model: str, extra: Mapping[str, Any], *, sound: bool) -> Order:
    """Return what to send for the request. `extra` adds fields of the server's own. Raises InvalidRequest if
    the request sets what the server does not take, or has a broken image."""
    dialect = DIALECTS[kind]
    for name, field in type(request).model_fields.items():
        value = getattr(request, name)
        if name not in _OWN and name not in dialect.fields and value != field.default and value is not None:
            raise InvalidRequest(
                name, f"{name} is not supported by a server of the kind {kind}; leave it out"
            )
    fields: dict[str, Any] = {"prompt": request.prompt, "model": model, "size": _size(request)}
    fields |= dict(dialect.always) | (dict(dialect.sound) if sound else {})
    clip = request if dialect.frames else _in_whole_seconds(request)
    if not dialect.frames:
        fields["seconds"] = str(clip.frames // clip.fps)
    for name, theirs in dialect.fields.items():
        value = getattr(clip, name)
        if value not in (None, ""):
            fields[theirs] = value % SEEDS if name == "seed" else value
    image = None if request.image is None else _png(request)
    return Order(fields | dict(extra), image, dialect.json and image is None, clip)


def blamed(kind: Kind, theirs: str | None) -> str | None:
    """Return the field of a request that the server's field comes from, or None."""
    ours = {name: field for field, name in DIALECTS[kind].fields.items()}
    return None if theirs is None else (_BLAMED | ours).get(theirs)


def form_value(value: Any) -> str:
    """Return a field's value as a part of a form has it: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _size(request: ClipRequest) -> str:
    return f"{request.width}x{request.height}"


def _in_whole_seconds(request: ClipRequest) -> ClipRequest:
    """Return the request with as many frames as whole seconds have. Its film takes the requested ones."""
    film = request.film or Film(
        width=request.width,
        height=request.height,
        fps=request.fps,
        frames=request.frames - request.skip_frames,
    )
    seconds = -(-request.frames // request.fps)
    return request.model_copy(update={"frames": seconds * request.fps, "film": film})


def _png(request: ClipRequest) -> bytes:
    assert request.image is not None  # noqa: S101  the caller has looked
    png = io.BytesIO()
    given_frame(request.image, (request.width, request.height), request.film).save(png, "PNG")
    return png.getvalue()
