"""Read untrusted sound files as samples at the film's rate, and reject unsupported ones."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from lambdas.domain.errors import ClipUnreadable, SoundUnreadable
from lambdas.media.limits import MOST_SAMPLES
from lambdas.media.mp4.index_check import check_index
from lambdas.media.mp4.tables import has_track
from lambdas.media.sound_file import SoundFile as Found
from lambdas.media.sound_file import find_sound
from lambdas.media.source import Source, opened

RATE = 48_000
Samples = NDArray[np.float32]
"""2 × n: left and right at 48 kHz; full scale is ±1."""
SoundFile = Path | BinaryIO
"""A path, or an open seekable file (read from its start, as often as needed)."""

LONGEST = 2 * 60 * 60
MAX_CHANNELS = 8
SAMPLE_RATES = range(8_000, 192_001)
# 40 dB over full scale. Float files can hold any number, and NaN, which fails the comparison.
LOUDEST_SAMPLE = 100.0
MOST_WORK = 1_100_000_000
"""Samples of all channels together: an hour of 5.1 at 48 kHz, or of stereo at 144 kHz. Decoding them takes
about ten seconds."""
_MISSING_FRAMES = 3
"""Of an MP3: decoders leave out some at its start and end."""
_TAGS = (b"ID3", b"TAG", b"APETAGEX", b"LYRICSBEGIN")
_CODECS = {
    *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"),
    *("mp3", "mp3float", "vorbis", "libvorbis", "opus", "libopus", "flac", "aac", "alac"),
}


def samples(source: SoundFile, what: str) -> Iterator[Samples]:
    """Decode the first sound track of a file, piece by piece.

    Raises SoundUnreadable, naming the sound by `what`, for anything but a complete sound file of the kinds
    and limits above.
    """
    with _opened(source) as file, _named(what):
        found = False
        for block in _decoded(find_sound(file)):
            found = True
            yield block
        if not found:
            raise SoundUnreadable("it contains no sound")


def has_sound(clip: Source) -> bool:
    """Return whether a clip has a sound track. Reads only its index. Raises ClipUnreadable."""
    return has_track(clip, b"soun")


def clip_samples(clip: Source, begin: Fraction) -> Iterator[Samples]:
    """Decode the sound of a clip that has some, from second `begin` after its first picture. Sound that
    starts later is preceded by silence.

    Raises SoundUnreadable as `samples` does.
    """
    with _named("its sound"):
        yield from _decoded(Found("mp4", clip), begin)


def check_sound(clip: Source) -> None:
    """Raise ClipUnreadable if a clip has sound that can't be decoded."""
    if not has_sound(clip):
        return
    try:
        for _ in clip_samples(clip, Fraction(0)):
            pass
    except SoundUnreadable as error:
        raise ClipUnreadable(error.message) from error


def full_scale(sound: SoundFile | Source, what: str) -> float:
    """Return the level in samples that is full scale in a sound, or in a clip's: less for mono, which becomes
    stereo of the same power. Raises SoundUnreadable as `samples` does."""
    with _named(what):
        if isinstance(sound, Source):
            return _full_scale(Found("mp4", sound))
        with _opened(sound) as file:
            return _full_scale(find_sound(file))


def _full_scale(found: Found) -> float:
    with av.open(opened(found.source), "r", format=found.kind, metadata_errors="replace") as container:
        if not container.streams.audio:
            raise SoundUnreadable("it has no sound track")
        return 0.5**0.5 if container.streams.audio[0].channels == 1 else 1.0


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Name the sound in errors raised inside the block, and turn FFmpeg's into ours."""
    try:
        yield
    except av.FFmpegError as error:
        raise SoundUnreadable(f"{what} can't be decoded: {error.strerror}") from error
    except SoundUnreadable as error:
        raise SoundUnreadable(f"{what} can't be used: {error.message}") from error


def length(source: SoundFile, what: str) -> Fraction:
    """Return the seconds of sound by decoding all of it. Raises SoundUnreadable as `samples` does."""
    return Fraction(sum(block.shape[1] for block in samples(source, what)), RATE)


@contextmanager
def _opened(source: SoundFile) -> Iterator[BinaryIO]:
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
    else:
        yield source


def _decoded(found: Found, begin: Fraction | None = None) -> Iterator[Samples]:
    """Yield all of a file's sound, or that from second `begin` after the first picture."""
    # FFmpeg gets an open file, its format and the allowed decoders, never a name, so a sound's content cannot
    # reach a playlist, a network protocol or another file.
    options = {"codec_whitelist": ",".join(sorted(_CODECS))}
    if found.kind == "mp4":
        try:
            check_index(found.source)
        except ClipUnreadable as error:
            raise SoundUnreadable(error.message) from error
    with av.open(
        opened(found.source), "r", format=found.kind, options=options, metadata_errors="replace"
    ) as container:
        if not container.streams.audio:
            raise SoundUnreadable("it has no sound track")
        stream = container.streams.audio[0]
        context = stream.codec_context
        if context is None or context.name not in _CODECS:
            raise SoundUnreadable(f"its codec is not supported; use one of {', '.join(sorted(_CODECS))}")
        if not 1 <= context.channels <= MAX_CHANNELS:
            raise SoundUnreadable(f"it must have 1 to {MAX_CHANNELS} channels; got {context.channels}")
        if context.sample_rate not in SAMPLE_RATES:
            raise SoundUnreadable(f"its sample rate must be 8,000 to 192,000 Hz; got {context.sample_rate}")
        seconds = stream.duration * stream.time_base if stream.duration and stream.time_base else None
        if seconds is not None and found.kind != "mp3":  # FFmpeg guesses an MP3's length by its first frames
            _check_work(round(seconds * context.sample_rate) * context.channels)
        # The track ends within its last packet, which FFmpeg returns whole.
        end = sys.maxsize if seconds is None or found.kind != "mp4" else round(seconds * RATE)
        early = 0 if begin is None else round((begin - _offset(container, stream)) * RATE)
        if early < 0:
            yield np.zeros((2, -early), np.float32)
        count = 0
        for block in _blocks(container, stream, found):
            first = max(0, early - count)
            count += block.shape[1]
            if count > LONGEST * RATE:
                raise SoundUnreadable("it is longer than two hours")
            yield block[:, first : block.shape[1] - max(0, count - end)]
            if count >= end:
                return


def _offset(container: InputContainer, stream: AudioStream) -> Fraction:
    """Return how many seconds after the first picture the sound starts."""
    sound, *pictures = (
        Fraction(one.start_time or 0) * (one.time_base or 0) for one in (stream, *container.streams.video[:1])
    )
    return sound - (pictures[0] if pictures else 0)


def _check_work(samples: int) -> None:
    if samples > MOST_WORK:
        raise SoundUnreadable(
            f"its channels × sample rate × length must be at most {MOST_WORK:,} samples; got {samples:,}: "
            "convert it to 48 kHz stereo"
        )


def _blocks(container: InputContainer, stream: AudioStream, found: Found) -> Iterator[Samples]:
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
    frames = length = packets = work = 0
    undecodable: av.FFmpegError | None = None
    for packet in container.demux(stream):
        packets += 1
        if packets > MOST_SAMPLES:
            raise SoundUnreadable(f"it has more than {MOST_SAMPLES:,} packets")
        if packet.is_corrupt:
            raise SoundUnreadable("it is truncated")
        try:
            decoded = packet.decode()
        except av.InvalidDataError as error:
            if found.kind != "mp3" or not frames:
                raise
            # Zero bytes or text behind the sound; in the middle, only tags may stand (of joined files).
            if not bytes(packet).startswith(_TAGS):
                undecodable = error
            continue
        if decoded and undecodable is not None:
            raise SoundUnreadable("it is damaged in the middle") from undecodable
        for frame in decoded:
            frames += 1
            length += frame.samples
            work += frame.samples * len(frame.layout.channels)
            _check_work(work)
            yield from _resampled(resampler, frame)
    if found.frames is not None and frames + _MISSING_FRAMES < found.frames:
        raise SoundUnreadable(f"it is truncated: {frames:,} of {found.frames:,} frames found")
    if found.samples is not None and length < found.samples:
        raise SoundUnreadable(f"it is truncated: {length:,} of {found.samples:,} samples found")
    if frames:  # a resampler without input has no format
        yield from _resampled(resampler, None)


def _resampled(resampler: Any, frame: Any) -> Iterator[Samples]:
    try:
        parts = resampler.resample(frame)
    except ValueError as error:  # from PyAV, if the rate or layout changes midway
        raise SoundUnreadable("its sample rate or channels change midway") from error
    for part in parts:
        block: Samples = part.to_ndarray()
        if block.size:
            if not np.abs(block).max() <= LOUDEST_SAMPLE:
                raise SoundUnreadable("its samples are not numbers or are more than 40 dB over full scale")
            yield block
