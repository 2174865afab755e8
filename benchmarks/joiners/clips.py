"""Make clips as the CogVideoX server exports them, from moving pictures with grain.

python -m benchmarks.joiners.clips WIDTH HEIGHT FRAMES FPS HOW_MANY DIRECTORY
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from containers.diffusion.export import mp4

GRAIN = 0.5
"""Standard deviation, out of 255. It gives clips the bitrate of rendered ones: 110 and 320 KB per second at
720x480 (8 fps) and 1360x768 (16 fps)."""
_GRAINS = 8  # distinct patterns, shown in turn
_WAVES = 12


def pictures(width: int, height: int, frames: int, seed: int) -> NDArray[np.uint8]:
    """Draw a window that travels over a landscape of soft shapes while its light changes, as RGB of shape
    (frames, height, width, 3)."""
    random = np.random.default_rng(seed)
    across, down = random.uniform(0.5, 2.5), random.uniform(0.25, 1.25)  # pixels per frame
    landscape = _landscape(width + int(across * frames) + 1, height + int(down * frames) + 1, random)
    grain = random.normal(0, GRAIN, (_GRAINS, height, width, 1)).astype(np.float32)
    result = np.empty((frames, height, width, 3), np.uint8)
    for number in range(frames):
        x, y = int(across * number), int(down * number)
        light = 1 + 0.2 * np.sin(number / 20)
        result[number] = np.clip(
            landscape[y : y + height, x : x + width] * np.float32(light) + grain[number % _GRAINS], 0, 255
        )
    return result


def _landscape(width: int, height: int, random: np.random.Generator) -> NDArray[np.float32]:
    scene = np.full((height, width, 3), 110, np.float32)
    columns, rows = np.arange(width), np.arange(height)
    for strength in random.uniform(3, 20, _WAVES):
        pitch, slope = random.uniform(0.004, 0.12, 2)
        for channel, phase in enumerate(random.uniform(0, 6, 3)):
            wave = np.outer(np.sin(slope * rows + phase), np.cos(pitch * columns + phase))
            scene[..., channel] += strength * wave
    return scene


def main() -> None:
    width, height, frames, fps, how_many = map(int, sys.argv[1:6])
    for number in range(how_many):
        clip = mp4(pictures(width, height, frames, number), fps, {})
        (Path(sys.argv[6]) / f"{number:04}.mp4").write_bytes(clip)


if __name__ == "__main__":
    main()
