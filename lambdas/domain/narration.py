"""What is said in a scene: who says it, how long it takes, and where each sentence begins."""

from fractions import Fraction

from lambdas.domain.documents import Document, fingerprint
from lambdas.domain.storyboard import LEAD, PAUSE, TAIL, Narration
from lambdas.domain.video_request import Voice

_MAKING = 1  # grows when the same words are spoken in another way
_KEEPING = 2  # grows when something else is kept of what was spoken


class Speaker(Document):
    """The voice of one scene, with everything that determines its sound."""

    voice: str
    engine: str
    language: str | None
    speed: float
    sample_rate: int

    def sentence_hash(self, sentence: str) -> str:
        return fingerprint({"sentence": _MAKING, "text": sentence, **self.model_dump()})

    def narration_hash(self, text: str) -> str:
        return fingerprint({"narration": [_MAKING, _KEEPING], "text": text, **self.model_dump()})


class Sentence(Document):
    text: str
    sound: str  # SHA-256 that its artifact is named by
    start: float  # seconds from the narration's start
    seconds: float


class Spoken(Document):
    """A scene's narration, sentence by sentence."""

    by: str  # the voice
    sentences: list[Sentence]

    @property
    def seconds(self) -> float:
        """How long the scene must at least be."""
        last = self.sentences[-1]
        return LEAD + last.start + last.seconds + TAIL


def speaker(narration: Narration, film: Voice, *, voice: str, engine: str) -> Speaker:
    """A scene's own settings stand before the film's, and those before the deployment's `voice`, whose
    `engine` is for no other voice."""
    name = narration.voice or film.name or voice
    return Speaker(
        voice=name,
        engine=film.engine or (engine if name == voice else "neural"),
        language=narration.language or film.language,
        speed=narration.speed or film.speed,
        sample_rate=film.sample_rate,
    )


def spoken(by: str, sentences: list[tuple[str, str, Fraction]]) -> Spoken:
    """Of (text, hash, seconds) in their order."""
    placed: list[Sentence] = []
    start = 0.0
    for text, sound, seconds in sentences:
        placed.append(Sentence(text=text, sound=sound, start=start, seconds=float(seconds)))
        start += float(seconds) + PAUSE
    return Spoken(by=by, sentences=placed)
