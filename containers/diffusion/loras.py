"""Find the LoRA adapters in a checkpoint's folder: loras/NAME/ANYTHING.safetensors.

Where several parts denoise, an adapter has a file for each part that it changes: loras/NAME/PART.safetensors.
The adapter of Speed.TURBO is in the folder `turbo`, and changes all of them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from containers.diffusion.errors import BadCheckpoint

FOLDER = "loras"
TURBO = "turbo"

Adapter = Mapping[str, Path]  # the file for each part


def find_loras(checkpoint: Path, parts: Sequence[str]) -> dict[str, Adapter]:
    """Return each adapter's name and files, in order, where `parts` denoise. Raises BadCheckpoint unless each
    folder holds exactly one."""
    folder = checkpoint / FOLDER
    if not folder.is_dir():
        return {}
    return {own.name: _adapter(own, parts) for own in sorted(folder.iterdir()) if own.is_dir() and _seen(own)}


def find_turbo(checkpoint: Path, parts: Sequence[str]) -> Adapter | None:
    """Return the adapter of Speed.TURBO, or None without one. Raises BadCheckpoint."""
    folder = checkpoint / TURBO
    if not folder.is_dir():
        return None
    adapter = _adapter(folder, parts)
    for part in parts:
        if part not in adapter:
            raise BadCheckpoint(f"{folder} lacks {part}.safetensors: turbo needs an adapter for every part")
    return adapter


def _adapter(folder: Path, parts: Sequence[str]) -> Adapter:
    files = sorted(file for file in folder.glob("*.safetensors") if _seen(file))
    if len(parts) == 1:
        if len(files) != 1:
            raise BadCheckpoint(f"{folder} must contain exactly one .safetensors file; found {len(files)}")
        return {parts[0]: files[0]}
    adapter = {file.stem: file for file in files}
    if not adapter or adapter.keys() - set(parts):
        wanted = " or ".join(f"{part}.safetensors" for part in parts)
        found = ", ".join(file.name for file in files) or "none"
        raise BadCheckpoint(f"{folder} must contain {wanted}, or both, and no others; found {found}")
    return adapter


def _seen(path: Path) -> bool:
    # The manifest does not cover names that begin with a dot.
    return not path.name.startswith(".")
