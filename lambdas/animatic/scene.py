"""A prepared scene, drawable at any time: stage, camera, figures, weather, lettering."""

import math
from io import BytesIO

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from lambdas.animatic.actors import Actor, cast, placed
from lambdas.animatic.camera import OVERSCAN, View, move_for
from lambdas.animatic.canvas import Plane
from lambdas.animatic.card import Box, Card, layout, place_pictures
from lambdas.animatic.lettering import card_overlay, overlay
from lambdas.animatic.palettes import Palette, palette_for
from lambdas.animatic.places import PLACES
from lambdas.animatic.places.stage import Scenery, Stage
from lambdas.animatic.weather import Weather
from lambdas.animatic.words import UNSAID, Look, Shot
from lambdas.media.framing import Frame
from lambdas.media.images import cover

SHARES = {"close": 1.45, "wide": 0.72, "low": 1.2}  # scale of a subject by the size of the shot
GUEST = 0.6  # scale of a figure that the text does not name
GRAIN = 3  # brightness steps from darkest to lightest speck; hides banding in slow gradients


class Scene:
    """A scene. `size` is the picture's, in pixels; `seconds` is the length of the whole scene, over all its
    clips."""

    def __init__(
        self, look: Look, *, size: tuple[int, int], seconds: float, rng: Generator,
        image: bytes | None, title: str, mark: str, flash_at: float | None, frame: Frame | None = None,
        shot: Shot = UNSAID, words: str = "",
    ) -> None:  # fmt: skip
        """`frame`: what of the picture the film shows, lettered after that; `size` is its canvas. `title`: in
        the lower third of a drawn place. `words`: set large, with the shot's, where there is no place."""
        self._frame = frame
        lettered = frame.film if frame else size
        self._size = size
        self._seconds = seconds
        place = PLACES[look.place]
        self._palette = _palette(look, rng)
        self._move = move_for(shot.move or look.move, look.pace, rng)
        stage_size = (math.ceil(size[0] * OVERSCAN), math.ceil(size[1] * OVERSCAN))
        weather = look.weather or (place.weather if image is None else None)
        if image is not None:
            self._scenery = _picture_stage(image, stage_size)
            self._actors: list[Actor] = []
        else:
            self._scenery = place.build(Stage(stage_size, self._palette, rng, look.weather))
            on_card = look.place is None
            self._actors = [] if on_card else self._cast(look, shot, place.guest, stage_size, rng)
        card: Card | None = None
        if image is None and look.place is None:
            seen = (min(size[0], lettered[0]), min(size[1], lettered[1]))  # of the canvas, in the film
            card = layout(seen, pictured=bool(look.pictures), rng=rng)
            if card.pictures:
                plane = Plane(stage_size, depth=0.7, sway=(0.006 * stage_size[0], 0.006 * stage_size[1]))
                box = _centred(card.pictures, seen, stage_size)
                place_pictures(plane, box, look.pictures, shot.size, rng)
                self._scenery.planes.append(plane)
        self._layers = [_Layer(plane) for plane in self._scenery.planes]
        self._weather = Weather(weather, size, self._palette, rng) if weather else None
        self._flash = _Flash(size, flash_at, rng) if flash_at is not None and look.light == "storm" else None
        accent = self._palette.accents[0]
        if card:
            box = _centred(card.words, seen, lettered)
            self._overlay = card_overlay(lettered, box, words, shot, mark=mark, accent=accent)
        else:
            self._overlay = overlay(lettered, title=title, mark=mark, accent=accent)
        self._grain = _grain(lettered, rng)

    def picture(self, time: float) -> NDArray[np.uint8]:
        """Return the scene at `time` seconds from its start: height × width × 3."""
        progress = min(1.0, time / self._seconds)
        view = self._move(progress)
        picture = Image.new("RGB", self._size)
        for index, layer in enumerate(self._layers):
            if index == self._scenery.front:
                self._draw_actors(picture, view, progress, time)
            layer.draw(picture, view, time)
            if index == 0 and self._flash:
                self._flash.draw(picture, time)
        if self._scenery.front >= len(self._layers):
            self._draw_actors(picture, view, progress, time)
        if self._weather:
            self._weather.draw(picture, time)
        if self._frame:
            picture = self._frame.show(picture)
        picture.paste(self._overlay, (0, 0), self._overlay)
        grain = self._grain[round(time * 1000) % len(self._grain)]
        return np.asarray(ImageChops.add(picture, grain, 1, -(GRAIN // 2)))

    def _cast(
        self, look: Look, shot: Shot, guest: str | None, stage_size: tuple[int, int], rng: Generator
    ) -> list[Actor]:
        size, seconds, pace = stage_size, self._seconds, look.pace
        actors: list[Actor] = []
        if look.landmark:
            actors += cast(
                look.landmark, self._scenery, self._palette, rng,
                colour=None, many=False, share=0.9, size=size, seconds=seconds, pace=pace,
            )  # fmt: skip
        kind = look.subject.kind if look.subject else guest
        if kind is None:
            return actors
        if kind == "person" and look.weather == "rain":
            kind = "umbrella"
        colour, many = (look.subject.colour, look.subject.many) if look.subject else (None, False)
        share = SHARES.get(shot.size or "", 1.0) if look.subject else GUEST
        return actors + cast(
            kind, self._scenery, self._palette, rng,
            colour=colour, many=many, share=share, size=size, seconds=seconds, pace=pace,
        )  # fmt: skip

    def _draw_actors(self, picture: Image.Image, view: View, progress: float, time: float) -> None:
        box = view.box(self._scenery.planes[0].size, self._scenery.depth)
        scale = self._size[0] / (box[2] - box[0])
        for actor in self._actors:
            for pose in actor.poses(progress, time):
                seen, corner = placed(pose, box, scale)
                picture.paste(seen, corner, seen)


class _Layer:
    """A finished plane and the list of its non-empty parts, so that empty areas cost nothing."""

    def __init__(self, plane: Plane) -> None:
        # No larger than the camera can show: it zooms less into distant planes.
        share = (1 + (OVERSCAN - 1) * plane.depth) / OVERSCAN
        size = (math.ceil(plane.width * share), math.ceil(plane.height * share))
        self._depth, self._period = plane.depth, plane.period
        self._sway = (plane.sway[0] * share, plane.sway[1] * share)
        alpha = plane.image.getchannel("A").resize(size, Image.Resampling.HAMMING)
        self._opaque = alpha.getextrema()[0] == 255
        self._parts = [(0, 0, *size)] if self._opaque else _filled_parts(alpha)
        # Premultiplied, because edges would otherwise shimmer when resized.
        mode = "RGB" if self._opaque else "RGBa"
        self._image = plane.image.convert(mode).resize(size, Image.Resampling.HAMMING)

    def draw(self, picture: Image.Image, view: View, time: float) -> None:
        swing = math.sin(time / self._period * math.tau) * self._sway[0]
        nod = math.cos(time / self._period * math.tau * 0.8) * self._sway[1]
        seen = view.box(self._image.size, self._depth, (swing, nod))
        for part in self._parts:
            x0, x1, from_x, to_x = _span(part[0], part[2], seen[0], seen[2], picture.width)
            y0, y1, from_y, to_y = _span(part[1], part[3], seen[1], seen[3], picture.height)
            if x0 >= x1 or y0 >= y1:
                continue
            box = (from_x, from_y, to_x, to_y)
            piece = self._image.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, box=box)
            if self._opaque:
                picture.paste(piece, (x0, y0))
            else:
                piece = piece.convert("RGBA")
                picture.paste(piece, (x0, y0), piece)


def _filled_parts(alpha: Image.Image) -> list[tuple[int, int, int, int]]:
    """Return non-overlapping boxes that cover everything not transparent, as runs of grid cells."""
    columns, rows = 12, 8
    xs = [round(alpha.width * index / columns) for index in range(columns + 1)]
    ys = [round(alpha.height * index / rows) for index in range(rows + 1)]
    open_runs: dict[tuple[int, int], int] = {}  # (left, right) → the top it began at
    parts = []
    for row in range(rows + 1):
        runs: set[tuple[int, int]] = set()
        start: int | None = None
        for column in range(columns + 1):
            filled = (
                row < rows
                and column < columns
                and alpha.crop((xs[column], ys[row], xs[column + 1], ys[row + 1])).getbbox() is not None
            )
            if filled and start is None:
                start = column
            if not filled and start is not None:
                runs.add((xs[start], xs[column]))
                start = None
        for run in [run for run in open_runs if run not in runs]:
            parts.append((run[0], open_runs.pop(run), run[1], ys[row]))
        for run in runs:
            open_runs.setdefault(run, ys[row])
    return parts


def _span(start: int, end: int, first: float, last: float, pixels: int) -> tuple[int, int, float, float]:
    """Return, along one axis, the picture's pixels that show plane pixels `start` … `end`, and what they
    show.

    The end of one part and the start of the next are rounded alike, so that parts meet without a seam.
    """
    scale = pixels / (last - first)
    low = min(max(math.floor((start - first) * scale), 0), pixels)
    high = min(max(math.floor((end - first) * scale), 0), pixels)
    if end >= last:
        high = pixels
    return low, high, max(0.0, first + low / scale), min(last, first + high / scale)


class _Flash:
    """Lightning: a bolt and a bright sky, twice within half a second."""

    def __init__(self, size: tuple[int, int], at: float, rng: Generator) -> None:
        self._at = at
        width, height = size
        unit = min(size)
        x = width * (rng.uniform(0.12, 0.3) if rng.random() < 0.5 else rng.uniform(0.7, 0.88))
        steps = np.linspace(0, 0.54 * height, 14)
        path = [
            (float(x + bend), float(y))
            for bend, y in zip(rng.normal(0, 0.035, 14).cumsum() * unit, steps, strict=True)
        ]
        branch = [path[6], *((px + 0.03 * unit * i, py) for i, (px, py) in enumerate(path[7:11], start=1))]
        strike = Image.new("L", size, 0)
        draw = ImageDraw.Draw(strike)
        for line, thick in ((path, 0.007), (branch, 0.004)):
            draw.line(line, fill=255, width=max(1, round(thick * unit)), joint="curve")
        halo = strike.filter(ImageFilter.GaussianBlur(0.02 * unit)).point(lambda value: min(255, value * 3))
        self._bolt = Image.new("RGB", size, (226, 232, 255))
        self._shape = ImageChops.lighter(halo.point(lambda value: value * 0.8), strike)
        self._white = Image.new("RGB", size, (206, 216, 240))

    def draw(self, picture: Image.Image, time: float) -> None:
        since = time - self._at
        strength = sum(math.exp(-(since - start) / 0.12) for start in (0, 0.24) if since >= start)
        if strength < 0.03:
            return
        picture.paste(Image.blend(picture, self._white, min(0.55, 0.5 * strength)))
        picture.paste(self._bolt, (0, 0), self._shape.point(lambda value: value * min(1.0, strength)))


def _palette(look: Look, rng: Generator) -> Palette:
    """Return the colours of the light that the text names, otherwise the place's own."""
    names = PLACES[look.place].palettes
    own_light = look.place in ("space", "underwater", "fire")
    if look.light and not own_light:
        names = ("neon",) if (look.place, look.light) == ("city", "night") else (look.light,)
    elif look.weather == "rain" and not own_light:
        names = ("mist",)
    return palette_for(names, rng)


def _centred(box: Box, part: tuple[int, int], whole: tuple[int, int]) -> Box:
    """Return a box of a centred part as shares of the whole."""
    wide, high = part[0] / whole[0], part[1] / whole[1]
    left, top, right, bottom = box
    return (
        0.5 + (left - 0.5) * wide,
        0.5 + (top - 0.5) * high,
        0.5 + (right - 0.5) * wide,
        0.5 + (bottom - 0.5) * high,
    )


def _picture_stage(image: bytes, size: tuple[int, int]) -> Scenery:
    plane = Plane(size, depth=1.0)
    plane.image = Image.open(BytesIO(cover(image, *size))).convert("RGBA")
    return Scenery([plane], front=1, ground=0.9)


def _grain(size: tuple[int, int], rng: Generator) -> list[Image.Image]:
    specks = [rng.integers(0, GRAIN, (size[1], size[0], 1), np.uint8) for _ in range(4)]
    return [Image.fromarray(np.repeat(noise, 3, axis=2), "RGB") for noise in specks]
