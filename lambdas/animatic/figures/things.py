"""Figures that stand still, for example houses."""

import math

from lambdas.animatic.canvas import Pen
from lambdas.animatic.figures.shared import CREAM, INK, LAMP, WHITE, swing
from lambdas.animatic.palettes import Colour, darker, lighter, mix, rgb


def house(pen: Pen, phase: float, colour: Colour) -> None:
    wall = mix(CREAM, colour, 0.12)
    pen.box(0.3, -0.72, 0.46, -0.3, darker(wall, 0.35))
    for puff in range(4):
        rise = (phase + puff / 4) % 1
        pen.ellipse(
            0.38 + 0.22 * rise,
            -0.76 - 0.2 * rise,
            0.05 + 0.08 * rise,
            0.04 + 0.07 * rise,
            WHITE,
            alpha=round(170 * (1 - rise)),
        )
    pen.box(-0.66, -0.06, 0.66, 0.94, wall)
    pen.box(0.3, -0.06, 0.66, 0.94, darker(wall, 0.12))
    pen.shape([(-0.84, 0.0), (-0.46, -0.56), (0.46, -0.56), (0.84, 0.0)], colour)
    pen.shape([(0.3, 0.0), (0.46, -0.56), (0.84, 0.0)], darker(colour, 0.25))
    for y in (-0.14, -0.3, -0.44):
        pen.stroke([(-0.7 - (y + 0.14) * 0.66, y), (0.38, y)], 0.02, darker(colour, 0.3))
    pen.box(-0.14, 0.34, 0.16, 0.94, darker(colour, 0.45))
    pen.ellipse(0.1, 0.66, 0.025, 0.025, LAMP)
    for left in (-0.52, 0.34):
        pen.box(left - 0.03, 0.2, left + 0.27, 0.54, WHITE)
        pen.box(left, 0.23, left + 0.24, 0.51, LAMP)
        pen.stroke([(left + 0.12, 0.23), (left + 0.12, 0.51)], 0.025, WHITE)
        pen.stroke([(left, 0.37), (left + 0.24, 0.37)], 0.025, WHITE)


def castle(pen: Pen, phase: float, colour: Colour) -> None:
    stone = mix(rgb("#B9B3AE"), colour, 0.12)
    flag = 0.05 * swing(phase)
    for left, right, top in ((-0.78, -0.46, -0.2), (0.46, 0.78, -0.2), (-0.2, 0.2, -0.5)):
        middle = (left + right) / 2
        pen.stroke([(middle, top - 0.46), (middle, top - 0.3)], 0.02, INK)
        pen.shape([(middle, top - 0.48), (middle + 0.18, top - 0.43 + flag), (middle, top - 0.36)], colour)
        pen.box(left, top, right, 0.94, darker(stone, 0.12) if middle else stone)
        pen.shape([(left - 0.05, top), (middle, top - 0.36), (right + 0.05, top)], colour)
        pen.box(middle - 0.05, top + 0.16, middle + 0.05, top + 0.32, LAMP)
    pen.box(-0.56, 0.26, 0.56, 0.94, stone)
    for index in range(8):
        pen.box(-0.56 + 0.15 * index, 0.18, -0.48 + 0.15 * index, 0.28, stone)
    pen.blob([(-0.15, 0.98), (-0.15, 0.66), (0, 0.52), (0.15, 0.66), (0.15, 0.98)], darker(stone, 0.7))


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


def kite(pen: Pen, phase: float, colour: Colour) -> None:
    sway = 0.06 * swing(phase)
    top, right, bottom, left = (0.16 + sway, -0.95), (0.58 + sway, -0.42), (0.06, 0.2), (-0.34 + sway, -0.48)
    middle = (0.12 + sway, -0.45)
    pen.stroke([middle, (-0.3, 0.4), (-0.95, 0.98)], 0.015, INK)  # the string, to a hand out of sight
    tail = [(bottom[0] + 0.1 * swing(phase, 0.2 * step), bottom[1] + 0.16 * step) for step in range(5)]
    pen.stroke(tail, 0.025, darker(colour, 0.3))
    for x, y in tail[1:]:
        for side in (-1, 1):
            pen.shape([(x, y), (x + 0.11 * side, y - 0.05), (x + 0.11 * side, y + 0.05)], LAMP)
    pen.shape([top, right, middle], colour)
    pen.shape([right, bottom, middle], darker(colour, 0.2))
    pen.shape([bottom, left, middle], mix(colour, CREAM, 0.75))
    pen.shape([left, top, middle], mix(colour, CREAM, 0.55))
    for spar in ((top, bottom), (left, right)):
        pen.stroke([*spar], 0.02, darker(colour, 0.5))


def cup(pen: Pen, phase: float, colour: Colour) -> None:
    for x, shift in ((-0.2, 0.0), (0.05, 0.35), (0.28, 0.7)):
        rise = (phase + shift) % 1
        y = -0.1 - 0.55 * rise
        pen.ellipse(
            x + 0.05 * swing(rise),
            y,
            0.09 + 0.06 * rise,
            0.16,
            WHITE,
            alpha=round(120 * math.sin(rise * math.pi)),
        )
    pen.ellipse(0.0, 0.84, 0.85, 0.12, darker(colour, 0.25))
    pen.ellipse(0.0, 0.81, 0.85, 0.11, lighter(colour, 0.3))
    pen.stroke([(0.5, 0.16), (0.82, 0.2), (0.8, 0.5), (0.44, 0.58)], 0.11, darker(colour, 0.1))
    pen.blob([(-0.58, 0.06), (0.58, 0.06), (0.52, 0.44), (0.34, 0.76), (-0.34, 0.76), (-0.52, 0.44)], colour)
    pen.ellipse(0, 0.04, 0.58, 0.13, lighter(colour, 0.35))
    pen.ellipse(0, 0.05, 0.5, 0.1, rgb("#5A3520"))


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
