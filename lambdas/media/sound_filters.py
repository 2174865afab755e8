"""FFmpeg's sound filters over streams of samples: measure, duck, limit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import inf, log10
from typing import Any

import av
import numpy as np
from av.filter import Graph

from lambdas.media.sound_input import RATE, Samples

SILENT = -70.0
"""LUFS: the absolute gate of BS.1770, and what the meter says where nothing is above it."""
# The meter's blocks overlap by three steps (BS.1770-4, annex 1). A sound shorter than a block is measured
# with silence behind it.
_STEP = RATE // 10
_BLOCK = 4 * _STEP
# Speech of -16 LUFS stays some 10 to 15 dB above the threshold, so a ratio of 6 takes about 10 dB off the
# music. It is down before a word is half said, and comes back slower than the pauses between words.
_DUCKING = "threshold=0.03:ratio=6:attack=20:release=600:detection=rms:makeup=1"
# A true peak lies between the samples: four times as many show it to 0.7 dB at worst (BS.1770-4, annex 2).
_OVERSAMPLED = 4 * RATE


@dataclass(frozen=True)
class Measured:
    """Integrated loudness in LUFS (EBU R128; SILENT for silence), true peak in dBTP (-inf for silence), and
    how many samples were heard."""

    loudness: float
    true_peak: float
    samples: int


def measure(sound: Iterable[Samples]) -> Measured:
    graph = Graph()
    source = _input(graph)
    meter = graph.add("ebur128", "metadata=1:peak=true")
    graph.link_nodes(source, meter, graph.add("abuffersink")).configure()
    heard = 0

    def padded() -> Iterator[Samples]:
        """With silence behind: the meter speaks at each full step, and knows of a peak one step later."""
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


def ducked(speech: Iterable[Samples], music: Iterable[Samples]) -> Iterator[Samples]:
    """Both together, blocks of equal sizes, the music pressed down while there is speech (of -16 LUFS)."""
    graph = Graph()
    speaking, playing = _input(graph), _input(graph)
    twice = graph.add("asplit", "2")
    duck = graph.add("sidechaincompress", _DUCKING)
    both = graph.add("amix", "inputs=2:normalize=0:dropout_transition=0")
    graph.link_nodes(speaking, twice)
    playing.link_to(duck, 0, 0)
    twice.link_to(duck, 0, 1)
    twice.link_to(both, 1, 0)
    duck.link_to(both, 0, 1)
    graph.link_nodes(both, *_output(graph)).configure()
    return _samples(_filtered(graph, [speaking, playing], [speech, music]))


def limited(sound: Iterable[Samples], ceiling: float) -> Iterator[Samples]:
    """No true peak above `ceiling` (dB of full scale, -24 to 0), nothing else changed."""
    graph = Graph()
    source = _input(graph)
    # latency=1 takes the limiter's looking ahead out of the sound's timing; level=0: no gain of its own.
    limiter = graph.add("alimiter", f"limit={10 ** (ceiling / 20):.6f}:level=0:latency=1")
    finer, back = graph.add("aresample", str(_OVERSAMPLED)), graph.add("aresample", str(RATE))
    graph.link_nodes(source, finer, limiter, back, *_output(graph)).configure()
    return _samples(_filtered(graph, [source], [sound]))


def frame_of(block: Samples, start: int) -> Any:
    """A block as FFmpeg's frame, `start` samples after the sound's beginning."""
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block, np.float32), "fltp", "stereo")
    frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), start
    return frame


def _input(graph: Any) -> Any:
    return graph.add_abuffer(sample_rate=RATE, format="fltp", layout="stereo", time_base=Fraction(1, RATE))


def _output(graph: Any) -> tuple[Any, Any]:
    kind = f"sample_fmts=fltp:sample_rates={RATE}:channel_layouts=stereo"
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
