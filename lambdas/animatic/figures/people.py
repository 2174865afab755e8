"""Figures of people, and of others that walk like them."""

import math

from lambdas.animatic.canvas import Pen
from lambdas.animatic.figures.shared import CREAM, INK, SKIN, swing
from lambdas.animatic.palettes import Colour, darker, mix, rgb


def _walker(pen: Pen, phase: float, coat: Colour, skin: Colour, legs: Colour, *, boots: Colour) -> None:
    """Draw the legs, arms and coat of a walker, with feet at y = 0.95."""
    for shift, tone in ((0.5, darker(legs, 0.3)), (0.0, legs)):
        step = swing(phase, shift)
        knee = (0.04 + 0.13 * step, 0.6)
        foot = (0.26 * step, 0.92 - 0.07 * max(0.0, math.cos((phase + shift) * math.tau)))
        pen.stroke([(0, 0.28), knee, foot], 0.15, tone, end=0.11)
        pen.stroke([foot, (foot[0] + 0.1, foot[1] + 0.005)], 0.1, boots)
    back = swing(phase)
    pen.stroke(
        [(-0.02, -0.2), (-0.06 + 0.14 * back, 0.06), (0.04 + 0.24 * back, 0.24)], 0.11, darker(coat, 0.3)
    )
    pen.blob(
        [(-0.1, -0.34), (0.1, -0.34), (0.19, -0.1), (0.23, 0.4), (0, 0.45), (-0.24, 0.4), (-0.18, -0.1)], coat
    )
    front = swing(phase, 0.5)
    pen.stroke(
        [(0, -0.2), (-0.02 + 0.14 * front, 0.06), (0.07 + 0.24 * front, 0.22)], 0.11, darker(coat, 0.12)
    )
    pen.ellipse(0.07 + 0.24 * front, 0.23, 0.055, 0.055, skin)


def person(pen: Pen, phase: float, colour: Colour) -> None:
    hair = rgb("#4A2E22")
    _walker(pen, phase, colour, SKIN, rgb("#4A5B80"), boots=INK)
    pen.stroke([(0.01, -0.4), (0.01, -0.32)], 0.11, darker(SKIN, 0.15))
    pen.ellipse(0.02, -0.56, 0.19, 0.2, SKIN)
    pen.blob(
        [
            (0.1, -0.76),
            (-0.12, -0.76),
            (-0.24, -0.6),
            (-0.2, -0.42),
            (-0.11, -0.44),
            (-0.08, -0.6),
            (0.16, -0.66),
        ],
        hair,
    )
    pen.ellipse(0.13, -0.56, 0.022, 0.034, INK)
    pen.stroke([(-0.12, -0.35), (0.0, -0.31), (0.12, -0.35)], 0.09, mix(colour, CREAM, 0.55))
    pen.stroke(
        [(-0.12, -0.34), (-0.3, -0.26 + 0.03 * swing(phase)), (-0.4, -0.28 - 0.04 * swing(phase))],
        0.08,
        mix(colour, CREAM, 0.55),
        end=0.05,
    )


def walker_with_umbrella(pen: Pen, phase: float, colour: Colour) -> None:
    person(pen, phase, mix(colour, INK, 0.35))
    pen.stroke([(0.16, -0.02), (0.16, -0.8)], 0.03, INK)
    pen.blob(
        [
            (-0.42, -0.62),
            (-0.3, -0.84),
            (0.16, -0.98),
            (0.6, -0.84),
            (0.74, -0.62),
            (0.45, -0.68),
            (0.16, -0.63),
            (-0.13, -0.68),
        ],
        colour,
    )
