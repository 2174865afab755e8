"""Apply LoRA adapters to a pipeline for one clip."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from containers.diffusion.errors import EngineFailed
from containers.diffusion.family import Part
from containers.diffusion.loras import Adapter


@dataclass(frozen=True)
class Applied:
    """An adapter, and how strongly to apply it."""

    name: str
    files: Adapter
    scale: float = 1.0


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
