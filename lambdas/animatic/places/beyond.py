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


def backdrop(stage: Stage) -> Scenery:
    """Build no particular place: a calm ground for a card, with discs of light and two low ribbons."""
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    sky = stage.plane(0.15)
    top, middle_sky, low = palette.sky
    sky.fill([(0, top), (0.55, middle_sky), (1, mix(middle_sky, low, 0.6))])
    x, y = stage.width * rng.uniform(0.2, 0.8), stage.height * rng.uniform(0.25, 0.5)
    sky.glow(x, y, unit * 0.8, palette.sun, 0.45)
    discs = stage.plane(0.35, sway=(0.014, 0.01), period=9)
    for _ in range(6):
        pen = Pen(unit * rng.uniform(0.06, 0.3))
        pen.ellipse(0, 0, 0.95, 0.95, lighter(middle_sky, 0.35), alpha=round(rng.uniform(40, 110)))
        discs.stamp(pen.sprite(), rng.uniform(0, 1) * stage.width, rng.uniform(0.05, 0.7) * stage.height)
    planes = [sky, discs]
    for index, colour in enumerate((palette.accents[0], palette.near)):
        plane = stage.plane(0.5 + 0.3 * index, sway=(0.02 - 0.04 * index, 0.01), period=8 - index)
        tops = stage.line(0.83 + 0.07 * index, 0.05, length=rng.uniform(0.9, 1.5), rough=0.3)
        plane.ridge(tops, mix(colour, middle_sky, 0.35), darker(colour, 0.25), fade=0.34)
        planes.append(plane)
    return Scenery(planes, front=3, ground=0.8, air=(0.5, 0.4), depth=0.7)
