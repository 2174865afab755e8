"""Check that a checkpoint's files hold every tensor that its configuration requires.

diffusers and transformers only warn about a missing tensor and render with random numbers in its place.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming, rename_source_key

from containers.diffusion.checkpoint import read_configs
from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.weights import Tensor, part_tensors


def check_tensors(directory: Path) -> None:
    """Raise BadCheckpoint naming a tensor that is missing or has the wrong shape; allocate nothing.

    Call it after check_weights.
    """
    family, configs = read_configs(directory)
    for name, part in family.parts_of(configs.index).items():
        there = part_tensors(directory, name, part)
        try:
            with torch.device("meta"):
                model = _build(directory / name, *configs.index[name])
        except Exception as error:  # an invalid configuration can make the libraries raise anything
            raise BadCheckpoint(f"{directory / name}/config.json cannot be used: {error}") from error
        if part.library == "transformers":
            there = _renamed(there, model)
        for names, shape in _needed(model):
            found = next((tensor for tensor in names if tensor in there), None)
            if found is None:
                raise BadCheckpoint(f"{directory / name} lacks the tensor {names[0]}")
            if there[found].shape != shape:
                raise BadCheckpoint(
                    f"{directory / name}: {found} has shape {list(there[found].shape)}; "
                    f"expected {list(shape)} from config.json"
                )


def _build(folder: Path, library: str, class_name: str) -> Any:
    if library == "transformers":
        model = getattr(transformers, class_name)
        return model(model.config_class.from_pretrained(folder, local_files_only=True))
    # Classes that only one pipeline uses have its module as their library.
    home = diffusers if library == "diffusers" else getattr(diffusers.pipelines, library)
    model = getattr(home, class_name)
    return model.from_config(model.load_config(folder, local_files_only=True))


def _renamed(there: Mapping[str, Tensor], model: Any) -> dict[str, Tensor]:
    """Return the tensors by the names under which transformers loads them: files of earlier versions have
    others for some models (Gemma 3's)."""
    renamings = [one for one in get_model_conversion_mapping(model) if isinstance(one, WeightRenaming)]
    return {rename_source_key(name, renamings, [])[0]: tensor for name, tensor in there.items()}


def _needed(model: Any) -> list[tuple[list[str], tuple[int, ...]]]:
    """Return each tensor's shape and names; a file holds one of the names (T5's embeddings have two)."""
    names: dict[int, list[str]] = {}
    tensors = model.state_dict(keep_vars=True)
    for name, tensor in tensors.items():
        names.setdefault(id(tensor), []).append(name)
    return [(group, tuple(tensors[group[0]].shape)) for group in names.values()]
