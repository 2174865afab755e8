"""The sound of clips: in its place in the film, in step with the pictures, for any mix of clips."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.domain.errors import ClipUnreadable
from lambdas.media.background import Bed
from lambdas.media.clip_sound import SoundPart, lay_sound, with_sound
from lambdas.media.mp4.merge import Piece, lay_out
from lambdas.media.mp4.tables import read_track
from lambdas.media.sound import Placed, mix
from lambdas.media.sound_filters import measure
from lambdas.media.sound_input import check_sound, clip_samples, has_sound, samples
from lambdas.media.source import BytesSource
from tests.media.flashes import beeps_in, beeps_of, flashes_in, flashing, muxed
from tests.media.sounds import Wave, decoded, encoded, level, noise, tone

RATE, FPS = 48_000, 24
IN_STEP = 0.02  # seconds


def laid(clips: Sequence[SoundPart], seconds: Fraction | int) -> Wave:
    output = BytesIO()
    lay_sound(clips, Fraction(seconds), output)
    return np.concatenate(list(samples(output, "it")), axis=1).astype(np.float64)


def heard(
    clip: bytes, index: int, start: Fraction | int, seconds: Fraction | int, **fades: Fraction
) -> SoundPart:
    return SoundPart(BytesSource(clip), index, Fraction(start), Fraction(seconds), **fades)


@pytest.mark.parametrize(
    ("rate", "channels", "codec"),
    [(48_000, 2, "aac"), (16_000, 1, "aac"), (44_100, 2, "aac"), (48_000, 6, "aac"), (48_000, 2, "libopus")],
)
def test_sound_of_any_kind_is_in_step(rate: int, channels: int, codec: str) -> None:
    clip = flashing(36, [12, 30], rate=rate, channels=channels, codec=codec)
    wave = laid([heard(clip, 0, 1, Fraction(36, FPS))], 3)
    assert wave.shape == (2, 3 * RATE)
    assert beeps_of(wave) == pytest.approx([1 + 12 / FPS, 1 + 30 / FPS], abs=0.005)


def test_sound_that_starts_after_the_pictures_is_heard_later() -> None:
    pictures = flashing(24, sound=False)
    clip = muxed(pictures, tone(0.5, 1000), late=0.25)
    first = np.concatenate(list(clip_samples(BytesSource(clip), Fraction(0))), axis=1)
    assert beeps_of(first.astype(np.float64))[0] == pytest.approx(0.25, abs=0.005)
    later = np.concatenate(list(clip_samples(BytesSource(clip), Fraction(1, 8))), axis=1)
    assert beeps_of(later.astype(np.float64))[0] == pytest.approx(0.125, abs=0.005)


def test_a_part_of_a_clip_is_heard_from_its_own_start_to_its_own_end() -> None:
    clip = flashing(72, [10, 34, 60])
    part = SoundPart(BytesSource(clip), 0, Fraction(1), Fraction(1), begin=Fraction(1))
    assert beeps_of(laid([part], 3)) == pytest.approx([1 + 10 / FPS], abs=0.005)


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(12, 40), min_size=1, max_size=5),
    speaking=st.lists(st.booleans(), min_size=5, max_size=5),
    overlap=st.integers(0, 5),
)
def test_clips_with_and_without_sound_are_heard_where_they_are_seen(
    lengths: list[int], speaking: list[bool], overlap: int
) -> None:
    starts = [sum(lengths[:index]) - overlap * index for index in range(len(lengths))]
    film = starts[-1] + lengths[-1]
    fades = {"fade_in": Fraction(overlap, FPS), "fade_out": Fraction(overlap, FPS)} if overlap else {}
    clips = [
        heard(flashing(length, [6]), index, Fraction(start, FPS), Fraction(length, FPS), **fades)
        for index, (start, length) in enumerate(zip(starts, lengths, strict=True))
        if speaking[index]
    ]
    wave = laid(clips, Fraction(film, FPS))
    assert wave.shape[1] == round(film * RATE / FPS)
    expected = [(start + 6) / FPS for start, one in zip(starts, speaking, strict=False) if one]
    assert beeps_of(wave) == pytest.approx(expected, abs=0.01) if expected else not wave.any()


def test_a_crossfade_keeps_the_power() -> None:
    one, other = (muxed(flashing(48, sound=False), noise(2, seed=seed)) for seed in (1, 2))
    fade = Fraction(1)
    clips = [heard(one, 0, 0, 2, fade_out=fade), heard(other, 1, 1, 2, fade_in=fade)]
    wave = laid(clips, 3)[0]
    power = [
        float(np.mean(wave[round(at * RATE) : round((at + 0.25) * RATE)] ** 2))
        for at in (0.5, 1.125, 1.5, 2.25)
    ]
    assert max(power) / min(power) < 10**0.1, "within 1 dB"
    assert abs(wave[:10]).max() < abs(wave[RATE // 2 :]).max() / 10, "it starts without a click"


def film_of(clips: Sequence[bytes], frames: int) -> bytes:
    """Return the film of clips of `frames`, joined by copying, with their sound."""
    laid_, mixed = BytesIO(), BytesIO()
    seconds = Fraction(frames, FPS)
    duration = seconds * len(clips)
    heard_ = [
        heard(clip, i, i * seconds, seconds) for i, clip in enumerate(clips) if has_sound(BytesSource(clip))
    ]
    lay_sound(heard_, duration, laid_)
    mix(duration, [], None, mixed, clips=laid_)
    pieces = [Piece(BytesSource(clip), index) for index, clip in enumerate(clips)]
    layout = lay_out(pieces, sound=BytesSource(mixed.getvalue()), metadata={})
    return b"".join(layout.stream())


def test_a_joined_film_is_in_step() -> None:
    clips = [flashing(36, [4, 28]), flashing(36, sound=False), flashing(36, [1, 30], rate=32_000, channels=2)]
    film = film_of(clips, 36)
    assert len(flashes_in(film)) == 4
    for flash, beep in zip(flashes_in(film), beeps_in(film), strict=True):
        assert abs(flash - beep) < IN_STEP


def test_a_clip_with_sound_is_still_copied_in_few_requests() -> None:
    """Its pictures and sound alternate in the file."""
    clips = [flashing(144, [9]), flashing(144, sound=False)]

    class Counting(BytesSource):
        requests = 0

        def stream(self, offset: int, length: int) -> Iterator[bytes]:
            self.requests += 1
            return super().stream(offset, length)

    sources = [Counting(clip) for clip in clips]
    layout = lay_out([Piece(source, index) for index, source in enumerate(sources)], metadata={})
    film = b"".join(layout.stream())
    assert flashes_in(film) == [9 / FPS]
    assert [source.requests for source in sources] == [1, 1]
    assert len(list(read_track(BytesSource(clips[0]), "video", b"vide").ranges(0, 144))) > 20


def test_pictures_get_their_sound_back() -> None:
    clip = flashing(48, [10, 40])
    made = with_sound(flashing(24, [16], sound=False), BytesSource(clip), Fraction(1), Fraction(1))
    assert has_sound(BytesSource(made))
    assert flashes_in(made) == pytest.approx([16 / FPS])
    assert beeps_in(made) == pytest.approx([16 / FPS], abs=0.005)


def test_broken_sound_is_the_clip_s_fault() -> None:
    clip = bytearray(flashing(24, [6]))
    at = clip.index(b"mdat")
    with_noise = bytes(clip[: at + 4]) + bytes(range(256)) * (len(clip) // 256)
    with pytest.raises(ClipUnreadable):
        check_sound(BytesSource(with_noise[: len(clip)]))
    check_sound(BytesSource(flashing(24, sound=False)))
    with pytest.raises(ClipUnreadable, match="clip 3: its sound can't be"):
        laid([heard(with_noise[: len(clip)], 3, 0, 1)], 1)


# --- the mix


def levels(wave: Wave, hertz: float, *spans: tuple[float, float]) -> list[float]:
    return [level(wave[:, round(a * RATE) : round(b * RATE)], hertz) for a, b in spans]


def mixed(*, duck: bool, music: bool, speech: bool = True) -> Wave:
    """Return six seconds of a clip (1000 Hz), with speech (300 Hz) in the middle and music (3000 Hz)."""
    output, clips = BytesIO(), BytesIO()
    clip = muxed(flashing(6 * FPS, sound=False), tone(6, 1000))
    lay_sound([heard(clip, 0, 0, 6)], Fraction(6), clips)
    voices = [Placed(encoded(tone(2, 300)), Fraction(2))] if speech else []
    mix(
        Fraction(6),
        voices,
        Bed(encoded(tone(6, 3000))) if music else None,
        output,
        clips=clips,
        duck_clips=duck,
    )
    return decoded(output)


@pytest.mark.parametrize("music", [False, True])
def test_clips_are_ducked_under_speech_or_kept(music: bool) -> None:
    ducked, kept = mixed(duck=True, music=music), mixed(duck=False, music=music)
    before, during = levels(ducked, 1000, (0.5, 1.5), (2.8, 3.8))
    assert 8 < before - during < 14
    before, during = levels(kept, 1000, (0.5, 1.5), (2.8, 3.8))
    assert abs(before - during) < 1.5
    if music:
        before, during = levels(kept, 3000, (0.5, 1.5), (2.8, 3.8))
        assert before - during > 7, "the music is ducked in any case"


def test_without_speech_there_is_nothing_to_duck_under() -> None:
    ducked, kept = (mixed(duck=duck, music=True, speech=False) for duck in (True, False))
    assert np.abs(ducked - kept).max() < 1e-3
    clip, music = levels(kept, 1000, (1, 2))[0], levels(kept, 3000, (1, 2))[0]
    assert clip > music


@pytest.mark.parametrize(
    ("own", "expected"), [(-60.0, -60.0), (-54.0, -54.0), (-45.0, -16.0), (-20.0, -16.0)]
)
def test_clips_next_to_silence_stay_quiet(own: float, expected: float) -> None:
    wave = noise(3, level=1e-3)
    clip = muxed(flashing(72, sound=False), wave * 10 ** ((own - _loudness(wave)) / 20))
    output, film = BytesIO(), BytesIO()
    lay_sound([heard(clip, 0, 0, 3)], Fraction(3), output)
    # AAC leaves out some of what is next to silence.
    below = 1 if expected > -50 else 12
    assert expected - below < mix(Fraction(3), [], None, film, clips=output).loudness < expected + 1
    # Beside speech, too.
    voice = Placed(encoded(noise(1)), Fraction(0))
    mix(Fraction(3), [voice], None, film, clips=output, duck_clips=False)
    assert expected - 4 - below < _loudness(decoded(film)[:, 2 * RATE :]) < expected + 4


def _loudness(wave: Wave) -> float:
    return measure(
        [wave.astype(np.float32) if len(wave) == 2 else np.repeat(wave, 2, 0).astype(np.float32)]
    ).loudness
