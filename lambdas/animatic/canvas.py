"""Drawing tools: planes (paper layers of a stage) and pens (smooth small shapes)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from lambdas.animatic.palettes import Colour

Point = tuple[float, float]
Floats = NDArray[np.float32]

SMOOTH = 3  # small shapes are drawn this much larger, then reduced
SMOOTH_LARGE = 2
LARGE = 300  # pixels
# The corners of a circle's polygon.
_CIRCLE = [(math.cos(step / 48 * math.tau), math.sin(step / 48 * math.tau)) for step in range(48)]


@dataclass
class Plane:
    """One RGBA layer of a stage, `size` pixels. The camera moves it by `depth`: 0 is the sky, 1 is nearest.

    `sway` is how far it swings on its own, (x, y) in pixels, once per `period` seconds.
    """

    size: tuple[int, int]
    depth: float
    sway: Point = (0.0, 0.0)
    period: float = 6.0
    image: Image.Image = field(init=False)

    def __post_init__(self) -> None:
        self.image = Image.new("RGBA", self.size, (0, 0, 0, 0))

    @property
    def width(self) -> int:
        return self.size[0]

    @property
    def height(self) -> int:
        return self.size[1]

    @property
    def unit(self) -> float:
        """Return the unit of object sizes: the stage's shorter side in pixels."""
        return float(min(self.width, self.height * 1.1))

    def fill(self, stops: Sequence[tuple[float, Colour]]) -> None:
        """Fill the plane with a vertical gradient. `stops`: (share of the height, colour), from the top
        down."""
        self.image = vertical_gradient(self.size, stops).convert("RGBA")

    def ridge(
        self, tops: Floats, crest: Colour, foot: Colour, *, fade: float = 0.5, bottom: float | None = None
    ) -> None:
        """Draw land from the line `tops` (y per column, pixels) down to `bottom`, fading `crest` into `foot`.

        `fade` is the share of the plane's height over which the colour fades.
        """
        first = max(0, math.floor(float(tops.min())) - 1)
        last = self.height if bottom is None else min(self.height, math.ceil(bottom))
        if first >= last:
            return
        depth = np.arange(first, last, dtype=np.float32)[:, None] - tops[None, :]
        share = np.clip(depth / (fade * self.height), 0, 1)[..., None]
        colour = np.asarray(crest, np.float32) * (1 - share) + np.asarray(foot, np.float32) * share
        alpha = np.clip(depth + 0.5, 0, 1)[..., None] * 255
        pixels = np.concatenate([colour, alpha], axis=-1).astype(np.uint8)
        self.image.alpha_composite(Image.fromarray(pixels, "RGBA"), (0, first))

    def stamp(self, sprite: Image.Image, x: float, y: float) -> None:
        """Paste a sprite centred at (x, y), clipped to the plane."""
        left, top = round(x - sprite.width / 2), round(y - sprite.height / 2)
        cut_left, cut_top = max(0, -left), max(0, -top)
        right, bottom = min(sprite.width, self.width - left), min(sprite.height, self.height - top)
        if cut_left < right and cut_top < bottom:
            visible = (cut_left, cut_top, right, bottom)
            self.image.alpha_composite(sprite, (left + cut_left, top + cut_top), visible)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """Add light that fades outward from (x, y)."""
        self.stamp(glow(radius, colour, strength), x, y)

    def veil(self, colour: Colour, strengths: Sequence[tuple[float, float]]) -> None:
        """Add haze over what is drawn so far. `strengths`: (share of the height, 0 … 1), from the top
        down."""
        heights, values = zip(*strengths, strict=True)
        column = np.interp(np.linspace(0, 1, self.height), heights, values) * 255
        alpha = Image.fromarray(np.repeat(column[:, None].astype(np.uint8), self.width, axis=1), "L")
        haze = Image.new("RGBA", self.size, (*colour, 255))
        haze.putalpha(ImageChops.multiply(alpha, self.image.getchannel("A")))
        self.image.alpha_composite(haze)

    def blur(self, radius: float) -> None:
        """Blur the plane, as if out of focus."""
        # Premultiplied, so that transparent pixels contribute no colour.
        self.image = self.image.convert("RGBa").filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")


def vertical_gradient(size: tuple[int, int], stops: Sequence[tuple[float, Colour]]) -> Image.Image:
    width, height = size
    heights = [at for at, _ in stops]
    rows = np.linspace(0, 1, height)
    column = np.stack(
        [np.interp(rows, heights, [colour[channel] for _, colour in stops]) for channel in range(3)], axis=-1
    )
    # Dither with an ordered half-step pattern to hide banding in slow gradients.
    steps = np.array([[0.0, 0.5], [0.75, 0.25]])
    pattern = np.tile(steps, (height // 2 + 1, 1))[:height, :, None]
    two_columns = (column[:, None, :] + pattern).clip(0, 255).astype(np.uint8)
    return Image.fromarray(np.tile(two_columns, (1, width // 2 + 1, 1))[:, :width], "RGB")


def glow(radius: float, colour: Colour, strength: float) -> Image.Image:
    """Return a round light: `strength` (0 … 1) in the middle, fading to nothing at `radius` pixels."""
    side = max(2, round(radius * 2))
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
    distance = np.sqrt(axis[:, None] ** 2 + axis[None, :] ** 2).clip(0, 1)
    alpha = (1 - distance) ** 2 * (1 + 2 * distance) * 255 * strength
    sprite = Image.new("RGBA", (side, side), (*colour, 255))
    sprite.putalpha(Image.fromarray(alpha.astype(np.uint8), "L"))
    return sprite


def waves(width: int, rng: Generator, *, length: float, detail: int = 1, rough: float = 0.5) -> Floats:
    """Return a smooth random line over `width` columns, from -1 to 1. Its longest wave has `length` columns.

    `detail` adds waves, each half as long and `rough` times as high as the one before.
    """
    x = np.arange(width, dtype=np.float64)
    line, reach, height = np.zeros(width), 0.0, 1.0
    for octave in range(detail):
        for _ in range(2):
            wave = length / 2**octave * rng.uniform(0.7, 1.4)
            line += height * np.sin(x / wave * math.tau + rng.uniform(0, math.tau))
        reach += 2 * height
        height *= rough
    return (line / reach).astype(np.float32)


def peaks(width: int, rng: Generator, *, length: float, detail: int = 5) -> Floats:
    """Return a mountain line from 0 (valleys) to 1 (highest summit), with straight flanks and sharp tops."""
    x = np.arange(width, dtype=np.float64)
    line, height = np.zeros(width), 1.0
    for octave in range(detail):
        step = length / 2**octave / 2
        count = int(width / step) + 6
        knots = (np.arange(count) - 2 + rng.uniform(-0.25, 0.25, count)) * step
        summit = np.arange(count) % 2 == 0
        heights = np.where(summit, rng.uniform(0.5, 1, count), rng.uniform(0, 0.3, count))
        line += height * np.interp(x, knots, heights)
        height *= 0.4
    scaled: Floats = ((line - line.min()) / np.ptp(line)).astype(np.float32)
    return scaled


def spline(points: Sequence[Point], *, closed: bool = True, steps: int = 10) -> list[Point]:
    """Return a smooth line through the points (Catmull-Rom)."""
    count = len(points)
    powers = [(t, t**2, t**3) for t in (step / steps for step in range(steps))]
    path: list[Point] = []
    for index in range(count if closed else count - 1):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (
            points[(index + shift) % count] if closed else points[min(max(index + shift, 0), count - 1)]
            for shift in (-1, 0, 1, 2)
        )
        ax, bx, cx = x2 - x0, 2 * x0 - 5 * x1 + 4 * x2 - x3, 3 * x1 - x0 - 3 * x2 + x3
        ay, by, cy = y2 - y0, 2 * y0 - 5 * y1 + 4 * y2 - y3, 3 * y1 - y0 - 3 * y2 + y3
        path += [
            (
                0.5 * (2 * x1 + ax * t + bx * t2 + cx * t3),
                0.5 * (2 * y1 + ay * t + by * t2 + cy * t3),
            )
            for t, t2, t3 in powers
        ]
    return path if closed else [*path, points[-1]]


class Pen:
    """Draws a sprite in a box from -1 to 1 (x right, y down), `size` pixels wide and high."""

    def __init__(self, size: float) -> None:
        self.pixels = max(4, round(size))
        self._smooth = SMOOTH if self.pixels < LARGE else SMOOTH_LARGE
        side = self.pixels * self._smooth
        self._image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self._image)
        self._half = side / 2

    def sprite(self, *, shade: float = 0.0) -> Image.Image:
        """Return what was drawn. `shade` (0 … 1) lightens its top and darkens its foot."""
        image = self._image.convert("RGBa").reduce(self._smooth).convert("RGBA")
        if not shade:
            return image
        pixels = np.asarray(image).astype(np.float32)
        rows = np.linspace(1 + shade * 0.6, 1 - shade, image.height, dtype=np.float32)
        pixels[..., :3] *= rows[:, None, None]
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8), "RGBA")

    def shape(self, points: Sequence[Point], colour: Colour, alpha: int = 255) -> None:
        """Draw a polygon."""
        corners = [((x + 1) * self._half, (y + 1) * self._half) for x, y in points]
        if alpha == 255:
            self._draw.polygon(corners, fill=(*colour, 255))
            return
        across, down = zip(*corners, strict=True)
        left, top = max(0, math.floor(min(across))), max(0, math.floor(min(down)))
        right, bottom = math.ceil(max(across)) + 1, math.ceil(max(down)) + 1
        glass = Image.new("RGBA", (max(1, right - left), max(1, bottom - top)), (0, 0, 0, 0))
        moved = [(x - left, y - top) for x, y in corners]
        ImageDraw.Draw(glass).polygon(moved, fill=(*colour, alpha))
        self._image.alpha_composite(glass, (left, top))

    def blob(self, points: Sequence[Point], colour: Colour, alpha: int = 255) -> None:
        """Draw a closed smooth shape through the points."""
        self.shape(spline(points), colour, alpha)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, *, turn: float = 0, alpha: int = 255
    ) -> None:
        """Draw an ellipse, rotated clockwise by `turn` degrees."""
        cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        outline = [
            (x + rx * across * cos - ry * down * sin, y + rx * across * sin + ry * down * cos)
            for across, down in _CIRCLE
        ]
        self.shape(outline, colour, alpha)

    def box(
        self, left: float, top: float, right: float, bottom: float, colour: Colour, alpha: int = 255
    ) -> None:
        self.shape([(left, top), (right, top), (right, bottom), (left, bottom)], colour, alpha)

    def stroke(
        self, points: Sequence[Point], width: float, colour: Colour, *, end: float | None = None
    ) -> None:
        """Draw a smooth line with round ends, `width` wide and tapering to `end`."""
        path = spline(points, closed=False) if len(points) > 2 else _straight(points[0], points[1])
        last = width if end is None else end
        ink, steps = (*colour, 255), len(path) - 1
        places = [((x + 1) * self._half, (y + 1) * self._half) for x, y in path]
        for index, (x, y) in enumerate(places):
            radius = (width + (last - width) * index / steps) / 2 * self._half
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
        for index, (start, stop) in enumerate(pairwise(places)):
            thick = (width + (last - width) * index / steps) * self._half
            self._draw.line((*start, *stop), fill=ink, width=max(1, round(thick)))


def _straight(a: Point, b: Point) -> list[Point]:
    return [(a[0] + (b[0] - a[0]) * t / 8, a[1] + (b[1] - a[1]) * t / 8) for t in range(9)]
