"""What a model family says about its checkpoints, so that one server renders all of them.

A family is one module in families/. Nothing here or at the top of such a module imports torch: a folder is
checked, and a request refused, without it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from containers.diffusion.limits import Limits
from containers.diffusion.request import ClipRequest
from containers.diffusion.sound import Sound
from containers.diffusion.source import Source
from containers.diffusion.speed import SKIPPING, Speed

Dtype = Literal["float32", "bfloat16", "float16"]
DTYPE_BYTES: Mapping[Dtype, int] = {"float32": 4, "bfloat16": 2, "float16": 2}


class Stage(StrEnum):
    """When a part works on a clip, and how it leaves the device if not everything fits (memory.py)."""

    ENCODE = "encode"
    """Reads the prompt or an image, once. Offloaded layer by layer."""
    DENOISE = "denoise"
    """Computes the steps. Offloaded block by block."""
    DECODE = "decode"
    """Turns latents into frames or sound. Moves as a whole, or stays."""


@dataclass(frozen=True)
class Part:
    """An entry of model_index.json. One with a stage has a folder with config.json and weights."""

    library: str
    """Library of its class: transformers, diffusers, or a module of diffusers.pipelines."""
    classes: tuple[str, ...]
    stage: Stage | None = None
    config: type[BaseModel] | None = None
    """The values of its configuration that the family computes with."""
    config_file: str = "config.json"
    optional: bool = False
    """Whether only some of the family's checkpoints have it."""
    loaded: bool = True
    """Whether the family uses it."""
    blocks: str | None = None
    """Attribute with the list of blocks, which are compiled, offloaded and skipped."""
    kept_16_bit: tuple[str, ...] | None = None
    """Parts of names of the tensors that stay in 16 bits where linear layers are stored in 8. None: they all
    do."""
    kept_32_bit: Mapping[Dtype, tuple[str, ...]] = field(default_factory=dict)
    """Parts of names of the tensors that the library keeps in float32 when it loads the rest as this type."""
    dtype: Dtype | None = None
    """Type on a GPU if it is not the recipe's."""
    adapter_arguments: Mapping[str, Any] = field(default_factory=dict)
    """What load_lora_weights needs to load an adapter into this part."""

    def left_out(self, entry: Any) -> bool:
        """Return whether that entry of model_index.json says that the checkpoint does without this part."""
        return self.optional and entry in (None, [None, None])


@dataclass(frozen=True)
class Configs:
    """A checkpoint's configuration: model_index.json, and that of the parts that it has, by name.

    Parts without `Part.config` are left out.
    """

    index: Mapping[str, Any]
    parts: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Demand:
    """A clip's size in pixels and frames; guidance computes each step twice."""

    width: int
    height: int
    frames: int
    guided: bool = True

    def __str__(self) -> str:
        return f"{self.frames} frames of {self.width}×{self.height}"


class Work(Protocol):
    """How much memory a checkpoint's clips need besides its weights."""

    @property
    def channels(self) -> int:
        """Values per token in the part that denoises."""

    def encoding(self) -> int:
        """Return the bytes that encoding a text allocates at its peak."""

    def denoising(self, demand: Demand) -> int:
        """Return the bytes that a step allocates at its peak."""

    def decoding(self, demand: Demand, *, tiling: bool) -> int:
        """Return the bytes that decoding allocates at its peak."""


@dataclass(frozen=True)
class Recipe:
    """How a checkpoint renders unless a request says otherwise."""

    dtype: Literal["float16", "bfloat16"]
    """Type it was trained in, and computes in on a GPU. On a CPU it computes in float32."""
    guidance: float
    steps: int
    frames: int


@dataclass(frozen=True)
class Turbo:
    """The few steps, without guidance, for which the adapter in the checkpoint's folder `turbo` was trained
    (loras.py)."""

    steps: int


@dataclass(frozen=True)
class Job:
    """A clip to render, with what its request leaves to the checkpoint filled in."""

    request: ClipRequest
    source: Source
    speed: Speed
    steps: int
    guidance: float
    prompt: Any
    """What `Checkpoint.encode` returned."""
    negative: Any
    """The same for the negative prompt; None without guidance."""


@dataclass(frozen=True)
class Call:
    """A call of a pipeline. The server adds the seed and the callback, and asks for latents."""

    pipeline: Any
    arguments: Mapping[str, Any]
    steps: Mapping[str, int]
    """How many of the clip's steps each part of Stage.DENOISE computes."""


@dataclass(frozen=True)
class Decoded:
    """`video` is a tensor (frames, 3, height, width) from 0 to 1."""

    video: Any
    sound: Sound | None = None


@dataclass(frozen=True)
class Checkpoint(ABC):
    """A checkpoint of a family: what it renders, and how diffusers does it. The methods import torch."""

    name: str | None
    """None if it is none of those that the family knows."""
    limits: Limits
    recipe: Recipe

    @property
    def kept_texts(self) -> int:
        """How many texts' embeddings to keep for the next clips: these, 118 MB of T5's (226 tokens × 4096
        values × 2 bytes each), unless they are larger."""
        return 64

    @property
    def turbo(self) -> Turbo | None:
        """The steps of Speed.TURBO; None if the family has none for this checkpoint."""
        return None

    @property
    @abstractmethod
    def family(self) -> "Family": ...

    @property
    @abstractmethod
    def pipeline(self) -> str:
        """Name of the class of diffusers to load."""

    @abstractmethod
    def prepare(self, pipeline: Any) -> None:
        """Change what is necessary in the pipeline just loaded, such as its scheduler."""

    @abstractmethod
    def encode(self, pipeline: Any, text: str) -> Any:
        """Return the embeddings of a text, which are kept for the next clips."""

    @abstractmethod
    def call(self, pipeline: Any, job: Job) -> Call:
        """Return the call that renders a clip; its pipeline may be another one with the same parts."""

    @abstractmethod
    def decode(self, pipeline: Any, output: Any, request: ClipRequest) -> Decoded:
        """Return the frames, and the sound, of what the call returned."""

    @abstractmethod
    def cache(self, pipeline: Any, speed: Speed, steps: int) -> Any:
        """Return diffusers' cache config for a part that denoises `steps` steps at a speed of SKIPPING."""

    def check(self, request: ClipRequest) -> None:  # noqa: B027 - most refuse nothing else
        """Raise InvalidRequest for what only this checkpoint refuses."""

    @property
    def speeds(self) -> tuple[Speed, ...]:
        """The speeds that the family supports for this checkpoint; turbo needs its adapter, too."""
        return (Speed.EXACT, *SKIPPING, *((Speed.TURBO,) if self.turbo else ()))

    def recipe_at(self, speed: Speed) -> Recipe:
        """Return the recipe with the defaults of that speed."""
        if speed is not Speed.TURBO or self.turbo is None:
            return self.recipe
        return replace(self.recipe, steps=self.turbo.steps, guidance=1.0)


@dataclass(frozen=True)
class Family:
    """A model family: how its checkpoints are recognized, checked, and planned for."""

    name: str
    """In /ping and in a clip's metadata."""
    title: str
    """In messages."""
    pipelines: tuple[str, ...]
    """What model_index.json may name as the pipeline's class."""
    parts: Mapping[str, Part]
    """In the order in which they work."""
    read: Callable[[Configs], Checkpoint]
    """Return the checkpoint with that configuration. Raises BadCheckpoint, also if a part is missing that
    this checkpoint needs."""
    work: Callable[[Configs, Dtype], Work]
    """Return what its clips need, computed in that type."""
    tiles: Callable[[int, int], Mapping[str, int]]
    """Return enable_tiling's arguments for frames of that width and height."""
    settings: tuple[str, ...] = ()
    """Entries of model_index.json that are plain values."""

    def parts_of(self, index: Mapping[str, Any]) -> dict[str, Part]:
        """Return the parts with weights of the checkpoint with that model_index.json."""
        return {
            name: part
            for name, part in self.parts.items()
            if part.stage is not None and not part.left_out(index.get(name))
        }
