"""Read which checkpoint a folder holds: its family, and what it renders."""

from pathlib import Path

from containers.diffusion.config import check_config
from containers.diffusion.errors import BadCheckpoint
from containers.diffusion.families import family_of
from containers.diffusion.family import Checkpoint, Configs, Family
from containers.diffusion.weights import read_json


def read_checkpoint(directory: Path) -> Checkpoint:
    """Return the checkpoint in `directory`. Raises BadCheckpoint with the reason if there is none."""
    family, configs = read_configs(directory)
    try:
        return family.read(configs)
    except (KeyError, TypeError) as error:
        raise BadCheckpoint(
            f"a config.json in {directory} has a missing or invalid value: {error}"
        ) from error


def read_configs(directory: Path) -> tuple[Family, Configs]:
    """Return the family of the checkpoint in `directory`, and its configuration, checked by the family's
    models. Raises BadCheckpoint."""
    path = directory / "model_index.json"
    index = read_json(path)
    family = family_of(index, path)
    parts = {}
    for name, part in family.parts.items():
        if part.config is not None and not part.left_out(index.get(name)):
            parts[name] = read_json(directory / name / part.config_file)
            check_config(directory, f"{name}/{part.config_file}", parts[name], part.config)
    return family, Configs(index, parts)
