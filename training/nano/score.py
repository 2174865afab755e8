"""Score how well a checkpoint follows its prompts, from the pixels alone.

    python -m training.nano.score MODEL_DIR [--scenes 120] [--sheet PNG]

Every scene is a combination of attributes that training never saw. Each attribute is measured separately and
compared with the prompt, at each speed of the engine.
"""

import argparse
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from containers.diffusion.checkpoint import read_checkpoint
from containers.diffusion.request import ClipRequest
from containers.diffusion.source import Source
from containers.diffusion.speed import Speed
from training.nano.draw import (
    AREAS,
    BACKGROUNDS,
    COLOURS,
    FPS,
    FRAMES,
    HEIGHT,
    HELD_OUT,
    MOTIONS,
    SHAPES,
    SIZES,
    WIDTH,
    Scene,
    attributes,
    caption,
    coverage,
)

if TYPE_CHECKING:
    from containers.diffusion.model import Model

Frames = NDArray[np.uint8]
Mask = NDArray[np.bool_]

# A shape counts as moving if it covers this share of the distance that the slowest drawn one covers.
MOVED = 0.4
# Anything smaller than this (pixels) is not a shape.
SPECK = 20
# A checkpoint passes if its clips show this share of what their prompts say, on average over the attributes,
# and if no faster speed loses more than that of it.
LEAST = 0.85
MAY_LOSE = 0.05


def measure(frames: Frames) -> Scene | None:
    """Return what a clip, RGB of shape (FRAMES, HEIGHT, WIDTH, 3), shows; None if a frame shows no shape."""
    background = _background(frames)
    masks = _masks(frames, background)
    if masks.sum((1, 2)).min() < SPECK:
        return None
    shape = _shape(masks)
    radius = np.sqrt(masks.sum((1, 2)).mean() / AREAS[shape])
    return Scene(
        shape=shape,
        colour=_nearest(np.median(frames[masks], axis=0), COLOURS),
        size=min(SIZES, key=lambda name: abs(np.log(radius / SIZES[name]))),
        motion=_motion(masks),
        background=_nearest(background, BACKGROUNDS),
    )


def held_out_prompts(count: int, seed: int = 0) -> list[tuple[Scene, str]]:
    """Return the first `count` held-out scenes, each with one phrasing."""
    rng = random.Random(seed)
    return [(scene, caption(scene, rng)) for scene in HELD_OUT[:count]]


def tally(pairs: Sequence[tuple[Scene, Scene | None]]) -> dict[str, float]:
    """Return the share of (asked, shown) pairs that agree, by attribute; their `mean`, and `all` at once."""
    right: Counter[str] = Counter()
    names = [field.name for field in fields(Scene)]
    for asked, shown in pairs:
        for name in names:
            right[name] += shown is not None and getattr(asked, name) == getattr(shown, name)
        right["all"] += asked == shown
    shares = {name: right[name] / len(pairs) for name in names}
    return shares | {"mean": sum(shares.values()) / len(shares), "all": right["all"] / len(pairs)}


def render(model: "Model", prompts: Sequence[str], speed: "Speed", *, seed: int = 0) -> list[Frames]:
    """Render one clip per prompt as the engine server does, each from its own seed."""
    size = {"width": WIDTH, "height": HEIGHT, "frames": FRAMES, "skip_frames": 0, "fps": FPS}
    requests = [
        ClipRequest.model_validate({**size, "prompt": prompt, "seed": seed + number})
        for number, prompt in enumerate(prompts)
    ]
    return [model.render(request, Source(), speed, lambda: None).frames for request in requests]


def _background(frames: Frames) -> NDArray[np.float64]:
    edge = np.concatenate([frames[:, 0], frames[:, -1], frames[:, :, 0], frames[:, :, -1]], axis=1)
    colour: NDArray[np.float64] = np.median(edge.reshape(-1, 3), axis=0)
    return colour


def _masks(frames: Frames, background: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where each frame is nearer to its shape than to the background."""
    away = np.linalg.norm(frames - background, axis=-1)
    # Relative to the distance of the shape's inside; a clip of noise or nothing has a low threshold, and so
    # no clean shape.
    masks: NDArray[np.bool_] = away > max(np.percentile(away, 99.5) / 2, 20)
    return masks


def _nearest(colour: NDArray[np.float64], palette: dict[str, tuple[int, int, int]]) -> str:
    return min(palette, key=lambda name: float(np.linalg.norm(colour - palette[name])))


def _centres(masks: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    area = masks.sum((1, 2))
    x = (masks * (np.arange(WIDTH) + 0.5)).sum((1, 2)) / area
    y = (masks * (np.arange(HEIGHT)[:, None] + 0.5)).sum((1, 2)) / area
    return x, y


def _shape(masks: NDArray[np.bool_]) -> str:
    """Return the shape whose outline, of the same area in the same place, best covers the same pixels."""
    x, y = _centres(masks)
    area = float(np.mean(masks.sum((1, 2))))

    def overlap(shape: str) -> float:
        drawn = coverage(shape, np.sqrt(area / AREAS[shape]), x, y) > 0.5
        return float((drawn & masks).sum() / (drawn | masks).sum())

    return max(SHAPES, key=overlap)


def _motion(masks: NDArray[np.bool_]) -> str:
    x, y = _centres(masks)
    moved = x[-1] - x[0], y[-1] - y[0]

    def along(name: str) -> float:
        """Return how far the clip moves this way, as a share of the required minimum."""
        to_x, to_y, least, _ = MOTIONS[name]
        return float(moved[0] * to_x + moved[1] * to_y) / least

    way = max((name for name in MOTIONS if name != "still"), key=along)
    return way if along(way) > MOVED else "still"


def _sheet(clips: Sequence[Frames], path: Path) -> None:
    from PIL import Image

    rows = [np.concatenate(clip[::2], axis=1) for clip in clips]
    Image.fromarray(np.concatenate(rows)).save(path)


def score(directory: Path, scenes: int, sheet: Path | None = None) -> dict[Speed, dict[str, float]]:
    """Render the first `scenes` held-out scenes with the checkpoint at each speed; print what is wrong, and
    return the tallies. `sheet` is an image file for the frames of the exact clips, one clip per row."""
    from containers.diffusion.model import Model

    model = Model.load(directory, read_checkpoint(directory), "cpu")
    asked, prompts = zip(*held_out_prompts(scenes), strict=True)
    scores = {}
    for speed in model.speeds:
        clips = render(model, prompts, speed)
        shown = [measure(clip) for clip in clips]
        scores[speed] = tally(list(zip(asked, shown, strict=True)))
        if speed is Speed.EXACT:
            if sheet is not None:
                _sheet(clips, sheet)
            for scene, prompt, seen in zip(asked, prompts, shown, strict=True):
                if scene != seen:
                    print(f"wrong: {prompt!r}: shows {' '.join(attributes(seen)) if seen else 'no shape'}")
    print(f"{scenes} prompts".ljust(14) + "".join(f"{speed:>10}" for speed in scores))
    for name in scores[Speed.EXACT]:
        print(f"{name:14}" + "".join(f"{found[name]:10.1%}" for found in scores.values()))
    return scores


def passes(scores: dict[Speed, dict[str, float]]) -> bool:
    """Return whether the tallies of all speeds are those of a checkpoint to publish."""
    exact = scores[Speed.EXACT]["mean"]
    return exact >= LEAST and all(found["mean"] >= exact - MAY_LOSE for found in scores.values())


def _main() -> None:
    parser = argparse.ArgumentParser(description="Score a nano checkpoint on held-out prompts.")
    parser.add_argument("model", type=Path)
    parser.add_argument(
        "--scenes", type=int, default=len(HELD_OUT), help="Number of held-out scenes (default: %(default)s)."
    )
    parser.add_argument(
        "--sheet", type=Path, help="Image file for the frames of the exact clips, one clip per row."
    )
    options = parser.parse_args()
    score(options.model, options.scenes, options.sheet)


if __name__ == "__main__":
    _main()
