"""Build a published model with random weights, at full size, on the device that is to run it.

Nothing is downloaded: the classes are given what the published config.json's say, the weights are drawn, and
a tokenizer of single words stands in for the published one, so that a prompt means nothing. Speed and memory
do not depend on what the weights are.
"""

import math
from typing import Any

import diffusers
import torch
from accelerate import init_empty_weights
from torch import nn
from transformers import PreTrainedModel

from benchmarks.published_models import Built, Make, Published
from containers.diffusion.family import Dtype, Part
from containers.diffusion.memory import Placement, Plan, stored_dtype
from containers.diffusion.model import dtype_on


def built_without_values(published: Published) -> Built:
    """Return the model, to be given values by `with_random_weights`."""
    return Built.of(published, _empty)


def _empty(make: Make) -> nn.Module:
    # Not the meta device: buffers, such as tables of positions, keep their values.
    with init_empty_weights(include_buffers=False):
        made = make().eval()
    if isinstance(made, PreTrainedModel):
        made.tie_weights()  # which making them empty undid
    return made


def with_random_weights(built: Built, plan: Plan) -> Any:
    """Return the pipeline with random weights, drawn on the plan's device and kept where the plan keeps them.
    Call it once: the models get their values.

    Raises torch.OutOfMemoryError.
    """
    device, checkpoint = plan.device.kind, built.checkpoint
    dtype = dtype_on(device, checkpoint)
    # Stored in 8 bits, a model is cast before it moves.
    stays = plan.option.placement is Placement.RESIDENT and not plan.option.fp8
    home = device if stays else "cpu"
    generator = torch.Generator(device).manual_seed(0)
    for name, model in built.models.items():
        _draw(model, built.family.parts[name], dtype, generator, home)
    pipeline = getattr(diffusers, checkpoint.pipeline)
    return pipeline(**built.models, **built.others, **built.settings)


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
                module._buffers[name] = buffer.to(
                    home, None if computed else getattr(torch, part.dtype or dtype)
                )


def _values(name: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    device = generator.device
    if len(shape) > 1:
        spread = math.prod(shape[1:]) ** -0.5
        # In 16 bits on a GPU, where the largest tensors would need twice their own memory.
        kind = torch.float32 if device.type == "cpu" else torch.bfloat16
        return torch.empty(shape, dtype=kind, device=device).normal_(0, spread, generator=generator)
    return torch.full(shape, float(name == "weight"), device=device)  # norms' weights; biases
