"""A scene's narration: the voice, its length, and where each sentence starts."""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import Any

from lambdas.domain.characters import Role, voice_of
from lambdas.domain.documents import Document, fingerprint
from lambdas.domain.pronunciation import Said
from lambdas.domain.storyboard import LEAD, PAUSE, TAIL, Narration
from lambdas.domain.video_request import Voice

_MAKING = 1  # increment when the same words are spoken in another way
_PLACING = 1  # increment when a recording's words are found in another way
_KEEPING = 3  # increment when the stored form of a narration changes


FASTEST_FIT = 1.15  # times its speed that a voice speaks to fit into its scene
_ROUNDING = Fraction(1, 50)  # seconds by which a narration may be longer than its scene


class Speaker(Document):
    """The voice of one scene and every setting that affects its sound."""

    voice: str
    engine: str
    language: str | None  # BCP 47, for a voice that has several
    speed: float  # 1 is the voice's own, 2 is twice as fast
    sample_rate: int

    def sentence_hash(self, said: Said, *, timed: bool = False) -> str:
        """`timed`: the times of its words are made with its sound."""
        making = {"sentence": _MAKING, **({"timed": True} if timed else {})}
        pronounced = {"said": said.address} if said.address else {}
        return fingerprint({**making, "text": said.text, **pronounced, **self.model_dump()})

    def narration_hash(
        self,
        text: str,
        said: Sequence[Said] = (),
        *,
        words: bool = False,
        within: float | None = None,
        recording: str | None = None,
    ) -> str:
        """`said`: its sentences. `words`: with the time of each word. `within`: seconds of the scene that it
        is spoken faster to fit into, if it must be. `recording`: SHA-256 of the user's own, in which the
        words are found."""
        stored = {"narration": [_MAKING, _KEEPING], **({"words": True} if words else {})}
        fitted = {} if within is None else {"within": within}
        recorded = {} if recording is None else {"recording": [_PLACING, recording]}
        addresses = [one.address for one in said if one.address]
        pronounced = {"said": addresses} if addresses else {}
        return fingerprint({**stored, "text": text, **pronounced, **fitted, **recorded, **self.model_dump()})


class OfferedVoice(Document):
    """A voice that can narrate. `language` is its own; a bilingual voice has `other_languages`, too."""

    name: str
    language: str  # BCP 47, such as en-US
    language_name: str
    other_languages: list[str]
    gender: str | None  # as the speech service says it
    engines: list[str]

    def speaks(self, language: str) -> bool:
        """Return whether it speaks a language: a code such as `de`, or with its region, `de-AT`."""
        codes = [code.lower() for code in (self.language, *self.other_languages)]
        return any(code == language.lower() or code.startswith(f"{language.lower()}-") for code in codes)


class SpokenWord(Document):
    """A word as a voice speaks it, in seconds from the start of its sentence's sound."""

    text: str  # as the sentence has it
    start: float
    end: float  # where the next word starts, or the sound ends


class SpokenWords(Document):
    """The words of a sentence; none if the voice doesn't say when it speaks them."""

    words: tuple[SpokenWord, ...]


class Sentence(Document):
    text: str  # empty: nobody knows what is said
    sound: str  # in its artifact's name: see keys.speech
    start: float  # seconds from the start of the narration
    seconds: float
    words: tuple[SpokenWord, ...] = ()  # none if nobody asked, or the voice doesn't say

    @property
    def address(self) -> dict[str, Any]:
        """Return what determines how it sounds and is captioned. Without word times, it keeps the address it
        had before there were any."""
        return self.model_dump(exclude=set() if self.words else {"words"})


class Spoken(Document):
    """A scene's narration, sentence by sentence."""

    by: str  # the voice
    sentences: list[Sentence]
    rest: float = 0.0  # seconds of silence after the last sentence that the text asks for

    @property
    def seconds(self) -> float:
        """The minimum length of the scene."""
        last = self.sentences[-1]
        return LEAD + last.start + last.seconds + self.rest + TAIL

    def fits(self, seconds: float) -> bool:
        """Return whether it can be spoken in a scene of that length."""
        return self.seconds <= seconds + _ROUNDING

    def faster(self, seconds: float) -> float:
        """Return how many times faster it must be spoken to fit, at most FASTEST_FIT."""
        speech = sum(sentence.seconds for sentence in self.sentences)
        left = seconds - (self.seconds - speech)
        needed = speech / left if left > 0 else FASTEST_FIT
        return min(FASTEST_FIT, ceil(100 * needed) / 100)


def speaker(
    narration: Narration, film: Voice, cast: Sequence[Role] = (), *, voice: str, engine: str
) -> Speaker:
    """Return the speaker of a scene: its own settings and those of the character that speaks override the
    film's, which override the deployment's `voice` and its `engine`."""
    name = voice_of(narration, cast) or film.name or voice
    return Speaker(
        voice=name,
        engine=film.engine or usual_engine(name, voice=voice, engine=engine),
        language=narration.language or film.language,
        speed=narration.speed or film.speed,
        sample_rate=film.sample_rate,
    )


def usual_engine(name: str, *, voice: str, engine: str) -> str:
    """Return the engine of a voice that is asked for without one: the deployment's `engine` applies to its
    `voice` only."""
    return engine if name == voice else "neural"


def spoken(
    by: str,
    sentences: Sequence[tuple[str, str, Fraction, tuple[SpokenWord, ...]]],
    pauses: Sequence[float] = (),
    rest: float = 0.0,
) -> Spoken:
    """Return the narration made of `sentences`: (text, hash, seconds, words) in order. `pauses`: the seconds
    of silence before each, besides the usual; `rest`: those after the last."""
    placed: list[Sentence] = []
    start = 0.0
    for (text, sound, seconds, words), pause in zip(sentences, pauses or [0.0] * len(sentences), strict=True):
        start += pause
        placed.append(Sentence(text=text, sound=sound, start=start, seconds=float(seconds), words=words))
        start += float(seconds) + PAUSE
    return Spoken(by=by, sentences=placed, rest=rest)
