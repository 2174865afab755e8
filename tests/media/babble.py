"""Speech whose times are known: words of vowels and hisses, by voices of any pitch and pace."""

import numpy as np
from numpy.typing import NDArray

from lambdas.media.sound_input import RATE

Sound = NDArray[np.float32]
FORMANTS = [(300, 2300), (700, 1200), (400, 900), (550, 1900), (250, 700)]  # Hz; the last sound is a hiss


def word(text: str) -> list[int]:
    """Return the sounds of a word: one for each of its digits, or letters."""
    return [
        (int(char) if char.isdigit() else ord(char)) % (len(FORMANTS) + 1) for char in text if char.isalnum()
    ]


def babble(
    words: list[list[int]], seconds: list[list[float]], pitch: float, *, higher: float = 1.0, seed: int = 0
) -> Sound:
    """Return words, each sound of them so long, by a voice of this pitch and with these formants."""
    rng = np.random.default_rng(seed)
    parts = []
    for sounds, lengths in zip(words, seconds, strict=True):
        for kind, length in zip(sounds, lengths, strict=True):
            at = np.arange(round(length * RATE)) / RATE
            if kind == len(FORMANTS):
                parts.append(0.05 * rng.standard_normal(len(at)))
                continue
            harmonics = pitch * np.arange(1, 30)
            loud = sum(np.exp(-(((harmonics - higher * peak) / 150) ** 2)) for peak in FORMANTS[kind])
            parts.append(0.1 * (loud[:, None] * np.sin(2 * np.pi * harmonics[:, None] * at)).sum(axis=0))
    return np.concatenate(parts).astype(np.float32)


def steady(words: list[list[int]], seconds: float) -> list[list[float]]:
    return [[seconds] * len(sounds) for sounds in words]
