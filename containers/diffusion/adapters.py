"""Check that LoRA adapters are for a pipeline's model, and apply them for one clip."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containers.diffusion.errors import BadCheckpoint, EngineFailed
from containers.diffusion.family import Part
from containers.diffusion.loras import Adapter


@dataclass(frozen=True)
class Applied:
    """An adapter, and how strongly to apply it."""

    name: str
    files: Adapter
    scale: float = 1.0


def check_adapter(pipeline: Any, name: str, files: Adapter) -> None:
    """Raise BadCheckpoint with the reason unless the adapter `name` only changes layers that its part has, in
    their shapes. diffusers would leave out the others, and render without them."""
    for part, file in files.items():
        where = f"the adapter {name} ({file.name}) is for another model"
        layers = dict(getattr(pipeline, part).named_modules())
        try:
            weights = pipeline.lora_state_dict(
                file.parent, weight_name=file.name, use_safetensors=True, local_files_only=True
            )
        except Exception as error:  # a file for another model can raise anything
            raise BadCheckpoint(f"{where}: {_first(error)}") from error
        for key, tensor in weights.items():
            path, _, matrix = key.removeprefix("transformer.").partition(".lora_")
            layer = layers.get(path)
            if layer is None or not matrix:
                raise BadCheckpoint(f"{where}: it changes {path}, which this {part} does not have")
            features, side = _SIDES.get(matrix, ("", 0))
            wanted = getattr(layer, features, None)
            if wanted is not None and tensor.shape[side] != wanted:
                raise BadCheckpoint(
                    f"{where}: {key} has shape {list(tensor.shape)}, but {path} of this {part} has {wanted} "
                    f"{features.replace('_', ' ')}"
                )
        if not weights:
            raise BadCheckpoint(f"the adapter {name} ({file.name}) contains no weights")


# The property of a linear layer that a matrix of its adapter must match, and the matrix's dimension.
_SIDES: Mapping[str, tuple[str, int]] = {"A.weight": ("in_features", 1), "B.weight": ("out_features", 0)}


@contextmanager
def adapted(pipeline: Any, parts: Mapping[str, Part], adapters: Sequence[Applied]) -> Iterator[None]:
    """Load `adapters` into the `parts` of `pipeline`, and unload them afterwards.

    Raises EngineFailed if an adapter is not for this model.
    """
    if not adapters:
        yield
        return
    # PEFT uses adapter names as module names, which must not contain dots, and later searches for them in
    # tensor names, which must not contain them by chance.
    names = [f"adapter{number}" for number in range(len(adapters))]
    try:
        for name, adapter in zip(names, adapters, strict=True):
            for part, file in adapter.files.items():
                _load(pipeline, name, adapter.name, part, file, parts[part].adapter_arguments)
        pipeline.set_adapters(names, [adapter.scale for adapter in adapters])
        yield
    finally:
        pipeline.unload_lora_weights()


def _load(
    pipeline: Any, name: str, adapter: str, part: str, file: Path, arguments: Mapping[str, Any]
) -> None:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "Already found a `peft_config`"
            )  # several adapters are intended
            pipeline.load_lora_weights(
                file.parent,
                weight_name=file.name,
                adapter_name=name,
                use_safetensors=True,
                local_files_only=True,
                **arguments,
            )
    except Exception as error:  # a file for another model can raise anything
        reason = _first(error)
        raise EngineFailed(f"the adapter {adapter} cannot be loaded into this model: {reason}") from error
    # diffusers only warns about a file with nothing for the part, and would render without it.
    if name not in pipeline.get_list_adapters().get(part, []):
        raise EngineFailed(f"the adapter {adapter} contains no weights for this model")


def _first(error: BaseException) -> BaseException:
    """Return the original error: diffusers' cleanup after a failure may fail too and hide it."""
    while error.__context__ is not None:
        error = error.__context__
    return error
