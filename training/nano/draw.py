"""Draw captioned clips: one plain shape that moves, or not, over a plain background.

A scene is one choice of each attribute. `TRAINING` and `HELD_OUT` divide all combinations between them, so
that training has seen every part of a scored scene, but never the whole.
"""

import itertools
import random
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, FRAMES, FPS = 96, 64, 9, 8

SHAPES = ("circle", "square", "triangle", "cross")
# RGB, 0 to 255.
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (40, 80, 225),
    "yellow": (235, 205, 40),
    "pink": (230, 90, 190),
    "cyan": (40, 200, 215),
}
BACKGROUNDS = {"black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128), "brown": (105, 65, 35)}
# Radius of a circle in pixels; the other shapes are about as large as the circle.
SIZES = {"small": 10.0, "large": 16.0}
# Direction, and the least and greatest distance in pixels from the first frame to the last.
MOTIONS: dict[str, tuple[int, int, float, float]] = {
    "left": (-1, 0, 18.0, 24.0),
    "right": (1, 0, 18.0, 24.0),
    "up": (0, -1, 11.0, 15.0),
    "down": (0, 1, 11.0, 15.0),
    "still": (0, 0, 0.0, 0.0),
}

Extent = tuple[float, float, float, float]
# Reach of each shape of radius 1 from its centre: left, right, up, down.
_EXTENTS: dict[str, Extent] = {
    "circle": (1.0, 1.0, 1.0, 1.0),
    "square": (0.886, 0.886, 0.886, 0.886),
    "triangle": (1.169, 1.169, 1.35, 0.675),
    "cross": (1.1, 1.1, 1.1, 1.1),
}
# Area of each shape of radius 1.
AREAS = {"circle": np.pi, "square": 3.140, "triangle": 2.367, "cross": 2.88}

_SIZE_WORDS = {"small": ("small", "little", "tiny"), "large": ("large", "big", "huge")}
_VERBS = ("moves", "is moving", "slides", "drifts", "glides")
_STILL = ("stays still", "does not move", "is still", "stands still")
_WAYS = {
    "left": ("left", "to the left", "leftwards"),
    "right": ("right", "to the right", "rightwards"),
    "up": ("up", "upwards"),
    "down": ("down", "downwards"),
}
_PHRASINGS = (
    "a {thing} {moves} on a {background} background",
    "A {thing} {moves} over a {background} background.",
    "on a {background} background, a {thing} {moves}",
    "A {thing} {moves}, {background} background",
    "{background} background, a {thing} {moves}.",
    "The background is {background}. A {thing} {moves}.",
)


@dataclass(frozen=True)
class Scene:
    """One choice of each attribute."""

    shape: str
    colour: str
    size: str
    motion: str
    background: str


def _shared_out() -> tuple[tuple[Scene, ...], tuple[Scene, ...]]:
    scenes = [Scene(*choice) for choice in itertools.product(SHAPES, COLOURS, SIZES, MOTIONS, BACKGROUNDS)]
    random.Random(0).shuffle(scenes)
    return tuple(scenes[120:]), tuple(scenes[:120])


TRAINING, HELD_OUT = _shared_out()


def caption(scene: Scene, rng: random.Random) -> str:
    """Describe the scene in one of several hundred phrasings."""
    size = rng.choice(_SIZE_WORDS[scene.size])
    if scene.motion == "still":
        moves = rng.choice(_STILL)
    else:
        moves = f"{rng.choice(_VERBS)} {rng.choice(_WAYS[scene.motion])}"
    text = rng.choice(_PHRASINGS).format(
        thing=f"{size} {scene.colour} {scene.shape}", moves=moves, background=scene.background
    )
    return text[0].upper() + text[1:] if rng.random() < 0.5 else text


def clip(scene: Scene, rng: random.Random) -> NDArray[np.uint8]:
    """Draw the scene from a random start at a random speed: RGB of shape (FRAMES, HEIGHT, WIDTH, 3)."""
    radius = SIZES[scene.size] * rng.uniform(0.95, 1.05)
    to_x, to_y, least, most = MOTIONS[scene.motion]
    distance = rng.uniform(least, most)
    left, right, up, down = (reach * radius + 1 for reach in _EXTENTS[scene.shape])
    x = _start(left, WIDTH - right, to_x * distance, rng)
    y = _start(up, HEIGHT - down, to_y * distance, rng)
    along = np.linspace(0, 1, FRAMES)
    share = coverage(scene.shape, radius, x + along * to_x * distance, y + along * to_y * distance)[..., None]
    picture = share * COLOURS[scene.colour] + (1 - share) * BACKGROUNDS[scene.background]
    return picture.round().astype(np.uint8)


def coverage(
    shape: str, radius: float, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how much of each pixel the shape covers, 0 to 1, with its centre at (x, y) in each frame."""
    right = np.arange(WIDTH)[None, None, :] + 0.5 - x[:, None, None]
    down = np.arange(HEIGHT)[None, :, None] + 0.5 - y[:, None, None]
    distance = _DISTANCES[shape](right / radius, down / radius) * radius
    return np.clip(0.5 - distance, 0.0, 1.0)


def attributes(scene: Scene) -> tuple[str, ...]:
    """Return the choices, in the order of Scene's fields."""
    return astuple(scene)


def _start(lowest: float, highest: float, move: float, rng: random.Random) -> float:
    return rng.uniform(lowest - min(move, 0), highest - max(move, 0))


def _circle(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.hypot(x, y) - 1


def _box(x: NDArray[np.float64], y: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64]:
    return np.maximum(np.abs(x) - width, np.abs(y) - height)


def _square(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return _box(x, y, 0.886, 0.886)


def _cross(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.minimum(_box(x, y, 1.1, 0.4), _box(x, y, 0.4, 1.1))


def _triangle(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    slanted: NDArray[np.float64] = np.abs(x) * np.sqrt(0.75) - y * 0.5 - 0.675
    return np.maximum(slanted, y - 0.675)


_DISTANCES = {"circle": _circle, "square": _square, "triangle": _triangle, "cross": _cross}
