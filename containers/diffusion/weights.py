"""Check from its bytes whether a model folder may be loaded, before any library reads it.

Nothing here imports torch. Refused are files that do not match the manifest, code and pickles, incomplete
safetensors files, and configuration that would make a library load anything but the classes of a family.
"""

import json
import math
import reprlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.families import family_of
from containers.diffusion.family import Part
from containers.diffusion.manifest import Manifest, folder_files, read_manifest

# https://huggingface.co/docs/safetensors/index#format; the library itself refuses longer headers.
MAX_HEADER_BYTES = 100_000_000
# The floating-point types of the published checkpoints.
VALUE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

# .model is a tokenizer's SentencePiece model: a table of pieces.
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
    """Read and check every file in `directory` against its manifest, and return the manifest.

    Raises BadCheckpoint naming what is wrong. Call it before anything else touches the folder.
    """
    manifest = read_manifest(directory)
    _refuse(directory, _unwanted(directory))
    _refuse(directory, manifest.differences(directory))
    inspect(directory)
    return manifest


def inspect(directory: Path) -> None:
    """Raise BadCheckpoint unless the folder holds a checkpoint of a family, made only of data.

    The checks of check_weights that need no manifest; run them before making one.
    """
    _refuse(directory, _unwanted(directory))
    parts = _check_classes(directory)
    for path in sorted(folder_files(directory)):
        if path.endswith(".json"):
            _refuse_custom_code(directory / path)
        elif path.endswith(".safetensors"):
            read_header(directory / path)
    for name, part in parts.items():
        part_tensors(directory, name, part)


def part_tensors(directory: Path, name: str, part: Part) -> dict[str, Tensor]:
    """Return the tensors that the loaders will find for the part `name`, by their names.

    Raises BadCheckpoint if the weights or one of their shards is missing, or if a shard lacks a tensor that
    the index places in it.
    """
    folder = directory / name
    stem = "model" if part.library == "transformers" else "diffusion_pytorch_model"
    single = folder / f"{stem}.safetensors"
    index = folder / f"{stem}.safetensors.index.json"
    if not index.is_file():
        return read_header(single)
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise BadCheckpoint(f"{index} has no weight_map from tensors to files")
    tensors: dict[str, Tensor] = {}
    for shard in sorted(set(places.values())):
        if PurePosixPath(shard).name != shard:
            raise BadCheckpoint(f"{index} names {shard!r}, which is not a file in the same folder")
        header = read_header(folder / shard)
        for tensor in (tensor for tensor, place in places.items() if place == shard):
            if tensor not in header:
                raise BadCheckpoint(f"{folder / shard} lacks the tensor {tensor}")
        tensors |= header
    return tensors


def read_header(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, by name. Raises BadCheckpoint if it is invalid or
    incomplete."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(MAX_HEADER_BYTES, size - 8):
                raise BadCheckpoint(f"{path} is not a safetensors file, or is incomplete")
            text = file.read(length)
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read: {error.strerror}") from error
    parts: list[tuple[int, int, str, Tensor]] = []
    for name, entry in _header_entries(path, text).items():
        if entry.dtype not in VALUE_BYTES:
            raise BadCheckpoint(
                f"{path}: {name} has type {entry.dtype[:20]}; allowed: {', '.join(VALUE_BYTES)}"
            )
        start, stop = entry.data_offsets
        parts.append((start, stop, name, Tensor(entry.dtype, tuple(entry.shape))))
    end = 0
    for start, stop, name, tensor in sorted(parts, key=lambda part: part[:2]):
        if start != end or stop - start != tensor.values * VALUE_BYTES[tensor.dtype]:
            raise BadCheckpoint(f"{path}: the bytes of {name} do not match its shape {list(tensor.shape)}")
        end = stop
    if size != 8 + length + end:
        raise BadCheckpoint(f"{path} has {size:,} bytes; its header requires {8 + length + end:,}")
    return {name: tensor for _, _, name, tensor in parts}


_Size = Annotated[int, Field(strict=True, ge=0, lt=2**48)]


class _Entry(BaseModel):
    """A tensor in a safetensors header. The limits are far above any model's and keep numbers computable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dtype: Annotated[str, Field(strict=True)]
    shape: Annotated[list[_Size], Field(strict=True, max_length=8)]
    data_offsets: Annotated[list[_Size], Field(strict=True, min_length=2, max_length=2)]


def _header_entries(path: Path, text: bytes) -> dict[str, _Entry]:
    try:
        document = _parsed(text)
        if not isinstance(document, dict):
            raise TypeError("not a JSON object")
        document.pop("__metadata__", None)
        return _ENTRIES.validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        said = f"{'.'.join(map(str, first['loc']))[:200]}: {first['msg']}"
    except (ValueError, TypeError) as error:
        said = str(error)
    raise BadCheckpoint(f"{path} is not a safetensors file: its header cannot be read ({said})")


_ENTRIES = TypeAdapter(dict[str, _Entry])


def _parsed(text: bytes) -> Any:
    """Parse JSON strictly: names are unique and numbers finite, so that every reader sees the same. Raises
    ValueError, also if it is nested too deeply or a number is too long."""
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_not_a_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:100]!r} appears twice")
    return document


def _not_a_number(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises BadCheckpoint."""
    try:
        document = _parsed(path.read_bytes())
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
                f"{path} is a pickle, which can run code when loaded; only safetensors files are allowed"
            )
        elif suffix not in _DATA and PurePosixPath(path).name != "LICENSE":
            problems.append(f"{path} is not a model data file; allowed: {', '.join(sorted(_DATA))}")
    return problems


def _check_classes(directory: Path) -> dict[str, Part]:
    """Return the parts with weights. Raises BadCheckpoint unless each part is of a class of the family."""
    path = directory / "model_index.json"
    index = read_json(path)
    family = family_of(index, path)
    entries = {name: value for name, value in index.items() if not name.startswith("_")}
    for name in sorted(entries.keys() | family.parts.keys()):
        value = entries.get(name)
        part = family.parts.get(name)
        if name in family.settings and (value is None or isinstance(value, bool | int | float | str)):
            continue
        if part and (value in [[part.library, one] for one in part.classes] or part.left_out(value)):
            continue
        wanted = f"{part.library}'s {' or '.join(sorted(part.classes))}" if part else "no such entry"
        raise BadCheckpoint(
            f"{path} has {reprlib.repr(value)} as {name}; a {family.title} checkpoint has {wanted}"
        )
    return family.parts_of(index)


def _refuse_custom_code(path: Path) -> None:
    # Makes transformers and diffusers load Python code that the configuration names.
    # https://huggingface.co/docs/transformers/custom_models
    if "auto_map" in read_json(path):
        raise BadCheckpoint(f"{path} requests custom code (auto_map), which is not allowed")


def _refuse(directory: Path, problems: list[str]) -> None:
    if problems:
        more = len(problems) - _PROBLEMS_SHOWN
        shown = "; ".join(problems[:_PROBLEMS_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise BadCheckpoint(f"{directory} cannot be loaded: {shown}")
