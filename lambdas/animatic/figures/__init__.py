"""Figures that move through a scene. They face right and are drawn at a phase (0 … 1) of their motion."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lambdas.animatic.canvas import Pen
from lambdas.animatic.figures.animals import bee, bird, butterfly, cat, dog, fish, horse, whale
from lambdas.animatic.figures.people import astronaut, person, robot, walker_with_umbrella
from lambdas.animatic.figures.things import campfire, castle, cup, house, kite, lighthouse
from lambdas.animatic.figures.vehicles import balloon, car, plane, rocket, ship, train
from lambdas.animatic.palettes import Colour, rgb

Path = Literal["hover", "cross", "walk", "sail", "stand", "rise"]


@dataclass(frozen=True)
class Figure:
    """A figure. `size` is its height and width in stage units; `rate` is its motion's cycles per second."""

    draw: Callable[[Pen, float, Colour], None]
    size: float
    path: Path
    rate: float
    foot: float = 0.46  # from its centre to its feet, wheels or waterline, as a share of its height
    colour: Colour | None = None  # None: the palette's accent


FIGURES: dict[str, Figure] = {
    "bee": Figure(bee, 0.34, "hover", 3.0, colour=rgb("#F7B928")),
    "butterfly": Figure(butterfly, 0.36, "hover", 1.6),
    "bird": Figure(bird, 0.34, "cross", 1.3),
    "fish": Figure(fish, 0.36, "cross", 1.2),
    "whale": Figure(whale, 0.62, "sail", 0.45, foot=0.07, colour=rgb("#4A6E94")),
    "ship": Figure(ship, 0.58, "sail", 0.4, foot=0.33),
    "car": Figure(car, 0.42, "walk", 1.4, foot=0.34),
    "train": Figure(train, 0.72, "walk", 1.1, foot=0.25),
    "plane": Figure(plane, 0.46, "cross", 0.5),
    "rocket": Figure(rocket, 0.5, "rise", 2.5),
    "balloon": Figure(balloon, 0.46, "rise", 0.3),
    "kite": Figure(kite, 0.42, "hover", 0.6, colour=rgb("#D8443B")),
    "astronaut": Figure(astronaut, 0.46, "hover", 0.25),
    "robot": Figure(robot, 0.44, "walk", 0.9),
    "horse": Figure(horse, 0.46, "walk", 1.1, colour=rgb("#9A6A44")),
    "dog": Figure(dog, 0.36, "walk", 1.3, colour=rgb("#C98F54")),
    "cat": Figure(cat, 0.34, "walk", 1.0, colour=rgb("#E39A4F")),
    "house": Figure(house, 0.46, "stand", 0.25, colour=rgb("#B5483A")),
    "castle": Figure(castle, 0.56, "stand", 0.5),
    "lighthouse": Figure(lighthouse, 0.54, "stand", 0.2, colour=rgb("#D8443B")),
    "cup": Figure(cup, 0.42, "stand", 0.35),
    "person": Figure(person, 0.44, "walk", 0.9),
    "campfire": Figure(campfire, 0.5, "stand", 1.1, colour=rgb("#FF7A1A")),
    "umbrella": Figure(walker_with_umbrella, 0.46, "walk", 0.9),
}
