"""Check sound that the user sent: music, and recordings of narration."""

import math
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from lambdas.domain.documents import LONGEST_FILM
from lambdas.domain.errors import InvalidRequest, MusicRejected, SoundUnreadable
from lambdas.domain.storyboard import LONGEST_RECORDING, SHORTEST_RECORDING
from lambdas.domain.video_request import SHORTEST_MUSIC
from lambdas.media.sound_file import find_sound
from lambdas.media.sound_input import RATE, samples

MAX_BYTES = 100 * 1024 * 1024
"""An hour of MP3 at 200,000 bits a second."""
QUIETEST = 10 ** (-70 / 20)
"""Peak sample at full scale 1. A loudness meter treats anything quieter as silence (BS.1770-4)."""
_ALLOWED = (
    "{param} must be a WAV, MP3, Ogg, FLAC or MP4 (M4A) file with {least:g} to {most:,} seconds of sound and "
    "at most 100 MB; {but}."
)


@dataclass(frozen=True)
class SoundInfo:
    seconds: float
    kind: str  # a key of SOUND_TYPES


def check_music(data: bytes, param: str) -> SoundInfo:
    """Check a sound file by its content, decoding all of it. An hour of sound takes five seconds of CPU.

    Raises MusicRejected, naming the request's field `param` and what is allowed.
    """
    return _checked(data, param, SHORTEST_MUSIC, LONGEST_FILM, MusicRejected)


def check_recording(data: bytes, param: str) -> SoundInfo:
    """Check a recording as `check_music` checks music. Raises InvalidRequest."""
    return _checked(data, param, SHORTEST_RECORDING, LONGEST_RECORDING, InvalidRequest)


def _checked(data: bytes, param: str, least: float, most: int, rejected: type[InvalidRequest]) -> SoundInfo:
    def refused(but: str) -> InvalidRequest:
        return rejected(_ALLOWED.format(param=param, least=least, most=most, but=but), param=param)

    if len(data) > MAX_BYTES:
        raise refused(f"got {len(data):,} bytes")
    file = BytesIO(data)
    count, loudest = 0, 0.0
    try:
        for block in samples(file, "the file"):
            count += block.shape[1]
            loudest = max(loudest, float(np.abs(block).max(initial=0)))
            if count > most * RATE:
                raise refused("got a longer one")
        kind = find_sound(file).kind
    except SoundUnreadable as error:
        raise refused(error.message) from error
    if count < math.ceil(least * RATE):
        raise refused(f"got {count / RATE:.2f} seconds")
    if loudest < QUIETEST:
        raise refused("got silence")
    return SoundInfo(count / RATE, kind)
