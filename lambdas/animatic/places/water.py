"""Places by, on and under the sea."""

import math

import numpy as np

from lambdas.animatic import props
from lambdas.animatic.canvas import Pen, Plane, Point, waves
from lambdas.animatic.palettes import Colour, darker, lighter, mix
from lambdas.animatic.places.stage import (
    Scenery,
    Stage,
    merged,
    rays,
    sky_with_sun,
    sun_place,
)


def ocean(stage: Stage) -> Scenery:
    rough = 1.6 if stage.weather == "rain" else 1.0
    sun = sun_place(stage, 0.3)
    sky = sky_with_sun(stage, horizon=0.56, sun=sun)
    sea = _sea(stage, 0.55)
    if stage.weather != "rain":
        _glitter(stage, sea, sun[0], 0.55)
    swells = [
        _swell(stage, 0.5, 0.69, 0.03 * rough, (0.018, 0.004 * rough), 5.5),
        _swell(stage, 0.75, 0.8, 0.036 * rough, (-0.026, 0.006 * rough), 4.7),
        _swell(stage, 1.0, 0.93, 0.046 * rough, (0.034, 0.008 * rough), 4.0),
    ]
    return Scenery([sky, sea, *swells], front=3, ground=0.75, air=(0.5, 0.32), depth=0.65)


def beach(stage: Stage) -> Scenery:
    palette, rng = stage.palette, stage.rng
    sun = sun_place(stage, 0.32)
    sky = sky_with_sun(stage, horizon=0.56, sun=sun)
    sea = _sea(stage, 0.54)
    _glitter(stage, sea, sun[0], 0.54)
    swell = _swell(stage, 0.5, 0.68, 0.016, (0.016, 0.004), 5.0)
    sand_lit, sand = mix((244, 214, 160), palette.sky[2], 0.25), mix((214, 164, 108), palette.near, 0.12)
    near = stage.plane(0.9)
    line = stage.line(0.77, 0.02, length=1.2)
    near.ridge(line - stage.unit * 0.014, (250, 252, 250), (250, 252, 250), bottom=float(line.max()))
    near.ridge(line, mix(sand_lit, palette.ground[0], 0.2), sand, fade=0.2)
    side = 0.9 if sun[0] < 0.5 else 0.1
    tall = stage.unit * 0.9
    near.stamp(
        props.palm(tall, mix(palette.near, (46, 120, 80), 0.55), 1 if side < 0.5 else -1),
        side * stage.width,
        0.95 * stage.height - tall * 0.44,
    )
    for _ in range(40):
        x, y = rng.uniform(0, stage.width), rng.uniform(0.84, 0.99) * stage.height
        pen = Pen(stage.unit * 0.014)
        pen.ellipse(0, 0, 0.9, 0.5, darker(sand, 0.15), alpha=120)
        near.stamp(pen.sprite(), x, y)
    return Scenery([sky, sea, swell, near], front=4, ground=0.86, air=(0.5, 0.34), depth=0.9)


def underwater(stage: Stage) -> Scenery:
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    sky = stage.plane(0.12)
    top, middle_sky, low = palette.sky
    sky.fill([(0, lighter(top, 0.25)), (0.25, top), (0.6, middle_sky), (1, low)])
    sky.glow(stage.width * 0.5, -0.05 * stage.height, unit * 0.9, palette.sun, 0.6)
    sky.image.alpha_composite(rays(stage, stage.width * 0.5, -0.2 * stage.height, palette.sun))
    far = stage.plane(0.32)
    for level, height, nearness in ((0.74, 0.16, 0.1), (0.84, 0.14, 0.35)):
        far.ridge(
            stage.line(level, height, length=0.35, detail=4, rough=0.5),
            palette.between(nearness),
            palette.between(nearness + 0.2),
            fade=0.3,
        )
    middle = stage.plane(0.68, sway=(0.008, 0.0), period=5)
    line = stage.line(0.88, 0.04, detail=3)
    for x, y in stage.along(line, 12):
        tall = unit * rng.uniform(0.16, 0.36)
        middle.stamp(
            props.seaweed(tall, mix(palette.between(0.5), palette.accents[rng.integers(3)], 0.35), rng),
            x,
            y - tall * 0.42,
        )
    middle.ridge(line, palette.between(0.55), palette.between(0.85), fade=0.15)
    near = stage.plane(1.0, sway=(0.014, 0.0), period=4.2)
    line = stage.line(0.97, 0.03, detail=3)
    for x, y in stage.along(line, 10, edge=True):
        tall = unit * rng.uniform(0.35, 0.7)
        near.stamp(props.seaweed(tall, darker(palette.near, 0.05), rng), x, y - tall * 0.42)
    near.ridge(line, palette.near, darker(palette.near, 0.4), fade=0.1)
    return Scenery([merged(sky, far, 0.22), middle, near], front=1, ground=0.84, air=(0.5, 0.45), depth=0.6)


def _sea(stage: Stage, horizon: float) -> Plane:
    """Return water up to the horizon, with the sun's glitter and thin distant swells."""
    palette, rng = stage.palette, stage.rng
    plane = stage.plane(0.3, sway=(0.004, 0.0), period=5)
    lit, deep = _water(stage)
    flat = np.full(stage.width, horizon * stage.height, np.float32)
    plane.ridge(flat, mix(lit, palette.sky[2], 0.45), mix(lit, deep, 0.5), fade=0.3)
    for _ in range(70):
        share = rng.random() ** 1.6
        y = (horizon + 0.012 + share * 0.22) * stage.height
        wide = stage.unit * (0.02 + 0.14 * share) * rng.uniform(0.5, 1.3)
        pen = Pen(wide)
        pen.ellipse(
            0, 0, 0.98, 0.05 + 0.02 * share, lighter(palette.sky[2], 0.3), alpha=round(rng.uniform(50, 130))
        )
        plane.stamp(pen.sprite(), rng.uniform(0, stage.width), y)
    return plane


def _glitter(stage: Stage, plane: Plane, x: float, horizon: float) -> None:
    for step in range(26):
        y = (horizon + 0.008 + 0.011 * step) * stage.height
        wide = stage.unit * (0.06 + 0.012 * step) * stage.rng.uniform(0.4, 1.2)
        pen = Pen(wide)
        pen.ellipse(0, 0, 0.98, 0.06, stage.palette.sun, alpha=round(210 - step * 6))
        plane.stamp(
            pen.sprite(), x * stage.width + stage.rng.normal(0, 0.012 + 0.0012 * step) * stage.unit, y
        )


def _swell(stage: Stage, depth: float, level: float, height: float, sway: Point, period: float) -> Plane:
    """Return one row of waves with foam on its crests."""
    lit, deep = _water(stage)
    plane = stage.plane(depth, sway=sway, period=period)
    x = np.arange(stage.width) / stage.unit
    phase = stage.rng.uniform(0, math.tau)
    length = 0.3 + 0.34 * depth
    # Round troughs and sharp crests, as in real water.
    crest = 1 - np.abs(np.sin(x / length * math.pi + phase + 0.5 * np.sin(x * 2.3 + phase)))
    line = level - height * crest - 0.4 * height * waves(stage.width, stage.rng, length=stage.unit * 0.5)
    tops = (line * stage.height).astype(np.float32)
    colour = mix(lit, deep, 0.15 + 0.6 * depth)
    foam = mix(colour, lighter(stage.palette.sky[2], 0.4), 0.75)
    plane.ridge(tops, foam, foam, bottom=float(tops.max()) + stage.unit * 0.04)
    thick = stage.unit * (0.003 + 0.008 * depth * crest**4)
    plane.ridge((tops + thick).astype(np.float32), lighter(colour, 0.1), darker(colour, 0.4), fade=0.2)
    for _ in range(26):  # streaks on the back of the wave
        column = stage.rng.integers(stage.width)
        pen = Pen(stage.unit * stage.rng.uniform(0.04, 0.13) * (0.6 + depth))
        pen.ellipse(0, 0, 0.98, 0.045, foam, alpha=round(stage.rng.uniform(30, 90)))
        plane.stamp(pen.sprite(), float(column), tops[column] + stage.unit * stage.rng.uniform(0.02, 0.09))
    return plane


def _water(stage: Stage) -> tuple[Colour, Colour]:
    """Return the water's colours near the horizon and close by, tinted by the sky."""
    palette = stage.palette
    return mix(palette.ground[0], palette.sky[2], 0.38), mix(palette.ground[1], palette.sky[0], 0.45)
