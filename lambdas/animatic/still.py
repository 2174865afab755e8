"""Draw one still from its words, like the animatic's scenes but without lettering and mark, since clips are
made from it."""

import zlib
from io import BytesIO

import numpy as np
from PIL import Image

from lambdas.animatic.scene import Scene
from lambdas.animatic.words import read_opening


def draw_still(prompt: str, *, width: int, height: int, seed: int) -> bytes:
    """Return a PNG of width × height pixels, always the same bytes."""
    words = " ".join(prompt.casefold().split())
    scene = Scene(
        read_opening(prompt),
        size=(width, height),
        seconds=1.0,
        rng=np.random.default_rng([seed, zlib.crc32(words.encode())]),
        image=None,
        title="",
        mark="",
        flash_at=None,
    )
    file = BytesIO()
    # Its grain hardly compresses, and the default level takes as long as drawing.
    Image.fromarray(scene.picture(0.5)).save(file, "PNG", compress_level=1)
    return file.getvalue()
