"""Play music under a film: from an offset, looped without a seam, faded in and out."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from lambdas.domain.errors import SoundUnreadable
from lambdas.domain.video_request import SHORTEST_MUSIC
from lambdas.media.mood_music import Tune, play
from lambdas.media.sound_input import RATE, Samples, SoundFile, samples
from lambdas.media.sound_reader import Reader, blocks_of

# A tune that ends (fades, rings out) is blended with its next start for this long, at equal power. A loop
# goes on at full level to its last sample: it is blended only so that the cut doesn't click, since more would
# shift its beat.
_BLENDED = 2 * RATE
_CUT = RATE // 100
# A tune ends if its last moment is this much quieter than all of it.
_MOMENT = RATE // 2
_ENDS_BELOW = 12.0  # dB
# What is this much quieter than its loudest sample is silence, at its end and at its next start.
_SILENT_BELOW = 60.0  # dB
_HELD = 12 * RATE  # samples of its end, in which the silence is looked for
_NOTHING = np.zeros((2, 0), np.float32)


@dataclass(frozen=True)
class Bed:
    """Music and how it is played: `level` in dB against speech, from second `start` of it on, with
    fades in seconds at the film's ends, each at most half of the film."""

    source: SoundFile | Tune
    level: float = -6
    start: Fraction = Fraction(0)
    fade_in: Fraction = Fraction(0)
    fade_out: Fraction = Fraction(3)


def background(bed: Bed, total: int) -> Iterator[Samples]:
    """Yield the music as it is heard in a film of `total` samples, in blocks of `blocks_of`, at the level of
    its file. Raises SoundUnreadable."""
    source = bed.source
    played = play(source, bed.start) if isinstance(source, Tune) else _looped(source, bed.start)
    piece = Reader("music", 0, played)
    rise, fall = (max(1, min(round(fade * RATE), total // 2)) for fade in (bed.fade_in, bed.fade_out))
    for start, size in blocks_of(total):
        at = np.arange(start, start + size)
        envelope = np.minimum(1, np.minimum((at + 1) / rise, (total - at) / fall))
        yield piece.read(size) * envelope.astype(np.float32)


def _looped(source: SoundFile, start: Fraction) -> Iterator[Samples]:
    """Play the music again and again. The end of each pass is blended with the start of the next one."""
    tail = _NOTHING
    while True:
        music, heard, held = _from_start(source, start), _Level(), _NOTHING
        head = music.read(tail.shape[1])
        heard.add(head)
        yield _blended(tail, head)
        while (block := music.read(RATE)).shape[1]:
            heard.add(block)
            held = np.concatenate([held, block], axis=1)
            yield held[:, :-_HELD]
            held = held[:, -_HELD:]
        if heard.samples < SHORTEST_MUSIC * RATE:
            raise SoundUnreadable(f"the music must be at least {SHORTEST_MUSIC} s long")
        end, blended = _end(held, heard)
        yield held[:, : end - blended]
        tail = held[:, end - blended : end]


def _from_start(source: SoundFile, start: Fraction) -> Reader:
    reader = Reader("music", 0, samples(source, "the music"))
    left = round(start * RATE)
    while left and (skipped := reader.read(min(left, RATE)).shape[1]):
        left -= skipped
    return reader


class _Level:
    """How loud what was played of the music is."""

    def __init__(self) -> None:
        self.samples = 0
        self.peak = 0.0
        self._energy = 0.0

    def add(self, block: Samples) -> None:
        if block.shape[1]:
            self.samples += block.shape[1]
            self.peak = max(self.peak, float(np.abs(block).max()))
            self._energy += float(np.square(block, dtype=np.float64).sum())

    @property
    def power(self) -> float:
        return self._energy / (2 * self.samples)


def _end(held: Samples, heard: _Level) -> tuple[int, int]:
    """Return where in the music's last part its sound ends, and how many samples before are blended."""
    loud = np.flatnonzero(np.abs(held).max(axis=0) > heard.peak * 10 ** (-_SILENT_BELOW / 20))
    end = int(loud[-1]) + 1 if loud.size else held.shape[1]
    moment = float(np.square(held[:, max(0, end - _MOMENT) : end], dtype=np.float64).mean())
    ends = held.shape[1] - end > _CUT or moment < heard.power * 10 ** (-_ENDS_BELOW / 10)
    return end, min(_BLENDED if ends else _CUT, heard.samples // 4, end)


def _blended(tail: Samples, head: Samples) -> Samples:
    at = (np.arange(head.shape[1], dtype=np.float32) + 0.5) / max(1, head.shape[1]) * np.float32(np.pi / 2)
    mixed: Samples = tail[:, : head.shape[1]] * np.cos(at) + head * np.sin(at)
    return mixed
