"""The font of all that is written into pictures, and what it has a shape for."""

import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

# Latin, Greek and Cyrillic. Pillow's built-in font draws hardly more than ASCII.
FONT = Path(__file__).parent / "fonts" / "Inter-SemiBold.otf"
SMALLEST = 7  # pixels: below, letters can't be read


@lru_cache(maxsize=64)
def font_of(size: int) -> ImageFont.FreeTypeFont:
    # Basic layout: shaping libraries differ between machines.
    return ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def has_shape(letter: str) -> bool:
    """Else the font would draw a box."""
    return _shape(letter) != _shape("\uffff")  # never a character, so always the font's box


def composed(text: str) -> str:
    """As it is drawn: letters and their accents as one character, nothing that only joins or directs."""
    return "".join(char for char in unicodedata.normalize("NFC", text) if unicodedata.category(char) != "Cf")


def without_shape(text: str) -> list[str]:
    """The characters of a text that can't be drawn, each once, in their order."""
    missing = (char for char in composed(text) if not char.isspace() and not has_shape(char))
    return list(dict.fromkeys(missing))


def _shape(letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font_of(24).getmask(letter)
    return mask.size, bytes(mask)
