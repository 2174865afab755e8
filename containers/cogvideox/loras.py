"""Find the LoRA adapters in a checkpoint's folder: loras/NAME/ANYTHING.safetensors."""

from pathlib import Path

from containers.cogvideox.errors import BadCheckpoint

FOLDER = "loras"


def find_loras(checkpoint: Path) -> dict[str, Path]:
    """Return each adapter's name and file, in order. Raises BadCheckpoint unless each folder holds exactly
    one."""
    folder = checkpoint / FOLDER
    if not folder.is_dir():
        return {}
    return {own.name: _only_file(own) for own in sorted(folder.iterdir()) if own.is_dir() and _seen(own)}


def _only_file(folder: Path) -> Path:
    files = sorted(file for file in folder.glob("*.safetensors") if _seen(file))
    if len(files) != 1:
        raise BadCheckpoint(f"{folder} must contain exactly one .safetensors file; found {len(files)}")
    return files[0]


def _seen(path: Path) -> bool:
    # The manifest does not cover names that begin with a dot.
    return not path.name.startswith(".")
