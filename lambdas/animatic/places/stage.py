"""Building blocks of places: the stage, sky, trees, grass and light."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from lambdas.animatic import props
from lambdas.animatic.canvas import Floats, Pen, Plane, Point, peaks, waves
from lambdas.animatic.palettes import Colour, Palette, darker, lighter, mix


@dataclass(frozen=True)
class Scenery:
    """A finished place. `planes` run from back to front; figures are drawn just behind planes[front].

    `depth` is the figures' depth, like a plane's. `ground` is where feet stand, as a share of the stage's
    height. `air` is where flyers hover, as shares of its width and height.
    """

    planes: list[Plane]
    front: int
    ground: float
    air: Point = (0.5, 0.4)
    depth: float = 0.8


class Stage:
    """The stage that a place is built on. Measures are shares of `width`, `height` or `unit` (pixels)."""

    def __init__(self, size: tuple[int, int], palette: Palette, rng: Generator, weather: str | None) -> None:
        self.size = size
        self.width, self.height = size
        self.palette = palette
        self.rng = rng
        self.weather = weather
        self.unit = Plane(size, 0).unit

    def plane(self, depth: float, *, sway: Point = (0, 0), period: float = 6.0) -> Plane:
        """Return an empty plane. `sway` is in units."""
        return Plane(self.size, depth, (sway[0] * self.unit, sway[1] * self.unit), period)

    def line(
        self, level: float, height: float, *, length: float = 0.8, detail: int = 2, rough: float = 0.4
    ) -> Floats:
        """Return a line of rolling land around `level`, varying by `height` (shares of the stage's
        height)."""
        line = waves(self.width, self.rng, length=length * self.unit, detail=detail, rough=rough)
        return (level - height * line).astype(np.float32) * self.height

    def summits(self, foot: float, height: float, *, length: float = 0.5) -> Floats:
        line = peaks(self.width, self.rng, length=length * self.unit)
        return (foot - height * line).astype(np.float32) * self.height

    def along(self, tops: Floats, count: int, *, edge: bool = False) -> list[tuple[float, float]]:
        """Return `count` positions spread along a line of land; with `edge`, only those near the sides."""
        places = []
        for index in range(count):
            share = (index + self.rng.uniform(0.1, 0.9)) / count
            if edge and 0.24 < share < 0.76:
                continue
            column = min(self.width - 1, int(share * self.width))
            places.append((float(column), float(tops[column])))
        return places


def sky_with_sun(stage: Stage, *, horizon: float, sun: Point, clouds: int = 4) -> Plane:
    """Return a sky with the sun or moon at `sun` (shares of width and height)."""
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    plane = stage.plane(0.12)
    top, middle, low = palette.sky
    plane.fill([(0, top), (horizon * 0.55, middle), (horizon, low), (1, low)])
    x, y = sun[0] * stage.width, sun[1] * stage.height
    heavy = stage.weather == "rain"
    if palette.dark and not heavy:
        stars(plane, rng, horizon * 0.9, 110)
    if not heavy:
        if palette.dark:
            plane.glow(x, y, unit * 0.42, palette.sun, 0.3)
            plane.glow(x, y, unit * 0.16, palette.sun, 0.5)
            moon(plane, x, y, unit * 0.06, palette)
        else:
            plane.glow(x, y, unit * 0.95, palette.sun, 0.55)
            plane.glow(x, y, unit * 0.34, palette.sun, 0.8)
            _disc(plane, x, y, unit * 0.075, palette.sun)
    lit = mix(low, palette.sun, 0.5) if not palette.dark else lighter(middle, 0.16)
    shade = mix(middle, low, 0.4) if not palette.dark else middle
    if heavy:
        lit, shade, clouds = lighter(middle, 0.2), darker(top, 0.05), clouds + 8
    for index in range(clouds):
        wide = unit * rng.uniform(0.35, 0.85) * (1.7 if heavy else 1)
        cx = (index + rng.uniform(0, 1)) / clouds * stage.width
        cy = rng.uniform(0.1, 0.55 if not heavy else 0.42) * horizon * stage.height
        sprite = props.cloud(wide, lit, shade, rng)
        if not heavy:
            sprite.putalpha(sprite.getchannel("A").point(lambda value: value * 0.72))
        plane.stamp(sprite, cx, cy)
    return plane


def merged(back: Plane, front: Plane, depth: float) -> Plane:
    """Merge two far planes, which leaves one plane less to move per frame."""
    back.image.alpha_composite(front.image)
    back.depth, back.sway, back.period = depth, front.sway, front.period
    return back


def stars(plane: Plane, rng: Generator, floor: float, count: int, *, size: float = 1.0) -> None:
    for _ in range(count):
        radius = plane.unit * size * (0.0022 + 0.006 * rng.random() ** 5)
        x, y = rng.uniform(0, plane.width), rng.uniform(0, floor * plane.height)
        plane.glow(x, y, radius * 2.4, (255, 250, 235), rng.uniform(0.4, 1.0) * (1 - 0.6 * y / plane.height))


def _disc(plane: Plane, x: float, y: float, radius: float, colour: Colour) -> None:
    pen = Pen(radius * 2.1)
    pen.ellipse(0, 0, 0.95, 0.95, colour)
    plane.stamp(pen.sprite(), x, y)


def moon(plane: Plane, x: float, y: float, radius: float, palette: Palette) -> None:
    pen = Pen(radius * 2.1)
    pen.ellipse(0, 0, 0.95, 0.95, palette.sun)
    for cx, cy, size in ((-0.3, -0.2, 0.2), (0.25, 0.3, 0.26), (0.3, -0.4, 0.12), (-0.25, 0.45, 0.1)):
        pen.ellipse(cx, cy, size, size, mix(palette.sun, palette.sky[2], 0.22))
    plane.stamp(pen.sprite(), x, y)


def sun_place(stage: Stage, low: float = 0.5) -> Point:
    """Return a sun position left or right of the middle, at height `low`."""
    side = 0.27 if stage.rng.random() < 0.5 else 0.73
    return side + stage.rng.uniform(-0.05, 0.05), low


def pines(
    stage: Stage, plane: Plane, tops: Floats, count: int, height: float, colour: Colour, *, edge: bool = False
) -> None:
    tall = stage.unit * height * 1.15
    kinds = [props.pine(tall, colour, stage.rng, snow=stage.weather == "snow") for _ in range(4)]
    for index, (x, y) in enumerate(stage.along(tops, count, edge=edge)):
        side = max(4, round(tall * stage.rng.uniform(0.52, 1)))
        plane.stamp(kinds[index % 4].resize((side, side), Image.Resampling.BILINEAR), x, y - side * 0.46)


def trees(
    stage: Stage, plane: Plane, tops: Floats, count: int, height: float, colour: Colour, *, edge: bool = False
) -> None:
    for x, y in stage.along(tops, count, edge=edge):
        tall = stage.unit * height * stage.rng.uniform(0.7, 1.15)
        plane.stamp(
            props.tree(tall, mix(colour, stage.palette.accents[1], 0.08), stage.rng), x, y - tall * 0.44
        )


def grass(stage: Stage, plane: Plane, tops: Floats, count: int, height: float, colour: Colour) -> None:
    for x, y in stage.along(tops, count):
        tall = stage.unit * height * stage.rng.uniform(0.6, 1.2)
        plane.stamp(props.grass(tall * 1.5, tall, colour, stage.rng), x, y - tall * 0.18)


def blossoms(stage: Stage, plane: Plane, tops: Floats, count: int, size: float) -> None:
    for x, y in stage.along(tops, count):
        wide = stage.unit * size * stage.rng.uniform(0.7, 1.2)
        accents = stage.palette.accents
        colour = accents[stage.rng.integers(3)]
        plane.stamp(props.stem(wide * 2.2, darker(stage.palette.ground[0], 0.2), 0.2), x, y)
        plane.stamp(
            props.flower(wide, colour, accents[1] if colour != accents[1] else accents[0], stage.rng), x, y
        )


def rays(stage: Stage, x: float, y: float, colour: Colour) -> Image.Image:
    """Return shafts of light falling from (x, y)."""
    mask = Image.new("L", (stage.width // 2, stage.height // 2), 0)
    draw = ImageDraw.Draw(mask)
    reach = stage.height * 1.2
    for index in range(7):
        angle = math.radians(50 + index * 13 + stage.rng.uniform(-4, 4))
        wide = math.radians(stage.rng.uniform(1.5, 4.5))
        corners = [(x / 2, y / 2)]
        corners += [
            ((x + reach * math.cos(a)) / 2, (y + reach * math.sin(a)) / 2)
            for a in (angle - wide, angle + wide)
        ]
        draw.polygon(corners, fill=round(stage.rng.uniform(40, 75)))
    mask = mask.filter(ImageFilter.GaussianBlur(stage.unit * 0.006)).resize(stage.size)
    fade = np.linspace(1, 0.0, stage.height)[:, None] ** 1.2
    light = Image.new("RGBA", stage.size, (*colour, 255))
    light.putalpha(Image.fromarray((np.asarray(mask) * fade).astype(np.uint8), "L"))
    return light
