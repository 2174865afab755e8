"""Vehicle figures."""

import math

from lambdas.animatic.canvas import Pen
from lambdas.animatic.figures.shared import CREAM, GLASS, INK, LAMP, WHITE, swing
from lambdas.animatic.palettes import Colour, darker, lighter, mix, rgb


def ship(pen: Pen, phase: float, colour: Colour) -> None:
    wood = rgb("#7A4A2E")
    for x, top in ((-0.3, -0.8), (0.22, -0.95)):
        pen.stroke([(x, top), (x, 0.45)], 0.045, darker(wood, 0.4))
    wind = 0.03 * swing(phase)
    for x, top, height, wide in (
        (-0.3, -0.72, 0.42, 0.3),
        (-0.3, -0.24, 0.5, 0.36),
        (0.22, -0.86, 0.46, 0.34),
        (0.22, -0.34, 0.58, 0.42),
    ):
        belly = wide + 0.12 + wind
        pen.blob(
            [
                (x - 0.06, top),
                (x + wide * 0.9, top + 0.03),
                (x + belly, top + height * 0.55),
                (x + wide, top + height),
                (x - 0.08, top + height * 0.94),
                (x + 0.04, top + height * 0.5),
            ],
            WHITE,
        )
        pen.stroke(
            [(x + 0.03, top + height * 0.6), (x + belly - 0.04, top + height * 0.62)],
            0.035,
            mix(WHITE, colour, 0.75),
        )
    flag = 0.05 * swing(phase, 0.2)
    pen.shape([(0.22, -0.97), (-0.06, -0.92 + flag), (0.22, -0.84)], colour)
    pen.shape([(0.62, 0.36), (0.99, 0.2), (0.97, 0.26), (0.7, 0.5)], darker(wood, 0.25))
    pen.blob(
        [
            (-0.78, 0.18),
            (-0.6, 0.36),
            (0.1, 0.42),
            (0.72, 0.34),
            (0.62, 0.62),
            (0.44, 0.82),
            (-0.5, 0.84),
            (-0.68, 0.66),
        ],
        wood,
    )
    pen.stroke([(-0.74, 0.34), (-0.4, 0.47), (0.2, 0.5), (0.66, 0.42)], 0.05, mix(wood, CREAM, 0.45))
    for x in (-0.45, -0.22, 0.01, 0.24):
        pen.ellipse(x, 0.62, 0.05, 0.05, LAMP)


def car(pen: Pen, phase: float, colour: Colour) -> None:
    pen.blob(
        [
            (-0.92, 0.42),
            (-0.9, 0.08),
            (-0.6, 0.0),
            (-0.38, -0.32),
            (0.22, -0.34),
            (0.5, 0.0),
            (0.86, 0.08),
            (0.95, 0.3),
            (0.9, 0.46),
            (0, 0.5),
        ],
        colour,
    )
    pen.shape(((-0.5, 0.0), (-0.32, -0.24), (-0.06, -0.25), (-0.06, 0.0)), GLASS)
    pen.shape(((0.0, 0.0), (0.0, -0.25), (0.19, -0.25), (0.38, 0.0)), GLASS)
    pen.stroke([(-0.86, 0.2), (0.88, 0.22)], 0.035, lighter(colour, 0.5))
    pen.ellipse(0.88, 0.18, 0.06, 0.07, LAMP)
    pen.ellipse(-0.89, 0.16, 0.04, 0.07, rgb("#E23B3B"))
    for x in (-0.52, 0.52):
        pen.ellipse(x, 0.46, 0.23, 0.23, INK)
        pen.ellipse(x, 0.46, 0.12, 0.12, rgb("#C9CED6"))
        for spoke in range(3):
            angle = phase * math.tau + spoke * math.tau / 3
            pen.stroke([(x, 0.46), (x + 0.1 * math.cos(angle), 0.46 + 0.1 * math.sin(angle))], 0.03, INK)


def train(pen: Pen, phase: float, colour: Colour) -> None:
    for left in (-0.98, -0.36):
        pen.box(left, -0.1, left + 0.56, 0.32, mix(colour, CREAM, 0.25))
        pen.box(left, -0.16, left + 0.56, -0.08, darker(colour, 0.3))
        for window in range(3):
            pen.box(left + 0.06 + 0.17 * window, 0.0, left + 0.17 + 0.17 * window, 0.14, LAMP)
    pen.box(0.24, -0.02, 0.78, 0.32, colour)
    pen.box(0.24, -0.32, 0.48, 0.32, darker(colour, 0.15))
    pen.box(0.2, -0.38, 0.52, -0.3, INK)
    pen.box(0.29, -0.22, 0.43, -0.06, GLASS)
    pen.shape([(0.62, -0.02), (0.6, -0.28), (0.74, -0.28), (0.72, -0.02)], INK)
    pen.shape([(0.78, 0.32), (0.98, 0.42), (0.78, 0.42)], INK)
    pen.ellipse(0.78, 0.12, 0.06, 0.08, LAMP)
    for x in (-0.88, -0.56, -0.26, 0.06, 0.36, 0.6):
        pen.ellipse(x, 0.4, 0.1, 0.1, INK)
        angle = phase * math.tau
        pen.stroke([(x, 0.4), (x + 0.06 * math.cos(angle), 0.4 + 0.06 * math.sin(angle))], 0.03, WHITE)
    for puff in range(3):
        rise = (phase + puff / 3) % 1
        pen.ellipse(
            0.66 - 0.5 * rise,
            -0.36 - 0.45 * rise,
            0.06 + 0.12 * rise,
            0.05 + 0.1 * rise,
            WHITE,
            alpha=round(190 * (1 - rise)),
        )


def plane(pen: Pen, phase: float, colour: Colour) -> None:
    pen.shape([(0.05, -0.06), (-0.12, -0.4), (-0.26, -0.4), (-0.2, -0.06)], darker(colour, 0.35))
    pen.shape([(-0.66, -0.06), (-0.92, -0.46), (-0.74, -0.46), (-0.4, -0.1)], colour)
    pen.blob(
        [
            (-0.95, -0.02),
            (-0.6, -0.14),
            (0.2, -0.18),
            (0.72, -0.12),
            (0.95, 0.02),
            (0.75, 0.12),
            (0.1, 0.16),
            (-0.6, 0.08),
        ],
        WHITE,
    )
    pen.stroke([(-0.84, 0.02), (0.2, 0.08), (0.86, 0.05)], 0.06, colour)
    for index in range(7):
        pen.ellipse(-0.4 + 0.14 * index, -0.05, 0.035, 0.04, rgb("#4A6A8A"))
    pen.shape([(0.62, -0.11), (0.8, -0.06), (0.72, -0.01), (0.58, -0.02)], GLASS)
    pen.shape([(0.2, 0.06), (-0.3, 0.5), (-0.48, 0.5), (-0.14, 0.06)], darker(colour, 0.12))


def rocket(pen: Pen, phase: float, colour: Colour) -> None:
    flame = 0.16 * swing(phase * 2)
    pen.blob(
        [(-0.14, 0.56), (-0.08, 0.8 + flame), (0, 0.97), (0.08, 0.8 - flame), (0.14, 0.56)], rgb("#FF8A2A")
    )
    pen.blob([(-0.08, 0.56), (0, 0.82 + flame * 0.5), (0.08, 0.56)], rgb("#FFE27A"))
    for side in (-1, 1):
        pen.blob([(0.22 * side, 0.1), (0.46 * side, 0.45), (0.44 * side, 0.68), (0.16 * side, 0.52)], colour)
    pen.blob(
        [(0, -0.95), (0.2, -0.6), (0.28, -0.1), (0.2, 0.56), (-0.2, 0.56), (-0.28, -0.1), (-0.2, -0.6)], WHITE
    )
    pen.blob([(0, -0.96), (0.14, -0.74), (0.19, -0.56), (0, -0.52), (-0.19, -0.56), (-0.14, -0.74)], colour)
    pen.ellipse(0, -0.2, 0.15, 0.15, darker(colour, 0.2))
    pen.ellipse(0, -0.2, 0.1, 0.1, GLASS)
    pen.stroke([(-0.2, 0.42), (0.2, 0.42)], 0.06, mix(WHITE, INK, 0.3))


def balloon(pen: Pen, phase: float, colour: Colour) -> None:
    sway = 0.02 * swing(phase)
    for x in (-0.14, 0.14):
        pen.stroke([(x * 1.6, 0.36), (x * 0.8 + sway, 0.72)], 0.02, INK)
    envelope = [
        (0, -0.95),
        (0.5, -0.75),
        (0.66, -0.3),
        (0.45, 0.12),
        (0.16, 0.42),
        (-0.16, 0.42),
        (-0.45, 0.12),
        (-0.66, -0.3),
        (-0.5, -0.75),
    ]
    for share, tone in ((1.0, colour), (0.66, CREAM), (0.34, mix(colour, CREAM, 0.15))):
        pen.blob([(x * share, y) for x, y in envelope], tone)
    pen.box(-0.16 + sway, 0.7, 0.16 + sway, 0.92, rgb("#8A5A33"))
    pen.box(-0.18 + sway, 0.67, 0.18 + sway, 0.73, rgb("#6A4226"))
