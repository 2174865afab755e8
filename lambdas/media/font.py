"""The font of drafts, stills and cards, and which characters it covers. Captions have more: see
typesetting."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

# Covers Latin, Greek and Cyrillic. Pillow's built-in font covers little more than ASCII.
FONT = Path(__file__).parent / "fonts" / "Inter-SemiBold.otf"
SMALLEST = 7  # pixels; smaller letters are unreadable
_NAMED = 5  # letters listed in a message


@lru_cache(maxsize=64)
def font_of(size: int) -> ImageFont.FreeTypeFont:
    # Basic layout, because shaping libraries differ between machines.
    return ImageFont.truetype(FONT, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=4096)
def has_shape(letter: str) -> bool:
    """Return whether the font has a glyph for the letter; otherwise it would draw a box."""
    return _shape(letter) != _shape("\uffff")  # a noncharacter, always drawn as the font's box


def not_drawn(text: str) -> str | None:
    """Say which characters of a text the font lacks, or return None if it has all."""
    composed = unicodedata.normalize("NFC", text)
    found = (char for char in composed if unicodedata.category(char) != "Cf" and not char.isspace())
    missing = [char for char in dict.fromkeys(found) if not has_shape(char)]
    if not missing:
        return None
    return f"the font covers Latin, Greek and Cyrillic, but lacks {listed(missing)}"


def listed(letters: Sequence[str]) -> str:
    """Return letters with their numbers, for a message."""
    named = ", ".join(
        f"{letter} ({' '.join(f'U+{ord(char):04X}' for char in letter)})" for letter in letters[:_NAMED]
    )
    return named + (f" and {len(letters) - _NAMED} more" if len(letters) > _NAMED else "")


def _shape(letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font_of(24).getmask(letter)
    return mask.size, bytes(mask)
