"""The city: a street between houses."""

import itertools
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from lambdas.animatic.canvas import Pen, Plane, Point
from lambdas.animatic.palettes import Colour, darker, lighter, mix
from lambdas.animatic.places.stage import Scenery, Stage, merged, stars


def city(stage: Stage) -> Scenery:
    """Build a street seen down its middle: houses in perspective on both sides, the road wet in rain."""
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    sky = stage.plane(0.12)
    top, middle_sky, low = palette.sky
    sky.fill([(0, top), (0.35, middle_sky), (0.62, low), (1, low)])
    if palette.dark and stage.weather is None:
        stars(sky, rng, 0.4, 60)
    vanish = (0.5 * stage.width, 0.6 * stage.height)
    sky.glow(*vanish, unit * 0.7, palette.sun, 0.55)
    far = stage.plane(0.28)
    for level, nearness, tall in ((0.6, 0.05, 0.34), (0.61, 0.28, 0.24)):
        _skyline(stage, far, level, tall, mix(palette.between(nearness), low, 0.35), lit=palette.dark)
    far.veil(low, [(0, 0), (0.35, 0), (0.62, 0.6), (1, 0.6)])
    street = stage.plane(0.6)
    _road(stage, street, vanish)
    _houses(stage, street, vanish)
    if stage.weather == "rain" or palette.dark:
        _reflect(stage, street, 0.36 if stage.weather == "rain" else 0.16)
    near = stage.plane(1.0)
    _lamp(stage, near, 0.07 if rng.random() < 0.5 else 0.93)
    return Scenery([merged(sky, far, 0.2), street, near], front=2, ground=0.81, air=(0.5, 0.36), depth=0.75)


def _skyline(stage: Stage, plane: Plane, level: float, tall: float, colour: Colour, *, lit: bool) -> None:
    draw = ImageDraw.Draw(plane.image)
    x, rng, unit = 0.0, stage.rng, stage.unit
    glass = mix(colour, (255, 214, 140), 0.75) if lit else lighter(colour, 0.25)
    while x < stage.width:
        wide = unit * rng.uniform(0.05, 0.12)
        top = (level - tall * rng.uniform(0.3, 1)) * stage.height
        draw.rectangle((x, top, x + wide, stage.height), fill=(*colour, 255))
        if rng.random() < 0.3:
            draw.line(
                (x + wide / 2, top, x + wide / 2, top - unit * 0.04),
                fill=(*colour, 255),
                width=max(1, round(unit * 0.003)),
            )
        step, size = unit * 0.017, unit * 0.007
        for row in range(int((level * stage.height - top) / step)):
            for column in range(int(wide / step)):
                if rng.random() < 0.32:
                    left, up = x + step * (column + 0.5), top + step * (row + 0.6)
                    draw.rectangle((left, up, left + size, up + size * 1.2), fill=(*glass, 255))
        x += wide + unit * rng.uniform(0, 0.012)


def _road(stage: Stage, plane: Plane, vanish: Point) -> None:
    palette = stage.palette
    plane.ridge(
        np.full(stage.width, vanish[1], np.float32),
        mix(palette.ground[0], palette.sky[2], 0.35),
        palette.ground[1],
        fade=0.4,
    )
    road = Image.new("RGBA", stage.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(road)
    asphalt = darker(palette.ground[1], 0.15)
    half = stage.unit * 0.95
    draw.polygon(
        [vanish, (vanish[0] - half, stage.height), (vanish[0] + half, stage.height)], fill=(*asphalt, 255)
    )
    below = stage.height - vanish[1]
    for side in (-1, 1):  # kerbs
        draw.polygon(
            [vanish, (vanish[0] + side * half, stage.height), (vanish[0] + side * half * 1.06, stage.height)],
            fill=(*lighter(asphalt, 0.3), 255),
        )
    for step in range(9):  # dashes, shorter towards the vanishing point
        near, far = 1 / (1 + step * 0.75), 1 / (1 + (step + 0.38) * 0.75)
        corners = [
            (vanish[0] + side * stage.unit * 0.018 * share, vanish[1] + below * share)
            for side, share in ((-1, near), (1, near), (1, far), (-1, far))
        ]
        draw.polygon(corners, fill=(*mix(asphalt, palette.accents[1], 0.75), 255))
    plane.image.alpha_composite(road)


def _houses(stage: Stage, plane: Plane, vanish: Point) -> None:
    """Draw houses from far to near on each side: the wall along the street and the front facing the
    viewer."""
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    draw = ImageDraw.Draw(plane.image)
    cuts = [5.2, 3.6, 2.5, 1.75, 1.25, 0.86]
    street = unit * 0.62
    below = (stage.height - vanish[1]) * 0.86
    for side in (-1, 1):
        for index, (far, near) in enumerate(itertools.pairwise(cuts)):
            tall = unit * rng.uniform(0.5, 1.05)
            wall = mix(palette.between(0.2 + 0.14 * index), palette.accents[rng.integers(3)], 0.1)
            haze = 0.5 - 0.1 * index
            wall = mix(wall, palette.sky[2], max(0.0, haze))

            def place(depth: float, height: float, side: int = side) -> Point:
                return vanish[0] + side * street / depth, vanish[1] + (below - height) / depth

            front = [place(near, 0), place(near, tall)]
            outer = vanish[0] + side * stage.width
            draw.polygon(
                [front[0], front[1], (outer, front[1][1]), (outer, front[0][1])],
                fill=(*darker(wall, 0.25), 255),
            )
            draw.polygon(
                [place(far, 0), place(far, tall), place(near, tall), place(near, 0)], fill=(*wall, 255)
            )
            _windows(stage, draw, place, far, near, tall, wall)
            draw.polygon(
                [
                    place(far, tall),
                    place(near, tall),
                    place(near, tall + unit * 0.018),
                    place(far, tall + unit * 0.018),
                ],
                fill=(*lighter(wall, 0.18), 255),
            )
            if index:
                _sign(stage, plane, place, (far + near) / 2, side)


def _windows(
    stage: Stage,
    draw: ImageDraw.ImageDraw,
    place: Callable[[float, float], Point],
    far: float,
    near: float,
    tall: float,
    wall: Colour,
) -> None:
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    glows = ((255, 214, 140), (255, 236, 190), palette.accents[1])
    columns, rows = 5, max(3, int(tall / (unit * 0.085)))
    shop = [
        place(1 / (1 / far + (1 / near - 1 / far) * share), height)
        for share, height in (
            (0.08, 0.01 * unit),
            (0.08, 0.1 * unit),
            (0.92, 0.1 * unit),
            (0.92, 0.01 * unit),
        )
    ]
    lamp = palette.accents[rng.integers(3)]
    draw.polygon(
        shop, fill=(*(mix(lamp, (255, 240, 210), 0.55) if palette.dark else darker(wall, 0.45)), 255)
    )
    for row in range(rows):
        low = 0.14 * unit + (tall - 0.18 * unit) * row / rows
        high = low + (tall - 0.18 * unit) / rows * 0.62
        for column in range(columns):
            # Even steps along a wall are even steps of 1 / depth in the picture.
            depths = [
                1 / (1 / far + (1 / near - 1 / far) * (column + shift) / columns) for shift in (0.22, 0.78)
            ]
            lit = rng.random() < 0.5
            if palette.dark:
                colour = mix(wall, glows[rng.integers(3)], 0.85) if lit else darker(wall, 0.35)
            else:
                colour = (
                    mix(wall, (120, 170, 200), 0.6) if lit else mix(darker(wall, 0.35), (120, 170, 200), 0.3)
                )
            draw.polygon(
                [
                    place(depths[0], low),
                    place(depths[0], high),
                    place(depths[1], high),
                    place(depths[1], low),
                ],
                fill=(*colour, 255),
            )


def _sign(
    stage: Stage, plane: Plane, place: Callable[[float, float], Point], depth: float, side: int
) -> None:
    """Draw a shop sign over the street, glowing at night."""
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    colour = palette.accents[rng.integers(3)]
    high = unit * rng.uniform(0.24, 0.4)
    x, y = place(depth, high)
    tall, wide = unit * rng.uniform(0.16, 0.26) / depth, unit * 0.075 / depth
    x -= side * wide * 0.8
    pen = Pen(max(tall, 6))
    half = wide / tall
    back = darker(colour, 0.72) if palette.dark else colour
    ink = lighter(colour, 0.25) if palette.dark else lighter(colour, 0.75)
    pen.box(-half, -0.98, half, 0.98, ink if palette.dark else darker(colour, 0.3))
    pen.box(-half * 0.84, -0.93, half * 0.84, 0.93, back)
    for letter in range(4):
        top = -0.8 + 0.42 * letter
        kind = rng.integers(3)
        if kind == 0:
            pen.ellipse(0, top + 0.16, half * 0.5, 0.13, ink)
            pen.ellipse(0, top + 0.16, half * 0.24, 0.06, back)
        elif kind == 1:
            pen.box(-half * 0.5, top, half * 0.5, top + 0.07, ink)
            pen.box(-half * 0.12, top, half * 0.14, top + 0.32, ink)
        else:
            pen.box(-half * 0.5, top, -half * 0.2, top + 0.32, ink)
            pen.box(-half * 0.5, top + 0.25, half * 0.5, top + 0.32, ink)
            pen.box(half * 0.2, top, half * 0.5, top + 0.32, ink)
    if palette.dark:
        plane.glow(x, y, tall * 1.15, colour, 0.55)
    plane.stamp(pen.sprite(), x, y)


def _reflect(stage: Stage, plane: Plane, strength: float) -> None:
    """Reflect the street's lights in the wet road: mirror what is above it and smear it downward."""
    foot = round(0.665 * stage.height)
    depth = stage.height - foot
    above = plane.image.crop((0, max(0, foot - depth), stage.width, foot))
    mirror = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirror = mirror.resize((stage.width, max(1, mirror.height // 14))).resize(
        (stage.width, depth), Image.Resampling.BICUBIC
    )
    fade = np.linspace(1, 0.35, depth)[:, None] * strength * 255
    ripple = (
        0.75
        + 0.25
        * np.sin(np.arange(depth) * 0.5 / (stage.unit / 700) + 2 * np.sin(np.arange(depth) * 0.07))[:, None]
    )
    alpha = Image.fromarray(np.broadcast_to(fade * ripple, (depth, stage.width)).astype(np.uint8), "L")
    mirror.putalpha(ImageChops.multiply(alpha, mirror.getchannel("A")))
    plane.image.alpha_composite(mirror, (0, foot))


def _lamp(stage: Stage, plane: Plane, share: float) -> None:
    palette, unit = stage.palette, stage.unit
    x, high = share * stage.width, unit * 0.8
    inward = 1 if share < 0.5 else -1
    iron = darker(palette.near, 0.35)
    pen = Pen(high)
    pen.stroke([(0, 1), (0, -0.6)], 0.035, iron)
    pen.stroke([(0, -0.6), (0.04 * inward, -0.8), (0.24 * inward, -0.84)], 0.03, iron)
    pen.shape(
        [(0.16 * inward, -0.84), (0.34 * inward, -0.84), (0.3 * inward, -0.77), (0.2 * inward, -0.77)], iron
    )
    pen.stroke([(0, 0.98), (0, 0.86)], 0.08, iron, end=0.05)
    y = stage.height * 0.98 - high / 2
    if palette.dark:
        plane.glow(x + 0.125 * inward * high, y - 0.38 * high, unit * 0.3, (255, 220, 150), 0.6)
        pen.ellipse(0.25 * inward, -0.77, 0.06, 0.03, (255, 240, 200))
    plane.stamp(pen.sprite(), x, y)
