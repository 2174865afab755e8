"""Animal figures."""

import math

from lambdas.animatic.canvas import Pen
from lambdas.animatic.figures.shared import INK, WHITE, swing
from lambdas.animatic.palettes import Colour, darker, lighter, mix, rgb


def bee(pen: Pen, phase: float, colour: Colour) -> None:
    flap = 26 * swing(phase)
    pen.ellipse(0.1, -0.42, 0.2, 0.46, WHITE, turn=18 + flap, alpha=150)
    for x in (-0.25, 0.0, 0.22):
        pen.stroke([(x, 0.4), (x - 0.06, 0.56)], 0.045, INK)
    pen.shape([(-0.62, 0.05), (-0.86, 0.14), (-0.62, 0.22)], INK)
    pen.ellipse(-0.08, 0.12, 0.58, 0.36, colour)
    for x in (-0.42, -0.16, 0.1):
        half = 0.36 * math.sqrt(1 - ((x + 0.08) / 0.58) ** 2) * 0.9
        pen.stroke([(x - 0.03, 0.12 - half), (x + 0.03, 0.12), (x - 0.03, 0.12 + half)], 0.12, INK)
    pen.ellipse(-0.1, -0.08, 0.3, 0.07, lighter(colour, 0.6), turn=-4, alpha=150)
    pen.ellipse(0.5, 0.06, 0.24, 0.24, INK)
    pen.ellipse(0.58, 0.0, 0.085, 0.1, WHITE)
    pen.ellipse(0.61, 0.01, 0.045, 0.055, INK)
    for x in (0.5, 0.62):
        pen.stroke([(x, -0.14), (x + 0.06, -0.32), (x + 0.18, -0.4)], 0.04, INK)
        pen.ellipse(x + 0.18, -0.4, 0.045, 0.045, INK)
    pen.ellipse(-0.14, -0.4, 0.22, 0.5, WHITE, turn=-28 - flap, alpha=205)


def butterfly(pen: Pen, phase: float, colour: Colour) -> None:
    spread = 0.35 + 0.65 * abs(math.cos(phase * math.pi))
    for side, tone in ((-0.75, darker(colour, 0.2)), (1.0, colour)):
        reach = side * spread
        upper = [(0, -0.05), (0.25, -0.75), (0.75, -0.85), (0.9, -0.45), (0.6, -0.05), (0.2, 0.05)]
        lower = [(0, 0.05), (0.45, 0.08), (0.68, 0.35), (0.5, 0.72), (0.2, 0.55)]
        pen.blob([(x * reach, y) for x, y in lower], mix(tone, rgb("#FFFFFF"), 0.18))
        pen.blob([(x * reach, y) for x, y in upper], tone)
        pen.ellipse(0.6 * reach, -0.5, 0.13 * spread, 0.15, lighter(tone, 0.65))
        pen.ellipse(0.42 * reach, 0.36, 0.09 * spread, 0.11, darker(tone, 0.55))
    pen.stroke([(0, -0.28), (0, 0.5)], 0.11, INK, end=0.05)
    for x in (-0.16, 0.16):
        pen.stroke([(0, -0.3), (x * 0.6, -0.55), (x, -0.68)], 0.03, INK)


def bird(pen: Pen, phase: float, colour: Colour) -> None:
    lift = swing(phase)
    pen.blob(
        [(-0.1, 0.0), (0.05, -0.2 - 0.5 * lift), (-0.25, -0.42 - 0.42 * lift), (-0.3, -0.1)],
        darker(colour, 0.3),
    )
    pen.shape([(-0.5, 0.05), (-0.98, -0.08), (-0.9, 0.1), (-0.96, 0.24), (-0.5, 0.2)], darker(colour, 0.2))
    pen.blob([(-0.6, 0.1), (-0.1, -0.14), (0.35, -0.12), (0.52, 0.04), (0.3, 0.24), (-0.15, 0.28)], colour)
    pen.blob([(-0.3, 0.22), (0.1, 0.14), (0.36, 0.12), (0.2, 0.25), (-0.1, 0.28)], lighter(colour, 0.45))
    pen.ellipse(0.5, -0.06, 0.18, 0.17, colour)
    pen.shape([(0.64, -0.12), (0.88, -0.02), (0.64, 0.04)], rgb("#F2A93B"))
    pen.ellipse(0.55, -0.1, 0.04, 0.045, INK)
    tip = (-0.38, -0.3 - 0.55 * lift)
    pen.blob(
        [(0.22, 0.02), (0.1, -0.22 - 0.4 * lift), tip, (-0.34, -0.12 - 0.2 * lift), (-0.18, 0.08)],
        darker(colour, 0.14),
    )


def fish(pen: Pen, phase: float, colour: Colour) -> None:
    wag = 0.14 * swing(phase)
    pen.blob(
        [
            (-0.45, 0),
            (-0.75, -0.34 + wag),
            (-0.95, -0.36 + wag),
            (-0.82, wag),
            (-0.95, 0.36 + wag),
            (-0.75, 0.34 + wag),
        ],
        darker(colour, 0.15),
    )
    pen.blob([(-0.2, -0.3), (0.05, -0.62), (0.3, -0.3)], darker(colour, 0.2))
    pen.blob([(-0.1, 0.25), (-0.05, 0.55), (0.15, 0.28)], darker(colour, 0.2))
    pen.blob(
        [
            (-0.58, 0),
            (-0.2, -0.33),
            (0.3, -0.38),
            (0.7, -0.1),
            (0.78, 0.04),
            (0.6, 0.2),
            (0.2, 0.36),
            (-0.2, 0.3),
        ],
        colour,
    )
    pen.blob([(-0.3, 0.12), (0.1, 0.18), (0.6, 0.14), (0.2, 0.34), (-0.15, 0.28)], lighter(colour, 0.5))
    for x in (-0.12, 0.22):
        pen.stroke([(x, -0.28), (x + 0.07, 0), (x, 0.24)], 0.1, lighter(colour, 0.72))
    pen.ellipse(0.52, -0.08, 0.1, 0.1, WHITE)
    pen.ellipse(0.55, -0.08, 0.055, 0.06, INK)
    pen.blob([(0.05, 0.08), (-0.15, 0.2 + wag), (-0.2, 0.05 + wag)], darker(colour, 0.18))
