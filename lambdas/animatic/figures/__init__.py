"""Figures that move through a scene: hand-drawn ones, drawn at a phase (0 … 1) of their motion and facing
right, and pictograms, which move as a whole."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lambdas.animatic.canvas import Pen
from lambdas.animatic.figures.animals import bee, bird, butterfly, fish
from lambdas.animatic.figures.people import person, walker_with_umbrella
from lambdas.animatic.figures.things import campfire, lighthouse
from lambdas.animatic.palettes import Colour, rgb
from lambdas.animatic.pictograms import kind

Path = Literal["hover", "cross", "walk", "hop", "sail", "stand", "rise"]


@dataclass(frozen=True)
class Figure:
    """A figure. `size` is its height and width in stage units; `rate` is its motion's cycles per second."""

    draw: Callable[[Pen, float, Colour], None] | None  # None: a pictogram
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
    "lighthouse": Figure(lighthouse, 0.54, "stand", 0.2, colour=rgb("#D8443B")),
    "person": Figure(person, 0.44, "walk", 0.9),
    "campfire": Figure(campfire, 0.5, "stand", 1.1, colour=rgb("#FF7A1A")),
    "umbrella": Figure(walker_with_umbrella, 0.46, "walk", 0.9),
}

# How a pictogram moves through a place, by its kind. Others stand.
_PATHS: dict[str, tuple[Path, float]] = {
    "animal-mammal": ("hop", 0.36),
    "animal-bird": ("hop", 0.3),
    "animal-reptile": ("hop", 0.36),
    "animal-amphibian": ("hop", 0.3),
    "animal-marine": ("cross", 0.36),
    "animal-bug": ("hover", 0.26),
    "person-role": ("hop", 0.36),
    "transport-ground": ("walk", 0.4),
    "transport-water": ("sail", 0.42),
    "transport-air": ("cross", 0.36),
    "place-building": ("stand", 0.5),
}
_RISING = {"rocket": 0.4, "balloon": 0.3}
_HOVERING = frozenset({"kite", "astronaut"})


def figure_of(name: str) -> Figure:
    """Return a figure by its name, which may be a pictogram's."""
    if name in FIGURES:
        return FIGURES[name]
    if name in _RISING:
        return Figure(None, _RISING[name], "rise", 1.0)
    if name in _HOVERING:
        return Figure(None, 0.36, "hover", 1.0)
    path, size = _PATHS.get(kind(name), ("stand", 0.34))
    return Figure(None, size, path, 1.0, foot=0.3 if path == "sail" else 0.46)


def faces_right(name: str) -> bool:
    """Return whether a figure that moves to the right may be shown as it is. Most pictograms of animals and
    vehicles face left."""
    return name in FIGURES or not kind(name).startswith(("animal-", "transport-ground", "transport-water"))
