"""Sprites for scenery, for example trees, flowers and clouds."""

import math

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from lambdas.animatic.canvas import Pen, Point
from lambdas.animatic.palettes import Colour, darker, lighter, mix


def cloud(width: float, lit: Colour, shade: Colour, rng: Generator) -> Image.Image:
    """Draw heaped discs on a flat base, lit from above."""
    columns, rows = max(8, round(width)), max(6, round(width * 0.4))
    mask = Image.new("L", (columns, rows), 0)
    draw = ImageDraw.Draw(mask)
    foot = 0.84 * rows
    for index in range(13):
        share = (index + rng.uniform(0.2, 0.8)) / 13
        heap = math.sin(math.pi * share) ** 0.8
        radius = columns * (0.035 + 0.085 * heap * rng.uniform(0.6, 1.2))
        x, y = columns * (0.09 + 0.82 * share), foot - radius * 0.8 - rows * 0.22 * heap * rng.random()
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=240)
        draw.rectangle((x - radius * 0.9, y, x + radius * 0.9, foot), fill=240)
    draw.rectangle((0, foot, columns, rows), fill=0)
    mask = mask.filter(ImageFilter.GaussianBlur(width * 0.007))
    share_down = np.linspace(-0.25, 1.1, rows).clip(0, 1)[:, None, None]
    colours = np.asarray(lit, float) * (1 - share_down) + np.asarray(shade, float) * share_down
    pixels = np.broadcast_to(colours, (rows, columns, 3)).astype(np.uint8)
    sprite = Image.fromarray(pixels, "RGB").convert("RGBA")
    sprite.putalpha(mask)
    return sprite


def pine(height: float, colour: Colour, rng: Generator, *, snow: bool = False) -> Image.Image:
    """Draw a conifer of five ragged tiers, rooted at the sprite's bottom."""
    pen = Pen(height)
    pen.box(-0.035, 0.7, 0.035, 1.0, darker(colour, 0.45))
    lean = rng.uniform(-0.02, 0.02)
    for tier in range(5):
        top, bottom = -0.98 + 0.33 * tier, -0.42 + 0.34 * tier
        wide = 0.15 + 0.085 * tier
        outline: list[Point] = [(lean, top)]
        steps = 4
        for step in range(1, steps + 1):
            share = step / steps
            outline.append((lean + wide * share * rng.uniform(0.85, 1.1), top + (bottom - top) * share))
            if step < steps:
                outline.append((lean + wide * share * 0.72, top + (bottom - top) * share + 0.015))
        outline.append((lean + wide * 0.4, bottom - 0.05))
        outline.append((lean, bottom + 0.01))
        outline += [(2 * lean - x, y) for x, y in reversed(outline[1:-1])]
        pen.shape(outline, mix(colour, darker(colour, 0.3), 0.5 if tier % 2 else 0.0))
        pen.shape(
            [(lean, top), (lean + wide * 0.9, bottom - 0.01), (lean, bottom)], darker(colour, 0.18), alpha=110
        )
        if snow:
            cap = ((0, 0), (0.55, 0.55), (0.2, 0.42), (-0.1, 0.6), (-0.55, 0.56))
            pen.shape([(lean + wide * x, top + (bottom - top) * y) for x, y in cap], (247, 250, 255))
    return pen.sprite(shade=0.1)


def tree(height: float, leaves: Colour, rng: Generator) -> Image.Image:
    """Draw a broad-leaved tree, lit from the upper left."""
    pen = Pen(height)
    trunk = mix(darker(leaves, 0.6), (90, 58, 40), 0.5)
    pen.stroke([(0, 1.0), (0.02, 0.5), (-0.02, 0.05)], 0.13, trunk, end=0.07)
    pen.stroke([(0.01, 0.45), (0.2, 0.12)], 0.06, trunk)
    pen.stroke([(0.0, 0.35), (-0.22, 0.08)], 0.05, trunk)
    places = [(rng.uniform(-0.46, 0.46), rng.uniform(-0.68, 0.06), rng.uniform(0.2, 0.32)) for _ in range(9)]
    places += [(0.0, -0.3, 0.42), (-0.3, -0.1, 0.28), (0.3, -0.12, 0.28)]
    for tone, shift, scale in (
        (darker(leaves, 0.3), (0.03, 0.05), 1.0),
        (leaves, (0, 0), 0.92),
        (lighter(leaves, 0.22), (-0.07, -0.08), 0.5),
    ):
        for x, y, radius in places:
            pen.ellipse(x + shift[0], y + shift[1], radius * scale, radius * scale * 0.88, tone)
    return pen.sprite(shade=0.12)


def trunk(height: float, width: float, colour: Colour, rng: Generator) -> Image.Image:
    """Draw a tall bare trunk with a few branches, as high as the sprite."""
    pen = Pen(height)
    lean = rng.uniform(-0.05, 0.05)
    pen.shape(
        [(-width * 0.62, 1), (-width * 0.4 + lean, -1), (width * 0.4 + lean, -1), (width * 0.62, 1)], colour
    )
    pen.shape(
        [(width * 0.1, 1), (width * 0.1 + lean, -1), (width * 0.4 + lean, -1), (width * 0.62, 1)],
        darker(colour, 0.3),
    )
    for _ in range(3):
        y, side = rng.uniform(-0.85, -0.1), 1 if rng.random() < 0.5 else -1
        reach = rng.uniform(0.16, 0.3)
        pen.stroke(
            [(lean / 2, y), (side * reach * 0.6, y - 0.08), (side * reach, y - 0.22)],
            width * 0.5,
            colour,
            end=width * 0.12,
        )
    return pen.sprite()


def flower(size: float, petals: Colour, heart: Colour, rng: Generator) -> Image.Image:
    """Draw an open blossom from the front, with two rings of petals."""
    pen = Pen(size)
    count = int(rng.integers(9, 14))
    start = rng.uniform(0, 360)
    for ring, (reach, tone) in enumerate(((0.62, darker(petals, 0.2)), (0.56, petals))):
        for index in range(count):
            angle = start + 360 / count * (index + ring / 2) + rng.uniform(-3, 3)
            radians = math.radians(angle)
            length = reach * rng.uniform(0.92, 1.06)
            x, y = length * 0.58 * math.cos(radians), length * 0.58 * math.sin(radians)
            wide = 0.95 / count * 1.35
            pen.ellipse(x, y, length * 0.62, wide, tone, turn=angle)
            pen.ellipse(
                x * 1.2, y * 1.2, length * 0.38, wide * 0.62, lighter(tone, 0.22), turn=angle, alpha=150
            )
            pen.ellipse(x * 0.6, y * 0.6, length * 0.3, wide * 0.3, darker(tone, 0.35), turn=angle, alpha=90)
    pen.ellipse(0.01, 0.015, 0.27, 0.27, darker(heart, 0.4))
    pen.ellipse(0, 0, 0.255, 0.255, heart)
    for seed in range(70):  # a sunflower's spiral
        radius, angle = 0.235 * math.sqrt(seed / 70), seed * 2.39996
        pen.ellipse(
            radius * math.cos(angle),
            radius * math.sin(angle),
            0.016,
            0.016,
            darker(heart, 0.35) if seed % 3 else lighter(heart, 0.4),
        )
    return pen.sprite(shade=0.08)


def stem(size: float, colour: Colour, bend: float) -> Image.Image:
    """Draw a stalk from the sprite's middle to its bottom, with two leaves."""
    pen = Pen(size)
    foot = bend * 0.3
    pen.stroke([(0, 0), (bend * 0.22, 0.45), (foot, 1.0)], 0.035, colour, end=0.045)
    for side, y in ((1, 0.55), (-1, 0.72)):
        x = bend * 0.24
        leaf = [
            (x, y),
            (x + side * 0.12, y - 0.1),
            (x + side * 0.3, y - 0.13),
            (x + side * 0.2, y - 0.01),
            (x + side * 0.08, y + 0.03),
        ]
        pen.blob(leaf, lighter(colour, 0.1) if side > 0 else darker(colour, 0.15))
        pen.stroke([(x, y), (x + side * 0.24, y - 0.09)], 0.008, lighter(colour, 0.35))
    return pen.sprite()


def grass(width: float, height: float, colour: Colour, rng: Generator) -> Image.Image:
    """Draw a tuft of blades of the given width and height, rooted at the sprite's bottom."""
    side = max(width, height)
    pen = Pen(side)
    across, up = width / side, 2 * height / side
    for _ in range(16):
        x, tall = rng.uniform(-0.7, 0.7) * across, rng.uniform(0.45, 0.98) * up
        bend = rng.uniform(-0.28, 0.28) * across
        tone = mix(darker(colour, 0.25), lighter(colour, 0.18), rng.random())
        pen.stroke([(x, 1.0), (x + bend * 0.3, 1 - tall * 0.6), (x + bend, 1 - tall)], 0.03, tone, end=0.006)
    return pen.sprite()


def seaweed(height: float, colour: Colour, rng: Generator) -> Image.Image:
    pen = Pen(height)
    for _ in range(4):
        x = rng.uniform(-0.3, 0.3)
        tall, sway = rng.uniform(0.9, 1.9), rng.uniform(0.06, 0.14)
        points = [(x + sway * math.sin(step * 1.7), 1 - tall * step / 6) for step in range(7)]
        pen.stroke(points, 0.12, mix(colour, darker(colour, 0.35), rng.random()), end=0.02)
    return pen.sprite(shade=0.15)


def potted_plant(height: float, leaves: Colour, pot: Colour, rng: Generator) -> Image.Image:
    pen = Pen(height)
    for index in range(9):
        angle = math.radians(-168 + 19.5 * index + rng.uniform(-5, 5))
        reach = rng.uniform(0.75, 1.05)
        tip = (reach * 0.8 * math.cos(angle), 0.32 + reach * 1.15 * math.sin(angle))
        middle = (tip[0] * 0.45, 0.32 + (tip[1] - 0.32) * 0.62)
        tone = mix(leaves, darker(leaves, 0.45), index % 3 / 2)
        pen.blob([(0, 0.4), (middle[0] - 0.09, middle[1]), tip, (middle[0] + 0.09, middle[1] + 0.03)], tone)
        pen.stroke([(0, 0.36), middle, tip], 0.012, lighter(tone, 0.25))
    pen.shape([(-0.3, 0.36), (0.3, 0.36), (0.22, 0.98), (-0.22, 0.98)], pot)
    pen.box(-0.34, 0.32, 0.34, 0.44, lighter(pot, 0.15))
    return pen.sprite(shade=0.12)


def palm(height: float, leaves: Colour, lean: float) -> Image.Image:
    pen = Pen(height)
    crown = (lean * 0.5, -0.5)
    pen.stroke([(-lean * 0.25, 1.0), (0, 0.25), crown], 0.11, (112, 78, 54), end=0.06)
    for turn in range(7):
        angle = math.radians(-200 + turn * 37)
        reach = 0.62
        end = (crown[0] + reach * math.cos(angle), crown[1] + reach * math.sin(angle) * 0.6 + 0.24)
        middle = (crown[0] + reach * 0.55 * math.cos(angle), crown[1] + reach * 0.6 * math.sin(angle) - 0.06)
        tone = mix(leaves, darker(leaves, 0.4), turn % 3 / 2)
        pen.blob([crown, (middle[0], middle[1] - 0.05), end, (middle[0] * 0.98, middle[1] + 0.09)], tone)
    for x in (-0.05, 0.05):
        pen.ellipse(crown[0] + x, crown[1] + 0.05, 0.05, 0.05, (92, 58, 38))
    return pen.sprite(shade=0.1)


def cactus(height: float, colour: Colour) -> Image.Image:
    pen = Pen(height)
    for points in (
        [(0, 1.0), (0, -0.75)],
        [(0, 0.2), (0.4, 0.15), (0.42, -0.3)],
        [(0, 0.45), (-0.38, 0.4), (-0.4, 0.0)],
    ):
        pen.stroke(points, 0.26 if len(points) == 2 else 0.18, colour)
    for x in (-0.06, 0.05):
        pen.stroke([(x, 0.98), (x, -0.72)], 0.02, lighter(colour, 0.2))
    return pen.sprite(shade=0.15)


def planet(size: float, colour: Colour, band: Colour, *, ring: Colour | None) -> Image.Image:
    """Draw a banded ball lit from the upper left, with a ring if a colour is given."""
    side = max(8, round(size))
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = axis[None, :] / 0.62, axis[:, None] / 0.62
    distance = np.sqrt(x**2 + y**2)
    z = np.sqrt(np.clip(1 - distance**2, 0, 1))
    light = np.clip(-0.55 * x - 0.5 * y + 0.67 * z, 0, 1) ** 0.8
    stripes = 0.5 + 0.5 * np.sin(9 * (y + 0.18 * x) + 1.4 * np.sin(4 * y + 2 * x))
    base = np.asarray(colour) * (1 - stripes[..., None]) + np.asarray(band) * stripes[..., None]
    pixels = np.zeros((side, side, 4))
    pixels[..., :3] = base * (0.1 + 0.95 * light[..., None])
    pixels[..., 3] = np.clip((1 - distance) * 0.62 * side / 2 + 0.5, 0, 1) * 255
    ball = Image.fromarray(pixels.clip(0, 255).astype(np.uint8), "RGBA")
    if ring is None:
        return ball
    pen = Pen(side)
    for reach, alpha in ((0.97, 120), (0.88, 200), (0.8, 140)):
        pen.ellipse(0, 0, reach, reach * 0.2, ring, turn=-16, alpha=alpha)
    disc = np.array(pen.sprite())
    turn = math.radians(-16)
    u = axis[None, :] * math.cos(turn) + axis[:, None] * math.sin(turn)
    v = -axis[None, :] * math.sin(turn) + axis[:, None] * math.cos(turn)
    disc[(u / 0.7) ** 2 + (v / 0.14) ** 2 < 1, 3] = 0  # the gap between ring and ball
    back = disc.copy()
    disc[v < 0, 3] = 0  # the far half is behind the ball
    back[v >= 0, 3] = 0
    whole = Image.fromarray(back, "RGBA")
    whole.alpha_composite(ball)
    whole.alpha_composite(Image.fromarray(disc, "RGBA"))
    return whole
