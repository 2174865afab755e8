"""The program that speaks with one of Piper's voices and says when each word begins.

    python piper_program.py MODEL FOLDER

It reads a line of JSON for each text, {"text": …, "length_scale": …}, writes the sound into FOLDER, and
answers with a line, {"sound": FILE, "starts": [[PLACE, SECONDS], …]}: where a word stands in the text, in
characters, and when it begins. Words that espeak runs together may begin with the first of them. `starts` is
null for a voice whose model doesn't tell.

It runs as a process of its own, and nothing imports it, because it imports Piper: while it runs, it is one
program with Piper, under the GPL (docs/decisions/0016-piper-as-a-program.md).
"""

import json
import re
import sys
import time
import unicodedata
import wave
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from piper import AudioChunk, PiperVoice, SynthesisConfig
from piper.config import PhonemeType

_TOKEN = re.compile(r"(?:\[\[.*?\]\]|\S)+")  # phonemes in double brackets may have spaces
_STRESS = "ˈˌ"


class _Word(NamedTuple):
    """A word's phonemes without stress, and after how many samples each begins."""

    phonemes: str
    starts: Sequence[int]


def main(model: Path, folder: Path) -> None:
    voice = PiperVoice.load(model, include_alignments=True)
    for line in sys.stdin:
        request = json.loads(line)
        file = folder / f"{time.monotonic_ns()}.wav"
        starts = _speak(voice, request["text"], request["length_scale"], file)
        sys.stdout.write(json.dumps({"sound": str(file), "starts": starts}) + "\n")
        sys.stdout.flush()


def _speak(voice: PiperVoice, text: str, length_scale: float, file: Path) -> list[tuple[int, float]] | None:
    config = SynthesisConfig(length_scale=length_scale)
    chunks = list(voice.synthesize(text, config, include_alignments=True))
    rate = voice.config.sample_rate
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        for chunk in chunks:
            sound.writeframes(chunk.audio_int16_bytes)
    if voice.config.phoneme_type != PhonemeType.ESPEAK:
        return None
    words = _timed_words(chunks)
    return None if words is None else [(at, start / rate) for at, start in _starts(voice, text, words)]


def _timed_words(chunks: Sequence[AudioChunk]) -> list[_Word] | None:
    """Return the words that were spoken; None if the model doesn't tell when."""
    words, at = [], 0
    for chunk in chunks:
        if chunk.phoneme_alignments is None:
            return None
        begins, times = at, [at]
        for one in chunk.phoneme_alignments:
            times.append(times[-1] + int(one.num_samples))
        at += len(chunk.audio_int16_array)
        if times[-1] - begins != at - begins:
            return None
        # The first and the last phoneme only mark the begin and the end.
        words += list(_words(chunk.phonemes, times[1:-2]))
    return words


def _words(phonemes: Sequence[str], times: Sequence[int]) -> Iterator[_Word]:
    """Separate phonemes into words; punctuation belongs to none."""
    word = ""
    starts: list[int] = []
    begins: int | None = None
    for phoneme, start in zip([*phonemes, " "], [*times, 0], strict=True):
        if phoneme == " ":
            if word:
                yield _Word(word, starts)
            word, starts, begins = "", [], None
        elif phoneme in _STRESS:
            begins = start  # with its stress
        elif unicodedata.category(phoneme[0]) in ("Lu", "Ll", "Lo", "Lm", "Mn"):
            word += phoneme
            starts += [start if begins is None else begins] * len(phoneme)
            begins = None


def _phonemes(voice: PiperVoice, text: str) -> list[str]:
    sentences = voice.phonemize(text)
    return [word.phonemes for one in sentences for word in _words(one, [0] * len(one))]


def _starts(voice: PiperVoice, text: str, words: Sequence[_Word]) -> list[tuple[int, int]]:
    """Return where words stand in the text, and after how many samples each begins.

    espeak doesn't say which phonemes are whose, and runs words together ("of the"). But the phonemes of the
    text up to a word, beside those up to the next one, show where the first ends. What they don't show is
    left out.
    """
    tokens = [one for one in _TOKEN.finditer(text) if any(char.isalnum() for char in one[0])]
    if not tokens or not words:
        return []
    said = [one.phonemes for one in words]
    until = [_phonemes(voice, text[: one.end()]) for one in tokens]
    found = [(tokens[0].start(), words[0].starts[0])]
    for token, (before, through) in zip(tokens[1:], pairwise(until), strict=True):
        if (start := _start(before, through, words, said)) is not None and start > found[-1][1]:
            found.append((token.start(), start))
    return found


def _start(
    before: Sequence[str], through: Sequence[str], words: Sequence[_Word], said: Sequence[str]
) -> int | None:
    """Return after how many samples a word begins, by the phonemes of the text before it and through it."""
    count = len(before)
    if 0 < count < len(through) and through[:count] == said[:count] and count < len(said):
        return words[count].starts[0]
    last = count - 1
    if 0 < count == len(through) and before[:last] == said[:last] and last < len(said):
        joined, first = said[last], before[last]
        if joined.startswith(first) and len(first) < len(joined):
            return words[last].starts[len(first)]
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
