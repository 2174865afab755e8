"""Figures that stand still, for example houses."""

from lambdas.animatic.canvas import Pen
from lambdas.animatic.figures.shared import INK, LAMP, WHITE, swing
from lambdas.animatic.palettes import Colour, darker, mix, rgb


def lighthouse(pen: Pen, phase: float, colour: Colour) -> None:
    for index in range(5):
        top, bottom = -0.5 + 0.29 * index, -0.5 + 0.29 * (index + 1)
        tone = colour if index % 2 else WHITE
        pen.shape(
            [
                (-0.17 - 0.12 * (top + 0.5), top),
                (0.17 + 0.12 * (top + 0.5), top),
                (0.17 + 0.12 * (bottom + 0.5), bottom),
                (-0.17 - 0.12 * (bottom + 0.5), bottom),
            ],
            tone,
        )
    pen.box(-0.25, -0.54, 0.25, -0.48, INK)
    pen.box(-0.14, -0.76, 0.14, -0.54, LAMP)
    pen.shape([(-0.2, -0.74), (0, -0.95), (0.2, -0.74)], colour)
    pen.box(-0.06, 0.7, 0.06, 0.94, INK)
    rock = rgb("#5B626E")
    pen.blob([(-0.75, 1.0), (-0.55, 0.82), (-0.3, 0.86), (-0.1, 0.92), (0, 1.0)], rock)
    pen.blob([(-0.1, 1.0), (0.1, 0.9), (0.35, 0.8), (0.6, 0.86), (0.78, 1.0)], darker(rock, 0.2))


def campfire(pen: Pen, phase: float, colour: Colour) -> None:
    log = rgb("#5A3422")
    for index, tone in enumerate((colour, mix(colour, LAMP, 0.55), rgb("#FFF3C4"))):
        share = 1 - 0.3 * index
        lick = [0.12 * share * swing(phase * 2, shift + index * 0.2) for shift in (0.0, 0.35, 0.7)]
        tips = [0.66 - reach * share for reach in (1.0, 1.5, 0.8)]
        outline = (
            *((-0.4, 0.62), (-0.36, 0.2), (-0.2 + lick[0] / share, tips[0]), (-0.06, 0.1)),
            *((0.06 + lick[1] / share, tips[1]), (0.18, 0.12), (0.3 + lick[2] / share, tips[2])),
            *((0.4, 0.3), (0.38, 0.64)),
        )
        pen.blob([(x * share, y) for x, y in outline], tone)
    pen.stroke([(-0.55, 0.84), (0.5, 0.62)], 0.15, log)
    pen.stroke([(-0.5, 0.62), (0.55, 0.84)], 0.15, darker(log, 0.2))
    for x, y in ((0.55, 0.84), (-0.55, 0.84)):
        pen.ellipse(x, y, 0.07, 0.075, rgb("#C98F5E"))
