"""The room, an indoor place."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from lambdas.animatic import props
from lambdas.animatic.canvas import Pen, Plane, waves
from lambdas.animatic.palettes import darker, lighter, mix
from lambdas.animatic.places.stage import Scenery, Stage, merged


def room(stage: Stage) -> Scenery:
    palette, rng, unit = stage.palette, stage.rng, stage.unit
    wall, far_wall = (
        (darker(palette.sky[1], 0.35), darker(palette.sky[0], 0.5))
        if palette.dark
        else (palette.sky[1], palette.sky[0])
    )
    back = stage.plane(0.25)
    back.fill([(0, far_wall), (0.7, wall), (1, wall)])
    side = 0.3 if rng.random() < 0.5 else 0.7
    x, y, half_wide, half_high = side * stage.width, 0.33 * stage.height, unit * 0.24, unit * 0.27
    draw = ImageDraw.Draw(back.image)
    frame = unit * 0.016
    draw.rectangle(
        (x - half_wide - frame, y - half_high - frame, x + half_wide + frame, y + half_high + frame),
        fill=(*lighter(wall, 0.6), 255),
    )
    outside = ((40, 60, 120), (250, 196, 150)) if palette.dark else ((132, 190, 226), (248, 240, 214))
    pane = Plane((round(half_wide * 2), round(half_high * 2)), 0)
    pane.fill([(0, outside[0]), (1, outside[1])])
    pane.glow(pane.width * 0.7, pane.height * 0.4, unit * 0.2, palette.sun, 0.9)
    pane.ridge(
        ((0.78 - 0.06 * waves(pane.width, rng, length=unit * 0.3, detail=2)) * pane.height).astype(
            np.float32
        ),
        mix(palette.accents[1], (90, 130, 90), 0.6),
        (90, 130, 100),
    )
    back.image.paste(pane.image, (round(x - half_wide), round(y - half_high)))
    for start, end in (
        ((x, y - half_high), (x, y + half_high)),
        ((x - half_wide, y - half_high * 0.2), (x + half_wide, y - half_high * 0.2)),
    ):
        draw.line((*start, *end), fill=(*lighter(wall, 0.6), 255), width=max(1, round(frame * 0.7)))
    beam = Plane(stage.size, 0)
    lean = unit * (0.45 if side < 0.5 else -0.45)
    light = Image.new("L", stage.size, 0)
    ImageDraw.Draw(light).polygon(
        [
            (x - half_wide, y - half_high),
            (x + half_wide, y - half_high),
            (x + half_wide + lean * 1.6, stage.height),
            (x - half_wide + lean, stage.height),
        ],
        fill=46,
    )
    beam.image = Image.new("RGBA", stage.size, (*palette.sun, 255))
    beam.image.putalpha(light.filter(ImageFilter.GaussianBlur(unit * 0.02)))
    middle = stage.plane(0.45)
    for index in range(3):  # pictures on the wall
        px = (1 - side + (index - 1) * 0.13) * stage.width
        pen = Pen(unit * 0.16)
        pen.box(-0.62, -0.85, 0.62, 0.85, lighter(wall, 0.7))
        pen.box(-0.5, -0.72, 0.5, 0.72, palette.accents[index])
        pen.ellipse(0, 0.1 * index, 0.26, 0.26, mix(palette.accents[index], palette.sun, 0.7))
        middle.stamp(pen.sprite(), px, (0.3 + 0.02 * index) * stage.height)
    floor = np.full(stage.width, 0.78 * stage.height, np.float32)
    middle.ridge(floor - unit * 0.02, lighter(wall, 0.5), lighter(wall, 0.5), bottom=0.78 * stage.height)
    middle.ridge(floor, palette.ground[0], palette.ground[1], fade=0.3)
    middle.image.alpha_composite(beam.image)
    plant = unit * 0.42
    middle.stamp(
        props.potted_plant(plant, mix((60, 130, 90), palette.accents[1], 0.2), palette.accents[0], rng),
        (1 - side) * stage.width + (0.34 if side < 0.5 else -0.34) * unit,
        0.8 * stage.height - plant * 0.42,
    )
    near = stage.plane(0.9)
    wood = mix(palette.ground[1], palette.accents[0], 0.08)
    pen = Pen(stage.width * 1.1)
    pen.ellipse(0, 0.06, 0.86, 0.24, darker(wood, 0.35))
    pen.ellipse(0, 0, 0.86, 0.24, lighter(wood, 0.16))
    pen.ellipse(-0.1, -0.05, 0.6, 0.13, lighter(wood, 0.24), alpha=130)
    near.stamp(pen.sprite(), 0.5 * stage.width, 0.8 * stage.height + stage.width * 0.1)
    return Scenery([merged(back, middle, 0.35), near], front=2, ground=0.83, air=(0.5, 0.42), depth=0.9)
