"""Apply LoRA adapters to a pipeline for one clip."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from containers.cogvideox.errors import EngineFailed
from containers.cogvideox.request import Lora


@contextmanager
def adapted(pipeline: Any, files: Mapping[str, Path], loras: Sequence[Lora]) -> Iterator[None]:
    """Load `loras` from `files` into `pipeline`, and unload them afterwards.

    Raises EngineFailed if an adapter is not for this model.
    """
    if not loras:
        yield
        return
    # PEFT uses adapter names as module names, which must not contain dots, and later searches for them in
    # tensor names, which must not contain them by chance.
    names = [f"adapter{number}" for number in range(len(loras))]
    try:
        for name, lora in zip(names, loras, strict=True):
            _load(pipeline, name, lora.name, files[lora.name])
        pipeline.set_adapters(names, [lora.scale for lora in loras])
        yield
    finally:
        pipeline.unload_lora_weights()


def _load(pipeline: Any, name: str, lora: str, file: Path) -> None:
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
            )
    except Exception as error:  # a file for another model can raise anything
        reason = _first(error)
        raise EngineFailed(f"the adapter {lora} cannot be loaded into this model: {reason}") from error
    # diffusers only warns about a file with nothing for the transformer, and would render without it.
    if name not in pipeline.get_list_adapters().get("transformer", []):
        raise EngineFailed(f"the adapter {lora} contains no weights for this model")


def _first(error: BaseException) -> BaseException:
    """Return the original error: diffusers' cleanup after a failure may fail too and hide it."""
    while error.__context__ is not None:
        error = error.__context__
    return error
