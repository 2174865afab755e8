"""Check that a checkpoint's files hold every tensor that its configuration requires.

diffusers and transformers only warn about a missing tensor and render with random numbers in its place.
"""

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLCogVideoX, CogVideoXTransformer3DModel
from transformers import T5Config, T5EncoderModel

from containers.cogvideox.errors import BadCheckpoint
from containers.cogvideox.weights import COMPONENTS, component_tensors


def check_tensors(directory: Path) -> None:
    """Raise BadCheckpoint naming a tensor that is missing or has the wrong shape; allocate nothing.

    Call it after check_weights.
    """
    for component in COMPONENTS:
        there = component_tensors(directory, component)
        try:
            with torch.device("meta"):
                model = _build(directory, component)
        except Exception as error:  # an invalid configuration can make the libraries raise anything
            raise BadCheckpoint(f"{directory / component}/config.json cannot be used: {error}") from error
        for names, shape in _needed(model):
            found = next((name for name in names if name in there), None)
            if found is None:
                raise BadCheckpoint(f"{directory / component} lacks the tensor {names[0]}")
            if there[found].shape != shape:
                raise BadCheckpoint(
                    f"{directory / component}: {found} has shape {list(there[found].shape)}; "
                    f"expected {list(shape)} from config.json"
                )


def _build(directory: Path, component: str) -> Any:
    folder = directory / component
    if component == "text_encoder":
        return T5EncoderModel(T5Config.from_pretrained(folder, local_files_only=True))
    cls = CogVideoXTransformer3DModel if component == "transformer" else AutoencoderKLCogVideoX
    return cls.from_config(cls.load_config(folder, local_files_only=True))


def _needed(model: Any) -> list[tuple[list[str], tuple[int, ...]]]:
    """Return each tensor's shape and names; a file holds one of the names (T5's embeddings have two)."""
    names: dict[int, list[str]] = {}
    tensors = model.state_dict(keep_vars=True)
    for name, tensor in tensors.items():
        names.setdefault(id(tensor), []).append(name)
    return [(group, tuple(tensors[group[0]].shape)) for group in names.values()]
