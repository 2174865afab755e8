"""A clip's sound is in step with its pictures, whatever frames are left out or made of others."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from containers.diffusion.export import film_mp4, mp4
from containers.diffusion.film import Film, FpsMode
from containers.diffusion.sound import RATE, Sound

IN_STEP = 0.020  # seconds
SIZE = (96, 64)
FRAMES, FPS = 33, 8
FLASH = 17  # the frame that is white; with it a tone begins, which lasts as long as the frame


def picture_of(number: int) -> np.ndarray:
    return np.full((SIZE[1], SIZE[0], 3), 255 if number == FLASH else 0, np.uint8)


PICTURES = np.stack([picture_of(number) for number in range(FRAMES)])


def beep(rate: int, channels: int = 2) -> Sound:
    time = np.arange(FRAMES * rate // FPS) / rate
    heard = (time >= FLASH / FPS) & (time < (FLASH + 1) / FPS)
    tone = np.sin(2 * np.pi * 1000 * time, dtype=np.float32) * heard * 0.8
    return Sound(np.stack([tone] * channels).astype(np.float32), rate)


def decoded(clip: bytes) -> tuple[list[tuple[float, float]], np.ndarray, av.AudioStream]:
    """Return each picture's time and brightness, the samples from the film's start, and the audio track."""
    with av.open(io.BytesIO(clip)) as container:
        shown = [
            (frame.time, float(frame.to_ndarray(format="gray").mean())) for frame in container.decode(video=0)
        ]
        container.seek(0)
        track = container.streams.audio[0]
        blocks = list(container.decode(track))
        start = round(blocks[0].time * RATE)
        samples = np.concatenate([block.to_ndarray() for block in blocks], axis=1)
        return (
            shown,
            samples[:, max(-start, 0) :] if start <= 0 else np.pad(samples, ((0, 0), (start, 0))),
            track,
        )


def seen_and_heard(clip: bytes) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return when the flash begins and ends, and when the tone does, in seconds."""
    shown, samples, _ = decoded(clip)
    period = shown[1][0]
    bright = [time for time, light in shown if light > 127]
    # The loudest of a few samples: a tone crosses zero.
    level = np.abs(samples).max(axis=0)
    level = np.maximum.reduceat(level, np.arange(0, len(level), 48))
    loud = np.flatnonzero(level > 0.4) * 48 / RATE
    return (bright[0], bright[-1] + period), (loud[0], loud[-1] + 0.001)


def assert_in_step(clip: bytes) -> None:
    seen, heard = seen_and_heard(clip)
    assert heard == pytest.approx(seen, abs=IN_STEP)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("skip_frames", [0, 1, 16])
def test_a_tone_sounds_while_its_frame_is_seen(rate: int, skip_frames: int) -> None:
    clip = mp4(PICTURES, FPS, {}, skip_frames=skip_frames, sound=beep(rate))
    assert_in_step(clip)
    assert seen_and_heard(clip)[0][0] == (FLASH - skip_frames) / FPS


@pytest.mark.parametrize(("fps", "skip_frames"), [(24, 1), (24, 0), (25, 1), (30, 9), (8, 1), (6, 1)])
def test_a_film_s_repeated_frames_keep_in_step(fps: int, skip_frames: int) -> None:
    seconds = Fraction(FRAMES - skip_frames, FPS)
    film = Film(width=96, height=64, fps=fps, frames=int(seconds * fps), fps_mode=FpsMode.REPEAT)
    clip = film_mp4(iter(PICTURES), film, {}, rate=FPS, skip_frames=skip_frames, sound=beep(24_000))
    (seen, _), (heard, _) = seen_and_heard(clip)
    # A rendered frame is first seen with the film's next frame.
    late = -(FLASH - skip_frames) * fps % FPS / FPS / fps
    assert seen - late == pytest.approx(heard, abs=IN_STEP)


@pytest.mark.parametrize("fps", [24, 48])
@pytest.mark.parametrize("skip_frames", [0, 1])
def test_in_a_blended_film_the_tone_begins_with_the_whole_frame(fps: int, skip_frames: int) -> None:
    """Where a mixed frame is the rendered one unmixed, what is heard is what was rendered with it."""
    film = Film(width=96, height=64, fps=fps, frames=3 * fps, fps_mode=FpsMode.BLEND)
    clip = film_mp4(iter(PICTURES), film, {}, rate=FPS, skip_frames=skip_frames, sound=beep(48_000))
    shown, _, _ = decoded(clip)
    (brightest,) = (time for time, light in shown if light > 250)
    assert seen_and_heard(clip)[1][0] == pytest.approx(brightest, abs=IN_STEP)


def test_the_track_is_as_long_as_the_pictures() -> None:
    for fps, frames, skip in ((8, 33, 1), (16, 33, 0), (24, 33, 32)):
        sound = Sound(np.zeros((1, 24_000 * frames // fps), np.float32), 24_000)
        clip = mp4(PICTURES[:frames], fps, {}, skip_frames=skip, sound=sound)
        with av.open(io.BytesIO(clip)) as container:
            track, pictures = container.streams.audio[0], container.streams.video[0]
            assert (track.codec_context.name, track.rate, track.layout.name) == ("aac", RATE, "mono")
            lengths = [float(stream.duration * stream.time_base) for stream in (track, pictures)]
        assert lengths[0] == pytest.approx(lengths[1], abs=IN_STEP)


def test_a_short_sound_ends_in_silence() -> None:
    sound = Sound(np.full((2, 24_000), 0.5, np.float32), 24_000)
    _, samples, _ = decoded(mp4(PICTURES, FPS, {}, sound=sound))
    assert samples.shape[1] == pytest.approx(FRAMES / FPS * RATE, abs=1024)
    assert np.abs(samples[:, : RATE // 2]).mean() > 0.4
    assert np.abs(samples[:, 2 * RATE :]).max() < 0.001


def test_a_cut_before_the_start_begins_with_silence() -> None:
    sound = Sound(np.ones((1, 100), np.float32), 100)
    cut = sound.during(Fraction(-1, 4), Fraction(1))
    assert (cut.samples[0, :25] == 0).all()
    assert (cut.samples[0, 25:] == 1).all()
    assert cut.samples.shape == (1, 100)
    assert not sound.during(Fraction(2), Fraction(1)).samples.any()


def test_the_same_sound_gives_the_same_bytes_and_leaves_the_pictures_as_they_are() -> None:
    clips = [mp4(PICTURES, FPS, {}, sound=beep(24_000)) for _ in range(2)]
    assert clips[0] == clips[1]

    def packets(clip: bytes) -> list[bytes]:
        with av.open(io.BytesIO(clip)) as container:
            return [bytes(packet) for packet in container.demux(video=0)]

    assert packets(clips[0]) == packets(mp4(PICTURES, FPS, {}))
