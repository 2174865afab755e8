"""Places beyond the earth."""

import numpy as np
from PIL import Image

from lambdas.animatic import props
from lambdas.animatic.canvas import Pen
from lambdas.animatic.palettes import Colour, darker, lighter, mix
from lambdas.animatic.places.stage import Scenery, Stage, stars


def space(stage: Stage) -> Scenery:
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    sky = stage.plane(0.1)
    top, middle_sky, low = palette.sky
    sky.fill([(0, top), (0.5, middle_sky), (1, low)])
    for colour in (palette.accents[2], palette.accents[0], palette.accents[1]):
        sky.image.alpha_composite(_nebula(stage, colour))
    stars(sky, rng, 1.0, 240)
    far = stage.plane(0.35)
    side = 0.74 if rng.random() < 0.5 else 0.26
    big = unit * rng.uniform(0.8, 0.95)
    far.glow(side * stage.width, 0.4 * stage.height, big * 0.5, palette.accents[0], 0.35)
    far.stamp(
        props.planet(
            big,
            palette.accents[0],
            mix(palette.accents[0], palette.sun, 0.55),
            ring=mix(palette.sun, palette.accents[2], 0.3),
        ),
        side * stage.width,
        0.4 * stage.height,
    )
    small = unit * 0.2
    far.stamp(
        props.planet(small, palette.accents[1], mix(palette.accents[1], palette.sky[2], 0.4), ring=None),
        (1 - side) * stage.width,
        0.22 * stage.height,
    )
    middle = stage.plane(0.6)
    stars(middle, rng, 1.0, 26, size=2.2)
    near = stage.plane(1.0)
    ground = stage.line(0.93, 0.035, length=0.5, detail=4)
    near.ridge(ground, mix(palette.ground[0], palette.sky[2], 0.4), palette.ground[1], fade=0.12)
    for _ in range(12):
        x, wide = rng.uniform(0, stage.width), unit * rng.uniform(0.05, 0.16)
        pen = Pen(wide)
        pen.ellipse(0, 0, 0.95, 0.26, darker(palette.ground[0], 0.45), alpha=150)
        pen.ellipse(0, 0.06, 0.85, 0.2, mix(palette.ground[0], palette.sky[2], 0.2), alpha=110)
        near.stamp(
            pen.sprite(), x, ground[int(x) % stage.width] + wide * 0.3 + rng.uniform(0, 0.04) * stage.height
        )
    return Scenery([sky, far, middle, near], front=3, ground=0.85, air=(1 - side, 0.46))


def _nebula(stage: Stage, colour: Colour) -> Image.Image:
    """Return coloured gas clouds: smooth noise at four scales."""
    noise = np.zeros((stage.height // 4, stage.width // 4), np.float32)
    for octave in range(4):
        cells = (3 * 2**octave, 2 * 2**octave)
        patch = Image.fromarray(stage.rng.random((cells[1], cells[0])).astype(np.float32), "F")
        noise += (
            np.asarray(patch.resize((noise.shape[1], noise.shape[0]), Image.Resampling.BICUBIC)) / 2**octave
        )
    dense = np.clip((noise - np.quantile(noise, 0.45)) / (noise.max() - noise.min()) * 2.2, 0, 1) ** 1.3
    alpha = Image.fromarray((dense * 120).astype(np.uint8), "L").resize(stage.size, Image.Resampling.BICUBIC)
    cloud = Image.new("RGBA", stage.size, (*colour, 255))
    cloud.putalpha(alpha)
    return cloud


def abstract(stage: Stage) -> Scenery:
    """Build no particular place: ribbons of colour and floating discs."""
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    sky = stage.plane(0.15)
    top, middle_sky, low = palette.sky
    sky.fill([(0, top), (0.55, middle_sky), (1, low)])
    x, y = stage.width * rng.uniform(0.3, 0.7), stage.height * rng.uniform(0.3, 0.45)
    sky.glow(x, y, unit * 0.8, palette.sun, 0.6)
    planes = [sky]
    colours = (palette.sky[2], palette.accents[0], palette.accents[2], palette.accents[1], palette.near)
    for index, colour in enumerate(colours):
        depth = 0.3 + 0.17 * index
        sway = 0.012 + 0.01 * index
        plane = stage.plane(depth, sway=(sway if index % 2 else -sway, 0.01), period=9 - index)
        for _ in range(7 if index == 0 else 0):  # discs
            size = unit * rng.uniform(0.06, 0.3)
            pen = Pen(size)
            pen.ellipse(0, 0, 0.95, 0.95, mix(colour, palette.sun, 0.3), alpha=round(rng.uniform(60, 150)))
            if rng.random() < 0.5:
                pen.ellipse(0, 0, 0.62, 0.62, lighter(colour, 0.4), alpha=120)
            plane.stamp(
                pen.sprite(), rng.uniform(0.1, 0.9) * stage.width, rng.uniform(0.1, 0.6) * stage.height
            )
        tops = stage.line(0.5 + 0.115 * index, 0.085, length=rng.uniform(0.8, 1.3), detail=2, rough=0.3)
        plane.ridge(
            tops - unit * 0.007, lighter(colour, 0.4), lighter(colour, 0.4), bottom=float(tops.max()) + 4
        )
        plane.ridge(
            tops, mix(colour, middle_sky, 0.25), darker(mix(colour, palette.near, 0.35), 0.15), fade=0.34
        )
        planes.append(plane)
    return Scenery(planes, front=4, ground=0.8, air=(0.5, 0.4), depth=0.7)
