"""How captions look and where they are in a picture: the same drawn into it and in an ASS file."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from lambdas.domain.video_request import CaptionLook, CaptionStyle
from lambdas.media.captions import COLUMNS, LINES, Cue, Turn, line_columns, turns
from lambdas.media.lines import graphemes, units
from lambdas.media.typesetting import Fonts, drawn, set_line

BOX_COLOUR, BOX_OPACITY = "#000000", 0.4  # behind the lines
LIT_COLOUR = "#FFDD00"
SMALLEST = 8  # pixels; smaller letters run together once outlined

# Fraction of the picture's height, as in broadcasters' captions (EBU-TT-D: 1/15 of it per line).
_LETTERS = 0.05
# Fraction of the picture; every screen shows what is inside (EBU R 95, graphics safe area).
_MARGIN = 0.05
# In a picture as tall as 9:16, phone apps lay names and buttons over the edges: up to a quarter of the height
# at the bottom (YouTube Shorts), 14 % at the top (Reels) and a ninth of the width (TikTok).
_TALL = 1.6  # height by width: 9:16 and taller, not 3:4 or 2:3
_TALL_HEAD, _TALL_FOOT, _TALL_SIDE = 0.14, 0.25, 0.11
_SHORTEST_LINE = 24  # in average letter widths: holds most words
_AVERAGE_LETTER = 0.56  # fraction of the letter size, in the font of Latin letters
# For `pop`: letters of this fraction of the height, or so large that this many fit between the margins.
_POP_LETTERS, _POP_LINE = 0.12, 14


@dataclass(frozen=True)
class Design:
    """What captions look like. `fonts`: of their language, or of `look`. Sizes are in pixels."""

    style: CaptionStyle = CaptionStyle.PLAIN
    look: CaptionLook = field(default_factory=CaptionLook)
    fonts: Fonts = field(default_factory=Fonts)

    @property
    def _pops(self) -> bool:
        return self.style is CaptionStyle.POP

    def letters(self, width: int, height: int) -> int:
        """Return the letter size: by the height, or in a narrow picture by what a line must hold."""
        share, held = (_POP_LETTERS, _POP_LINE) if self._pops else (_LETTERS, _SHORTEST_LINE)
        usual = min(height * share, room(width, height) / (held * _AVERAGE_LETTER))
        return max(SMALLEST, round(usual * self.look.size))

    def outline(self, letters: int) -> int:
        """Return the outline's width: a pixel at least, if there is one."""
        return max(round(letters * self.look.outline_width), math.ceil(self.look.outline_width))

    def turns(self, cues: Sequence[Cue], size: tuple[int, int]) -> Iterator[Turn]:
        """Yield the captions in the lines of a picture of that width and height. Raises ValueError as `srt`
        does."""
        letters = self.letters(*size)
        outlines = 2 * self.outline(letters)

        def widest(text: str) -> int:
            columns = line_columns(text)
            # A wide letter has two columns and is as wide as it is high.
            share = columns * (_AVERAGE_LETTER if columns == COLUMNS else 0.5)
            longest = _POP_LINE * _AVERAGE_LETTER if self._pops else share
            return round(min(room(*size), longest * letters)) - outlines

        def measured(text: str) -> float:
            length = set_line(text, self.fonts, right_to_left=False).width * letters
            # A long word isn't broken but made smaller: its second half would have no time of its own.
            return min(length, widest(text)) if self._pops and len(units(text)) == 1 else length

        shown = [
            replace(cue, text=drawn(cue.text), words=tuple((drawn(word), start) for word, start in cue.words))
            for cue in cues
        ]
        return turns(shown, most=widest, width=measured, lines=1 if self._pops else LINES)

    def family(self, text: str) -> str:
        """Return the name of the font that has most letters of a text."""
        faces = (self.fonts.face(letter) for letter in graphemes(drawn(text)) if letter[0].isalpha())
        families = Counter(face.family for face in faces if face)
        return families.most_common(1)[0][0] if families else next(self.fonts.faces()).family


def room(width: int, height: int) -> float:
    """Return the width between the margins."""
    return width * (1 - 2 * margins(width, height)[2])


def margins(width: int, height: int) -> tuple[float, float, float]:
    """Return what to leave free: fractions of the height above and below, and of the width at each side."""
    return (_TALL_HEAD, _TALL_FOOT, _TALL_SIDE) if is_tall(width, height) else (_MARGIN, _MARGIN, _MARGIN)


def is_tall(width: int, height: int) -> bool:
    """Return whether phone apps lay their buttons over a picture of that size."""
    return height >= _TALL * width
