"""Synthesize a scene's narration sentence by sentence, so that captions are exact."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from typing import Any, NamedTuple

from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.objects import Objects
from lambdas.adapters.shared_objects import SharedObjects, artifacts
from lambdas.adapters.speech import Speech, spoken_words
from lambdas.adapters.storyboards import Storyboards
from lambdas.adapters.videos import Videos
from lambdas.domain import keys
from lambdas.domain.errors import CaptionsRefused
from lambdas.domain.narration import Speaker, Spoken, SpokenWord, SpokenWords, speaker, spoken
from lambdas.domain.pronunciation import Said, Utterance, utterances
from lambdas.domain.storyboard import Recording
from lambdas.domain.video_request import FASTEST_SPEECH, CaptionLook, NarrationFit
from lambdas.media.sound import Placed, mix
from lambdas.media.sound_input import length
from lambdas.production.failed_tries import noted
from lambdas.production.film_fonts import film_fonts
from lambdas.production.recorded_narration import VoiceSays, recorded
from lambdas.production.scene_parts import PartMade, SceneTask, make_part
from lambdas.production.task_token import require_open, task
from lambdas.settings import NarrateSettings


@task
@noted
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = SceneTask.model_validate(event)
    settings = NarrateSettings.from_env()
    speech = Speech(client("polly"))
    videos, inputs, outputs = stores.videos(settings), stores.inputs(settings), stores.outputs(settings)
    made = narrate(request, settings, videos, inputs, outputs, speech)
    return made.model_dump()


def narrate(
    request: SceneTask,
    settings: NarrateSettings,
    videos: Videos,
    inputs: Objects,
    outputs: Objects,
    speech: Speech,
) -> PartMade:
    """Make a scene's narration and its preview. `inputs` has the captions' font and the recording, if the
    user sent one.

    Raises ArtifactMissing, CaptionsRefused, NarrationRefused, SoundUnreadable, VideoClosed, VideoNotFound.
    """
    video = require_open(videos, request.tenant, request.video_id)
    storyboard = Storyboards(outputs).get(video)
    scene = storyboard.scenes[request.scene]
    narration = scene.narration
    assert narration is not None  # noqa: S101 - scenes without narration are skipped
    look = video.request.caption_look
    if video.request.burn_captions or look.font or look.font_file:
        _check_letters(look, request.scene, narration.spoken, inputs)
    by = speaker(
        narration, video.request.voice, video.cast, voice=settings.voice, engine=settings.voice_engine
    )
    recording = narration.recording
    fitted = recording is None and video.request.narration_fit is NarrationFit.FASTER
    within = scene.seconds if fitted else None
    # Times that cost nothing are always made with the sound. So another caption style speaks nothing anew,
    # even by a PC's voice, which can't time a sound that it made before.
    free = settings.price_list.narration(by.engine, 1) == 0
    times = Times(needed=free or video.request.times_words or recording is not None, with_sound=free)
    said = utterances(narration.text if narration.has_words else "", by.language, storyboard.lexicon)
    content = by.narration_hash(
        narration.text,
        [one.said for one in said[0]],
        words=times.needed,
        within=within,
        recording=recording.sha256 if recording else None,
    )
    artifact = keys.narration(request.tenant, content)
    preview = keys.narration_preview(request.tenant, content)
    sounds = artifacts(outputs, request.tenant, request.video_id, videos)

    voice = _Voice(by, times, request, outputs, sounds, speech)

    def make() -> tuple[str, float | None]:
        if recording is None:
            document, billed = voice.spoken(*said)
        else:
            document, billed = voice.recorded(said[0], recording, inputs.get(recording.key(request.tenant)))
        if within is not None and not document.fits(within):
            faster = by.model_copy(update={"speed": min(FASTEST_SPEECH, by.speed * document.faster(within))})
            document, again = replace(voice, by=faster).spoken(*said)
            billed += again
        # Before the narration itself: once that exists, the part counts as made.
        outputs.put(preview, _preview(document, request.tenant, outputs), "audio/mp4")
        sounds.put(artifact, document.model_dump_json().encode(), "application/json", by=document.by)
        return document.by, settings.price_list.narration(by.engine, billed)

    reused = sounds.find(artifact) and _is_complete(artifact, request.tenant, outputs, sounds)
    return make_part(video, request, "narrations", artifact, videos, outputs, make, reused=reused)


class Times(NamedTuple):
    """Of words, whether they are `needed`, and whether they are made with each sound or only when needed."""

    needed: bool
    with_sound: bool


def _check_letters(look: CaptionLook, scene: int, said: str, inputs: Objects) -> None:
    if missing := film_fonts(look, "", inputs).lacks(said):
        raise CaptionsRefused(f"the narration of scene {scene} can't be drawn into the pictures: {missing}")


def _is_complete(artifact: str, tenant: str, outputs: Objects, sounds: SharedObjects) -> bool:
    """Return whether each sentence of a narration exists, too: films share narrations, and narrations share
    sentences."""
    document = Spoken.model_validate_json(outputs.get(artifact))
    return all(sounds.find(keys.speech(tenant, sentence.sound)) for sentence in document.sentences)


def _preview(said: Spoken, tenant: str, outputs: Objects) -> bytes:
    """Return the narration as one sound, with its pauses, at the loudness it has in the film."""
    voices = [
        Placed(BytesIO(outputs.get(keys.speech(tenant, sentence.sound))), Fraction(str(sentence.start)))
        for sentence in said.sentences
    ]
    last = said.sentences[-1]
    output = BytesIO()
    mix(Fraction(str(last.start)) + Fraction(str(last.seconds)), voices, None, output)
    return output.getvalue()


class _Said(NamedTuple):
    """A sentence as the voice says it. `name`: in its artifact's name; `words`: if they are needed; `billed`:
    characters."""

    name: str
    sound: bytes
    seconds: Fraction
    words: tuple[SpokenWord, ...]
    billed: int


@dataclass(frozen=True)
class _Voice:
    """The voice of a scene, with what it needs to speak and to store what it says."""

    by: Speaker
    times: Times
    request: SceneTask
    outputs: Objects
    sounds: SharedObjects
    speech: Speech

    def spoken(self, sentences: Sequence[Utterance], rest: float) -> tuple[Spoken, int]:
        """Return the narration and the number of billed characters."""
        made, billed = [], 0
        for said, _ in sentences:
            one = self._said(said)
            billed += one.billed
            made.append((said.text, one.name, one.seconds, one.words))
        return spoken(self.by.voice, made, [one.before for one in sentences], rest), billed

    def recorded(
        self, sentences: Sequence[Utterance], recording: Recording, sound: bytes
    ) -> tuple[Spoken, int]:
        """Return the narration that a recording is, and the number of billed characters: the voice says its
        words, so that they are found in it."""
        says, billed = [], 0
        for said, _ in sentences:
            one = self._said(said)
            billed += one.billed
            says.append(VoiceSays(said.text, one.sound, one.words))
        what = f"the recording of scene {self.request.scene}"
        return recorded(sound, recording.sha256, says, self.request.tenant, self.sounds, what), billed

    def _said(self, said: Said) -> _Said:
        """Synthesize a sentence and time its words, unless they exist."""
        name = self.by.sentence_hash(said, timed=self.times.with_sound)
        key = keys.speech(self.request.tenant, name)
        words_key = keys.speech_words(self.request.tenant, name)
        found = self.sounds.find(key)
        timed = found and self.times.needed and self.outputs.exists(words_key)
        asks = self.times.needed and not timed
        marks = self.speech.word_marks(said, self.by) if asks else None
        sound = self.outputs.get(key) if found else self.speech.speak(said, self.by)
        # Before storing: a retry would reuse a broken sound.
        seconds = length(BytesIO(sound), f"the narration of scene {self.request.scene}")
        words = SpokenWords(words=() if marks is None else spoken_words(marks, said, self.by, float(seconds)))
        if timed:
            words = SpokenWords.model_validate_json(self.outputs.get(words_key))

        def write() -> None:
            if asks:  # first: once the sound exists, its words do
                self.outputs.put(words_key, words.model_dump_json().encode(), "application/json")
            if not found:
                self.outputs.put(key, sound, "audio/mpeg")

        if not found:
            self.sounds.write(key, write)
        elif asks:
            write()
            self.sounds.require_video(words_key, made=True)
        billed = len(said.text) * ((marks is not None) + (not found))
        return _Said(name, sound, seconds, words.words, billed)
