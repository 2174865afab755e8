"""Measure a clip and a film's sound for the quality report (lambdas/domain/quality.py).

A clip is decoded once, when it is stored: its measures are kept with it, so that an edit measures only what
it changes, and assembly decodes nothing.
"""

import base64
from collections import deque
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from lambdas.domain.errors import SoundUnreadable
from lambdas.domain.quality import (
    BLACK_SECONDS,
    CLIPPED_SHARE,
    FROZEN_SECONDS,
    SIGNATURE,
    SILENT_SECONDS,
    ClipMeasures,
    ClipSoundMeasures,
    SoundMeasures,
)
from lambdas.media.probe import as_source, decoded, frame_rate, open_video
from lambdas.media.sound import Placed, Sound
from lambdas.media.sound_filters import SILENT
from lambdas.media.sound_input import RATE, Samples, clip_samples, full_scale, has_sound, samples
from lambdas.media.source import Source

_SIDE = 96  # pixels of the longer side of the pictures that are measured
_MOST_PIXELS = 1_500_000_000
"""Decoded of one clip: 68 s of 720p at 24 fps, about 10 s of a function with one core."""
_MOST_SPANS = 6  # of a kind; metadata holds 2 KB
_MOST_SENTENCES = 30

_BLACK_LUMA, _BLACK_AREA = 16 + 0.1 * 219, 0.98  # FFmpeg's blackdetect
_SUDDEN = 24.0  # levels of mean luma between a black picture and its neighbour
# -50 dB; FFmpeg's freezedetect has -60 dB by default, which an encoder's keyframe alone exceeds.
_FROZEN_LEVELS = 0.00316 * 255
_DISPLAY = 200.0  # cd/m² of white, as BT.1702 assumes
_FLASH, _FLASH_DARKER, _FLASH_AREA = 20.0, 160.0, 0.25  # cd/m², cd/m², share of the picture
_WHITE = 235
_BLOCK, _EDGE_CONTRAST, _FEWEST_EDGES, _SHARPEST = 32, 40, 8, 10  # pixels, levels, blocks, percent
_SMALLEST = 120  # pixels of the shorter side, of a picture whose edges are measured
_EDGE_SECONDS = 1.0  # between the pictures whose edges are measured
_LAG = 0.5  # seconds between two pictures that are compared for movement
_SURE = 0.1  # height of a phase correlation's peak that means a shift

_SILENT_PEAK = 0.001  # -60 dB: FFmpeg's silencedetect
_FULL_SCALE = 0.9995
_WINDOW = RATE // 20  # samples looked at for silence together
_TAIL, _CUT = RATE // 100, 10 ** (-10 / 20)

_Luma = NDArray[np.uint8]
_LEVELS = np.clip((np.arange(256) - 16) / 219, 0, 1)
_LUMINANCE = (_DISPLAY * _LEVELS**2.2).astype(np.float32)  # cd/m² by luma


def measure_clip(source: Source | bytes) -> ClipMeasures:
    """Measure a clip, in one pass over its pictures and one over its sound. Raises ClipUnreadable."""
    source = as_source(source)
    pictures = _Pictures()
    with open_video(source) as (container, stream):
        fps, pixels, whole = frame_rate(stream), 0, True
        pictures.begin(fps)
        for frame in decoded(container, stream):
            pixels += frame.width * frame.height
            if pixels > _MOST_PIXELS:
                whole = False
                break
            pictures.take(frame)
    try:
        sound = _sound_of(source) if has_sound(source) else None
    except SoundUnreadable:  # whoever needs the sound says so: settling checks it, and assembly decodes it
        sound = None
    return pictures.measures(whole).model_copy(update={"sound": sound})


class _Pictures:
    """Measures pictures as they are decoded, in memory that does not grow with the clip."""

    def begin(self, fps: Fraction) -> None:
        self._fps = fps
        self._count = 0
        self._black: list[bool] = []
        self._means: list[float] = []
        self._frozen_from, self._frozen = 0, list[tuple[int, int]]()
        self._held: _Luma | None = None
        self._flicker = _Flicker(fps)
        self._histogram = np.zeros(256, np.int64)
        self._edges: list[float] = []
        self._looked = max(1, round(_EDGE_SECONDS * fps))
        self._lag = max(1, round(Fraction(_LAG) * fps))
        self._before: deque[_Luma] = deque(maxlen=self._lag)
        self._moved: list[float] = []
        self._shifts: list[float] = []
        self._small: list[_Luma] = []
        self._height = 0

    def take(self, frame: VideoFrame) -> None:
        luma = _reduced(frame, *_size(frame.width, frame.height))
        self._height = frame.height
        self._black.append(float(np.mean(luma <= _BLACK_LUMA)) >= _BLACK_AREA)
        self._means.append(float(luma.mean()))
        self._histogram += np.bincount(luma.ravel(), minlength=256)
        self._freeze(luma)
        self._flicker.take(luma)
        # From the middle of the first second on: a clip's first picture may fade in.
        if (self._count + self._looked // 2) % self._looked == 0:
            self._edges.extend(_edge_width(frame))
        if len(self._before) == self._lag and self._count % max(1, self._lag // 2) == 0:
            self._moved.append(_distance(self._before[0], luma))
            if self._count % self._lag == 0:
                self._shifts.append(_shift(self._before[0], luma))
        self._before.append(luma)
        self._small.append(_signature(luma))
        self._count += 1

    def _freeze(self, luma: _Luma) -> None:
        """Compare with the picture that a possible freeze began with, as FFmpeg does."""
        if self._held is not None and _distance(self._held, luma) <= _FROZEN_LEVELS:
            return
        if self._held is not None:
            self._frozen.append((self._frozen_from, self._count))
        self._held, self._frozen_from = luma, self._count

    def measures(self, whole: bool) -> ClipMeasures:
        count, fps = self._count, float(self._fps)
        if not count:
            return ClipMeasures(seconds=0, whole=whole)
        seconds = count / fps
        frozen = [*self._frozen, (self._frozen_from, count)]
        long_black = min(BLACK_SECONDS, seconds / 2)
        black = [
            run
            for run in _runs(self._black)
            if (run[1] - run[0]) / fps >= long_black or self._is_sudden(*run)
        ]
        long_frozen = min(FROZEN_SECONDS, seconds / 2)
        shares = np.cumsum(self._histogram) / self._histogram.sum()
        flashes, at = self._flicker.most()
        small = self._small
        return ClipMeasures(
            seconds=round(seconds, 3),
            whole=whole,
            black=_spans(black, fps),
            # Black is said once.
            frozen=_spans(
                [
                    run
                    for run in frozen
                    if run[1] - run[0] > 1
                    and (run[1] - run[0]) / fps >= long_frozen
                    and not all(self._black[slice(*run)])
                ],
                fps,
            ),
            flashes=flashes,
            flashes_at=round(at, 2),
            height=self._height,
            edge=round(float(np.median(self._edges)), 2) if self._edges else None,
            low=int(np.searchsorted(shares, 0.01)),
            high=int(np.searchsorted(shares, 0.99)),
            white=round(float(self._histogram[_WHITE:].sum() / self._histogram.sum()), 3),
            moved=round(float(np.mean(self._moved)), 2) if self._moved else _moved_at_all(small),
            camera=round(float(np.median(self._shifts)) / _LAG, 3) if self._shifts else 0,
            pictures=(_stored(small[0]), _stored(small[count // 2]), _stored(small[-1])),
            moves=(_change(small[:2]), _change(small[-2:])),
        )

    def _is_sudden(self, start: int, stop: int) -> bool:
        """Whether black pictures stand between others without a fade."""
        if start == 0 or stop == self._count:
            return False
        dark = float(np.mean(self._means[start:stop]))
        return min(self._means[start - 1], self._means[stop]) - dark > _SUDDEN


class _Flicker:
    """Counts flashes as ITU-R BT.1702 defines them: pairs of opposing changes in luminance."""

    def __init__(self, fps: Fraction) -> None:
        self._fps = float(fps)
        self._count = 0
        self._last: NDArray[np.float32] | None = None
        self._risen: NDArray[np.float32] | None = (
            None  # by how much each pixel has risen or fallen at a stretch
        )
        self._changes: list[tuple[int, bool]] = []

    def take(self, luma: _Luma) -> None:
        bright = _LUMINANCE[luma]
        if self._last is not None and self._risen is not None:
            step = bright - self._last
            goes_on = (step * self._risen >= 0) | (np.abs(step) < 1)
            self._risen = np.where(goes_on, self._risen + step, step)
            up = float(np.mean((self._risen >= _FLASH) & (bright - self._risen < _FLASH_DARKER)))
            down = float(np.mean((self._risen <= -_FLASH) & (bright < _FLASH_DARKER)))
            # A moving pattern brightens here what it darkens there.
            if max(up, down) > _FLASH_AREA and min(up, down) < max(up, down) / 2:
                rises = up > down
                if not self._changes or self._changes[-1][1] is not rises:
                    self._changes.append((self._count, rises))
        else:
            self._risen = np.zeros_like(bright)
        self._last = bright
        self._count += 1

    def most(self) -> tuple[float, float]:
        """Return the most flashes in one second, and where that second begins."""
        times = [number / self._fps for number, _ in self._changes]
        best, at, first = 0, 0.0, 0
        for last, time in enumerate(times):
            while time - times[first] >= 1:
                first += 1
            if last - first + 1 > best:
                best, at = last - first + 1, times[first]
        return best / 2, at


def _size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, _SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _reduced(frame: VideoFrame, width: int, height: int) -> _Luma:
    """Return a small picture's luma, 16 black and 235 white."""
    small = frame.reformat(
        width=width, height=height, format="yuv420p", interpolation="AREA", dst_color_range="MPEG"
    )
    return _luma(small)


def _luma(frame: VideoFrame) -> _Luma:
    plane = frame.planes[0]
    rows: _Luma = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]


def _edge_width(frame: VideoFrame) -> list[float]:
    """Return the width in pixels of the sharpest tenth of the edges; nothing if there are too few, or the
    picture is too small to tell."""
    if min(frame.width, frame.height) < _SMALLEST:
        return []
    luma = frame.to_ndarray(format="gray").astype(np.int16)
    height, width = (side - side % _BLOCK for side in luma.shape)
    if not height or not width:
        return []
    luma = luma[:height, :width]
    across = np.abs(np.diff(luma, axis=1, append=luma[:, -1:]))
    down = np.abs(np.diff(luma, axis=0, append=luma[-1:]))
    blocks = luma.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    contrast = blocks.max(axis=(1, 3)) - blocks.min(axis=(1, 3))
    steepest = np.maximum(across, down).reshape(blocks.shape).max(axis=(1, 3))
    has_edge = contrast >= _EDGE_CONTRAST
    if np.count_nonzero(has_edge) < min(_FEWEST_EDGES, has_edge.size):
        return []
    widths = contrast[has_edge] / np.maximum(1, steepest[has_edge])
    return [float(np.percentile(widths, _SHARPEST))]


def _distance(one: _Luma, other: _Luma) -> float:
    return float(np.mean(np.abs(one.astype(np.int16) - other)))


def _shift(one: _Luma, other: _Luma) -> float:
    """Return by how much the whole picture shifts, as a share of its width; 0 if that is not sure."""
    height, width = one.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    spectra = [np.fft.rfft2((picture - picture.mean()) * window) for picture in (one, other)]
    cross = spectra[0] * np.conj(spectra[1])
    peaks = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-6), s=one.shape)
    down, across = np.unravel_index(int(peaks.argmax()), peaks.shape)
    if peaks[down, across] < _SURE:
        return 0.0
    return float(np.hypot(min(down, height - down), min(across, width - across)) / width)


def _signature(luma: _Luma) -> _Luma:
    """Return the picture in SIGNATURE² pixels, each the mean of its part."""
    rows, columns = (np.linspace(0, side, SIGNATURE + 1).astype(int) for side in luma.shape)
    if min(luma.shape) < SIGNATURE:
        across = np.linspace(0, luma.shape[1] - 1, SIGNATURE).round().astype(int)
        down = np.linspace(0, luma.shape[0] - 1, SIGNATURE).round().astype(int)
        picked: _Luma = luma[np.ix_(down, across)]
        return picked
    sums = np.add.reduceat(np.add.reduceat(luma.astype(np.int32), rows[:-1], axis=0), columns[:-1], axis=1)
    areas = np.outer(np.diff(rows), np.diff(columns))
    means: _Luma = np.rint(sums / areas).astype(np.uint8)
    return means


def _stored(small: _Luma) -> str:
    return base64.b64encode(small.tobytes()).decode()


def _change(two: Sequence[_Luma]) -> float:
    return round(_distance(*two), 2) if len(two) == 2 else 0.0


def _moved_at_all(small: Sequence[_Luma]) -> float:
    """Return how much a clip changes that is too short for the lag."""
    return round(_distance(small[0], small[-1]), 2)


def _runs(flags: Sequence[bool] | NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(flags, np.int8), [0]))))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _spans(runs: Iterable[tuple[int, int]], fps: float) -> tuple[tuple[float, float], ...]:
    """Return the longest runs as seconds, in order."""
    longest = sorted(runs, key=lambda run: run[0] - run[1])[:_MOST_SPANS]
    return tuple((round(start / fps, 2), round(stop / fps, 2)) for start, stop in sorted(longest))


# --- sound


def measure_sound(
    made: Sound, output: BinaryIO, voices: Sequence[Placed], *, music: bool = False
) -> SoundMeasures:
    """Measure a film's sound: `made` as mixed, `output` its file, and the sentences it was mixed from, in
    order. `music`: silent spans are looked for, because there is music all the way."""
    mute: list[int] = []
    clipped: list[int] = []
    cut: list[int] = []
    for number, voice in enumerate(voices):
        name = f"narration {number}"
        found = _spoken(samples(voice.source, name), full_scale(voice.source, name))
        for is_so, sentences in zip(found, (mute, clipped, cut), strict=True):
            if is_so and len(sentences) < _MOST_SENTENCES:
                sentences.append(number)
    return SoundMeasures(
        loudness=round(max(SILENT, made.loudness), 2),
        true_peak=round(made.true_peak, 2) if np.isfinite(made.true_peak) else None,
        silent=_silent_spans(samples(output, "the mixed sound")) if music else (),
        mute=tuple(mute),
        clipped=tuple(clipped),
        cut=tuple(cut),
    )


def _spoken(sound: Iterable[Samples], full: float) -> tuple[bool, bool, bool]:
    """Return whether a sentence is silent, clipped and cut off."""
    wave = np.concatenate([*sound, np.zeros((2, 0), np.float32)], axis=1)
    if not wave.size or np.abs(wave).max() < _SILENT_PEAK:
        return True, False, False
    power = np.mean(np.square(wave), axis=0)
    spoken = power[power > _SILENT_PEAK**2]
    tail = float(np.sqrt(power[-_TAIL:].mean()))
    is_cut = tail > _CUT * float(np.sqrt(spoken.mean()))
    return False, _clipped_samples(wave, full) / wave.shape[1] > CLIPPED_SHARE, is_cut


def _sound_of(clip: Source) -> ClipSoundMeasures:
    count = clipped = 0
    peak, full = 0.0, full_scale(clip, "its sound")
    for block in clip_samples(clip, Fraction(0)):
        count += block.shape[1]
        clipped += _clipped_samples(block, full)
        peak = max(peak, float(np.abs(block).max(initial=0)))
    return ClipSoundMeasures(silent=peak < _SILENT_PEAK, clipped=round(clipped / max(1, count), 5))


def _clipped_samples(wave: Samples, full: float) -> int:
    """Return how many samples are at full scale or, after a lossy format, above it: in the channel that has
    more."""
    return int(np.count_nonzero(np.abs(wave) >= full * _FULL_SCALE, axis=1).max(initial=0))


def _silent_spans(sound: Iterable[Samples]) -> tuple[tuple[float, float], ...]:
    quiet: list[bool] = []
    rest = np.zeros(0, np.float32)
    for block in sound:
        heard = np.concatenate([rest, np.abs(block).max(axis=0)])
        whole = heard.size - heard.size % _WINDOW
        quiet += (heard[:whole].reshape(-1, _WINDOW).max(axis=1) < _SILENT_PEAK).tolist()
        rest = heard[whole:]
    rate = RATE / _WINDOW
    return _spans([run for run in _runs(quiet) if (run[1] - run[0]) / rate >= SILENT_SECONDS], rate)
