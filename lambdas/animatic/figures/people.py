"""Figures of people, and of others that walk like them."""

import math

from lambdas.animatic.canvas import Pen
from lambdas.animatic.figures.shared import CREAM, INK, LAMP, SKIN, WHITE, swing
from lambdas.animatic.palettes import Colour, darker, lighter, mix, rgb


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


def astronaut(pen: Pen, phase: float, colour: Colour) -> None:
    suit = rgb("#E8ECF2")
    lift = 0.12 * swing(phase)
    pen.blob([(-0.38, -0.3), (-0.2, -0.34), (-0.18, 0.3), (-0.4, 0.28)], rgb("#AAB3C0"))
    for side in (-1, 1):
        pen.stroke([(0.12 * side, 0.28), (0.18 * side, 0.55), (0.16 * side + 0.08 * lift, 0.84)], 0.22, suit)
        pen.stroke(
            [(0.16 * side + 0.08 * lift, 0.88), (0.24 * side + 0.08 * lift, 0.9)], 0.16, rgb("#8D97A6")
        )
        pen.stroke(
            [(0.22 * side, -0.16), (0.44 * side, 0.02 - lift * side), (0.6 * side, -0.16 - lift * side)],
            0.18,
            suit,
        )
        pen.ellipse(0.63 * side, -0.18 - lift * side, 0.1, 0.1, rgb("#8D97A6"))
    pen.blob([(-0.26, -0.28), (0.26, -0.28), (0.3, 0.1), (0.22, 0.4), (-0.22, 0.4), (-0.3, 0.1)], suit)
    pen.box(-0.14, 0.0, 0.14, 0.18, mix(suit, INK, 0.25))
    pen.ellipse(-0.06, 0.09, 0.035, 0.035, colour)
    pen.ellipse(0.06, 0.09, 0.035, 0.035, LAMP)
    pen.ellipse(0, -0.56, 0.34, 0.33, suit)
    pen.ellipse(0.05, -0.55, 0.24, 0.22, darker(colour, 0.55))
    pen.ellipse(0.12, -0.63, 0.09, 0.05, WHITE, turn=-20, alpha=200)


def robot(pen: Pen, phase: float, colour: Colour) -> None:
    metal = mix(colour, rgb("#C8D0DA"), 0.35)
    for shift, tone in ((0.5, darker(metal, 0.35)), (0.0, darker(metal, 0.1))):
        step = swing(phase, shift)
        pen.stroke([(0.1 * step, 0.4), (0.22 * step, 0.82)], 0.14, tone)
        pen.box(0.22 * step - 0.12, 0.82, 0.22 * step + 0.16, 0.94, darker(tone, 0.3))
    pen.stroke([(-0.3, -0.06), (-0.46, 0.14), (-0.4 + 0.12 * swing(phase), 0.36)], 0.1, darker(metal, 0.3))
    pen.blob([(-0.34, -0.14), (0.34, -0.14), (0.36, 0.4), (0.2, 0.48), (-0.2, 0.48), (-0.36, 0.4)], metal)
    pen.box(-0.18, 0.04, 0.18, 0.24, darker(metal, 0.5))
    pen.ellipse(0.0, 0.14, 0.07, 0.07, LAMP)
    pen.stroke([(0.3, -0.04), (0.46, 0.16), (0.44 - 0.12 * swing(phase), 0.36)], 0.1, darker(metal, 0.15))
    pen.blob(
        [(-0.3, -0.66), (0.3, -0.66), (0.36, -0.44), (0.3, -0.2), (-0.3, -0.2), (-0.36, -0.44)],
        lighter(metal, 0.15),
    )
    pen.box(-0.24, -0.56, 0.28, -0.32, INK)
    for x in (-0.08, 0.14):
        pen.ellipse(x, -0.44, 0.07, 0.07, rgb("#6FF3E6"))
    pen.stroke([(0, -0.68), (0, -0.86)], 0.035, darker(metal, 0.4))
    pen.ellipse(0, -0.9, 0.06, 0.06, rgb("#FF5A5A"))
