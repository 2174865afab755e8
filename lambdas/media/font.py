"""The font of drafts and stills, and which characters it covers. Captions have more: see typesetting."""

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

# Covers Latin, Greek and Cyrillic. Pillow's built-in font covers little more than ASCII.
FONT = Path(__file__).parent / "fonts" / "Inter-SemiBold.otf"
SMALLEST = 7  # pixels; smaller letters are unreadable


@lru_cache(maxsize=64)
def font_of(size: int) -> ImageFont.FreeTypeFont:
    # Basic layout, because shaping libraries differ between machines.
    return ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def has_shape(letter: str) -> bool:
    """Return whether the font has a glyph for the letter; otherwise it would draw a box."""
    return _shape(letter) != _shape("\uffff")  # a noncharacter, always drawn as the font's box


def _shape(letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font_of(24).getmask(letter)
    return mask.size, bytes(mask)
