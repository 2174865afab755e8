"""Colours and motion shared by all figures."""

import math

from lambdas.animatic.palettes import rgb

INK = rgb("#20202B")
WHITE = rgb("#FBF7EF")
CREAM = rgb("#F3E3C8")
SKIN = rgb("#E9B48C")
LAMP = rgb("#FFE08A")


def swing(phase: float, shift: float = 0) -> float:
    return math.sin((phase + shift) * math.tau)
