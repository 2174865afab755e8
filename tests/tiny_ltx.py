"""A complete LTX-2 checkpoint with random weights, about a megabyte, made offline in seconds.

It has the layout of the published repositories (model_index.json, audio_vae/, connectors/, scheduler/,
text_encoder/, tokenizer/, transformer/, vae/, vocoder/) and is read by the classes that read those.
Generation 2.3 has what was new in it: gates, modulation by the prompt's noise level, a projection for each
modality, and a vocoder with bandwidth extension. What it renders is coloured noise, and noise to hear, that
follows the seed, the prompt and the image.
"""

import shutil
from pathlib import Path
from typing import Literal

from containers.diffusion.manifest import make_manifest
from tests.shared import made_once

Generation = Literal["2.0", "2.3"]


def make_tiny_ltx(directory: Path, *, generation: Generation = "2.0", distilled: bool = True) -> Path:
    """Write a checkpoint into `directory` (made if missing) and return it; same arguments, same files."""

    def make(folder: Path) -> None:
        from tests.tiny_ltx_files import write  # torch and diffusers take seconds to import

        write(folder, generation=generation, distilled=distilled)

    made = made_once(f"tiny-ltx-{generation}-{'distilled' if distilled else 'full'}", make)
    shutil.copytree(made, directory, dirs_exist_ok=True)
    make_manifest(directory, directory.name).write(directory)
    return directory
