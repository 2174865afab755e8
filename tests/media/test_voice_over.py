"""One recording of a whole film's narration is cut into its scenes' recordings."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lambdas.media.sound_input import RATE, samples
from reelworks.voice_over import NotCut, cut
from tests.media.babble import Sound, babble, steady, word
from tests.media.sounds import encoded

FIRST, SECOND, THIRD = (
    "A bee wakes up early.",
    "It flies over the wide river!",
    "Then night comes. All sleep.",
)


def say(text: str, pitch: float, pace: float) -> Sound:
    words = list(map(word, text.split()))
    return babble(words, steady(words, pace), pitch)


class Voices:
    """What `cut` needs of a client."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def voices(self) -> list[Any]:
        return [SimpleNamespace(id="Amy", default=False), SimpleNamespace(id="Joe", default=True)]

    def hear(self, voice: str, text: str, path: Path) -> None:
        self.heard.append(voice)
        assert len(text) <= 200
        path.write_bytes(encoded(say(text, 110, 0.09)[None], "mp3").getvalue())


def recording(folder: Path, *texts: str) -> Path:
    """Return a file in which another voice says the texts, 0.6 s apart, after half a second."""
    quiet = np.random.default_rng(1).normal(0, 1e-4, round(0.6 * RATE))
    parts: list[Any] = [quiet[: RATE // 2]]
    for text in texts:
        parts += [say(text, 190, 0.12), quiet]
    path = folder / "whole.wav"
    path.write_bytes(encoded(np.concatenate(parts)[None]).getvalue())
    return path


def a_board(*texts: str | None) -> dict[str, Any]:
    scenes = [
        {"video": {"positive_prompt": "A bee."}} | ({"narration": {"text": text}} if text else {})
        for text in texts
    ]
    return {"title": "Bees", "scenes": scenes}


def test_each_scene_gets_its_part_and_nothing_is_left_out(tmp_path: Path) -> None:
    client: Any = Voices()
    board = a_board(FIRST, None, SECOND, THIRD)
    whole = recording(tmp_path, FIRST, SECOND, THIRD)
    made = cut(client, whole, board, tmp_path)
    assert "recording" not in board["scenes"][0]["narration"], "the given storyboard stays"
    paths = [scene.get("narration", {}).get("recording") for scene in made["scenes"]]
    assert [path and path.name for path in paths] == [
        "scene-000.flac",
        None,
        "scene-002.flac",
        "scene-003.flac",
    ]
    parts = [np.concatenate([*samples(path, "a part")], axis=1) for path in paths if path]
    heard = np.concatenate([*samples(whole, "the whole")], axis=1)
    assert np.abs(np.concatenate(parts, axis=1) - heard).max() <= 2 / 32768
    begins = [0.5]
    for text in (FIRST, SECOND):
        begins.append(begins[-1] + len(say(text, 190, 0.12)) / RATE + 0.6)
    ends = np.cumsum([part.shape[1] for part in parts]) / RATE
    for end, begin in zip(ends[:2], begins[1:], strict=True):
        assert begin - 0.6 <= end <= begin, "each cut is in the pause before the scene's first word"
    assert set(client.heard) == {"Joe"}


def test_a_scene_with_a_recording_keeps_it_and_long_sentences_are_said_in_pieces(tmp_path: Path) -> None:
    long = " ".join(["Bees fly over meadows"] * 12) + "."
    board = a_board("Kept.", long)
    board["scenes"][0]["narration"]["recording"] = "own.wav"
    client: Any = Voices()
    made = cut(client, recording(tmp_path, long), board, tmp_path, voice="Amy")
    assert made["scenes"][0]["narration"]["recording"] == "own.wav"
    assert client.heard == ["Amy", "Amy"]


@pytest.mark.parametrize(
    ("board", "says"),
    [
        (None, "requires a storyboard with scenes"),
        (a_board(None), "no scene has a narration.text"),
        (a_board(*[FIRST] * 12), "too short for the narration: it lasts"),
    ],
)
def test_what_can_t_be_cut_is_said(tmp_path: Path, board: Any, says: str) -> None:
    client: Any = Voices()
    with pytest.raises(NotCut, match=says):
        cut(client, recording(tmp_path, "Bee."), board, tmp_path)
