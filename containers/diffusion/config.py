"""Read the configuration of a checkpoint, and check its numbers before anything is computed from them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from containers.diffusion.errors import BadCheckpoint

# Far more than any model has, and little enough that nothing computed from it overflows.
Count = Annotated[int, Field(strict=True, ge=1, le=100_000)]


class PartConfig(BaseModel):
    """The values of a part's configuration that its family computes with; it has more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def check_config(directory: Path, file: str, config: Mapping[str, Any], model: type[BaseModel]) -> None:
    """Raise BadCheckpoint naming the first value that is missing or invalid in a part's `file`."""
    try:
        model.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadCheckpoint(
            f"a file in {directory} has a missing or invalid value: {file}: {where}: {first['msg']}"
        ) from None
