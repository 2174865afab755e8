"""The font of all that is written into pictures, and what it has a shape for."""

import unicodedata
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

# Latin, Greek and Cyrillic. Pillow's built-in font draws hardly more than ASCII.
FONT = Path(__file__).parent / "fonts" / "Inter-SemiBold.otf"
SMALLEST = 7  # pixels: below, letters can't be read
_NAMED = 5  # characters in a message


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


def not_drawn(text: str) -> str | None:
    """Which characters of a text the font has no shape for; None: it has all."""
    found = (char for char in composed(text) if not char.isspace() and not has_shape(char))
    missing = list(dict.fromkeys(found))
    if not missing:
        return None
    named = ", ".join(f"{char} (U+{ord(char):04X})" for char in missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return f"the font, which has Latin, Greek and Cyrillic, lacks {named}{more}"


def _shape(letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font_of(24).getmask(letter)
    return mask.size, bytes(mask)
