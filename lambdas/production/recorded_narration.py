"""The user's recording as a scene's narration: its words are found by comparing it with a voice's speech."""

from collections.abc import Sequence
from fractions import Fraction
from io import BytesIO
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from lambdas.adapters.shared_objects import SharedObjects
from lambdas.domain import keys
from lambdas.domain.documents import fingerprint
from lambdas.domain.errors import NarrationRefused
from lambdas.domain.narration import Sentence, Spoken, SpokenWord
from lambdas.media.alignment import aligned, mono
from lambdas.media.flac import flac
from lambdas.media.sound_input import RATE, Samples, samples

RECORDED = "recording"  # the maker of such a narration, instead of a voice
_SILENCE = 0.3  # seconds before the first word; after more, its caption waits for it
_PART = 1  # increment when a recording is cut in another way


class VoiceSays(NamedTuple):
    """A sentence as a voice speaks it. `words`: none if the voice doesn't say when it speaks them."""

    text: str
    sound: bytes
    words: tuple[SpokenWord, ...]


def recorded(
    recording: bytes, sha256: str, said: Sequence[VoiceSays], tenant: str, sounds: SharedObjects, what: str
) -> Spoken:
    """Return the narration that the recording (its SHA-256) is, sentence by sentence, each with its own part
    of the sound, which is stored. `said`: its sentences; none if nobody knows what is said.

    Raises NarrationRefused if the words don't fit into the recording, SoundUnreadable; both say `what` it is.
    """
    heard = np.concatenate([*samples(BytesIO(recording), what)], axis=1)
    begins, words = _found(heard, said, what)
    texts = [one.text for one in said] or [""]
    if begins[0] > _SILENCE:
        begins, texts, words = [0.0, *begins], ["", *texts], [(), *words]
    begins[0] = 0.0
    edges = [*(round(begin * RATE) for begin in begins), heard.shape[1]]
    sentences = []
    for text, own, (start, end) in zip(texts, words, pairwise(edges), strict=True):
        if start >= end:
            raise NarrationRefused(f"{what} has no room for “{text[:60]}”: {_REMEDY}")
        sound = fingerprint([_PART, sha256, start, end]) + ".flac"
        if not sounds.find(key := keys.speech(tenant, sound)):
            sounds.put(key, _cut(heard, start, end), "audio/flac", by=RECORDED)
        sentences.append(
            Sentence(
                text=text,
                sound=sound,
                start=start / RATE,
                seconds=float(Fraction(end - start, RATE)),
                words=_within(own, start / RATE, end / RATE),
            )
        )
    return Spoken(by=RECORDED, sentences=sentences)


_REMEDY = "send the text that is said in it, or no text."


def _found(
    heard: Samples, said: Sequence[VoiceSays], what: str
) -> tuple[list[float], list[tuple[SpokenWord, ...]]]:
    """Return when each sentence begins in the recording, and its words there, with no ends yet."""
    if not said:
        return [0.0], [()]
    spoken = [mono(samples(BytesIO(one.sound), what)) for one in said]
    starts = [0.0, *accumulate(len(sound) / RATE for sound in spoken[:-1])]
    words = [(index, word) for index, one in enumerate(said) for word in one.words]
    times = [starts[index] + word.start for index, word in words]
    try:
        at = aligned(heard.mean(axis=0), np.concatenate(spoken), [*starts, *times])
    except ValueError as error:
        raise NarrationRefused(f"{what} is too short: {error}; {_REMEDY}") from error
    begins, at = at[: len(said)], at[len(said) :]
    found: list[list[SpokenWord]] = [[] for _ in said]
    for (index, word), start in zip(words, at, strict=True):
        if not found[index]:
            begins[index] = start  # its first word; a voice may pause before it
        found[index].append(word.model_copy(update={"start": start}))
    return begins, [tuple(one) for one in found]


def _within(words: Sequence[SpokenWord], begin: float, end: float) -> tuple[SpokenWord, ...]:
    """Return words of the recording as those of its part from `begin` to `end`."""
    edges = [*(min(max(word.start, begin), end) - begin for word in words), end - begin]
    return tuple(
        SpokenWord(text=word.text, start=start, end=stop)
        for word, (start, stop) in zip(words, pairwise(edges), strict=True)
    )


def _cut(heard: Samples, start: int, end: int) -> bytes:
    output = BytesIO()
    flac([heard[:, start:end]], output)
    return output.getvalue()
