"""One picture drawn from its words: what the animatic's scenes show, without lettering and mark, since a clip
is made from it."""

import zlib
from io import BytesIO

import numpy as np
from PIL import Image

from lambdas.animatic.scene import Scene
from lambdas.animatic.words import read_opening


def draw_still(prompt: str, *, width: int, height: int, seed: int) -> bytes:
    """A PNG of width × height pixels; the same bytes each time."""
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
    Image.fromarray(scene.picture(0.5)).save(file, "PNG")
    return file.getvalue()
