"""The fonts of a film's captions, title cards and lower thirds."""

from typing import Any

from lambdas.domain.documents import Document

FONT_TYPES = {"ttf": "font/ttf", "otf": "font/otf", "ttc": "font/collection"}
"""Media types by kind of font file, which is also the extension."""


class FontFile(Document):
    """The user's font, stored in the input bucket under `key`."""

    key: str
    sha256: str


class Lettered(Document):
    """What has a font. Without one: those that come with Reelworks, whichever has a letter."""

    font: str | None = None  # its name
    font_file: FontFile | None = None  # instead of a name

    @property
    def has_font(self) -> bool:
        return self.font is not None or self.font_file is not None

    def address_in(self, language: str) -> list[Any]:
        """Return what determines the letters of a text in a language."""
        return [self.font, self.font_file.sha256 if self.font_file else None, language]
