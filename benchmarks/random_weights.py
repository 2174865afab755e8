"""Build a published model with random weights, at full size, on the device that is to run it.

Nothing is downloaded: the classes are given what the published config.json's say, the weights are drawn, and
a tokenizer of single words stands in for the published one, so that a prompt means nothing. Speed and memory
do not depend on what the weights are.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
from accelerate import init_empty_weights
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXDPMScheduler,
    CogVideoXTransformer3DModel,
)
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast, T5EncoderModel

from benchmarks.memory import MODELS, T5_XXL
from containers.diffusion.families import family_of
from containers.diffusion.family import Checkpoint, Configs, Dtype, Family, Part
from containers.diffusion.memory import ModelSizes, Placement, Plan, stored_dtype
from containers.diffusion.model import dtype_on
from containers.diffusion.weights import Tensor


@dataclass(frozen=True)
class Blueprint:
    """A published checkpoint: how each part of its pipeline is made."""

    pipeline: str
    """Class of diffusers in model_index.json."""
    parts: Mapping[str, Callable[[], nn.Module]]
    """Those with weights."""
    others: Mapping[str, Callable[[], Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Plain values in model_index.json."""


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer to which every word is unknown."""
    made = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1, "<unk>": 2}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=1024
    )


def _cogvideox(name: str) -> Blueprint:
    published = MODELS[name]
    rotary = published.transformer.get("use_rotary_positional_embeddings")
    scheduler = partial(
        CogVideoXDPMScheduler if rotary else CogVideoXDDIMScheduler,
        beta_end=0.012, beta_start=0.00085, prediction_type="v_prediction", rescale_betas_zero_snr=True,
        snr_shift_scale=1.0 if rotary else 3.0, timestep_spacing="trailing",
    )  # fmt: skip
    return Blueprint(
        "CogVideoXImageToVideoPipeline" if name.endswith("i2v") else "CogVideoXPipeline",
        parts={
            "text_encoder": partial(T5EncoderModel, T5_XXL),
            "transformer": partial(CogVideoXTransformer3DModel, **published.transformer),
            "vae": AutoencoderKLCogVideoX,
        },
        others={"tokenizer": tokenizer, "scheduler": scheduler},
    )


BLUEPRINTS: Mapping[str, Callable[[], Blueprint]] = {
    name: partial(_cogvideox, name) for name in MODELS if name.startswith("cogvideox")
}


@dataclass(frozen=True)
class Published:
    """A published checkpoint as it would be read from its folder; its models have no values (meta)."""

    blueprint: Blueprint
    family: Family
    configs: Configs
    models: Mapping[str, nn.Module]

    @classmethod
    def of(cls, blueprint: Blueprint) -> "Published":
        index: dict[str, Any] = {"_class_name": blueprint.pipeline, **blueprint.settings}
        made: dict[str, nn.Module] = {}
        for name, make in blueprint.parts.items():
            # Not the meta device: buffers, such as tables of positions, keep their values.
            with init_empty_weights(include_buffers=False):
                made[name] = make().eval()
            if isinstance(made[name], PreTrainedModel):
                made[name].tie_weights()  # which making them empty undid
            index[name] = [type(made[name]).__module__.split(".")[0], type(made[name]).__name__]
        family = family_of(index, Path("model_index.json"))
        configs = {
            name: dict(made[name].config) if part.library == "diffusers" else made[name].config.to_dict()
            for name, part in family.parts_of(index).items()
            if part.config is not None
        }
        return cls(blueprint, family, Configs(index, configs), made)

    @property
    def checkpoint(self) -> Checkpoint:
        return self.family.read(self.configs)

    def sizes(self, dtype: Dtype) -> ModelSizes:
        """Return the sizes as ModelSizes.read would find them in the published files."""
        tensors = {
            name: {key: Tensor("BF16", tuple(value.shape)) for key, value in model.named_parameters()}
            for name, model in self.models.items()
        }
        return ModelSizes.of(self.family, self.configs, tensors, dtype)

    def build(self, plan: Plan) -> Any:
        """Return the pipeline with random weights, drawn on the plan's device and kept where the plan keeps
        them. Call it once: the models get their values.

        Raises torch.OutOfMemoryError.
        """
        device = plan.device.kind
        dtype = dtype_on(device, self.checkpoint)
        # Stored in 8 bits, a model is cast before it moves.
        stays = plan.option.placement is Placement.RESIDENT and not plan.option.fp8
        home = device if stays else "cpu"
        generator = torch.Generator(device).manual_seed(0)
        for name, model in self.models.items():
            _draw(model, self.family.parts[name], dtype, generator, home)
        others = {name: make() for name, make in self.blueprint.others.items()}
        pipeline = getattr(diffusers, self.checkpoint.pipeline)
        return pipeline(**self.models, **others, **self.blueprint.settings)


def _draw(model: nn.Module, part: Part, dtype: Dtype, generator: torch.Generator, home: str) -> None:
    """Give the model's parameters values with which numbers stay of the same size from layer to layer, and
    move its buffers to them."""
    drawn: dict[int, nn.Parameter] = {}
    for prefix, module in model.named_modules():
        for name, empty in module._parameters.items():
            if empty is None:
                continue
            if id(empty) not in drawn:
                kept = getattr(torch, stored_dtype(part, f"{prefix}.{name}", dtype))
                values = _values(name, empty.shape, generator).to(home, kept)
                drawn[id(empty)] = nn.Parameter(values, requires_grad=False)
            module._parameters[name] = drawn[id(empty)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                # As the loaders do: what is in the files gets the type, what is computed keeps its own.
                computed = name in module._non_persistent_buffers_set or not buffer.is_floating_point()
                module._buffers[name] = buffer.to(home, None if computed else getattr(torch, dtype))


def _values(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    device = generator.device
    if len(shape) > 1:
        spread = math.prod(shape[1:]) ** -0.5
        # In 16 bits on a GPU, where the largest tensors would need twice their own memory.
        kind = torch.float32 if device.type == "cpu" else torch.bfloat16
        return torch.empty(shape, dtype=kind, device=device).normal_(0, spread, generator=generator)
    return torch.full(shape, float(name == "weight"), device=device)  # norms' weights; biases
