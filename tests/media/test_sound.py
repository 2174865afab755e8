import tempfile
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from lambdas.domain.errors import NarrationTooLong, SoundUnreadable
from lambdas.media.background import Bed
from lambdas.media.mp4.merge import Piece, lay_out
from lambdas.media.sound import Placed, Sound, mix, silence
from lambdas.media.sound_input import length
from lambdas.media.source import BytesSource
from tests.media.clips import clip
from tests.media.sounds import KINDS, Wave, decoded, encoded, level, loudness, noise, tone, true_peak

RATE = 48_000


def mixed(
    seconds: Fraction | int, *voices: tuple[BytesIO | Path, float], music: BytesIO | Path | None = None
) -> tuple[Sound, Wave]:
    output = BytesIO()
    placed = [Placed(source, Fraction(start)) for source, start in voices]
    sound = mix(Fraction(seconds), placed, Bed(music) if music else None, output)
    return sound, decoded(output)


def syllables(seconds: float, rate: int = RATE) -> Wave:
    """Return noise that pulses three times a second, with peaks 20 dB above its mean, like speech."""
    wave = noise(seconds, level=1, rate=rate)
    wave = 0.02 * np.sign(wave) * wave**2
    return wave * (np.sin(2 * np.pi * 3 * np.arange(wave.shape[1]) / rate) > 0)


@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg", "opus", "flac", "m4a", "float wav"])
def test_any_narration_is_normalized_to_16_lufs(kind: str) -> None:
    rate = 48_000 if kind == "opus" else 22_050
    voice = encoded(noise(1.5, level=0.01, rate=rate), kind, rate=rate)
    sound, wave = mixed(2, (voice, 0.2))
    assert loudness(wave) == pytest.approx(-16, abs=0.5)
    assert sound.loudness == pytest.approx(loudness(wave), abs=0.1)
    assert sound.duration == 2


@pytest.mark.parametrize("factor", [0.02, 1, 20])
def test_peaks_are_limited_and_the_loudness_kept(factor: float) -> None:
    sound, wave = mixed(2, (encoded(syllables(1.5) * factor, "float wav"), 0.25))
    assert loudness(wave) == pytest.approx(-16, abs=0.5)
    assert true_peak(wave) <= -1
    assert sound.true_peak == pytest.approx(true_peak(wave), abs=0.3)


def test_a_single_click_stays_quiet_rather_than_flattened() -> None:
    wave = np.zeros((1, RATE))
    wave[0, 1000] = 0.5
    sound, heard = mixed(2, (encoded(wave), 0))
    assert true_peak(heard) <= -1
    assert sound.loudness < -17


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.41, 1])
def test_very_short_films(seconds: float) -> None:
    duration = Fraction(str(seconds))
    sound, wave = mixed(duration, (encoded(noise(seconds)), 0))
    padded = np.pad(wave, ((0, 0), (0, max(0, 19_200 - wave.shape[1]))))
    assert loudness(padded) == pytest.approx(-16, abs=0.5)
    assert sound.duration == duration


def test_silent_narration_stays_silent() -> None:
    sound, wave = mixed(1, (encoded(np.zeros((1, RATE // 2))), 0))
    assert (sound.loudness, sound.true_peak) == (-70, float("-inf"))
    assert not wave.any()


def test_music_continues_under_a_silent_narration() -> None:
    _, wave = mixed(2, (encoded(np.zeros((1, RATE // 2))), 0), music=encoded(noise(2)))
    assert loudness(wave) == pytest.approx(-16, abs=0.5)


@pytest.mark.parametrize("start", [0, 0.5, 3.25])
def test_a_narration_is_heard_where_it_was_placed(start: float) -> None:
    beep = encoded(tone(0.25, 1000, rate=22_050), rate=22_050)
    _, wave = mixed(4, (beep, start))
    assert wave.shape == (2, 4 * RATE)
    loud = np.flatnonzero(np.abs(wave[0]) > np.abs(wave).max() / 4)
    assert loud[0] / RATE == pytest.approx(start, abs=0.005)
    assert loud[-1] / RATE == pytest.approx(start + 0.25, abs=0.005)


@pytest.mark.parametrize("fragmented", [False, True])
def test_narration_has_the_same_time_in_the_film(fragmented: bool) -> None:
    sound = BytesIO()
    mix(Fraction(4), [Placed(encoded(tone(0.25, 1000)), Fraction(7, 2))], None, sound)
    film = lay_out(
        [Piece(BytesSource(clip(16)), index) for index in range(2)],
        sound=BytesSource(sound.getvalue()),
        metadata={},
        fragmented=fragmented,
    )
    wave = decoded(BytesIO(b"".join(film.stream())))
    assert film.frames / film.fps == 4
    loud = np.flatnonzero(np.abs(wave[0]) > np.abs(wave).max() / 4)
    assert loud[0] / RATE == pytest.approx(3.5, abs=0.002)


def test_narrations_may_be_given_in_any_order_and_overlap() -> None:
    pieces = [(encoded(tone(1, hertz)), start) for hertz, start in [(2000, 1.5), (500, 0), (1000, 1)]]
    _, wave = mixed(3, *pieces)
    first, second, third = (
        wave[:, round(a * RATE) : round(b * RATE)] for a, b in [(0.1, 0.9), (1.1, 1.4), (1.6, 1.9)]
    )
    assert level(first, 500) > level(first, 1000) + 30
    assert level(second, 1000) > level(second, 2000) + 30
    assert level(third, 2000) == pytest.approx(level(third, 1000), abs=1)


def test_music_is_ducked_while_there_is_speech() -> None:
    high = noise(2, seed=1)
    high[:, 1:] -= high[:, :-1]  # little of it at the music's frequency
    music = encoded(np.concatenate([tone(8, 220), tone(8, 220)]), "flac")
    _, wave = mixed(8, (encoded(high, rate=24_000), 2.0), music=music)
    before, under, after = (
        wave[:, round(a * RATE) : round(b * RATE)] for a, b in [(0.5, 1.9), (2.5, 5.8), (7.5, 7.9)]
    )
    assert level(under, 220) < level(before, 220) - 8
    # The fade over the last three seconds causes the rest of the difference.
    assert level(after, 220) > level(under, 220) - 15
    assert loudness(wave) == pytest.approx(-16, abs=0.5)
    assert true_peak(wave) <= -1


@pytest.mark.parametrize("gain", [0.02, 1])
def test_music_is_quieter_than_speech_whatever_its_file_s_level(gain: float) -> None:
    music = encoded(tone(6, 220, level=0.9) * gain, "float wav")
    _, wave = mixed(6, (encoded(tone(2, 1500, level=0.1)), 2), music=music)
    assert level(wave[:, 3 * RATE : 4 * RATE], 1500) > level(wave[:, 3 * RATE : 4 * RATE], 220) + 10
    assert level(wave[:, RATE : 2 * RATE], 220) > level(wave[:, 3 * RATE : 4 * RATE], 1500) - 20


def test_music_alone_is_looped_and_fades_out() -> None:
    sound, wave = mixed(8, music=encoded(noise(1.7, level=0.3), "mp3"))
    assert sound.duration == 8
    assert loudness(wave) == pytest.approx(-16, abs=0.5)
    power = [np.mean(wave[:, start : start + 4800] ** 2) for start in range(0, wave.shape[1], 4800)]
    assert min(power[:50]) > max(power[:50]) / 2
    assert power[-1] < power[0] / 1000
    assert power[-15] == pytest.approx(power[0] / 4, rel=0.2)


def test_music_longer_than_the_film_is_cut() -> None:
    assert mixed(2, music=encoded(noise(5)))[0].duration == 2


@pytest.mark.parametrize("duration", [Fraction(1, 3), Fraction(1), Fraction(100_021, 48_000)])
@pytest.mark.parametrize("write", [silence, lambda d, o: mix(d, [], Bed(encoded(noise(1))), o)])
def test_the_track_is_exactly_as_long_as_the_film(
    duration: Fraction, write: Callable[[Fraction, BytesIO], object]
) -> None:
    output = BytesIO()
    write(duration, output)
    with av.open(output, "r", format="mp4") as container:
        (track,) = container.streams
        assert (track.codec_context.name, track.rate, track.layout.name) == ("aac", RATE, "stereo")
        assert track.start_time == 0
        assert track.duration * track.time_base == Fraction(round(duration * RATE), RATE)
        assert container.duration / 1_000_000 == pytest.approx(duration, abs=1 / RATE)


def test_silence_is_silent_for_an_hour() -> None:
    output = BytesIO()
    silence(Fraction(3600), output)
    with av.open(output, "r", format="mp4") as container:
        (track,) = container.streams
        assert track.duration == 3600 * RATE
        assert track.frames == -(-(3600 * RATE + 1024) // 1024)
        container.seek(3599 * RATE, stream=track)
        late = list(container.decode(track))
        assert sum(frame.samples for frame in late) >= RATE
        assert not any(frame.to_ndarray().any() for frame in late)


def test_a_narration_that_ends_after_the_film_says_by_how_much() -> None:
    with pytest.raises(NarrationTooLong, match=r"^narration 1 ends 1\.25 s after the film$"):
        mixed(3, (encoded(noise(1)), 0), (encoded(noise(2)), 2.25))
    with pytest.raises(NarrationTooLong, match=r"^narration 0 ends 2\.00 s after the film$"):
        mixed(1, (encoded(noise(0.5)), 2.5))


def test_a_narration_may_end_a_rounding_error_after_the_film() -> None:
    assert mixed(1, (encoded(noise(1.015)), 0))[0].duration == 1


def test_memory_does_not_grow_with_the_film() -> None:
    peaks = []
    for seconds in (5, 8):  # from 5 on, all that is in flight is there
        voices = [Placed(encoded(noise(1, seed=at)), Fraction(at)) for at in range(0, seconds, 2)]
        music = Bed(encoded(noise(2)))
        with tempfile.TemporaryFile() as output:
            tracemalloc.start()
            mix(Fraction(seconds), voices, music, output)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    one_second = 2 * 4 * RATE
    assert peaks[1] - peaks[0] < one_second


def test_a_path_is_a_source_too(tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    path.write_bytes(encoded(noise(1)).getvalue())
    assert loudness(mixed(1, (path, 0))[1]) == pytest.approx(-16, abs=0.5)


@pytest.mark.parametrize(("kind", "slack"), [("wav", 0), ("flac", 0), ("mp3", 0.001), ("m4a", 0)])
def test_length_is_the_audible_length(kind: str, slack: float) -> None:
    assert float(length(encoded(noise(1.25), kind), "it")) == pytest.approx(1.25, abs=slack + 1e-9)


def wav_header(channels: int = 1, rate: int = RATE, bits: int = 16, size: int = 0) -> bytes:
    frame = channels * bits // 8
    numbers = [(16, 4), (1, 2), (channels, 2), (rate, 4), (rate * frame, 4), (frame, 2), (bits, 2)]
    body = b"WAVEfmt " + b"".join(value.to_bytes(width, "little") for value, width in numbers)
    return b"RIFF" + (36 + size).to_bytes(4, "little") + body + b"data" + size.to_bytes(4, "little")


BROKEN = {
    "empty": b"",
    "text": b"<!doctype html>",
    "playlist": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.mp3\n",
    "concat script": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "picture only": clip(4),
    "truncated mp4": encoded(noise(1), "m4a").getvalue()[:-4000],
    "an mp3 of noise": b"ID3\x04" + np.random.default_rng(0).bytes(4000),
    "no samples": wav_header(),
    "17 channels": wav_header(channels=17, size=34_000) + bytes(34_000),
    "rate 1": wav_header(rate=1, size=4000) + bytes(4000),
    "rate 1 GHz": wav_header(rate=1_000_000_000, size=4000) + bytes(4000),
    "not numbers": encoded(np.full((1, RATE), np.nan), "float wav").getvalue(),
    "beyond measure": encoded(np.full((1, RATE), 1e20), "float wav").getvalue(),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_an_invalid_sound_file_is_rejected_by_name(broken: bytes) -> None:
    with pytest.raises(SoundUnreadable, match=r"^narration 1 "):
        mixed(3, (encoded(noise(1)), 0), (BytesIO(broken), 1))
    with pytest.raises(SoundUnreadable, match=r"^the music "):
        mixed(1, music=BytesIO(broken))


def test_music_must_be_long_enough_to_loop() -> None:
    with pytest.raises(SoundUnreadable, match="the music must be at least 1 s long"):
        mixed(3, music=encoded(noise(0.5)))


def test_music_with_album_art_is_accepted() -> None:
    picture = BytesIO()
    Image.new("RGB", (64, 64), "red").save(picture, "JPEG")
    frame = b"\0image/jpeg\0\3\0" + picture.getvalue()  # ID3v2.3, 4.15
    frame = b"APIC" + len(frame).to_bytes(4) + b"\0\0" + frame
    size = bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0))
    sound = encoded(noise(1), "mp3").getvalue()
    tagged = b"ID3\3\0\0" + size + frame + sound[sound.index(b"\xff\xfb") :]
    assert length(BytesIO(tagged), "it") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_decoded_or_rejected(kind: str) -> None:
    random, whole = np.random.default_rng(1), encoded(noise(0.2), kind).getvalue()
    refused = 0
    for _ in range(40):
        damaged = bytearray(whole)
        for position in random.integers(0, min(len(whole), random.choice([60, 600, 60_000])), 8):
            damaged[position] = random.integers(256)
        try:
            assert length(BytesIO(damaged), "it") < 60
        except SoundUnreadable:
            refused += 1
    assert refused


def test_a_codec_that_is_not_allowed_is_not_decoded() -> None:
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        track = container.add_stream("ac3", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, RATE), np.float32), "fltp", "mono")
        frame.sample_rate = RATE
        container.mux([*track.encode(frame), *track.encode()])
    with pytest.raises(SoundUnreadable, match="codec"):
        length(file, "it")


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_film_of_impossible_length_is_rejected(seconds: int) -> None:
    with pytest.raises(ValueError, match="must be longer than 0 s"):
        silence(Fraction(seconds), BytesIO())
    with pytest.raises(ValueError, match="must be longer than 0 s"):
        mixed(seconds, (encoded(noise(1)), 0))


def test_something_to_mix_is_required() -> None:
    with pytest.raises(ValueError, match="got none of them"):
        mixed(1)
    with pytest.raises(ValueError, match="must start at 0 s or later"):
        mixed(1, (encoded(noise(0.1)), -0.5))
