"""The film's sound: narration and music mixed once, brought to one loudness, as one AAC track.

docs/decisions/0012-linear-loudness.md says why in passes and with linear gain.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import BinaryIO

import av
import numpy as np

from lambdas.domain.errors import NarrationTooLong, SoundUnreadable
from lambdas.media.mp4.muxer import mp4_writer
from lambdas.media.sound_filters import SILENT, Measured, ducked, frame_of, limited, measure
from lambdas.media.sound_input import RATE, Samples, SoundFile, samples

LOUDNESS = -16.0  # LUFS, what podcasts and streaming sites play speech at (AES TD1008)
TOLERANCE = 0.4
TRUE_PEAK = -1.0  # dBTP (EBU R128)
# AAC moves peaks by some tenths of a dB.
CEILING = TRUE_PEAK - 0.5
# A sound of rare peaks (a click, a slammed door) stays quieter than LOUDNESS rather than being squeezed by
# more than this, in dB; speech needs 3 to 6.
MOST_LIMITED = 12.0
# Below the speech in its pauses; while there is speech it is ducked besides.
MUSIC_BELOW_SPEECH = 6.0
FADE_OUT = 3  # seconds of the music's end
SHORTEST_MUSIC = 1  # second: it is looped, and each turn opens the file anew
BIT_RATE = 160_000
# A narration may end this much after the film: a lossy format's padding, cut off.
ROUNDING = Fraction(1, 50)
_BLOCK = RATE
_FRAME = 1024  # samples of one AAC packet
_ATTEMPTS = 6
_METER = 0.01  # dB: it tells peaks to three digits


@dataclass(frozen=True)
class Placed:
    """A sound that begins `start` seconds after the film does. An open file can be placed only once."""

    source: SoundFile
    start: Fraction


@dataclass(frozen=True)
class Sound:
    """A finished track, as measured on what a decoder makes of it.

    `loudness`: integrated, in LUFS (-70: silence). `true_peak`: dBTP (-inf: silence). `duration`: seconds.
    """

    loudness: float
    true_peak: float
    duration: Fraction


def mix(duration: Fraction, voices: Sequence[Placed], music: SoundFile | None, output: BinaryIO) -> Sound:
    """Writes narration and music (looped or cut to the film's length, ducked under speech) to `output`
    (seekable, readable) as an MP4 of one AAC track, 48 kHz stereo, of exactly `duration` seconds rounded to
    a sample: -16 LUFS, no true peak above -1 dBTP. Silence stays silence, and a sound of little but rare
    peaks stays quieter (MOST_LIMITED); what is returned says how loud it is.

    The sources are decoded several times, in blocks: memory does not grow with the film.

    Raises SoundUnreadable for a source that can't be used, NarrationTooLong for a narration that ends after
    the film; both name the piece, counted from 0. ValueError: nothing to mix, a negative start, no length.
    """
    total = _total(duration)
    if any(voice.start < 0 for voice in voices):
        raise ValueError("a narration can't begin before the film")

    speech = partial(_narration, voices, total)
    if music is None:
        if not voices:
            raise ValueError("neither narration nor music to mix")
        return _to_loudness(speech, output)
    background = partial(_background, music, total)
    if not voices:
        return _to_loudness(background, output)
    # The ducking's threshold and the music's place below the speech hold for sources of any level.
    speech_gain = _gain(measure(speech()), LOUDNESS)
    music_gain = _gain(measure(background()), LOUDNESS - MUSIC_BELOW_SPEECH)
    return _to_loudness(
        lambda: ducked(_scaled(speech(), speech_gain), _scaled(background(), music_gain)), output
    )


def silence(duration: Fraction, output: BinaryIO) -> None:
    """Writes an AAC track of silence, of exactly `duration` seconds rounded to a sample, as `mix` does."""
    total = _total(duration)
    with mp4_writer(output, fps=Fraction(RATE), metadata={}) as container:
        track = _aac(container)
        # All packets of silence but the first, which carries the encoder's name, are alike.
        encoded = [*track.encode(frame_of(np.zeros((2, 4 * _FRAME), np.float32), 0)), *track.encode()]
        first, other = bytes(encoded[0]), bytes(encoded[1])
        for position in range(-_FRAME, total, _FRAME):  # the first fills the encoder's delay
            packet = av.Packet(first if position < 0 else other)
            packet.stream, packet.time_base = track, Fraction(1, RATE)
            packet.pts = packet.dts = position
            packet.duration = min(_FRAME, total - position)
            container.mux_one(packet)


def _total(duration: Fraction) -> int:
    total = round(duration * RATE)
    if total <= 0:
        raise ValueError(f"a film can't last {float(duration)} s")
    return total


def _aac(container: av.container.OutputContainer) -> av.AudioStream:
    track = container.add_stream("aac", rate=RATE, layout="stereo")
    track.bit_rate = BIT_RATE
    return track


def _to_loudness(sound: Callable[[], Iterator[Samples]], output: BinaryIO) -> Sound:
    """Encodes and measures the result; where limiter or codec moved it out of bounds, once more."""
    found = measure(sound())
    gain, ceiling = _gain(found, LOUDNESS), CEILING
    for _ in range(_ATTEMPTS):
        most = MOST_LIMITED + ceiling - found.true_peak
        gain = min(gain, most)
        _encode(limited(_scaled(sound(), gain), ceiling), output)
        result = measure(samples(output, "the mixed sound"))
        missing = _gain(result, LOUDNESS)
        over = result.true_peak - (TRUE_PEAK - _METER)
        if over <= 0 and (abs(missing) <= TOLERANCE or (missing > 0 and gain == most)):
            break
        gain += missing
        ceiling -= max(0.0, over)
    return Sound(result.loudness, result.true_peak, Fraction(result.samples, RATE))


def _gain(found: Measured, loudness: float) -> float:
    """In dB."""
    return loudness - found.loudness if found.loudness > SILENT else 0.0


def _scaled(sound: Iterable[Samples], gain: float) -> Iterator[Samples]:
    factor = np.float32(10 ** (gain / 20))
    return (block * factor for block in sound)


def _encode(sound: Iterable[Samples], output: BinaryIO) -> None:
    output.seek(0)
    output.truncate()
    # One tick a sample, so the track's length is exact. The muxer's edit list leaves the encoder's first
    # 1,024 samples out, which are not the sound's.
    with mp4_writer(output, fps=Fraction(RATE), metadata={}) as container:
        track = _aac(container)
        position = 0
        for block in sound:
            container.mux(track.encode(frame_of(block, position)))
            position += block.shape[1]
        container.mux(track.encode())


class _Reader:
    """A sound's samples in portions of any size; it begins at sample `start` of the film."""

    def __init__(self, name: str, start: int, blocks: Iterator[Samples]) -> None:
        self.name = name
        self.start = start
        self._blocks = blocks
        self._rest = np.zeros((2, 0), np.float32)

    def read(self, count: int) -> Samples:
        """`count` samples; fewer at the sound's end."""
        parts = [self._rest]
        there = self._rest.shape[1]
        while there < count and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            there += block.shape[1]
        whole = np.concatenate(parts, axis=1)
        self._rest = whole[:, count:]
        return whole[:, :count]

    def rest(self) -> int:
        """How many samples are left, which are read."""
        left: int = self._rest.shape[1] + sum(block.shape[1] for block in self._blocks)
        return left


def _blocks(total: int) -> Iterator[tuple[int, int]]:
    """Starts and sizes."""
    for start in range(0, total, _BLOCK):
        yield start, min(_BLOCK, total - start)


def _narration(voices: Sequence[Placed], total: int) -> Iterator[Samples]:
    waiting = []
    for index, voice in enumerate(voices):
        name = f"narration {index}"
        waiting.append(_Reader(name, round(voice.start * RATE), samples(voice.source, name)))
    waiting.sort(key=lambda piece: piece.start, reverse=True)
    playing: list[_Reader] = []
    for start, size in _blocks(total):
        while waiting and waiting[-1].start < start + size:
            playing.append(waiting.pop())
        block = np.zeros((2, size), np.float32)
        going_on = []
        for piece in playing:
            offset = max(0, piece.start - start)
            part = piece.read(size - offset)
            block[:, offset : offset + part.shape[1]] += part
            if offset + part.shape[1] == size:
                going_on.append(piece)
        playing = going_on
        yield block
    for piece in [*playing, *waiting]:
        over = Fraction(max(0, piece.start - total) + piece.rest(), RATE)
        if over > ROUNDING:
            raise NarrationTooLong(f"{piece.name} ends {float(over):.2f} s after the film")


def _background(music: SoundFile, total: int) -> Iterator[Samples]:
    piece = _Reader("music", 0, _looped(music))
    fade = max(1, min(FADE_OUT * RATE, total // 2))
    for start, size in _blocks(total):
        left = total - np.arange(start, start + size)
        yield piece.read(size) * np.minimum(1, left / fade).astype(np.float32)


def _looped(music: SoundFile) -> Iterator[Samples]:
    while True:
        played = 0
        for block in samples(music, "the music"):
            played += block.shape[1]
            yield block
        if played < SHORTEST_MUSIC * RATE:
            raise SoundUnreadable(f"the music must last at least {SHORTEST_MUSIC} s")
