"""Extract a part of the narration as the sound file that an engine renders to."""

import io
import wave
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from lambdas.media.sound import Placed
from lambdas.media.sound_input import RATE, samples

_BYTES = 2  # per sample
# A mono voice is decoded into two channels of half its power each; this restores the original level.
_MONO = np.float32(0.5**0.5)


def excerpt(voices: Sequence[Placed], duration: Fraction) -> bytes:
    """Return a WAV (48 kHz, mono, 16 bits) of exactly `duration` seconds rounded to a sample, with the voices
    unchanged. Each begins `start` seconds into the sound, or before it if negative. Anything outside is cut
    off; the rest is silence.

    Raises SoundUnreadable, naming the voice counted from 0.
    """
    total = round(duration * RATE)
    heard = np.zeros(total, np.float32)
    for index, voice in enumerate(voices):
        position = round(voice.start * RATE)
        for block in samples(voice.source, f"narration {index}"):
            first, last = max(position, 0), min(position + block.shape[1], total)
            if first < last:
                heard[first:last] += block[:, first - position : last - position].sum(axis=0) * _MONO
            position += block.shape[1]
    output = io.BytesIO()
    with wave.open(output, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_BYTES)
        file.setframerate(RATE)
        file.writeframes((np.clip(heard, -1, 1) * 32767).round().astype("<i2").tobytes())
    return output.getvalue()
