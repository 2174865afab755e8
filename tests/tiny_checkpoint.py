"""A complete CogVideoX checkpoint with random weights, a few hundred kilobytes, made offline in seconds.

    python -m tests.tiny_checkpoint DIR [--image-to-video] [--generation 1.5]

It has the layout of the published repositories (model_index.json, scheduler/, text_encoder/, tokenizer/,
transformer/, vae/) and is read by the classes that read those. Each kind copies the features of one published
model: text-to-video is built as CogVideoX-2b (fixed position embeddings), image-to-video as CogVideoX-5b-I2V
(rotary and learned ones), generation 1.5 as CogVideoX1.5-5B and -5B-I2V (patches in time). What it renders is
coloured noise that follows the seed, the prompt and the image.
"""

import argparse
import shutil
from pathlib import Path
from typing import Literal

from containers.diffusion.manifest import make_manifest
from tests.shared import made_once

# 3:2 as CogVideoX's own 720×480, and a whole number of patches: 8 pixels a latent × 2 latents a patch.
SIZE = (96, 64)
MAX_TEXT_TOKENS = 226

Generation = Literal["1.0", "1.5"]


def make_tiny_checkpoint(
    directory: Path,
    *,
    image_to_video: bool = False,
    generation: Generation = "1.0",
    size: tuple[int, int] = SIZE,
) -> Path:
    """Write a checkpoint into `directory` (made if missing) and return it; same arguments, same files.

    `size` is the native (width, height) in pixels, each a multiple of 16.
    """
    key = f"tiny-{'image' if image_to_video else 'text'}-{generation}-{size[0]}x{size[1]}"

    def make(folder: Path) -> None:
        from tests.tiny_checkpoint_files import write  # torch and diffusers take seconds to import

        write(folder, image_to_video=image_to_video, generation=generation, size=size)

    made = made_once(key, make)
    shutil.copytree(made, directory, dirs_exist_ok=True)
    make_manifest(directory, directory.name).write(directory)
    return directory


def _main() -> None:
    parser = argparse.ArgumentParser(description="Make a tiny CogVideoX checkpoint.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--image-to-video", action="store_true")
    parser.add_argument("--generation", choices=("1.0", "1.5"), default="1.0")
    options = parser.parse_args()
    make_tiny_checkpoint(
        options.directory, image_to_video=options.image_to_video, generation=options.generation
    )
    print(options.directory)


if __name__ == "__main__":
    _main()
