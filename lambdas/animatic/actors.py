"""Move figures through a scene."""

import math
from dataclasses import dataclass

from numpy.random import Generator
from PIL import Image

from lambdas.animatic import pictograms
from lambdas.animatic.canvas import Pen, glow
from lambdas.animatic.figures import Figure, faces_right, figure_of
from lambdas.animatic.palettes import Colour, Palette, mix
from lambdas.animatic.places.stage import Scenery

PHASES = 16
ON_THE_GROUND = frozenset({"walk", "hop", "stand", "sail"})


@dataclass(frozen=True)
class Pose:
    """A sprite's position: its centre in stage pixels, rotated clockwise by `turn` degrees."""

    sprite: Image.Image  # RGBa: colours premultiplied
    x: float
    y: float
    turn: float


@dataclass(frozen=True)
class Actor:
    """One figure on its path. `lag` and `lane` offset it backwards and sideways, as shares of the stage."""

    figure: Figure
    sprites: list[Image.Image]
    shadow: Image.Image | None
    scenery: Scenery
    size: tuple[int, int]
    seconds: float  # of the whole scene
    pace: float
    start: float
    lag: float = 0.0
    lane: float = 0.0

    def poses(self, progress: float, time: float) -> list[Pose]:
        """Return the poses at `progress` (0 … 1) through the scene, `time` seconds after its start."""
        width, height = self.size
        x, y, turn = self._place(progress, time)
        sprite = self.sprites[int((time * self._rate() + self.start + self.lag * 3) * PHASES) % PHASES]
        side = sprite.width
        foot = self.figure.foot * side if self.figure.path in ON_THE_GROUND else 0.0
        middle = (x - self.lag) * width, (y + self.lane) * height - foot
        pose = Pose(sprite, *middle, turn)
        if self.shadow is None:
            return [pose]
        return [Pose(self.shadow, middle[0], middle[1] + 1.02 * foot, 0), pose]

    def _place(self, progress: float, time: float) -> tuple[float, float, float]:
        air_x, air_y = self.scenery.air
        path, ground = self.figure.path, self.scenery.ground
        drift = (progress - 0.5) * min(1.2, 0.9 * self.pace)
        wave = math.tau * (time + 7 * self.start)
        if path == "hover":
            x = air_x + 0.08 * drift + 0.05 * math.sin(wave * 0.13) + 0.012 * math.sin(wave * 0.5)
            return (
                x,
                air_y + 0.045 * math.sin(wave * 0.21) + 0.012 * math.sin(wave * 0.8),
                6 * math.sin(wave * 0.23),
            )
        if path == "cross":
            return 0.5 + 0.62 * drift, air_y + 0.03 * math.sin(wave * 0.2), 4 * math.sin(wave * 0.2 + 1.2)
        if path == "sail":
            y = ground + 0.008 * math.sin(wave * 0.22)
            return 0.5 + 0.34 * drift, y, 3.2 * math.sin(wave * 0.19)
        if path == "rise":
            return (
                0.5 + 0.1 * math.sin(wave * 0.05) + 0.12 * drift,
                0.48 - 0.34 * drift,
                2.5 * math.sin(wave * 0.15),
            )
        if path == "walk":
            return 0.5 + 0.56 * drift, ground, 0
        if path == "hop":
            step = math.sin(wave * 0.7)
            return 0.5 + 0.5 * drift, ground - 0.018 * abs(step), 3.5 * step
        return 0.5 + (0.1 if self.start < 0.5 else -0.1), ground, 0

    def _rate(self) -> float:
        """Return the cycles per second. Steps match the ground's speed as far as that looks natural."""
        if self.figure.path != "walk":
            return self.figure.rate
        stride = 0.5 * self.sprites[0].width
        steps = 0.56 * self.size[0] * min(1.2, 0.9 * self.pace) / self.seconds / stride
        return min(max(steps, 0.6 * self.figure.rate), 1.4 * self.figure.rate)


def cast(
    kind: str,
    scenery: Scenery,
    palette: Palette,
    rng: Generator,
    *,
    colour: Colour | None,
    many: bool,
    share: float,
    size: tuple[int, int],
    seconds: float,
    pace: float,
) -> list[Actor]:
    """Create the figure at a share of its size, with companions if there are many."""
    figure = figure_of(kind)
    unit = min(size[0], size[1] * 1.1)
    tone = colour or figure.colour or palette.accents[0]
    scale = 0.78 * share if many else share
    grounded = figure.path in ("walk", "hop", "stand")
    roles = [(0.0, 0.0, 1.0)]
    if many and figure.path != "stand":
        roles += [
            (0.14, -0.05, 0.74),
            (0.2, 0.05 if not grounded else 0.02, 0.62),
            (-0.13, -0.09 if not grounded else -0.02, 0.56),
        ]
    actors = []
    for lag, lane, smaller in sorted(roles, key=lambda role: role[2]):  # the nearest is drawn last
        side = figure.size * unit * scale * smaller
        sprites = _sprites(kind, figure, side, tone, palette)
        actors.append(
            Actor(
                figure=figure,
                sprites=sprites,
                shadow=_shadow(side) if grounded else None,
                scenery=scenery,
                size=size,
                seconds=seconds,
                pace=pace,
                start=float(rng.random()),
                lag=lag * (0.8 if size[0] > size[1] else 1.2),
                lane=lane,
            )
        )
    return actors


def _sprites(kind: str, figure: Figure, side: float, colour: Colour, palette: Palette) -> list[Image.Image]:
    """Return the figure at each phase of its motion."""
    if figure.draw is None:
        whole = pictograms.picture(kind, side)
        if not faces_right(kind):
            whole = whole.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return [_in_the_light(whole, palette)] * PHASES
    sprites = []
    for index in range(PHASES):
        pen = Pen(side)
        figure.draw(pen, index / PHASES, colour)
        sprite = pen.sprite(shade=0.14)
        sprites.append(sprite.convert("RGBa") if kind == "campfire" else _in_the_light(sprite, palette))
    return sprites


def _in_the_light(sprite: Image.Image, palette: Palette) -> Image.Image:
    """Return the sprite in the palette's light, its colours premultiplied."""
    if not palette.dark:
        return sprite.convert("RGBa")
    dusk = Image.new("RGBA", sprite.size, (*mix(palette.sky[1], palette.sky[0], 0.5), 255))
    dusk.putalpha(sprite.getchannel("A"))
    return Image.blend(sprite, dusk, 0.2).convert("RGBa")


def _shadow(side: float) -> Image.Image:
    soft = glow(side * 0.42, (10, 12, 24), 0.5)
    return soft.resize((soft.width, max(2, round(soft.height * 0.16)))).convert("RGBa")


def placed(
    pose: Pose, box: tuple[float, float, float, float], scale: float
) -> tuple[Image.Image, tuple[int, int]]:
    """Return the sprite rotated, scaled and shifted by subpixels, and the whole pixel it starts at."""
    cos, sin = math.cos(math.radians(pose.turn)), math.sin(math.radians(pose.turn))
    half_wide, half_high = pose.sprite.width / 2, pose.sprite.height / 2
    reach_x = (half_wide * abs(cos) + half_high * abs(sin)) * scale + 1.5
    reach_y = (half_wide * abs(sin) + half_high * abs(cos)) * scale + 1.5
    x, y = (pose.x - box[0]) * scale, (pose.y - box[1]) * scale
    left, top = math.floor(x - reach_x), math.floor(y - reach_y)
    size = (math.ceil(2 * reach_x) + 1, math.ceil(2 * reach_y) + 1)
    # PIL maps each pixel of the result back to the sprite.
    a, b, d, e = cos / scale, sin / scale, -sin / scale, cos / scale
    from_x, from_y = x - left, y - top
    matrix = (a, b, half_wide - a * from_x - b * from_y, d, e, half_high - d * from_x - e * from_y)
    seen = pose.sprite.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return seen.convert("RGBA"), (left, top)
