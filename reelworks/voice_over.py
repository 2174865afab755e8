"""Cut one recording of a whole film's narration into its scenes' recordings.

Each scene's part is found by comparing the recording with what a voice says of the storyboard
(docs/decisions/0079-a-recording-as-narration.md).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lambdas.domain.pronunciation import utterances
from lambdas.media.alignment import aligned, mono
from lambdas.media.flac import flac
from lambdas.media.sound_input import RATE, samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from reelworks.client import Client

LONGEST = 600  # seconds
_LONGEST_TEXT = 200  # characters that a voice says at once, see POST /v1/voices/{voice}/sample
_BEFORE, _BEHIND = 0.4, 0.1  # seconds around a scene's first word in which the quietest moment is looked for
_MOMENT = 0.02


class NotCut(Exception):
    """The recording can't be cut into the storyboard's scenes."""


def cut(client: Client, recording: Path, storyboard: Any, folder: Path, *, voice: str | None = None) -> Any:
    """Return the storyboard's document with a recording for each scene that says something, by its path in
    the folder, where it is written. `storyboard`: a document with the narration's texts; scenes that have a
    recording keep it. `voice`: of the language that is spoken; None: the default one. Its speech costs what
    narration does.

    Nothing of the recording is left out: what comes before the first word belongs to the first scene. Raises
    NotCut, ApiError, OSError; SoundUnreadable for the recording.
    """
    document: Any = copy.deepcopy(storyboard)
    scenes = document.get("scenes") if isinstance(document, dict) else None
    if not isinstance(scenes, list):
        raise NotCut(
            "a voice-over requires a storyboard with scenes whose narration.text says what is spoken"
        )
    spoken = [(place, texts) for place, scene in enumerate(scenes) if (texts := list(_texts(scene)))]
    if not spoken:
        raise NotCut("no scene has a narration.text, so nothing says where the voice-over is to be cut")
    heard = np.concatenate([*samples(recording, recording.name)], axis=1)
    if heard.shape[1] > LONGEST * RATE:
        raise NotCut(f"a voice-over must last at most {LONGEST} s; got {heard.shape[1] / RATE:.0f} s")
    voices = client.voices()
    named = voice or next((one.id for one in voices if one.default), voices[0].id)
    parts: list[NDArray[np.float32]] = []
    begins: list[float] = []
    for _, texts in spoken:
        begins.append(sum(map(len, parts)) / RATE)
        parts += [_said(client, named, text, folder) for text in texts]
    one_channel = heard.mean(axis=0)
    try:
        found = aligned(one_channel, np.concatenate(parts), begins)
    except ValueError as error:
        raise NotCut(f"the voice-over is too short for the narration: {error}") from error
    edges = [0, *(_quietest(one_channel, begin) for begin in found[1:]), heard.shape[1]]
    for (place, _), start, end in zip(spoken, edges, edges[1:], strict=False):
        if start >= end:
            raise NotCut(f"the voice-over has nothing for scenes[{place}]; is its text spoken there?")
        path = folder / f"scene-{place:03d}.flac"
        with path.open("wb") as file:
            flac([heard[:, start:end]], file)
        scenes[place]["narration"]["recording"] = path
    return document


def _texts(scene: Any) -> Iterator[str]:
    """Yield what a scene's narration says, in pieces that a voice says at once."""
    narration = scene.get("narration") if isinstance(scene, dict) else None
    if not isinstance(narration, dict) or narration.get("recording") is not None:
        return
    text = narration.get("text")
    for said, _ in utterances(text, narration.get("language"), {})[0] if isinstance(text, str) else ():
        yield from _pieces(said.text.split())


def _pieces(words: Sequence[str]) -> Iterator[str]:
    piece = ""
    for word in words:
        longer = f"{piece} {word}".strip()
        if len(longer) > _LONGEST_TEXT and piece:
            yield piece
            longer = word
        piece = longer[:_LONGEST_TEXT]
    if piece:
        yield piece


def _said(client: Client, voice: str, text: str, folder: Path) -> NDArray[np.float32]:
    path = folder / "said.mp3"
    client.hear(voice, text, path)
    return mono(samples(path, "the voice"))


def _quietest(heard: NDArray[np.float32], at: float) -> int:
    """Return the sample in the quietest moment around a second."""
    first = max(0, round((at - _BEFORE) * RATE))
    size = round(_MOMENT * RATE)
    around = heard[first : round((at + _BEHIND) * RATE)]
    count = len(around) // size
    if not count:
        return first
    levels = (around[: count * size].reshape(count, size) ** 2).mean(axis=1)
    return first + int(levels.argmin()) * size + size // 2
