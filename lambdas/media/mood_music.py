"""Make music of a mood: chords, bass, plucked notes and drums from oscillators and noise. It is simple, needs
no download and has no licence, and its beats are known.

A piece is a loop of 16 bars. Everything in it rings on past its end into its start, the reverberation too, so
the loop has no seam. docs/decisions/0077-beats-and-beds.md says why it is made so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lambdas.domain.moods import TEMPOS, Mood
from lambdas.media.sound_input import RATE, Samples

BARS, BEATS = 16, 4  # in the loop; in a bar
_LOUDEST = 0.8  # of full scale
_STEPS = 16_384  # of a wave's table

Wave = NDArray[np.float32]
Chord = tuple[int, ...]  # semitones above the key's root

_I, _II, _III, _IV, _V, _VI = (0, 4, 7), (2, 5, 9), (4, 7, 11), (5, 9, 12), (7, 11, 14), (9, 12, 16)
_I7, _II7, _IV7, _VI7 = (*_I, 11), (*_II, 12), (*_IV, 16), (*_VI, 19)
_MINOR_I, _MINOR_III, _MINOR_IV, _MINOR_V = (0, 3, 7), (3, 7, 10), (5, 8, 12), (7, 10, 14)
_MINOR_VI, _MINOR_VII, _LEADING, _SECOND = (8, 12, 15), (10, 14, 17), (7, 11, 14), (1, 5, 8)


@dataclass(frozen=True)
class Tune:
    """A piece of music that is made. The same seed gives the same piece."""

    mood: Mood
    seed: int


@dataclass(frozen=True)
class _Style:
    """How a mood sounds. Places are in beats of a bar; levels are of full scale, 0: left out."""

    chords: tuple[tuple[Chord, ...], ...]  # one of these progressions, a chord a bar
    pad: float
    bright: float  # how fast a pad's overtones fade with their number: 1 like strings, 3 like a flute
    attack: float  # seconds
    bass: tuple[float, ...]
    plucks: tuple[float, ...]
    pluck: float
    rings: float  # seconds in which a plucked note fades
    reverberation: float  # seconds
    kick: tuple[float, ...] = ()
    clap: tuple[float, ...] = ()
    hat: tuple[float, ...] = ()
    drums: float = 0.0


def _every(step: float, first: float = 0) -> tuple[float, ...]:
    return tuple(np.arange(first, BEATS, step).tolist())


_STYLES: Mapping[Mood, _Style] = {
    Mood.CALM: _Style(
        chords=((_I, _VI, _IV, _V), (_I, _III, _IV, _I), (_IV, _I, _II, _V)),
        pad=0.5,
        bright=2.2,
        attack=0.8,
        bass=(0,),
        plucks=_every(1),
        pluck=0.35,
        rings=0.9,
        reverberation=1.8,
    ),
    Mood.DREAMY: _Style(
        chords=((_I7, _IV7, _VI7, _IV7), (_IV7, _I7, _II7, _I7)),
        pad=0.6,
        bright=2.0,
        attack=1.2,
        bass=(0,),
        plucks=_every(0.5),
        pluck=0.25,
        rings=1.4,
        reverberation=3.0,
    ),
    Mood.UPLIFTING: _Style(
        chords=((_I, _V, _VI, _IV), (_VI, _IV, _I, _V), (_IV, _I, _V, _VI)),
        pad=0.4,
        bright=1.5,
        attack=0.15,
        bass=_every(1),
        plucks=_every(0.5),
        pluck=0.4,
        rings=0.4,
        reverberation=1.2,
        kick=_every(1),
        clap=(1, 3),
        hat=_every(1, 0.5),
        drums=0.6,
    ),
    Mood.PLAYFUL: _Style(
        chords=((_I, _IV, _I, _V), (_I, _VI, _II, _V)),
        pad=0.0,
        bright=2.0,
        attack=0.05,
        bass=(0, 2),
        plucks=(0, 0.5, 1, 1.5, 2, 3, 3.5),
        pluck=0.6,
        rings=0.15,
        reverberation=0.5,
        kick=(0, 2),
        clap=(1, 3),
        hat=_every(0.5),
        drums=0.3,
    ),
    Mood.TENSE: _Style(
        chords=((_MINOR_I, _SECOND, _MINOR_I, _LEADING), (_MINOR_I, _MINOR_VI, _SECOND, _LEADING)),
        pad=0.45,
        bright=1.3,
        attack=0.6,
        bass=_every(0.5),
        plucks=(),
        pluck=0.0,
        rings=0.3,
        reverberation=2.0,
        kick=(0, 2),
        hat=_every(1),
        drums=0.5,
    ),
    Mood.SAD: _Style(
        chords=((_MINOR_I, _MINOR_VI, _MINOR_III, _MINOR_VII), (_MINOR_I, _MINOR_IV, _MINOR_VI, _MINOR_V)),
        pad=0.4,
        bright=2.2,
        attack=1.0,
        bass=(0,),
        plucks=_every(1),
        pluck=0.5,
        rings=1.2,
        reverberation=2.2,
    ),
    Mood.EPIC: _Style(
        chords=((_MINOR_I, _MINOR_VI, _MINOR_III, _MINOR_VII), (_MINOR_VI, _MINOR_VII, _MINOR_I, _MINOR_I)),
        pad=0.6,
        bright=1.1,
        attack=0.2,
        bass=_every(0.5),
        plucks=_every(0.5),
        pluck=0.3,
        rings=0.25,
        reverberation=2.5,
        kick=(0, 1, 2, 3, 3.5),
        clap=(2,),
        drums=0.9,
    ),
    Mood.DRIVING: _Style(
        chords=((_MINOR_I, _MINOR_I, _MINOR_VI, _MINOR_VII), (_MINOR_I, _MINOR_III, _MINOR_VII, _MINOR_IV)),
        pad=0.3,
        bright=1.4,
        attack=0.1,
        bass=_every(0.5),
        plucks=_every(0.25),
        pluck=0.25,
        rings=0.2,
        reverberation=0.8,
        kick=_every(1),
        clap=(1, 3),
        hat=_every(0.5),
        drums=0.8,
    ),
}


def play(tune: Tune, start: Fraction = Fraction(0)) -> Iterator[Samples]:
    """Yield the music from second `start` on, without end, in blocks of a second."""
    loop = _loop(tune)
    at = round(start * RATE) % loop.shape[1]
    while True:
        block = loop[:, at : at + RATE]
        yield block
        at = (at + block.shape[1]) % loop.shape[1]


@lru_cache(maxsize=1)  # a mix plays it several times; 25 MB
def _loop(tune: Tune) -> Samples:
    return _Band(tune).loop()


class _Band:
    def __init__(self, tune: Tune) -> None:
        self._style = _STYLES[tune.mood]
        self._random = np.random.default_rng([tune.seed, list(Mood).index(tune.mood)])
        self._beat = RATE * 60 // TEMPOS[tune.mood]
        self._out = np.zeros((2, self._beat * BARS * BEATS), np.float32)
        self._root = 48 + int(self._random.integers(-4, 5))  # MIDI's number: C3 and around
        progressions = self._style.chords
        first = int(self._random.integers(len(progressions)))
        self._chords = progressions[first], progressions[(first + 1) % len(progressions)]

    def loop(self) -> Samples:
        order = self._random.permutation(6)
        for bar in range(BARS):
            part = bar // 4  # of four bars: the third part has the other chords, and the first is sparse
            chord = self._chords[part == 2][bar % 4]
            self._pad(bar, chord)
            self._bass(bar, chord)
            self._plucks(bar, chord, order, sparse=part == 0)
            self._drums(bar, sparse=part == 0)
        self._reverberate()
        loudest = float(np.abs(self._out).max())
        return self._out * np.float32(_LOUDEST / loudest)

    def _pad(self, bar: int, chord: Chord) -> None:
        style = self._style
        if not style.pad:
            return
        seconds, fade = BEATS * self._beat / RATE, max(0.3, style.attack)
        count = round((seconds + fade) * RATE)
        envelope = _rise(count, style.attack) * _rise(count, fade)[::-1]
        table = _table([number**-style.bright for number in range(1, 9)])
        for semitone in _close(chord):
            for side, detune in ((0.25, 0.9983), (0.75, 1.0017)):  # a little apart, so that they float
                tone = _tone(table, _hertz(self._root + 12 + semitone) * detune, count, self._random.random())
                self._add(bar * BEATS, tone * envelope * np.float32(style.pad / len(chord)), side)

    def _bass(self, bar: int, chord: Chord) -> None:
        table = _table([1, 0.4, 0.15])
        hertz = _hertz(self._root - 12 + chord[0] % 12)
        places = (*self._style.bass, BEATS)
        for place, after in pairwise(places):
            count = round((after - place) * self._beat)
            envelope = _rise(count, 0.01) * _rise(count, 0.05)[::-1] * _fading(count, 1.5)
            self._add(bar * BEATS + place, 0.45 * _tone(table, hertz, count) * envelope)

    def _plucks(self, bar: int, chord: Chord, order: NDArray[np.int64], *, sparse: bool) -> None:
        style = self._style
        notes = [*_close(chord), *(12 + one for one in _close(chord))]
        count = round(min(4.0, 5 * style.rings) * RATE)
        envelope = _rise(count, 0.004) * _fading(count, style.rings)
        table = _table([1, 0.5, 0.22, 0.1, 0.05])
        for number, place in enumerate(style.plucks):
            if sparse and number % 2:
                continue
            note = notes[order[(number + bar) % order.size] % len(notes)]
            tone = _tone(table, _hertz(self._root + 12 + note), count) * envelope
            accent = style.pluck if place == int(place) else 0.7 * style.pluck
            self._add(bar * BEATS + place, np.float32(accent) * tone, 0.35 if number % 2 else 0.65)

    def _drums(self, bar: int, *, sparse: bool) -> None:
        style, level = self._style, np.float32(self._style.drums)
        for place in style.kick:
            self._add(bar * BEATS + place, level * _kick())
        for place in () if sparse else style.clap:
            self._add(bar * BEATS + place, 0.5 * level * self._noise(0.2, 0.045))
        for place in style.hat:
            self._add(bar * BEATS + place, 0.3 * level * np.diff(self._noise(0.08, 0.015)), 0.6)

    def _noise(self, seconds: float, fades: float) -> Wave:
        count = round(seconds * RATE)
        return self._random.standard_normal(count, np.float32) * np.float32(0.4) * _fading(count, fades)

    def _add(self, beat: float, sound: Wave, side: float = 0.5) -> None:
        """Add a sound at a beat of the loop. What rings past its end goes on at its start. `side`: 0 left, 1
        right, at equal power."""
        at = round(beat * self._beat)
        sides = np.array([[np.cos(side * np.pi / 2)], [np.sin(side * np.pi / 2)]], np.float32)
        while sound.size:
            part = sound[: self._out.shape[1] - at]
            self._out[:, at : at + part.size] += sides * part
            sound, at = sound[part.size :], 0

    def _reverberate(self) -> None:
        """Add the reverberation of a room, around the loop's end."""
        length = self._out.shape[1]
        count = round(2 * self._style.reverberation * RATE)
        room = np.zeros((2, length), np.float32)
        noise = self._random.standard_normal((2, count), np.float32)
        room[:, :count] = 0.012 * noise * _fading(count, self._style.reverberation / 3)
        room[:, 0] += 1
        self._out = np.fft.irfft(np.fft.rfft(self._out) * np.fft.rfft(room), length).astype(np.float32)


def _close(chord: Sequence[int]) -> list[int]:
    """Return the chord's notes within one octave, so that chords follow one another by small steps."""
    return sorted((semitone + 4) % 12 - 4 for semitone in chord)


def _hertz(note: int) -> float:
    return float(440 * 2 ** ((note - 69) / 12))


def _table(overtones: Sequence[float]) -> Wave:
    """Return one turn of a wave with these overtones."""
    turn = np.arange(_STEPS) * (2 * np.pi / _STEPS)
    wave = np.zeros(_STEPS)
    for number, level in enumerate(overtones, 1):
        wave += level * np.sin(number * turn)
    table: Wave = (wave / np.abs(wave).max()).astype(np.float32)
    return table


def _tone(table: Wave, hertz: float, count: int, phase: float = 0.0) -> Wave:
    turns = phase + np.arange(count) * (hertz / RATE)
    return table[(turns * _STEPS).astype(np.int64) % _STEPS]


def _rise(count: int, seconds: float) -> Wave:
    share = np.minimum(1, (np.arange(count) + 0.5) / (seconds * RATE))
    rise: Wave = (0.5 - 0.5 * np.cos(np.pi * share)).astype(np.float32)
    return rise


def _fading(count: int, seconds: float) -> Wave:
    fading: Wave = np.exp(-np.arange(count) / (seconds * RATE)).astype(np.float32)
    return fading


def _kick() -> Wave:
    at = np.arange(round(0.25 * RATE)) / RATE
    falling = 50 * at + 3 * (1 - np.exp(-40 * at))  # turns: from 170 to 50 Hz
    kick: Wave = (np.sin(2 * np.pi * falling) * np.exp(-14 * at)).astype(np.float32)
    return kick
