"""Complete Wan checkpoints with random weights, made offline in seconds: see tests/tiny_checkpoint.py.

    python -m tests.tiny_wan DIR [--kind ti2v]

Each kind copies the features of one published model: t2v (2.1 text to video), i2v (2.1 image to video, with
an image encoder), flf2v (2.1, first and last frame), ti2v (2.2 TI2V-5B: each token's own time, a residual
VAE), t2v-a14b and i2v-a14b (2.2 A14B: two experts).
"""

import argparse
import shutil
from pathlib import Path
from typing import Literal, get_args

from containers.diffusion.manifest import make_manifest
from tests.shared import made_once

Kind = Literal["t2v", "i2v", "flf2v", "ti2v", "t2v-a14b", "i2v-a14b"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def make_tiny_wan(directory: Path, kind: Kind) -> Path:
    """Write a checkpoint into `directory` (made if missing) and return it; same arguments, same files."""

    def make(folder: Path) -> None:
        from tests.tiny_wan_files import write  # torch and diffusers take seconds to import

        write(folder, kind)

    shutil.copytree(made_once(f"tiny-wan-{kind}", make), directory, dirs_exist_ok=True)
    make_manifest(directory, directory.name).write(directory)
    return directory


def _main() -> None:
    parser = argparse.ArgumentParser(description="Make a tiny Wan checkpoint.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--kind", choices=KINDS, default="t2v")
    options = parser.parse_args()
    print(make_tiny_wan(options.directory, options.kind))


if __name__ == "__main__":
    _main()
