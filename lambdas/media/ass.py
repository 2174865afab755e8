"""Captions as an ASS file (Advanced SubStation Alpha), with the look of those drawn into the pictures, for
players and editors that draw them."""

from collections.abc import Sequence
from itertools import pairwise

from pysubs2 import Alignment, Color, SSAEvent, SSAFile, SSAStyle

from lambdas.domain.video_request import CaptionPosition, CaptionStyle
from lambdas.media.caption_design import BOX_COLOUR, BOX_OPACITY, LIT_COLOUR, Design, margins
from lambdas.media.captions import Cue, Turn

_STYLE = "Default"
_PLACES = {
    CaptionPosition.BOTTOM: Alignment.BOTTOM_CENTER,
    CaptionPosition.MIDDLE: Alignment.MIDDLE_CENTER,
    CaptionPosition.TOP: Alignment.TOP_CENTER,
}
_OUTLINED, _BOXED = 1, 4  # border styles; 4 is libass's: an outline, and a box as wide as the shadow
_DIRECTION_BY_TEXT = -1  # encoding: libass then finds out whether a text runs from right to left
_LINE_HEIGHT = 1.21  # of Inter and most fonts, in letter sizes; ASS gives the size of a font by its line
_BOX_PAD = 0.15  # of the letter size
# Braces begin an override, and can't be escaped; an invisible joiner parts a backslash from its letter.
_ESCAPED = str.maketrans({"{": "(", "}": ")", "\\": "\\\u2060"})


def ass(cues: Sequence[Cue], design: Design, size: tuple[int, int]) -> str:
    """Return the captions of a film of that width and height. In style `karaoke`, each word is lit from when
    it is spoken. Raises ValueError as `srt` does."""
    width, height = size
    file = SSAFile()
    file.info |= {
        "PlayResX": str(width),
        "PlayResY": str(height),
        "WrapStyle": "2",  # lines are broken already
        "ScaledBorderAndShadow": "yes",
        "YCbCr Matrix": "TV.709",
    }
    shown = list(design.turns(cues, size))
    file.styles = {_STYLE: _style(design, size, " ".join(turn.text for turn in shown))}
    for turn in shown:
        text = (
            _lit(turn)
            if design.style is CaptionStyle.KARAOKE and turn.words
            else turn.text.translate(_ESCAPED)
        )
        file.append(SSAEvent(start=turn.start, end=turn.end, text=text.replace("\n", r"\N"), style=_STYLE))
    return file.to_string("ass")


def _style(design: Design, size: tuple[int, int], text: str) -> SSAStyle:
    width, height = size
    letters, look = design.letters(width, height), design.look
    head, foot, side = margins(width, height)
    place = look.placed(design.style)
    boxed = look.boxed(design.style)
    lights = design.style is CaptionStyle.KARAOKE
    return SSAStyle(
        fontname=design.family(text),
        fontsize=round(letters * _LINE_HEIGHT),
        bold=True,
        # Karaoke turns the second colour into the first.
        primarycolor=_colour(LIT_COLOUR if lights else look.colour),
        secondarycolor=_colour(look.colour),
        outlinecolor=_colour(look.outline_colour),
        backcolor=_colour(BOX_COLOUR, BOX_OPACITY),
        borderstyle=_BOXED if boxed else _OUTLINED,
        outline=design.outline(letters),
        shadow=round(letters * _BOX_PAD) if boxed else 0,
        alignment=_PLACES[place],
        marginl=round(width * side),
        marginr=round(width * side),
        marginv=round(height * (head if place is CaptionPosition.TOP else foot)),
        encoding=_DIRECTION_BY_TEXT,
    )


def _colour(colour: str, opacity: float = 1) -> Color:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return Color(red, green, blue, round(255 * (1 - opacity)))


def _lit(turn: Turn) -> str:
    """Return the text with how long each word lasts, in hundredths of a second from the one before."""
    parts = turn.word_parts
    times = [turn.start, *(min(max(at, turn.start), turn.end) for at, _ in parts), turn.end]
    hundredths = [round((at - turn.start) / 10) for at in times]
    waits, *lasts = (end - begin for begin, end in pairwise(hundredths))
    wait = f"{{\\k{waits}}}" if waits else ""
    return wait + "".join(
        f"{{\\k{last}}}{part.translate(_ESCAPED)}" for last, (_, part) in zip(lasts, parts, strict=True)
    )
