"""Whether a model folder may be loaded: checked on its bytes, before any library reads it.

Nothing here imports torch. What is refused: files that the manifest does not vouch for, code and pickles,
files that are no whole safetensors, and configuration that would make a library load anything but the classes
of CogVideoX.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from containers.cogvideox.errors import BadCheckpoint
from containers.cogvideox.manifest import Manifest, folder_files, read_manifest

# https://huggingface.co/docs/safetensors/index#format; the library itself refuses longer headers.
MAX_HEADER_BYTES = 100_000_000
# The floating-point types of the published checkpoints.
VALUE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

COMPONENTS = ("text_encoder", "transformer", "vae")
CLASSES = {
    "scheduler": ("diffusers", {"CogVideoXDDIMScheduler", "CogVideoXDPMScheduler"}),
    "text_encoder": ("transformers", {"T5EncoderModel"}),
    "tokenizer": ("transformers", {"T5Tokenizer", "T5TokenizerFast"}),
    "transformer": ("diffusers", {"CogVideoXTransformer3DModel"}),
    "vae": ("diffusers", {"AutoencoderKLCogVideoX"}),
}
PIPELINES = {"CogVideoXPipeline", "CogVideoXImageToVideoPipeline", "CogVideoXVideoToVideoPipeline"}

# .model is a tokenizer's SentencePiece model, which is a table of pieces.
_DATA = {".json", ".safetensors", ".model", ".txt", ".md"}
_PICKLES = {".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"}
_PROBLEMS_SHOWN = 5


@dataclass(frozen=True)
class Tensor:
    """A tensor as a safetensors header describes it."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def values(self) -> int:
        return math.prod(self.shape)


def check_weights(directory: Path) -> Manifest:
    """The manifest of `directory`, all of whose files were read and are as it says.

    Raises BadCheckpoint naming what is wrong; call it before anything else touches the folder.
    """
    manifest = read_manifest(directory)
    _refuse(directory, _unwanted(directory))
    _refuse(directory, manifest.differences(directory))
    inspect(directory)
    return manifest


def inspect(directory: Path) -> None:
    """Raise BadCheckpoint unless the folder holds a CogVideoX checkpoint made of data alone.

    What check_weights does without a manifest, and what to do before a manifest is made.
    """
    _refuse(directory, _unwanted(directory))
    _check_classes(directory)
    for path in sorted(folder_files(directory)):
        if path.endswith(".json"):
            _refuse_custom_code(directory / path)
        elif path.endswith(".safetensors"):
            read_header(directory / path)
    for component in COMPONENTS:
        component_tensors(directory, component)


def component_tensors(directory: Path, component: str) -> dict[str, Tensor]:
    """The tensors that the loaders will find for `component`, by name.

    Raises BadCheckpoint if the weights or one of their shards is missing, or a shard lacks a tensor that the
    index places in it.
    """
    folder = directory / component
    stem = "model" if CLASSES[component][0] == "transformers" else "diffusion_pytorch_model"
    single = folder / f"{stem}.safetensors"
    index = folder / f"{stem}.safetensors.index.json"
    if not index.is_file():
        return read_header(single)
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise BadCheckpoint(f"{index} has no weight_map of tensors to files")
    tensors: dict[str, Tensor] = {}
    for shard in sorted(set(places.values())):
        if PurePosixPath(shard).name != shard:
            raise BadCheckpoint(f"{index} names {shard!r}, which is not a file beside it")
        header = read_header(folder / shard)
        for name in (name for name, place in places.items() if place == shard):
            if name not in header:
                raise BadCheckpoint(f"{folder / shard} lacks the tensor {name}")
        tensors |= header
    return tensors


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name; raises BadCheckpoint unless the file is one and whole."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(MAX_HEADER_BYTES, size - 8):
                raise BadCheckpoint(f"{path} is not a safetensors file, or not all of one")
            text = file.read(length)
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read: {error.strerror}") from error
    try:
        document = json.loads(text)
        document.pop("__metadata__", None)
        parts = [
            (*map(int, entry["data_offsets"]), name, Tensor(entry["dtype"], tuple(map(int, entry["shape"]))))
            for name, entry in document.items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadCheckpoint(
            f"{path} is not a safetensors file: its header cannot be read ({error})"
        ) from error
    end = 0
    for start, stop, name, tensor in sorted(parts, key=lambda part: part[:2]):
        if tensor.dtype not in VALUE_BYTES:
            raise BadCheckpoint(
                f"{path}: {name} is of type {tensor.dtype}; the engine takes {', '.join(VALUE_BYTES)}"
            )
        if start != end or stop - start != tensor.values * VALUE_BYTES[tensor.dtype]:
            raise BadCheckpoint(f"{path}: the bytes of {name} do not fit its shape {list(tensor.shape)}")
        end = stop
    if size != 8 + length + end:
        raise BadCheckpoint(f"{path} has {size:,} bytes where its header asks for {8 + length + end:,}")
    return {name: tensor for _, _, name, tensor in parts}


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; raises BadCheckpoint."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadCheckpoint(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadCheckpoint(f"{path} is not a JSON object")
    return document


def _unwanted(directory: Path) -> list[str]:
    problems = []
    for path in sorted(folder_files(directory)):
        suffix = PurePosixPath(path).suffix.lower()
        if suffix in _PICKLES:
            problems.append(
                f"{path} is a pickle, which can run code when it is read: only safetensors are loaded"
            )
        elif suffix not in _DATA and PurePosixPath(path).name != "LICENSE":
            problems.append(f"{path} does not belong to a model's data ({', '.join(sorted(_DATA))})")
    return problems


def _check_classes(directory: Path) -> None:
    path = directory / "model_index.json"
    index = read_json(path)
    pipeline = index.get("_class_name")
    if pipeline not in PIPELINES:
        raise BadCheckpoint(f"{path} names {pipeline!r}: not a CogVideoX checkpoint")
    parts = {name: value for name, value in index.items() if not name.startswith("_")}
    for name in sorted(parts.keys() | CLASSES.keys()):
        library, classes = CLASSES.get(name, ("", set()))
        value = parts.get(name)
        if not (isinstance(value, list) and len(value) == 2 and value[0] == library and value[1] in classes):
            wanted = f"{library}'s {' or '.join(sorted(classes))}" if classes else "nothing of that name"
            raise BadCheckpoint(f"{path} has {value!r} as {name}; a CogVideoX checkpoint has {wanted}")


def _refuse_custom_code(path: Path) -> None:
    # How a configuration names Python code of its own to transformers and diffusers.
    # https://huggingface.co/docs/transformers/custom_models
    if "auto_map" in read_json(path):
        raise BadCheckpoint(f"{path} asks for code of its own (auto_map)")


def _refuse(directory: Path, problems: list[str]) -> None:
    if problems:
        more = len(problems) - _PROBLEMS_SHOWN
        shown = "; ".join(problems[:_PROBLEMS_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise BadCheckpoint(f"{directory} is not loaded: {shown}")
