"""The font of Latin, Greek and Cyrillic letters that comes with Reelworks."""

from collections.abc import Sequence
from pathlib import Path

FONT = Path(__file__).parent / "fonts" / "Inter-SemiBold.otf"
_NAMED = 5  # letters listed in a message


def listed(letters: Sequence[str]) -> str:
    """Return letters with their numbers, for a message."""
    named = ", ".join(
        f"{letter} ({' '.join(f'U+{ord(char):04X}' for char in letter)})" for letter in letters[:_NAMED]
    )
    return named + (f" and {len(letters) - _NAMED} more" if len(letters) > _NAMED else "")
