"""Lay the sound of a film's clips in its place, and give converted pictures their sound back."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import BinaryIO

import numpy as np

from lambdas.domain.errors import ClipUnreadable, SoundUnreadable
from lambdas.media.flac import flac
from lambdas.media.mp4.clip import blame
from lambdas.media.mp4.merge import Piece, lay_out
from lambdas.media.sound import LAID_BELOW, encode_aac
from lambdas.media.sound_input import RATE, Samples, clip_samples
from lambdas.media.sound_reader import Reader, blocks_of, samples_in
from lambdas.media.source import BytesSource, Source

REVISION = "2"
"""Increment when the same clips produce other sound."""
SHORTEST_FADE = Fraction(1, 200)
"""Seconds. A sound that is cut in the middle of a wave clicks."""
# Two clips may sound at once, and both may be at full scale.
_ROOM = np.float32(10 ** (-LAID_BELOW / 20))


@dataclass(frozen=True)
class SoundPart:
    """The part of a clip's sound that is in the film: `seconds` of it from second `begin` after its first
    picture, heard from second `start` of the film. It fades in and out over these seconds. `clip` is the
    clip's index, for errors."""

    source: Source
    clip: int
    start: Fraction
    seconds: Fraction
    begin: Fraction = Fraction(0)
    fade_in: Fraction = SHORTEST_FADE
    fade_out: Fraction = SHORTEST_FADE


def lay_sound(clips: Iterable[SoundPart], duration: Fraction, output: BinaryIO) -> None:
    """Write the clips' sound to `output` (seekable, empty) as a FLAC of `duration` seconds, silent where
    there is none. Where two clips overlap, their powers add up to that of one (equal-power fades).

    All of it is 6 dB quieter, so that overlaps don't clip; `mix` sets the loudness. The clips are in the
    order of the film, and each is taken when the film gets to the one before it. Memory: a second of each
    sound, and what their sources need.

    Raises ClipUnreadable with the clip's index.
    """
    flac((block * _ROOM for block in _laid(clips, samples_in(duration))), output)


def with_sound(pictures: bytes, source: Source, begin: Fraction, seconds: Fraction) -> bytes:
    """Return the MP4 of `pictures`, `seconds` long, with the sound that the clip `source` has from second
    `begin`. The pictures are copied; the sound is encoded as AAC.

    Raises ClipUnreadable.
    """
    sound = BytesIO()
    heard = SoundPart(source, 0, Fraction(0), seconds, begin)
    with _blamed(None):
        encode_aac(_laid([heard], samples_in(seconds)), sound)
    layout = lay_out([Piece(BytesSource(pictures), 0)], sound=BytesSource(sound.getvalue()), metadata={})
    return b"".join(layout.stream())


def _laid(clips: Iterable[SoundPart], total: int) -> Iterator[Samples]:
    waiting = iter(clips)
    coming = next(waiting, None)
    playing: list[_Playing] = []
    for start, size in blocks_of(total):
        while coming and round(coming.start * RATE) < start + size:
            playing.append(_Playing(coming))
            coming = next(waiting, None)
        block = np.zeros((2, size), np.float32)
        for one in playing:
            one.add_to(block, start)
        playing = [one for one in playing if one.end > start + size]
        yield block


class _Playing:
    """A clip's sound while the block of the film that it is in is made."""

    def __init__(self, heard: SoundPart) -> None:
        self._clip = heard.clip
        self._start = round(heard.start * RATE)
        self.end = round((heard.start + heard.seconds) * RATE)
        self._fades = samples_in(heard.fade_in), samples_in(heard.fade_out)
        self._reader = Reader("its sound", self._start, clip_samples(heard.source, heard.begin))

    def add_to(self, block: Samples, start: int) -> None:
        """Add what is heard during a block of the film that starts at sample `start`."""
        first = max(self._start, start)
        with _blamed(self._clip):
            heard = self._reader.read(min(self.end, start + block.shape[1]) - first)
        at = np.arange(first, first + heard.shape[1])
        fade_in, fade_out = self._fades
        share = np.minimum((at - self._start + 0.5) / fade_in, (self.end - at - 0.5) / fade_out)
        faded = heard * np.sin(math.pi / 2 * np.clip(share, 0, 1)).astype(np.float32)
        block[:, first - start : first - start + heard.shape[1]] += faded


@contextmanager
def _blamed(clip: int | None) -> Iterator[None]:
    """Name the clip in errors of its sound."""
    with blame(clip):
        try:
            yield
        except SoundUnreadable as error:
            raise ClipUnreadable(error.message) from error
