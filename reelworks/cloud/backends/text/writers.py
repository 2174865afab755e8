"""The small open models that `reel models pull` gets for writing, and the one command that gets one."""

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from reelworks.cloud.home import install_command


@dataclass(frozen=True)
class Writer:
    """A GGUF file of a repository on huggingface.co at one of its commits, with what it must contain."""

    repository: str
    revision: str
    file: str
    bytes: int
    sha256: str
    licence: str


# Several independent public projects pin each commit, size and SHA-256. None could be looked up on the hub
# itself when it was added here.
WRITERS = {
    "qwen3-4b": Writer(
        "Qwen/Qwen3-4B-GGUF",
        "a9a60d009fa7ff9606305047c2bf77ac25dbec49",
        "Qwen3-4B-Q4_K_M.gguf",
        2_497_280_256,
        "7485fe6f11af29433bc51cab58009521f205840f5b4ae3a32fa7f92e8534fdf5",
        "Apache-2.0",
    ),
    "qwen2.5-1.5b": Writer(
        "Qwen/Qwen2.5-1.5B-Instruct-GGUF",
        "91cad51170dc346986eccefdc2dd33a9da36ead9",
        "qwen2.5-1.5b-instruct-q4_k_m.gguf",
        1_117_320_736,
        "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e",
        "Apache-2.0",
    ),
}
INSTALL = install_command("writer")
_PULL = f"reel models pull {next(iter(WRITERS))}"
OLLAMA_MODEL = "qwen3:8b"  # follows a schema, and fits in 8 GB if nothing else is loaded


def is_installed() -> bool:
    """Return whether llama.cpp, which runs a writer, is installed (the extra `writer`)."""
    return importlib.util.find_spec("xllamacpp") is not None


def pulled(models: Path) -> Path | None:
    """Return the file of the first writer that was pulled to the folder and can run, or None."""
    if not is_installed():
        return None
    files = (models / name / writer.file for name, writer in WRITERS.items())
    return next((file for file in files if file.is_file()), None)


def how_to_get_one() -> str:
    """Return the command that gets a text model on this PC."""
    if is_installed():
        return _PULL
    if shutil.which("ollama"):
        return f"ollama pull {OLLAMA_MODEL}"
    return f"{INSTALL} && {_PULL}"
