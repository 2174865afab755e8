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
from lambdas.media.mp4.index_check import check_index
from lambdas.media.source import HandleSource

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
ALLOWED = "WAV, MP3, Ogg, FLAC or MP4 (M4A) of at most two hours"
_CODECS = {
    *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"),
    *("mp3", "mp3float", "vorbis", "libvorbis", "opus", "libopus", "flac", "aac", "alac"),
}


def samples(source: SoundFile, what: str) -> Iterator[Samples]:
    """Decode the first sound track of a file, piece by piece.

    Raises SoundUnreadable, naming the sound by `what`, for anything but a complete sound file of the kinds
    and limits above.
    """
    with _opened(source) as file:
        try:
            found = False
            for block in _decoded(file):
                found = True
                yield block
            if not found:
                raise SoundUnreadable("it contains no sound")
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


def _decoded(file: BinaryIO) -> Iterator[Samples]:
    # FFmpeg gets an open file, its format and the allowed decoders, never a name, so a sound's content cannot
    # reach a playlist, a network protocol or another file.
    options = {"codec_whitelist": ",".join(sorted(_CODECS))}
    kind = format_of(file)
    if kind == "mp4":
        try:
            check_index(HandleSource(file))
        except ClipUnreadable as error:
            raise SoundUnreadable(error.message) from error
    file.seek(0)
    with av.open(file, "r", format=kind, options=options, metadata_errors="replace") as container:
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
        end = sys.maxsize
        if kind == "mp4" and stream.duration and stream.time_base:
            # The track ends within its last packet, which FFmpeg returns whole.
            end = round(stream.duration * stream.time_base * RATE)
        count = 0
        for block in _blocks(container, stream):
            count += block.shape[1]
            if count > LONGEST * RATE:
                raise SoundUnreadable("it is longer than two hours")
            yield block[:, : block.shape[1] - max(0, count - end)]
            if count >= end:
                return


def _blocks(container: InputContainer, stream: AudioStream) -> Iterator[Samples]:
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
    found = False
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise SoundUnreadable("it is truncated")
        for frame in packet.decode():
            yield from _resampled(resampler, frame)
            found = True
    if found:  # a resampler without input has no format
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


def format_of(file: BinaryIO) -> str:
    """Return FFmpeg's name for the format, by the file's first bytes.

    Raises SoundUnreadable for an unknown format.
    """
    file.seek(0)
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"OggS":
        return "ogg"
    if head[:4] == b"fLaC":
        return "flac"
    if head[4:8] == b"ftyp":
        return "mp4"
    # A tag before the sound, or the sync word of MPEG audio, layer III (ISO 11172-3, 2.4.2.3).
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return "mp3"
    raise SoundUnreadable(f"it is not {ALLOWED}")
