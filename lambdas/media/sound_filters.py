"""Apply FFmpeg's sound filters to streams of samples: measure, duck, limit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from math import inf, log10
from typing import Any

import av
import numpy as np
from av.filter import Graph

from lambdas.media.sound_input import RATE, Samples

SILENT = -70.0
"""LUFS: the absolute gate of BS.1770, which the meter reports if nothing is above it."""
# The meter's blocks overlap by three steps (BS.1770-4, annex 1). A sound shorter than a block is padded with
# silence.
_STEP = RATE // 10
_BLOCK = 4 * _STEP
# Speech at -16 LUFS is 10 to 15 dB above the threshold, so a ratio of 6 lowers the music by about 10 dB. The
# music is down before a word is half spoken, and recovers slower than the pauses between words.
_DUCKING = "threshold=0.03:ratio=6:attack=20:release=600:detection=rms:makeup=1"
# True peaks lie between samples; 4x oversampling finds them to within 0.7 dB (BS.1770-4, annex 2).
_OVERSAMPLED = 4 * RATE
# FFmpeg's names for so many channels. What they are called doesn't matter: none are mixed.
_LAYOUTS = {2: "stereo", 4: "quad", 6: "5.1"}


@dataclass(frozen=True)
class Measured:
    """Integrated loudness in LUFS (EBU R128; SILENT for silence), true peak in dBTP (-inf for silence), and
    the number of samples measured."""

    loudness: float
    true_peak: float
    samples: int


def measure(sound: Iterable[Samples]) -> Measured:
    """Measure loudness, true peak and length."""
    graph = Graph()
    source = _input(graph)
    meter = graph.add("ebur128", "metadata=1:peak=true")
    graph.link_nodes(source, meter, graph.add("abuffersink")).configure()
    heard = 0

    def padded() -> Iterator[Samples]:
        """Append silence: the meter reports at each full step, and sees a peak one step late."""
        nonlocal heard
        for block in sound:
            heard += block.shape[1]
            yield block
        yield np.zeros((2, max(_BLOCK - heard, -heard % _STEP) + _STEP), np.float32)

    loudness, peak, end = SILENT, 0.0, 0
    for frame in _filtered(graph, [source], [padded()]):
        end += frame.samples
        if frame.samples == _STEP:
            peak = float(frame.metadata["lavfi.r128.true_peak"])
            if end <= max(heard, _BLOCK):
                loudness = max(SILENT, float(frame.metadata["lavfi.r128.I"]))
    return Measured(loudness, 20 * log10(peak) if peak > 0 else -inf, heard)


def ducked(speech: Iterable[Samples], sounds: Iterable[Samples]) -> Iterator[Samples]:
    """Lower sounds during speech (at -16 LUFS). Both are in blocks of equal sizes; `sounds` may be several
    ones, each in two channels."""
    graph = Graph()
    blocks, channels = _peeked(sounds)
    speaking, playing = _input(graph), _input(graph, channels)
    duck = graph.add("sidechaincompress", _DUCKING)
    playing.link_to(duck, 0, 0)
    speaking.link_to(duck, 0, 1)
    graph.link_nodes(duck, *_output(graph, channels)).configure()
    return _samples(_filtered(graph, [speaking, playing], [speech, blocks]))


def limited(sound: Iterable[Samples], ceiling: float) -> Iterator[Samples]:
    """Limit true peaks to `ceiling` (dB of full scale, -24 to 0) and change nothing else. All channels get
    the gain that the loudest needs."""
    graph = Graph()
    blocks, channels = _peeked(sound)
    source = _input(graph, channels)
    # latency=1 compensates the limiter's lookahead; level=0 disables its automatic gain.
    limiter = graph.add("alimiter", f"limit={10 ** (ceiling / 20):.6f}:level=0:latency=1")
    finer, back = graph.add("aresample", str(_OVERSAMPLED)), graph.add("aresample", str(RATE))
    graph.link_nodes(source, finer, limiter, back, *_output(graph, channels)).configure()
    return _samples(_filtered(graph, [source], [blocks]))


def _peeked(sound: Iterable[Samples]) -> tuple[Iterator[Samples], int]:
    """Return the sound and its number of channels."""
    blocks = iter(sound)
    first = next(blocks)
    return chain([first], blocks), first.shape[0]


def frame_of(block: Samples, start: int) -> Any:
    """Return a block as an FFmpeg frame, `start` samples into the sound."""
    layout = _LAYOUTS[block.shape[0]]
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block, np.float32), "fltp", layout)
    frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), start
    return frame


def _input(graph: Any, channels: int = 2) -> Any:
    layout = _LAYOUTS[channels]
    return graph.add_abuffer(sample_rate=RATE, format="fltp", layout=layout, time_base=Fraction(1, RATE))


def _output(graph: Any, channels: int) -> tuple[Any, Any]:
    kind = f"sample_fmts=fltp:sample_rates={RATE}:channel_layouts={_LAYOUTS[channels]}"
    return graph.add("aformat", kind), graph.add("abuffersink")


def _filtered(graph: Any, inputs: list[Any], sounds: list[Iterable[Samples]]) -> Iterator[Any]:
    position = 0
    for blocks in zip(*sounds, strict=True):
        for source, block in zip(inputs, blocks, strict=True):
            source.push(frame_of(block, position))
        position += blocks[0].shape[1]
        yield from _ready(graph)
    for source in inputs:
        source.push(None)
    yield from _ready(graph)


def _ready(graph: Any) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def _samples(frames: Iterator[Any]) -> Iterator[Samples]:
    for frame in frames:
        yield frame.to_ndarray()
