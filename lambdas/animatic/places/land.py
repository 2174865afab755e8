"""Places on land."""

import numpy as np

from lambdas.animatic import props
from lambdas.animatic.canvas import Pen, waves
from lambdas.animatic.palettes import darker, lighter, mix
from lambdas.animatic.places.stage import (
    Scenery,
    Stage,
    blossoms,
    grass,
    merged,
    moon,
    pines,
    rays,
    sky_with_sun,
    stars,
    sun_place,
    trees,
)


def hills(stage: Stage) -> Scenery:
    palette = stage.palette
    sky = sky_with_sun(stage, horizon=0.62, sun=sun_place(stage, 0.34))
    far = stage.plane(0.3)
    far.ridge(stage.summits(0.64, 0.22), palette.between(0.05), palette.sky[2], fade=0.3)
    far.ridge(
        stage.line(0.6, 0.045, length=0.6),
        palette.between(0.3),
        mix(palette.between(0.3), palette.sky[2], 0.5),
        fade=0.25,
    )
    middle = stage.plane(0.6)
    lit, shade = palette.ground
    line = stage.line(0.66, 0.04, length=0.75)
    trees(stage, middle, line + stage.unit * 0.008, 7, 0.13, mix(palette.between(0.5), lit, 0.3))
    middle.ridge(line, mix(lit, palette.sky[2], 0.35), mix(lit, shade, 0.4), fade=0.3)
    line = stage.line(0.74, 0.03, length=0.9)
    trees(stage, middle, line + stage.unit * 0.01, 6, 0.2, mix(palette.near, lit, 0.35), edge=True)
    middle.ridge(line, lit, shade, fade=0.32)
    near = stage.plane(1.0, sway=(0.004, 0.0), period=4)
    line = stage.line(0.93, 0.02)
    grass(stage, near, line, 26, 0.11, mix(lit, shade, 0.55))
    near.ridge(line, mix(lit, shade, 0.75), darker(shade, 0.25), fade=0.12)
    blossoms(stage, near, line - stage.unit * 0.02, 7, 0.05)
    return Scenery([sky, far, middle, near], front=3, ground=0.82, air=(0.5, 0.36))


def mountains(stage: Stage) -> Scenery:
    palette = stage.palette
    sky = sky_with_sun(stage, horizon=0.66, sun=sun_place(stage, 0.36), clouds=3)
    far = stage.plane(0.25)
    for foot, height, nearness in ((0.62, 0.42, 0.0), (0.68, 0.3, 0.22)):
        tops = stage.summits(foot, height, length=0.62)
        colour = palette.between(nearness)
        snowline = stage.height * (foot - height * 0.66)
        far.ridge(tops, lighter(colour, 0.62), lighter(colour, 0.35), fade=0.3)
        ragged = (
            waves(stage.width, stage.rng, length=stage.unit * 0.16, detail=3, rough=0.6)
            * stage.height
            * 0.035
        )
        far.ridge(
            np.maximum(tops, snowline + ragged).astype(np.float32),
            colour,
            mix(colour, palette.sky[2], 0.6),
            fade=0.34,
        )
    middle = stage.plane(0.55)
    tops = stage.summits(0.76, 0.2, length=0.45)
    middle.ridge(tops, palette.between(0.48), mix(palette.between(0.48), palette.sky[2], 0.5), fade=0.28)
    line = stage.line(0.77, 0.025)
    pines(stage, middle, line + stage.unit * 0.015, 26, 0.12, palette.between(0.66))
    middle.ridge(line, palette.between(0.66), mix(palette.between(0.66), palette.sky[1], 0.3), fade=0.25)
    near = stage.plane(1.0)
    line = stage.line(0.92, 0.03, length=0.6)
    pines(stage, near, line + stage.unit * 0.03, 14, 0.36, darker(palette.near, 0.1), edge=True)
    near.ridge(line, palette.near, darker(palette.near, 0.4), fade=0.15)
    return Scenery([sky, far, middle, near], front=3, ground=0.83, air=(0.5, 0.36))


def snow(stage: Stage) -> Scenery:
    palette = stage.palette
    stage.weather = "snow"  # also covers the trees
    white, blue = palette.ground
    sky = sky_with_sun(stage, horizon=0.6, sun=sun_place(stage, 0.3), clouds=3)
    far = stage.plane(0.28)
    tops = stage.summits(0.64, 0.34, length=0.55)
    far.ridge(tops, lighter(palette.far, 0.75), mix(palette.far, white, 0.6), fade=0.35)
    ragged = waves(stage.width, stage.rng, length=stage.unit * 0.2, detail=2, rough=0.6) * stage.height * 0.03
    far.ridge(
        np.maximum(tops, stage.height * 0.46 + ragged).astype(np.float32),
        palette.far,
        mix(palette.far, white, 0.7),
        fade=0.24,
    )
    middle = stage.plane(0.58)
    line = stage.line(0.64, 0.02)
    pines(stage, middle, line + stage.unit * 0.02, 18, 0.17, palette.between(0.45))
    middle.ridge(line, mix(white, palette.sky[1], 0.25), blue, fade=0.3)
    line = stage.line(0.74, 0.025)
    pines(stage, middle, line + stage.unit * 0.02, 10, 0.26, palette.between(0.75), edge=True)
    middle.ridge(line, white, mix(white, blue, 0.9), fade=0.3)
    near = stage.plane(1.0)
    line = stage.line(0.93, 0.03, length=0.7)
    pines(stage, near, line + stage.unit * 0.05, 8, 0.5, palette.near, edge=True)
    near.ridge(line, mix(white, blue, 0.3), blue, fade=0.14)
    return Scenery([sky, far, middle, near], front=3, ground=0.82, air=(0.5, 0.36))


def forest(stage: Stage) -> Scenery:
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    sky = stage.plane(0.12)
    top, middle_sky, low = palette.sky
    sky.fill([(0, top), (0.4, middle_sky), (0.68, low), (1, mix(low, palette.ground[0], 0.5))])
    x, y = stage.width * rng.uniform(0.4, 0.6), stage.height * 0.4
    sky.glow(x, y, unit * 0.75, palette.sun, 0.4 if palette.dark else 0.85)
    sky.glow(x, y, unit * 0.3, palette.sun, 0.35 if palette.dark else 0.8)
    if palette.dark:
        stars(sky, rng, 0.6, 60)
        moon(sky, x, y * 0.7, unit * 0.055, palette)
    far = stage.plane(0.3)
    for level, nearness, count, height in ((0.6, 0.12, 20, 0.42), (0.66, 0.3, 15, 0.55)):
        line = stage.line(level, 0.015)
        colour = mix(palette.between(nearness), low, 0.25)
        pines(stage, far, line + unit * 0.03, count, height, colour)
        far.ridge(line, colour, mix(colour, low, 0.55), fade=0.22)
    if not palette.dark:
        far.image.alpha_composite(rays(stage, x, -0.1 * stage.height, palette.sun))
    middle = stage.plane(0.62)
    line = stage.line(0.74, 0.02)
    pines(stage, middle, line + unit * 0.04, 9, 0.85, palette.between(0.62), edge=True)
    lit, shade = palette.ground
    middle.ridge(line, mix(lit, palette.sun, 0.2), mix(lit, shade, 0.7), fade=0.26)
    grass(stage, middle, line + unit * 0.02, 22, 0.05, mix(lit, shade, 0.35))
    near = stage.plane(1.0)
    dark = darker(palette.near, 0.15)
    for share in (0.03, 0.13, 0.9, 0.985):
        tall = stage.height * 1.05
        near.stamp(
            props.trunk(tall, 0.075 * unit / tall * 1.6, dark, rng), share * stage.width, stage.height * 0.48
        )
    line = stage.line(0.94, 0.02)
    grass(stage, near, line, 24, 0.13, mix(shade, palette.near, 0.5))
    near.ridge(line, mix(shade, palette.near, 0.6), darker(palette.near, 0.3), fade=0.12)
    return Scenery([merged(sky, far, 0.2), middle, near], front=2, ground=0.82, air=(0.5, 0.46))


def flowers(stage: Stage) -> Scenery:
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    lit, shade = palette.ground
    sky = stage.plane(0.12)
    top, middle_sky, low = palette.sky
    sky.fill(
        [
            (0, mix(top, middle_sky, 0.3)),
            (0.38, mix(middle_sky, low, 0.5)),
            (0.6, mix(low, lit, 0.35)),
            (1, mix(lit, shade, 0.35)),
        ]
    )
    sky.glow(stage.width * 0.22, stage.height * 0.12, unit * 0.9, palette.sun, 0.5 if palette.dark else 0.9)
    far = stage.plane(0.35, sway=(0.004, 0.0), period=7)
    line = stage.line(0.72, 0.05)
    far.ridge(line, mix(lit, low, 0.4), mix(lit, shade, 0.4), fade=0.3)
    blossoms(stage, far, line - unit * 0.05, 16, 0.1)
    far.blur(unit * 0.012)
    for _ in range(16):  # light out of focus
        x, y = rng.uniform(0, stage.width), rng.uniform(0.05, 0.8) * stage.height
        colour = mix(palette.sun, palette.accents[rng.integers(3)], 0.35)
        pen = Pen(unit * rng.uniform(0.04, 0.14))
        pen.ellipse(0, 0, 0.94, 0.94, colour, alpha=round(rng.uniform(25, 70)))
        far.stamp(pen.sprite(), x, y)
    middle = stage.plane(0.8, sway=(0.007, 0.003), period=5)
    green = mix(shade, lit, 0.3)
    side = 1 if rng.random() < 0.5 else -1
    petals, heart, other = palette.accents
    for x, y, size, colour, core in (
        (0.5 - side * 0.3, 0.6, 0.3, other, heart),
        (0.5 + side * 0.36, 0.72, 0.24, mix(petals, (255, 255, 255), 0.35), heart),
        (0.5 + side * 0.08, 0.5, 0.56, petals, mix(heart, (240, 170, 40), 0.6)),
    ):
        px, py, wide = x * stage.width, y * stage.height, size * unit
        middle.stamp(props.stem(max(wide * 2, stage.height * 1.15), green, side * 0.35), px, py)
        middle.stamp(props.flower(wide, colour, core, rng), px, py)
    line = stage.line(1.0, 0.02)
    grass(stage, middle, line, 16, 0.32, green)
    near = stage.plane(1.0, sway=(0.012, 0.0), period=4.3)
    line = stage.line(1.02, 0.02)
    for x, y in stage.along(line, 9, edge=True):
        tall = unit * rng.uniform(0.3, 0.5)
        near.stamp(props.grass(tall * 0.8, tall, darker(shade, 0.25), rng), x, y - tall * 0.2)
    near.blur(unit * 0.006)
    air = (0.5 - side * 0.1, 0.34)
    return Scenery([merged(sky, far, 0.25), middle, near], front=2, ground=0.82, air=air)


def desert(stage: Stage) -> Scenery:
    palette, unit = stage.palette, stage.unit
    sky = sky_with_sun(stage, horizon=0.62, sun=sun_place(stage, 0.32), clouds=2)
    far = stage.plane(0.28)
    steps = np.clip(waves(stage.width, stage.rng, length=unit * 0.7, detail=3) * 4, -1, 1)
    far.ridge(
        ((0.6 - 0.07 * steps) * stage.height).astype(np.float32),
        palette.between(0.12),
        mix(palette.between(0.12), palette.sky[2], 0.6),
        fade=0.2,
    )
    middle = stage.plane(0.6)
    lit, shade = palette.ground
    line = stage.line(0.66, 0.04, length=0.9, detail=1)
    middle.ridge(line, mix(lit, palette.sky[2], 0.35), mix(lit, shade, 0.45), fade=0.16)
    line = stage.line(0.76, 0.05, length=1.1, detail=1)
    for x, y in stage.along(line, 5, edge=True):
        tall = unit * stage.rng.uniform(0.12, 0.2)
        middle.stamp(props.cactus(tall, mix(palette.near, (70, 120, 80), 0.6)), x, y - tall * 0.4)
    middle.ridge(line, lit, mix(lit, shade, 0.8), fade=0.2)
    near = stage.plane(1.0)
    line = stage.line(0.94, 0.045, length=1.0, detail=1)
    near.ridge(line, mix(lit, shade, 0.5), darker(shade, 0.2), fade=0.14)
    return Scenery([sky, far, middle, near], front=3, ground=0.82, air=(0.5, 0.36))


def fire(stage: Stage) -> Scenery:
    palette, unit = stage.palette, stage.unit
    sky = stage.plane(0.12)
    top, middle_sky, low = palette.sky
    sky.fill([(0, top), (0.5, middle_sky), (0.78, low), (1, low)])
    stars(sky, stage.rng, 0.5, 70)
    sky.glow(stage.width * 0.5, stage.height * 0.8, unit * 0.9, palette.sun, 0.55)
    far = stage.plane(0.35)
    line = stage.line(0.66, 0.02)
    pines(stage, far, line + unit * 0.03, 18, 0.4, palette.between(0.35))
    far.ridge(line, palette.between(0.35), mix(palette.between(0.3), low, 0.4), fade=0.2)
    middle = stage.plane(0.65)
    line = stage.line(0.76, 0.012)
    pines(stage, middle, line + unit * 0.05, 9, 0.75, palette.near, edge=True)
    middle.ridge(line, mix(palette.ground[0], palette.accents[0], 0.25), palette.ground[1], fade=0.24)
    middle.glow(stage.width * 0.5, stage.height * 0.84, unit * 0.5, palette.accents[0], 0.4)
    near = stage.plane(1.0)
    line = stage.line(0.96, 0.02)
    grass(stage, near, line, 18, 0.12, darker(palette.near, 0.2))
    near.ridge(line, palette.near, darker(palette.near, 0.4), fade=0.1)
    return Scenery([merged(sky, far, 0.22), middle, near], front=2, ground=0.83, air=(0.5, 0.4))
