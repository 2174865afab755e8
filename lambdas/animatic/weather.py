"""Weather: particles that fall, drift and glimmer in front of a scene."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from PIL import Image

from lambdas.animatic.canvas import Pen, glow
from lambdas.animatic.palettes import Palette, lighter, mix, rgb


@dataclass(frozen=True)
class Drops:
    """Number, size and motion of particles, in units (the picture's shorter side) and units per second."""

    count: int
    size: tuple[float, float]
    across: float
    down: float
    sway: float = 0.0


KINDS = {
    "rain": Drops(150, (0.05, 0.13), -0.35, 1.9),
    "snow": Drops(130, (0.008, 0.03), 0.03, 0.16, sway=0.03),
    "petals": Drops(34, (0.016, 0.034), 0.1, 0.13, sway=0.05),
    "leaves": Drops(26, (0.022, 0.045), 0.09, 0.17, sway=0.07),
    "sparks": Drops(70, (0.008, 0.024), 0.03, -0.24, sway=0.03),
    "fireflies": Drops(36, (0.016, 0.04), 0.02, -0.015, sway=0.06),
    "dust": Drops(34, (0.008, 0.024), 0.025, -0.02, sway=0.03),
    "bubbles": Drops(32, (0.01, 0.035), 0.0, -0.15, sway=0.02),
}
GLIMMERS = 6


class Weather:
    """All drops of one kind over a picture of `size` pixels. Positions depend only on the time."""

    def __init__(self, kind: str, size: tuple[int, int], palette: Palette, rng: Generator) -> None:
        drops = KINDS[kind]
        self._drops = drops
        self._size = size
        self._unit = min(size)
        area = size[0] * size[1] / self._unit**2 / (16 / 9)
        self._count = max(8, round(drops.count * area))
        self._nearness = np.sort(rng.random(self._count))  # near drops are larger, faster and drawn last
        self._places = rng.random((self._count, 2))
        self._shift = rng.uniform(0, math.tau, self._count)
        self._sprites = [
            self._family(
                kind, drops.size[0] + (drops.size[1] - drops.size[0]) * nearness, nearness, palette, rng
            )
            for nearness in np.linspace(0, 1, 5)
        ]

    def draw(self, picture: Image.Image, time: float) -> None:
        """Draw onto an RGB picture, at `time` seconds."""
        width, height = self._size
        drops = self._drops
        speed = (0.45 + 0.75 * self._nearness) * self._unit
        margin = 0.1 * self._unit
        x = self._places[:, 0] * width + drops.across * speed * time
        x += drops.sway * self._unit * np.sin(time * 1.3 + self._shift)
        y = self._places[:, 1] * height + drops.down * speed * time
        x = np.mod(x, width + 2 * margin) - margin
        y = np.mod(y, height + 2 * margin) - margin
        step = np.mod(time * 0.7 + self._shift, 1.0) * GLIMMERS
        for index in range(self._count):
            family = self._sprites[int(self._nearness[index] * 4.99)]
            sprite = family[int(step[index]) % len(family)]
            picture.paste(
                sprite, (round(x[index] - sprite.width / 2), round(y[index] - sprite.height / 2)), sprite
            )

    def _family(
        self, kind: str, size: float, nearness: float, palette: Palette, rng: Generator
    ) -> list[Image.Image]:
        """Return a drop's pictures as it turns or glimmers."""
        pixels = max(3.0, size * self._unit)
        if kind == "rain":
            pen = Pen(pixels)
            lean = -KINDS[kind].across / KINDS[kind].down
            tone = lighter(palette.sky[2], 0.5)
            thin = max(0.02, 1.6 / pixels)
            pen.shape(
                [(lean, -1), (lean + thin, -1), (-lean + thin, 1), (-lean, 1)],
                tone,
                alpha=round(50 + 75 * nearness),
            )
            return [pen.sprite()]
        if kind == "snow":
            return [glow(pixels / 2, rgb("#FFFFFF"), 0.65 + 0.3 * nearness)]
        if kind == "bubbles":
            pen = Pen(pixels)
            pen.ellipse(0, 0, 0.92, 0.92, rgb("#E8FFFA"), alpha=70)
            pen.ellipse(-0.3, -0.35, 0.26, 0.2, rgb("#FFFFFF"), alpha=190)
            return [pen.sprite()]
        if kind in ("petals", "leaves"):
            colour = mix(palette.accents[rng.integers(3)], rgb("#FFD9E4"), 0.55 if kind == "petals" else 0.0)
            turns = []
            for step in range(GLIMMERS):
                pen = Pen(pixels)
                pen.ellipse(
                    0,
                    0,
                    0.9,
                    0.25 + 0.3 * abs(math.cos(step * math.pi / GLIMMERS)),
                    colour,
                    turn=step * 180 / GLIMMERS,
                    alpha=225,
                )
                turns.append(pen.sprite())
            return turns
        warm = {"sparks": palette.accents[1], "fireflies": rgb("#F7F08A")}.get(
            kind, lighter(palette.sun, 0.3)
        )
        strength = {"sparks": 1.0, "fireflies": 0.9}.get(kind, 0.5)
        return [
            glow(pixels / 2, warm, strength * math.sin(math.pi * (step + 0.5) / GLIMMERS))
            for step in range(GLIMMERS)
        ]
