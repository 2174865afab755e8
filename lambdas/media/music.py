"""Music that comes from outside: what is let in."""

import math
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from lambdas.domain.documents import LONGEST_FILM
from lambdas.domain.errors import MusicRejected, SoundUnreadable
from lambdas.media.sound import SHORTEST_MUSIC
from lambdas.media.sound_input import RATE, format_of, samples

MAX_BYTES = 100 * 1024 * 1024
"""An hour of MP3 at 200,000 bits a second."""
QUIETEST = 10 ** (-70 / 20)
"""Of the loudest sample, full scale 1: what lies below, a loudness meter takes for silence (BS.1770-4)."""
MEDIA_TYPES = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "mp4": "audio/mp4",
}
"""By the kind of file, which is its extension too."""
ALLOWED = (
    f"a WAV, MP3, Ogg, FLAC or MP4 (M4A) file with {SHORTEST_MUSIC} to {LONGEST_FILM:,} seconds of sound and "
    "at most 100 MB"
)


@dataclass(frozen=True)
class MusicInfo:
    seconds: float
    kind: str  # of MEDIA_TYPES


def check_music(data: bytes, param: str) -> MusicInfo:
    """Judges a sound file by its content and decodes all of it: an hour takes five seconds of a processor.

    Raises MusicRejected, naming the request's field `param` and what is allowed.
    """
    if len(data) > MAX_BYTES:
        raise _rejected(param, f"{len(data):,} bytes were given")
    file = BytesIO(data)
    count, loudest = 0, 0.0
    try:
        for block in samples(file, "the file"):
            count += block.shape[1]
            loudest = max(loudest, float(np.abs(block).max(initial=0)))
            if count > LONGEST_FILM * RATE:
                raise _rejected(param, "a longer one was given")
        kind = format_of(file)
    except SoundUnreadable as error:
        raise _rejected(param, error.message) from error
    if count < math.ceil(SHORTEST_MUSIC * RATE):
        raise _rejected(param, f"{count / RATE:.2f} seconds were given")
    if loudest < QUIETEST:
        raise _rejected(param, "silence was given")
    return MusicInfo(count / RATE, kind)


def _rejected(param: str, but: str) -> MusicRejected:
    return MusicRejected(f"{param} must be {ALLOWED}; {but}.", param=param)
