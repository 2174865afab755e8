"""Colours of a scene: a palette chosen by light and place, with hues shifted slightly by the seed."""

import colorsys
from dataclasses import dataclass, replace

from numpy.random import Generator

Colour = tuple[int, int, int]


def rgb(text: str) -> Colour:
    """Parse a colour: '#1E6FB0' → (30, 111, 176)."""
    value = int(text.lstrip("#"), 16)
    return value >> 16, value >> 8 & 255, value & 255


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Mix two colours: `a` at 0, `b` at 1."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def lighter(colour: Colour, share: float) -> Colour:
    return mix(colour, (255, 255, 255), share)


def darker(colour: Colour, share: float) -> Colour:
    return mix(colour, (8, 8, 20), share)


@dataclass(frozen=True)
class Palette:
    """A scene's colours. `sky` runs from zenith to horizon; `far` and `near` are for distant and near
    objects."""

    sky: tuple[Colour, Colour, Colour]
    sun: Colour
    far: Colour
    near: Colour
    ground: tuple[Colour, Colour]  # lit, shaded
    accents: tuple[Colour, Colour, Colour]
    dark: bool = False  # night: lamps, stars and windows are lit

    def between(self, nearness: float) -> Colour:
        """Return a layer's colour: air lightens distant layers."""
        return mix(self.far, self.near, nearness)


def _palette(sky: str, sun: str, depth: str, ground: str, accents: str, *, dark: bool = False) -> Palette:
    top, middle, horizon = map(rgb, sky.split())
    far, near = map(rgb, depth.split())
    lit, shade = map(rgb, ground.split())
    first, second, third = map(rgb, accents.split())
    return Palette((top, middle, horizon), rgb(sun), far, near, (lit, shade), (first, second, third), dark)


PALETTES = {
    "day": _palette(
        "#3A8AD0 #86C5EC #E4F3F3", "#FFF8DE", "#A6CBD8 #2C6A58", "#86BC6B #2E6B4C", "#F25F4C #FFC145 #5566D9"
    ),
    "dawn": _palette(
        "#5A6C9F #E3A29A #FCE6C8", "#FFF3DA", "#B3A2B8 #3D3B5E", "#837A8E #35345A", "#F26D5B #F9C46B #7FB7BE"
    ),
    "sunset": _palette(
        "#2C2E70 #C9526C #FFC46E", "#FFE7AE", "#BC6178 #271A3C", "#6B3350 #1E1330", "#FF6B4A #FFD166 #6EC5C0"
    ),
    "night": _palette(
        "#0A0F2E #1B2A60 #45639E", "#F6F1DC", "#34508C #0A1128", "#22335F #0A1026", "#FFD27A #6FD3FF #FF7AA8",
        dark=True,
    ),
    "storm": _palette(
        "#131926 #313D4E #71838E", "#DDE6EA", "#4B5B6A #111822", "#39454F #121922", "#F2C14E #E4572E #A9D6E5",
        dark=True,
    ),
    "mist": _palette(
        "#8FA3AD #BFCBCD #EDEAE0", "#FBF8EE", "#B9C4C4 #3C4F55", "#8A9A8E #3F5450", "#D98E73 #E3C878 #6F9AA8"
    ),
    "forest": _palette(
        "#7FB79C #CFE4B2 #FBF5CC", "#FFFBE0", "#9CC2A0 #123128", "#5F8F4E #173A2C", "#E76F51 #F4A261 #E9C46A"
    ),
    "autumn": _palette(
        "#8FB3C9 #F1D9A6 #FFF0CC", "#FFF6D8", "#E3B576 #5B2A1E", "#C98A3C #5E3320", "#D1495B #EDAE49 #8F2D56"
    ),
    "ocean": _palette(
        "#1F74B8 #6FBFE2 #E6F5EE", "#FFF9E0", "#8FC6D6 #0B4A6B", "#3AA6BE #0A4466", "#FF6B5E #FFC857 #F4F1DE"
    ),
    "underwater": _palette(
        "#3CC6CF #1486AE #073B66", "#E8FFF8", "#1C86A6 #062A4A", "#3A8FA0 #0A3350", "#FF8552 #FFD23F #EE6C9A"
    ),
    "snow": _palette(
        "#6F9CC6 #BDD6E8 #F7F3EE", "#FFFAEC", "#AFC6D9 #34526E", "#FAFCFF #B9CFE2", "#E4572E #F3A712 #4A7BB7"
    ),
    "desert": _palette(
        "#4F9CC4 #F3CF94 #FDEAC0", "#FFF5D6", "#DFA678 #83432E", "#EDB873 #9C5433", "#2A9D8F #E76F51 #F4D58D"
    ),
    "neon": _palette(
        "#0B0C20 #24164A #7A2F7C", "#FFC9F0", "#45306F #0A0A1A", "#241A44 #0A0916", "#FF3CAC #2DE2E6 #FFB627",
        dark=True,
    ),
    "city": _palette(
        "#5B9BD0 #B9D7E6 #F8EAD3", "#FFF6E0", "#A9BFCE #2B3A4F", "#8793A0 #3A4656", "#E4572E #F6AE2D #2E86AB"
    ),
    "space": _palette(
        "#04050F #100E2E #2B1E58", "#FFF4D2", "#3B2C72 #080818", "#3A3060 #0C0B22", "#FF8A5B #5CE1E6 #C77DFF",
        dark=True,
    ),
    "fire": _palette(
        "#120A18 #3B1220 #B4431C", "#FFD27A", "#5F2226 #14080D", "#3E1A1C #12080C", "#FF7A1A #FFC53A #FF4524",
        dark=True,
    ),
    "spring": _palette(
        "#74BFE8 #C4E8DA #FFF4CE", "#FFFBE2", "#B8DCA8 #2C7A4B", "#97CF63 #2F7D4F", "#FF6FA3 #FFC93C #8E6CF0"
    ),
    "warm": _palette(
        "#E9C9A4 #F3DDC0 #F8EBD6", "#FFF3D0", "#D9AE84 #5A3A2E", "#B98258 #6B4130", "#D1495B #2E8B85 #EDAE49"
    ),
    "violet": _palette(
        "#2A1A5E #7A3E9D #F08A8A", "#FFE3C2", "#8E5AA8 #1C1140", "#53307A #1C1140", "#FFB03B #4DD6C8 #FF6392"
    ),
    "teal": _palette(
        "#0B3C49 #16798A #A8E6CF", "#FFF8DC", "#3FA7A0 #07252E", "#1F7A78 #07252E", "#FF8C61 #FFE066 #B8F2E6"
    ),
    "coral": _palette(
        "#F2545B #F58F7C #FBD9B5", "#FFF7E3", "#F3A683 #6B2D5C", "#D96C75 #5A2450", "#19A7A0 #FFD166 #3D348B"
    ),
}  # fmt: skip


def palette_for(names: tuple[str, ...], rng: Generator) -> Palette:
    """Return a random palette of the named ones, with hues shifted by up to 9° and accents shuffled."""
    palette = PALETTES[names[rng.integers(len(names))]]
    turn = rng.uniform(-0.025, 0.025)
    first, second, third = (palette.accents[index] for index in rng.permutation(3))
    return replace(
        palette,
        sky=(_turn(palette.sky[0], turn), _turn(palette.sky[1], turn), _turn(palette.sky[2], turn)),
        far=_turn(palette.far, turn),
        near=_turn(palette.near, turn),
        ground=(_turn(palette.ground[0], turn), _turn(palette.ground[1], turn)),
        accents=(first, second, third),
    )


def _turn(colour: Colour, turn: float) -> Colour:
    hue, lightness, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in colour))
    red, green, blue = colorsys.hls_to_rgb((hue + turn) % 1, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)
