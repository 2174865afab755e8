"""A narrated film with background music and burned-in captions, made with one `reel make`."""

import zipfile
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import opentimelineio as otio
import pysubs2
import pytest

from tests.films.conftest import Cloud
from tests.films.looking import look_at
from tests.media import sounds

HUM = 3520  # Hz: above a voice's strongest tones


def test_a_film_has_background_music_and_burned_in_captions(cloud: Cloud, tmp_path: Path) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(sounds.encoded(sounds.tone(2.5, HUM), "mp3").getvalue())
    video = cloud.json(
        *("make", "--topic", "A kite finds the wind. Then it climbs over the hills.", "--scenes", "2"),
        *("--narrate", "--seed", "4"),
        *("--size", "320x180", "--fps", "8", "--captions", "--burn-captions", "--music", str(song)),
        *("--caption-style", "karaoke"),
        *("--shape", "9:16", "--shape", "1:1:blur", "--focal-point", "left"),
    )
    assert (video["burn_captions"], round(video["music"]["seconds"], 1)) == (True, 2.5)
    path = Path(video["path"])
    film = look_at(path, scale=1)
    assert len(film.frames) == film.duration * 8
    assert film.sound == film.duration
    cues = pysubs2.load(str(path.with_suffix(".vtt")))

    wave = heard(path)
    assert sounds.loudness(wave) == pytest.approx(-16, abs=0.4)
    assert sounds.true_peak(wave) <= -1
    alone = hum(wave, 0.05, 0.35)  # nobody speaks before the first caption
    spoken = [hum(wave, cue.start / 1000 + 0.3, cue.end / 1000 - 0.1) for cue in cues[:-1]]
    assert alone > -40
    assert max(spoken) < alone - 4

    for cue in cues:
        shown = film.frames[(cue.start + cue.end) // 2 * 8 // 1000]
        assert letters(shown) + lit(shown) > letters(film.frames[0]) + 0.003, cue.plaintext
        assert lit(shown) > lit(film.frames[0]) + 0.001, "the word that is spoken"
        assert "<00:00:" in cue.plaintext, "the PC's voice says when"

    others = {variant: look_at(Path(file), scale=1) for variant, file in video["shapes_paths"].items()}
    assert {name: (one.width, one.height) for name, one in others.items()} == {
        "9x16": (256, 454),
        "1x1": (256, 256),
    }
    for name, one in others.items():
        assert (len(one.frames), one.duration, one.sound) == (len(film.frames), film.duration, film.sound)
        assert np.array_equal(heard(Path(video["shapes_paths"][name])), wave)
        for cue in cues:
            assert outlined(one.frames[0], name) < 0.005
            assert outlined(one.frames[(cue.start + cue.end) // 2 * 8 // 1000], name) > 0.015, cue.plaintext

    exported = cloud.json("export", video["id"], "-o", str(tmp_path / "kite.zip"))
    with zipfile.ZipFile(exported["path"]) as project:
        timeline = otio.adapters.read_from_string(
            project.read(f"{video['id']}/film.otio").decode(), "otio_json"
        )
        assert project.read(f"{video['id']}/music.mp3") == song.read_bytes()
    pictures, narration, music = timeline.tracks
    assert pictures.duration().value == music.duration().value == len(film.frames)
    said = [narration.range_of_child(clip).start_time.value / 8 for clip in narration.find_clips()]
    assert len(said) == 2
    for start in said:
        assert min(abs(cue.start / 1000 - start) for cue in cues) < 0.01, "a sentence begins there"


def heard(path: Path) -> sounds.Wave:
    with av.open(BytesIO(path.read_bytes())) as container:
        parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(parts, axis=1).astype(np.float64)


def hum(wave: sounds.Wave, start: float, stop: float) -> float:
    return sounds.level(wave[:, round(start * 48_000) : round(stop * 48_000)], HUM)


def lit(frame: npt.NDArray[np.uint8]) -> float:
    """Return the share of yellow pixels where captions are."""
    red, green, blue = np.moveaxis(frame[len(frame) * 3 // 4 :].astype(int), 2, 0)
    return float(((red > 200) & (green > 160) & (blue < 110)).mean())


def outlined(frame: npt.NDArray[np.uint8], shape: str) -> float:
    """Return how dark a frame is where a shape has its captions: the share of pixels like their outline."""
    height = len(frame)
    rows = frame[height * 5 // 8 : height * 3 // 4] if shape == "9x16" else frame[height * 2 // 3 :]
    return float((rows.max(axis=2) < 50).mean())


def letters(frame: npt.NDArray[np.uint8]) -> float:
    """Return the share of the lowest third that is as white as the captions."""
    return float((frame[len(frame) * 2 // 3 :].min(axis=2) > 215).mean())
