"""A card: what a scene shows whose words name no place. Its pictograms stand beside its words, set large."""

from dataclasses import dataclass

from numpy.random import Generator
from PIL import Image

from lambdas.animatic import pictograms
from lambdas.animatic.canvas import Plane, glow

Box = tuple[float, float, float, float]  # left, top, right, bottom, as shares of the picture

# Where each pictogram of a card stands in its box, by the shot: the middle (shares of the box), the side (a
# share of the box's shorter side) and the turn in degrees.
_Arranged = tuple[tuple[float, float, float, float], ...]
_ARRANGED: dict[str | None, tuple[_Arranged, ...]] = {
    "close": (((0.5, 0.55, 1.4, -6.0),), ((0.56, 0.6, 1.55, 9.0),)),
    "wide": (
        ((0.5, 0.66, 0.52, 0.0), (0.12, 0.36, 0.3, -8.0), (0.88, 0.32, 0.3, 8.0)),
        ((0.24, 0.6, 0.46, 0.0), (0.66, 0.68, 0.34, 0.0), (0.93, 0.62, 0.22, 0.0)),
    ),
    "above": (
        ((0.3, 0.3, 0.56, -18.0), (0.74, 0.7, 0.56, 14.0)),
        ((0.7, 0.28, 0.5, 24.0), (0.28, 0.7, 0.62, -14.0)),
    ),
    "low": (((0.5, 0.42, 1.1, 8.0),), ((0.46, 0.36, 1.0, -9.0), (0.88, 0.88, 0.34, 0.0))),
    "behind": (((0.5, 0.52, 0.8, 0.0), (0.12, 0.2, 0.26, -12.0)), ((0.54, 0.5, 0.92, 4.0),)),
    None: (
        ((0.5, 0.5, 0.86, 0.0), (0.9, 0.16, 0.28, 12.0)),
        ((0.36, 0.56, 0.7, -4.0), (0.8, 0.3, 0.44, 6.0)),
        ((0.6, 0.48, 0.76, 5.0), (0.16, 0.74, 0.36, -8.0)),
    ),
}
_TURNED = ("animal-", "transport-", "plant-", "food-", "clothing", "drink", "sport")  # read either way round
_REPEATED = frozenset({"wide", "above"})  # a single thing is shown several times


@dataclass(frozen=True)
class Card:
    """Where a card's pictograms and its words are."""

    pictures: Box | None  # None: there are no pictograms
    words: Box


def layout(size: tuple[int, int], *, pictured: bool, rng: Generator) -> Card:
    """Return a card's layout: side by side in a wide picture, else one above the other. The lowest part stays
    free, for captions."""
    if not pictured:
        left, top = rng.uniform(0.05, 0.2), rng.uniform(0.1, 0.2)
        return Card(None, (left, top, left + 0.75, top + 0.6))
    if size[0] < 1.2 * size[1]:
        return Card((0.1, 0.1, 0.9, 0.44), (0.07, 0.46, 0.93, 0.79))
    if rng.random() < 0.5:
        return Card((0.56, 0.12, 0.95, 0.8), (0.05, 0.14, 0.53, 0.78))
    return Card((0.05, 0.12, 0.44, 0.8), (0.47, 0.14, 0.95, 0.78))


def place_pictures(plane: Plane, box: Box, names: tuple[str, ...], size: str | None, rng: Generator) -> None:
    """Draw the pictograms on a plane of the stage, arranged as the shot's size asks."""
    left, top = box[0] * plane.width, box[1] * plane.height
    wide, high = (box[2] - box[0]) * plane.width, (box[3] - box[1]) * plane.height
    short = min(wide, high)
    choices = _ARRANGED[size]
    arranged = choices[rng.integers(len(choices))]
    if rng.random() < 0.35:  # another of them leads
        names = names[1:] + names[:1]
    for index, (x, y, side, turn) in enumerate(arranged):
        if index >= len(names) and size not in _REPEATED:
            break
        name = names[index % len(names)]
        x, y, turn = x + rng.uniform(-0.05, 0.05), y + rng.uniform(-0.05, 0.05), turn + rng.uniform(-5, 5)
        side *= rng.uniform(0.88, 1.1)
        picture = pictograms.picture(name, side * short)
        if pictograms.kind(name).startswith(_TURNED) and (size == "behind" or rng.random() < 0.4):
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        turned = picture.convert("RGBa").rotate(turn, Image.Resampling.BICUBIC, expand=True).convert("RGBA")
        middle = left + x * wide, top + y * high
        shadow = glow(0.42 * side * short, (10, 12, 24), 0.42)
        shadow = shadow.resize((shadow.width, max(2, round(shadow.height * 0.18))))
        plane.stamp(shadow, middle[0], middle[1] + 0.5 * side * short)
        plane.stamp(turned, *middle)
