"""Check uploaded music."""

import math
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from lambdas.domain.documents import LONGEST_FILM
from lambdas.domain.errors import MusicRejected, SoundUnreadable
from lambdas.domain.video_request import SHORTEST_MUSIC
from lambdas.media.sound_file import find_sound
from lambdas.media.sound_input import RATE, samples

MAX_BYTES = 100 * 1024 * 1024
"""An hour of MP3 at 200,000 bits a second."""
QUIETEST = 10 ** (-70 / 20)
"""Peak sample at full scale 1. A loudness meter treats anything quieter as silence (BS.1770-4)."""
ALLOWED = (
    f"a WAV, MP3, Ogg, FLAC or MP4 (M4A) file with {SHORTEST_MUSIC} to {LONGEST_FILM:,} seconds of sound and "
    "at most 100 MB"
)


@dataclass(frozen=True)
class MusicInfo:
    seconds: float
    kind: str  # a key of MUSIC_TYPES


def check_music(data: bytes, param: str) -> MusicInfo:
    """Check a sound file by its content, decoding all of it. An hour of sound takes five seconds of CPU.

    Raises MusicRejected, naming the request's field `param` and what is allowed.
    """
    if len(data) > MAX_BYTES:
        raise _rejected(param, f"got {len(data):,} bytes")
    file = BytesIO(data)
    count, loudest = 0, 0.0
    try:
        for block in samples(file, "the file"):
            count += block.shape[1]
            loudest = max(loudest, float(np.abs(block).max(initial=0)))
            if count > LONGEST_FILM * RATE:
                raise _rejected(param, "got a longer one")
        kind = find_sound(file).kind
    except SoundUnreadable as error:
        raise _rejected(param, error.message) from error
    if count < math.ceil(SHORTEST_MUSIC * RATE):
        raise _rejected(param, f"got {count / RATE:.2f} seconds")
    if loudest < QUIETEST:
        raise _rejected(param, "got silence")
    return MusicInfo(count / RATE, kind)


def _rejected(param: str, but: str) -> MusicRejected:
    return MusicRejected(f"{param} must be {ALLOWED}; {but}.", param=param)
