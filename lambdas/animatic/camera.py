"""The camera: the visible part of the stage, from the scene's start (0) to its end (1)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from lambdas.animatic.canvas import Point

# The stage is this much larger than the picture, for camera moves. At closest zoom, pixels map one to one.
OVERSCAN = 1.26


@dataclass(frozen=True)
class View:
    """A camera view. `zoom` 1 shows the whole stage; `x` and `y` (-1 … 1) span the room for camera moves."""

    zoom: float
    x: float
    y: float

    def box(
        self, size: tuple[int, int], depth: float, shift: Point = (0.0, 0.0)
    ) -> tuple[float, float, float, float]:
        """Return the visible part of a plane (left, top, right, bottom in its pixels). Far planes move
        less."""
        zoom = 1 + (self.zoom - 1) * depth
        edges: list[tuple[float, float]] = []
        for length, aim, by in zip(size, (self.x, self.y), shift, strict=True):
            seen = length / zoom
            start = (length - seen) / 2 + aim * depth * (length - length / self.zoom) / 2 + by
            start = min(max(start, 0.0), length - seen)
            edges.append((start, start + seen))
        (left, right), (top, bottom) = edges
        return left, top, right, bottom


Move = Callable[[float], View]


def move_for(name: str | None, pace: float, rng: Generator) -> Move:
    """Return the named move, or a random calm one. `pace` scales its distance."""
    side = 1 if rng.random() < 0.5 else -1
    calm = ("in", "out", "pan", "arc")
    chosen = name or calm[rng.integers(len(calm))]
    way = min(1.0, 0.75 * pace)

    def at(progress: float) -> View:
        eased = _ease(progress)
        swing = (2 * eased - 1) * way  # -way … way
        if chosen == "in":
            return View(_zoom(eased * way), side * 0.3 * eased, 0.65 * eased)
        if chosen == "out":
            return View(_zoom((1 - eased) * way), side * 0.3 * (1 - eased), 0.65 * (1 - eased))
        if chosen == "rise":
            return View(_zoom(0.8), 0.15 * side * swing, -swing)
        if chosen == "fall":
            return View(_zoom(0.8), 0.15 * side * swing, swing)
        if chosen == "pan":
            return View(_zoom(0.75), (1 if name else side) * swing, 0.3)
        return View(
            _zoom(0.35 + 0.55 * eased * way), side * swing, 0.35 + 0.5 * math.cos(math.pi * eased) * way
        )

    return at


def _zoom(share: float) -> float:
    """Return the zoom for a share. Equal steps of `share` look equally fast."""
    return 1.03 * math.exp(share * math.log(OVERSCAN / 1.03))


def _ease(progress: float) -> float:
    """Ease at both ends without ever stopping."""
    smooth = progress * progress * (3 - 2 * progress)
    return 0.45 * progress + 0.55 * smooth
