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


def whale(pen: Pen, phase: float, colour: Colour) -> None:
    wag = 0.1 * swing(phase)
    pen.blob(
        [
            (-0.7, 0.02 + wag),
            (-0.9, -0.28 + wag),
            (-0.99, -0.3 + wag),
            (-0.9, 0.02 + wag),
            (-0.98, 0.16 + wag),
        ],
        darker(colour, 0.1),
    )
    pen.blob(
        [
            (-0.85, 0.0 + wag),
            (-0.4, -0.18),
            (0.2, -0.36),
            (0.75, -0.24),
            (0.94, 0.06),
            (0.7, 0.3),
            (0.1, 0.34),
            (-0.45, 0.16),
        ],
        colour,
    )
    pen.blob(
        [(0.9, 0.12), (0.5, 0.18), (0.0, 0.16), (-0.3, 0.18), (0.1, 0.33), (0.68, 0.29)], lighter(colour, 0.7)
    )
    pen.blob([(0.25, 0.2), (0.1, 0.55), (-0.1, 0.6), (0.05, 0.22)], darker(colour, 0.2))
    pen.ellipse(0.62, 0.02, 0.035, 0.04, INK)


def _legs(
    pen: Pen, phase: float, xs: tuple[float, float], hip: float, width: float, colour: Colour, stride: float
) -> None:
    for x, shift in ((xs[0], 0.5), (xs[1], 0.0)):
        for far, offset in ((True, 0.0), (False, 0.5)):
            step = swing(phase, shift + offset)
            lift = 0.08 * max(0.0, math.cos((phase + shift + offset) * math.tau))
            tone = darker(colour, 0.35) if far else darker(colour, 0.08)
            middle = (x + 0.35 * stride * step - 0.02, (hip + 0.92) / 2)
            pen.stroke([(x, hip), middle, (x + stride * step, 0.92 - lift)], width, tone, end=width * 0.62)


def dog(pen: Pen, phase: float, colour: Colour) -> None:
    wag = 0.12 * swing(phase * 2)
    pen.stroke([(-0.58, 0.12), (-0.78, -0.08 + wag), (-0.82, -0.3 + wag)], 0.12, colour, end=0.06)
    _legs(pen, phase, (-0.42, 0.36), 0.36, 0.15, colour, 0.2)
    pen.blob(
        [
            (-0.62, 0.12),
            (-0.3, -0.02),
            (0.2, 0.0),
            (0.5, -0.06),
            (0.54, 0.26),
            (0.3, 0.46),
            (-0.1, 0.4),
            (-0.5, 0.46),
        ],
        colour,
    )
    pen.blob(
        [
            (0.3, 0.1),
            (0.38, -0.34),
            (0.6, -0.5),
            (0.76, -0.36),
            (0.96, -0.26),
            (0.94, -0.12),
            (0.7, -0.08),
            (0.56, 0.2),
        ],
        colour,
    )
    pen.blob([(0.7, -0.22), (0.96, -0.24), (0.93, -0.12), (0.72, -0.1)], lighter(colour, 0.45))
    pen.ellipse(0.95, -0.25, 0.05, 0.045, INK)
    pen.ellipse(0.72, -0.32, 0.035, 0.04, INK)
    pen.blob([(0.5, -0.48), (0.42, -0.6), (0.34, -0.3), (0.44, -0.12), (0.54, -0.3)], darker(colour, 0.35))
    pen.stroke([(0.4, 0.0), (0.6, 0.06)], 0.07, rgb("#D8343B"))


def cat(pen: Pen, phase: float, colour: Colour) -> None:
    curl = 0.08 * swing(phase)
    pen.stroke([(-0.5, 0.2), (-0.76, 0.1), (-0.86, -0.22), (-0.72 + curl, -0.46)], 0.11, colour, end=0.08)
    _legs(pen, phase, (-0.38, 0.3), 0.4, 0.13, colour, 0.15)
    pen.blob(
        [
            (-0.56, 0.24),
            (-0.3, 0.04),
            (0.1, 0.1),
            (0.42, 0.02),
            (0.46, 0.34),
            (0.2, 0.5),
            (-0.2, 0.46),
            (-0.48, 0.5),
        ],
        colour,
    )
    for x in (-0.3, -0.12, 0.06):
        pen.stroke([(x, 0.1), (x + 0.03, 0.26)], 0.05, darker(colour, 0.3), end=0.02)
    pen.shape([(0.32, -0.22), (0.32, -0.58), (0.52, -0.36)], colour)
    pen.shape([(0.56, -0.36), (0.76, -0.56), (0.74, -0.2)], colour)
    pen.shape([(0.36, -0.3), (0.37, -0.48), (0.48, -0.36)], rgb("#F2A7A0"))
    pen.ellipse(0.53, -0.16, 0.27, 0.24, colour)
    pen.ellipse(0.6, -0.06, 0.14, 0.1, lighter(colour, 0.55))
    for x in (0.46, 0.68):
        pen.ellipse(x, -0.2, 0.05, 0.065, rgb("#CFE36A"))
        pen.ellipse(x + 0.01, -0.2, 0.022, 0.055, INK)
    pen.shape([(0.57, -0.1), (0.65, -0.1), (0.61, -0.05)], rgb("#D9737A"))
    for y in (-0.08, -0.03):
        pen.stroke([(0.7, y), (0.94, y - 0.04)], 0.014, WHITE)


def horse(pen: Pen, phase: float, colour: Colour) -> None:
    mane = darker(colour, 0.55)
    pen.stroke([(-0.6, 0.02), (-0.82, 0.12), (-0.88, 0.46 + 0.05 * swing(phase))], 0.14, mane, end=0.05)
    _legs(pen, phase, (-0.44, 0.3), 0.26, 0.15, colour, 0.26)
    pen.blob(
        [
            (-0.64, 0.04),
            (-0.4, -0.12),
            (0.0, -0.04),
            (0.4, -0.1),
            (0.5, 0.12),
            (0.3, 0.34),
            (-0.1, 0.32),
            (-0.52, 0.34),
        ],
        colour,
    )
    pen.blob(
        [
            (0.2, 0.02),
            (0.44, -0.44),
            (0.58, -0.66),
            (0.74, -0.62),
            (0.94, -0.36),
            (0.9, -0.24),
            (0.76, -0.28),
            (0.64, -0.34),
            (0.5, 0.14),
        ],
        colour,
    )
    pen.shape([(0.54, -0.62), (0.56, -0.82), (0.66, -0.64)], colour)
    pen.blob(
        [
            (0.56, -0.7),
            (0.42, -0.56),
            (0.22, -0.18),
            (0.1, -0.02),
            (0.28, -0.04),
            (0.46, -0.36),
            (0.56, -0.56),
        ],
        mane,
    )
    pen.ellipse(0.7, -0.5, 0.03, 0.035, INK)
    pen.ellipse(0.88, -0.31, 0.075, 0.06, darker(colour, 0.3), turn=35)
