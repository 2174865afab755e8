"""Mix the film's sound: narration, clips and music, normalized to one loudness, as one AAC track.

docs/decisions/0012-linear-loudness.md explains why in passes and with linear gain.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from lambdas.domain.errors import NarrationTooLong
from lambdas.media.background import Bed, background
from lambdas.media.mp4.muxer import mp4_writer
from lambdas.media.sound_filters import SILENT, Measured, ducked, frame_of, limited, measure
from lambdas.media.sound_input import RATE, Samples, SoundFile, samples
from lambdas.media.sound_reader import Reader, blocks_of, samples_in
from lambdas.media.stems import CLIPS, MIX, MUSIC, NARRATION, write_wavs

LOUDNESS = -16.0  # LUFS; the level of speech on podcasts and streaming sites (AES TD1008)
TOLERANCE = 0.4
TRUE_PEAK = -1.0  # dBTP (EBU R128)
# AAC shifts peaks by a few tenths of a dB.
CEILING = TRUE_PEAK - 0.5
# dB. A sound of rare peaks (a click, a slammed door) stays quieter than LOUDNESS rather than being limited by
# more than this; speech needs 3 to 6.
MOST_LIMITED = 12.0
QUIETEST = -50.0
"""LUFS. The clips' sound below this is next to silence, such as a hum or hiss. It stays as it is: brought to
LOUDNESS, it would be noise as loud as speech."""
BIT_RATE = 160_000
LAID_BELOW = 6.0  # dB; by this much `lay_sound` lowers the clips' sound, so that two at once have room
# A narration may end this much after the film: a lossy format's padding, which is cut off.
ROUNDING = Fraction(1, 50)
_FRAME = 1024  # samples of one AAC packet
_ATTEMPTS = 6
# Stems pass the limiter beside the mix, which alone is to determine its gain. A power of 2 rounds nothing.
_UNHEARD = np.float32(2.0**-20)
_METER = 0.01  # dB; the meter reports peaks to three digits

_Play = Callable[[], Iterator[Samples]]
"""Decodes a sound from its start."""
_Level = Callable[[Measured], float]
"""How loud a sound is to be in the mix, in LUFS, from what was measured of it."""


@dataclass(frozen=True)
class Placed:
    """A sound that starts `start` seconds into the film. An open file can be placed only once."""

    source: SoundFile
    start: Fraction


@dataclass(frozen=True)
class _Layer:
    """A sound of the mix."""

    stem: str
    play: _Play
    level: _Level
    ducked: bool = False  # under the narration


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
    stems: Path | None = None,
) -> Sound:
    """Write narration, the clips' sound and music (looped or cut to the film's length, ducked under speech)
    to `output` (seekable, readable) as an MP4 with one AAC track: 48 kHz stereo, exactly `duration` seconds
    rounded to a sample, -16 LUFS, no true peak above -1 dBTP. Silence stays silent, and a sound of little but
    rare peaks stays quieter (MOST_LIMITED), as clips do that are next to silence and have no company
    (QUIETEST); the returned value says how loud it is.

    `clips`: one sound of the film's length, as `lay_sound` writes it. It is as loud as speech unless it is
    next to silence, and ducked under it unless `duck_clips` is False. `stems`: a folder, for the mix as it is
    encoded (mix.wav) and what each sound adds to it (narration.wav, clips.wav, music.wav), which add up to
    it. Sources are decoded several times, in blocks, so memory does not grow with the film.

    Raises SoundUnreadable for an unusable source and NarrationTooLong for a narration that ends after the
    film; both name the piece, counted from 0. Raises ValueError for nothing to mix, a negative start or no
    length.
    """
    total = samples_in(duration)
    if any(voice.start < 0 for voice in voices):
        raise ValueError("a narration must start at 0 s or later")

    layers: list[_Layer] = []
    if voices:
        layers.append(_Layer(NARRATION, partial(_narration, voices, total), _as_speech))
    if clips is not None:
        play = partial(_of_clips, clips, total)
        layers.append(_Layer(CLIPS, play, _as_speech_unless_silent, ducked=bool(voices) and duck_clips))
    if music is not None:
        play = partial(background, music, total)
        layers.append(_Layer(MUSIC, play, partial(_beside_speech, music.level), ducked=bool(voices)))
    if not layers:
        raise ValueError("narration, clips or music is required; got none of them")
    if len(layers) == 1:
        level = _as_speech if clips is None else _as_speech_unless_silent
        return _to_loudness(layers[0].play, output, level, [layers[0].stem], stems)
    # Normalize each first, so that the ducking threshold and their levels suit sources of any level.
    layers = [replace(one, play=_levelled(one)) for one in layers]
    layers.sort(key=lambda one: not one.ducked)

    def apart() -> Iterator[Samples]:
        """Yield two channels of each layer."""
        beside = [one.play() for one in layers if not one.ducked]
        under = [one.play() for one in layers if one.ducked]
        if under:
            speech, key = _twice(beside[0])
            # In this order: what is read of the key is there to be read as speech.
            beside = [ducked(key, _stacked(total, under)), speech, *beside[1:]]
        return _stacked(total, beside)

    return _to_loudness(apart, output, _as_speech, [one.stem for one in layers], stems)


def silence(duration: Fraction, output: BinaryIO, *, stems: Path | None = None) -> None:
    """Write an AAC track of silence, exactly `duration` seconds rounded to a sample, as `mix` does."""
    total = samples_in(duration)
    if stems is not None:
        write_wavs((np.zeros((2, size), np.float32) for _, size in blocks_of(total)), [MIX], stems)
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


def _as_speech(_: Measured) -> float:
    return LOUDNESS


def _as_speech_unless_silent(found: Measured) -> float:
    """The level of the clips' sound: its own where that is next to silence."""
    own = found.loudness + LAID_BELOW
    return own if own < QUIETEST else LOUDNESS


def _beside_speech(level: float, _: Measured) -> float:
    return LOUDNESS + level


def _to_loudness(
    apart: _Play, output: BinaryIO, level: _Level, names: Sequence[str], stems: Path | None
) -> Sound:
    """Encode the sum of the layers, two channels each, and measure the result; repeat if limiter or codec
    moved it out of bounds. Then write the stems, by these names."""

    def mixed() -> Iterator[Samples]:
        return map(_summed, apart())

    found = measure(mixed())
    loudness = level(found)
    gain, ceiling = _gain(found, loudness), CEILING
    for _ in range(_ATTEMPTS):
        most = MOST_LIMITED + ceiling - found.true_peak
        gain = min(gain, most)
        used = gain, ceiling
        encode_aac(limited(_scaled(mixed(), gain), ceiling), output)
        result = measure(samples(output, "the mixed sound"))
        missing = _gain(result, loudness)
        over = result.true_peak - (TRUE_PEAK - _METER)
        # AAC leaves out what is next to silence; it isn't raised until something is left.
        near = abs(missing) <= TOLERANCE or loudness < QUIETEST
        if over <= 0 and (near or (missing > 0 and gain == most)):
            break
        gain += missing
        ceiling -= max(0.0, over)
    if stems is not None:
        write_wavs(_limited_apart(apart(), *used), [MIX, *names], stems)
    return Sound(result.loudness, result.true_peak, Fraction(result.samples, RATE))


def _limited_apart(apart: Iterator[Samples], gain: float, ceiling: float) -> Iterator[Samples]:
    """Yield the mix, then each layer with the limiter's gain for the mix, in two channels each. The last
    layer is what the others leave of the mix: PyAV makes no frames of eight channels."""
    together = (np.concatenate([_summed(block), block[:-2] * _UNHEARD]) for block in apart)
    for block in limited(_scaled(together, gain), ceiling):
        whole, others = block[:2], block[2:] / _UNHEARD
        yield np.concatenate([whole, others, whole - _summed(others)])


def _summed(layers: Samples) -> Samples:
    """Return the sum of layers of two channels each."""
    added: Samples = layers.reshape(-1, 2, layers.shape[1]).sum(axis=0)
    return added


def _gain(found: Measured, loudness: float) -> float:
    """Return the gain to that loudness, in dB."""
    return loudness - found.loudness if found.loudness > SILENT else 0.0


def _levelled(layer: _Layer) -> _Play:
    """Return what plays the layer at its level."""
    gain = _gain(found := measure(layer.play()), layer.level(found))
    return lambda: _scaled(layer.play(), gain)


def _twice(sound: Iterator[Samples]) -> tuple[Iterator[Samples], Iterator[Samples]]:
    """Return a sound that is decoded once and read twice, the second time first. Unlike tee, it keeps no
    block that both have read."""
    read: deque[Samples] = deque()

    def first() -> Iterator[Samples]:
        for block in sound:
            read.append(block)
            yield block

    def second() -> Iterator[Samples]:
        while read:
            yield read.popleft()

    return second(), first()


def _stacked(total: int, sounds: Sequence[Iterator[Samples]]) -> Iterator[Samples]:
    """Put the channels of sounds of `total` samples below one another, in blocks of `blocks_of`."""
    if len(sounds) == 1:
        return sounds[0]
    readers = [Reader("sound", 0, sound) for sound in sounds]
    return (np.concatenate([reader.read(size) for reader in readers]) for _, size in blocks_of(total))


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
