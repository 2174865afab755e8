"""Engines that a deployment adds: servers of its own with OpenAI's /v1/videos (docs/relay.md).

The settings say what such a server renders, because it does not: it accepts any size, and fails or rounds.
"""

import hashlib
import json
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lambdas.domain.engines import CATALOGUE, OPTIONAL, Engine, ExactSizes, Renderer

# Names of engines are names of endpoints, and are typed in URLs and on command lines.
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 32
# Of a film's sides, and more than any model renders.
_SIDES = range(64, 4097, 2)


def _size(size: str) -> str:
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", size)
    if found is None or not all(int(side) in _SIDES for side in found.groups()):
        raise ValueError(
            f"must be WIDTHxHEIGHT with sides from {_SIDES.start} to {_SIDES.stop - 1} that are even, "
            "for example 832x480"
        )
    return size


Size = Annotated[str, AfterValidator(_size)]
Rate = Annotated[int, Field(ge=1, le=120)]


class RelaySettings(BaseModel):
    """What a server renders, as whoever runs it says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # As GET /v1/models names it.
    model: Annotated[str, Field(min_length=1, max_length=256)]
    # What the server takes (containers/relay/form.py).
    kind: Literal["vllm-omni", "sglang", "reelworks", "openai"] = "vllm-omni"
    sizes: Annotated[tuple[Size, ...], Field(min_length=1, max_length=40)]  # the default first
    fps: Annotated[tuple[Rate, ...], Field(min_length=1, max_length=20)]  # the default first
    # The model renders frame_step × N + 1 frames: Wan's and HunyuanVideo's 4, LTX-Video's 8; 1: any number.
    frame_step: Annotated[int, Field(ge=1, le=64)] = 4
    longest_clip: Annotated[int, Field(ge=1, le=60)] = 5  # seconds
    prompt_tokens: Annotated[int, Field(ge=32, le=4096)] = 256
    image: Literal["none", "optional", "required"] = "none"  # a first frame
    sound: bool = False  # it makes sound with the pictures
    extra: dict[str, Any] = {}  # fields of the server's own, sent with every job
    # How long a job may be in progress without progress: vLLM-Omni reports none while it renders.
    patience_seconds: Annotated[int, Field(ge=10, le=3600)] = 1800

    def engine(self, name: str) -> Engine:
        """Return its entry in the catalogue. What changes the pictures changes the revision."""
        made_with = json.dumps([self.model, self.kind, self.sound, self.extra], sort_keys=True)
        return Engine(
            name=name,
            revision=hashlib.sha256(made_with.encode()).hexdigest()[:12],
            renderer=Renderer.ENDPOINT,
            summary=f"{self.model}, by a server of your own (docs/relay.md)",
            sizes=ExactSizes(sizes=tuple((int(w), int(h)) for w, h in (s.split("x") for s in self.sizes))),
            fps=self.fps,
            frame_step=self.frame_step,
            longest_clip=self.longest_clip,
            prompt_tokens=self.prompt_tokens,
            image=self.image,
            chained=self.image == "required",
            refuses=OPTIONAL if self.kind == "openai" else (),
            sound=self.sound,
        )


def _name(name: str) -> str:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError(
            "must be small letters and digits, with single hyphens between them, begin with a letter and "
            f"have at most {_LONGEST_NAME} characters"
        )
    # Endpoints' names have no dots.
    if name in {engine.replace(".", "-") for engine in CATALOGUE.built_in}:
        raise ValueError("is the name of an engine that Reelworks brings; choose another")
    return name


EngineName = Annotated[str, AfterValidator(_name)]
