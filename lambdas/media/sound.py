"""Mix the film's sound: narration, clips and music, normalized to one loudness, as one AAC track.

docs/decisions/0012-linear-loudness.md explains why in passes and with linear gain.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import BinaryIO

import av
import numpy as np

from lambdas.domain.errors import NarrationTooLong
from lambdas.media.background import Bed, background
from lambdas.media.mp4.muxer import mp4_writer
from lambdas.media.sound_filters import SILENT, Measured, ducked, frame_of, limited, measure
from lambdas.media.sound_input import RATE, Samples, SoundFile, samples
from lambdas.media.sound_reader import Reader, blocks_of, samples_in

LOUDNESS = -16.0  # LUFS; the level of speech on podcasts and streaming sites (AES TD1008)
TOLERANCE = 0.4
TRUE_PEAK = -1.0  # dBTP (EBU R128)
# AAC shifts peaks by a few tenths of a dB.
CEILING = TRUE_PEAK - 0.5
# dB. A sound of rare peaks (a click, a slammed door) stays quieter than LOUDNESS rather than being limited by
# more than this; speech needs 3 to 6.
MOST_LIMITED = 12.0
BIT_RATE = 160_000
# A narration may end this much after the film: a lossy format's padding, which is cut off.
ROUNDING = Fraction(1, 50)
_FRAME = 1024  # samples of one AAC packet
_ATTEMPTS = 6
_NOTHING = np.zeros((2, 1), np.float32)
_METER = 0.01  # dB; the meter reports peaks to three digits

_Layer = Callable[[], Iterator[Samples]]
"""Decodes a sound from its start."""


@dataclass(frozen=True)
class Placed:
    """A sound that starts `start` seconds into the film. An open file can be placed only once."""

    source: SoundFile
    start: Fraction


@dataclass(frozen=True)
class Sound:
    """A finished track, as measured after decoding.

    `loudness` is integrated, in LUFS (-70: silence), `true_peak` in dBTP (-inf: silence), `duration` in
    seconds.
    """

    loudness: float
    true_peak: float
    duration: Fraction


def mix(
    duration: Fraction,
    voices: Sequence[Placed],
    music: Bed | None,
    output: BinaryIO,
    *,
    clips: SoundFile | None = None,
    duck_clips: bool = True,
) -> Sound:
    """Write narration, the clips' sound and music (looped or cut to the film's length, ducked under speech)
    to `output` (seekable, readable) as an MP4 with one AAC track: 48 kHz stereo, exactly `duration` seconds
    rounded to a sample, -16 LUFS, no true peak above -1 dBTP. Silence stays silent, and a sound of little but
    rare peaks stays quieter (MOST_LIMITED); the returned value says how loud it is.

    `clips`: one sound of the film's length, as `lay_sound` writes it. It is as loud as speech, and ducked
    under it unless `duck_clips` is False. Sources are decoded several times, in blocks, so memory does not
    grow with the film.

    Raises SoundUnreadable for an unusable source and NarrationTooLong for a narration that ends after the
    film; both name the piece, counted from 0. Raises ValueError for nothing to mix, a negative start or no
    length.
    """
    total = samples_in(duration)
    if any(voice.start < 0 for voice in voices):
        raise ValueError("a narration must start at 0 s or later")

    # Each with its loudness in the mix, and whether it is ducked.
    layers: list[tuple[_Layer, float, bool]] = []
    if voices:
        layers.append((partial(_narration, voices, total), LOUDNESS, False))
    if clips is not None:
        layers.append((partial(_of_clips, clips, total), LOUDNESS, duck_clips))
    if music is not None:
        layers.append((partial(background, music, total), LOUDNESS + music.level, True))
    if not layers:
        raise ValueError("narration, clips or music is required; got none of them")
    if len(layers) == 1:
        return _to_loudness(layers[0][0], output)
    # Normalize each first, so that the ducking threshold and their levels suit sources of any level.
    levelled = [
        (partial(_levelled, sound, _gain(measure(sound()), level)), under) for sound, level, under in layers
    ]
    speech = levelled.pop(0)[0] if voices else None
    under = [sound for sound, is_under in levelled if is_under]
    beside = [sound for sound, is_under in levelled if not is_under]

    def mixed() -> Iterator[Samples]:
        if speech is None:
            return _sum(total, [sound() for sound in (*under, *beside)])
        lowered = [ducked(speech(), _sum(total, [sound() for sound in under]))] if under else [speech()]
        return _sum(total, [*lowered, *(sound() for sound in beside)])

    return _to_loudness(mixed, output)


def silence(duration: Fraction, output: BinaryIO) -> None:
    """Write an AAC track of silence, exactly `duration` seconds rounded to a sample, as `mix` does."""
    total = samples_in(duration)
    with mp4_writer(output, fps=Fraction(RATE), metadata={}) as container:
        track = _aac(container)
        # All packets of silence are identical except the first, which carries the encoder's name.
        encoded = [*track.encode(frame_of(np.zeros((2, 4 * _FRAME), np.float32), 0)), *track.encode()]
        first, other = bytes(encoded[0]), bytes(encoded[1])
        for position in range(-_FRAME, total, _FRAME):  # the first covers the encoder's delay
            packet = av.Packet(first if position < 0 else other)
            packet.stream, packet.time_base = track, Fraction(1, RATE)
            packet.pts = packet.dts = position
            packet.duration = min(_FRAME, total - position)
            container.mux_one(packet)


def _aac(container: av.container.OutputContainer) -> av.AudioStream:
    track = container.add_stream("aac", rate=RATE, layout="stereo")
    track.bit_rate = BIT_RATE
    return track


def _to_loudness(sound: Callable[[], Iterator[Samples]], output: BinaryIO) -> Sound:
    """Encode and measure the result; repeat if limiter or codec moved it out of bounds."""
    found = measure(sound())
    gain, ceiling = _gain(found, LOUDNESS), CEILING
    for _ in range(_ATTEMPTS):
        most = MOST_LIMITED + ceiling - found.true_peak
        gain = min(gain, most)
        encode_aac(limited(_scaled(sound(), gain), ceiling), output)
        result = measure(samples(output, "the mixed sound"))
        missing = _gain(result, LOUDNESS)
        over = result.true_peak - (TRUE_PEAK - _METER)
        if over <= 0 and (abs(missing) <= TOLERANCE or (missing > 0 and gain == most)):
            break
        gain += missing
        ceiling -= max(0.0, over)
    return Sound(result.loudness, result.true_peak, Fraction(result.samples, RATE))


def _gain(found: Measured, loudness: float) -> float:
    """Return the gain to that loudness, in dB."""
    return loudness - found.loudness if found.loudness > SILENT else 0.0


def _levelled(sound: _Layer, gain: float) -> Iterator[Samples]:
    return _scaled(sound(), gain)


def _sum(total: int, sounds: Sequence[Iterator[Samples]]) -> Iterator[Samples]:
    """Mix sounds of `total` samples, in blocks of `blocks_of`."""
    if len(sounds) == 1:
        return sounds[0]
    readers = [Reader("sound", 0, sound) for sound in sounds]
    return (sum((reader.read(size) for reader in readers), _NOTHING) for _, size in blocks_of(total))


def _scaled(sound: Iterable[Samples], gain: float) -> Iterator[Samples]:
    factor = np.float32(10 ** (gain / 20))
    return (block * factor for block in sound)


def encode_aac(sound: Iterable[Samples], output: BinaryIO) -> None:
    """Write the sound to `output` (seekable, readable) as an MP4 with one AAC track of exactly its length."""
    output.seek(0)
    output.truncate()
    # One tick per sample, so the track's length is exact. The muxer's edit list skips the encoder's first
    # 1,024 samples, which are not part of the sound.
    with mp4_writer(output, fps=Fraction(RATE), metadata={}) as container:
        track = _aac(container)
        position = 0
        for block in sound:
            container.mux(track.encode(frame_of(block, position)))
            position += block.shape[1]
        container.mux(track.encode())


def _narration(voices: Sequence[Placed], total: int) -> Iterator[Samples]:
    waiting = []
    for index, voice in enumerate(voices):
        name = f"narration {index}"
        waiting.append(Reader(name, round(voice.start * RATE), samples(voice.source, name)))
    waiting.sort(key=lambda piece: piece.start, reverse=True)
    playing: list[Reader] = []
    for start, size in blocks_of(total):
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


def _of_clips(clips: SoundFile, total: int) -> Iterator[Samples]:
    piece = Reader("clips", 0, samples(clips, "the clips' sound"))
    return (piece.read(size) for _, size in blocks_of(total))
