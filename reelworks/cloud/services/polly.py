"""Polly on this machine: SynthesizeSpeech and DescribeVoices in the service's wire format, spoken by Piper or
by servers with a speech API.

Source: botocore's model of polly, 2016-06-10. Every voice accepts the two cheapest engines. Not supported:
ogg_vorbis (the FFmpeg that PyAV ships can't encode it with one channel), mulaw, alaw, lexicons, and speech
marks other than sentences and, by Piper's voices, words.
"""

import asyncio
import json
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from reelworks.cloud.backends.voice.interface import Samples, Spoken, Voice, VoiceBackend, VoiceFailed
from reelworks.cloud.backends.voice.piper import Piper, read_voice, voice_files
from reelworks.cloud.backends.voice.speech_server import SpeechServer
from reelworks.cloud.errors import ServiceError
from reelworks.cloud.services import ssml, word_marks
from reelworks.cloud.services.speech_encoding import encoded, resampled
from reelworks.cloud.services.ssml import BadMarkup, Pause, Sentence, Utterance
from reelworks.cloud.services.wire import parsed, service

ENGINES = ("standard", "neural")
MOST_CHARACTERS = 3000  # billed, without markup (docs.aws.amazon.com/polly/latest/dg/limits.html)
MOST_MARKED_UP = 6000
_MOST_TIMED = 256  # sentences: a few minutes of audio, 15 MB

_RATES = {
    "mp3": ("8000", "16000", "22050", "24000", "44100", "48000"),
    "ogg_opus": ("48000",),
    "pcm": ("8000", "16000"),
}
_CONTENT_TYPES = {"mp3": "audio/mpeg", "ogg_opus": "audio/ogg", "pcm": "audio/pcm"}
_CODECS = {"mp3": ("mp3", "libmp3lame"), "ogg_opus": ("ogg", "libopus")}
# Languages of Piper's voices that aren't written in Latin letters.
_OTHER_LETTERS = "ar bg cmn el fa he hi hy ja ka kk ko ml ne ru sr te th uk ur yue zh"


def _can_read(language: str, text: str) -> bool:
    """Return whether a voice can read the text. Piper names foreign letters one by one ("Chinese letter")."""
    if language.partition("-")[0] in _OTHER_LETTERS.split():
        return True
    letters = [char for char in text if char.isalpha()]
    return not letters or any(unicodedata.name(char, "").startswith("LATIN") for char in letters)


def _unpronounced(voice: Voice, sentence: Sentence) -> str | None:
    """Return why the voice can't speak the sentence's phonemes; None if it can."""
    for _, _, one in sentence.parts:
        if isinstance(one, str):
            continue
        if not voice.phonemes:
            return f"The voice {voice.name} speaks no phonemes, such as /{one.ipa}/; give words instead."
        if missing := sorted(set(one.signs) - voice.phonemes):
            return f"The voice {voice.name} does not have the phonemes {' '.join(missing)} of /{one.ipa}/."
    return None


@dataclass
class _Timed:
    """A sentence whose times were told. `clients`: how many have yet to ask for its sound."""

    spoken: Spoken
    clients: int = 0


class _SpeechRequest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_pascal)

    output_format: Literal["mp3", "ogg_opus", "pcm", "json"]
    text: Annotated[str, Field(min_length=1)]
    voice_id: str
    engine: str = "standard"
    language_code: str | None = None
    sample_rate: str | None = None
    text_type: Literal["text", "ssml"] = "text"
    speech_mark_types: tuple[Literal["sentence", "word"], ...] = ()

    def utterances(self) -> list[Utterance]:
        """Return the sentences and pauses to speak. Raises ServiceError if the text is invalid."""
        try:
            read = ssml.read_ssml if self.text_type == "ssml" else ssml.read_plain
            said = read(self.text)
        except BadMarkup as error:
            raise ServiceError(400, "InvalidSsmlException", str(error)) from error
        billed = ssml.characters(said) if self.text_type == "ssml" else len(self.text)
        if billed > MOST_CHARACTERS or len(self.text) > MOST_MARKED_UP:
            message = f"Text must have at most {MOST_CHARACTERS} characters to speak; got {billed}."
            raise ServiceError(400, "TextLengthExceededException", message)
        if not any(isinstance(one, Sentence) for one in said):
            raise ServiceError(400, "ValidationException", "Text contains nothing that can be spoken.")
        return said

    def rate(self) -> int:
        """Return the sample rate. Raises ServiceError if the format does not support the requested one."""
        allowed = _RATES[self.output_format]
        unless_said = {"mp3": "22050" if self.engine == "standard" else "24000"}
        rate = self.sample_rate or unless_said.get(self.output_format, allowed[-1])
        if rate not in allowed:
            message = f"SampleRate of {self.output_format} must be one of {', '.join(allowed)}; got {rate!r}."
            raise ServiceError(400, "InvalidSampleRateException", message)
        return int(rate)


class Polly:
    """An ASGI app for requests signed for `polly`. `voices`: the user's voice files by name; `servers`: what
    has further voices."""

    def __init__(self, voices: Mapping[str, Path], servers: Sequence[SpeechServer] = ()) -> None:
        self._files = voice_files(voices)
        self._piper = Piper()
        self._servers = servers
        self._served = {voice.name: (voice, server) for server in servers for voice in server.voices}
        self._timed: OrderedDict[tuple[Voice, Sentence], _Timed] = OrderedDict()
        self._app = service(
            [
                Route("/v1/speech", self._synthesize_speech, methods=["POST"]),
                Route("/v1/voices", self._describe_voices, methods=["GET"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def stop(self) -> None:
        backends: list[VoiceBackend] = [self._piper, *self._servers]
        for backend in backends:
            await backend.stop()

    async def _describe_voices(self, request: Request) -> JSONResponse:
        voices = [self._voice(name) for name in self._names]
        language, engine = request.query_params.get("LanguageCode"), request.query_params.get("Engine")
        return JSONResponse(
            {
                "Voices": [
                    {
                        "Id": voice.name,
                        "Name": voice.name,
                        "LanguageCode": voice.language,
                        "LanguageName": voice.language_name,
                        "SupportedEngines": ENGINES,
                    }
                    for voice in voices
                    if language in (None, voice.language) and engine in (None, *ENGINES)
                ]
            }
        )

    async def _synthesize_speech(self, http: Request) -> Response:
        request = parsed(_SpeechRequest, await http.body())
        voice = self._voice(request.voice_id)
        if request.engine not in ENGINES:
            message = f"Engine for {voice.name} must be one of {', '.join(ENGINES)}; got {request.engine}."
            raise ServiceError(400, "EngineNotSupportedException", message)
        if request.language_code not in (None, voice.language):
            message = f"LanguageCode for {voice.name} must be {voice.language}; got {request.language_code}."
            raise ServiceError(400, "LanguageNotSupportedException", message)
        said = request.utterances()
        for one in said:
            if isinstance(one, Sentence) and not _can_read(voice.language, one.text):
                message = f"The voice {voice.name} speaks {voice.language}, which “{one.text[:40]}” is not."
                raise ServiceError(400, "LanguageNotSupportedException", message)
            if isinstance(one, Sentence) and (refused := _unpronounced(voice, one)):
                raise ServiceError(400, "InvalidSsmlException", refused)
        headers = {"x-amzn-RequestCharacters": str(ssml.characters(said))}
        if request.output_format == "json":
            if not request.speech_mark_types:
                message = "SpeechMarkTypes must be sentence or word, or both, with json."
                raise ServiceError(400, "ValidationException", message)
            marks = await self._marks(voice, said, request.speech_mark_types)
            return Response(marks, headers=headers, media_type="application/x-json-stream")
        if request.speech_mark_types:
            message = "SpeechMarkTypes requires OutputFormat json."
            raise ServiceError(400, "MarksNotSupportedForFormatException", message)
        rate = request.rate()
        samples, spoken_at = await self._sound(voice, said)
        body = await asyncio.to_thread(_delivered, samples, spoken_at, request.output_format, rate)
        return Response(body, headers=headers, media_type=_CONTENT_TYPES[request.output_format])

    @property
    def _names(self) -> list[str]:
        return list(dict.fromkeys([*self._files, *self._served]))

    def _voice(self, name: str) -> Voice:
        if name not in self._names:
            known = ", ".join(sorted(self._names)) or "none"
            message = f"VoiceId {name!r} is unknown on this machine; available: {known}."
            raise ServiceError(400, "ValidationException", message)
        if name in self._served:
            return self._served[name][0]
        try:
            return read_voice(name, self._files[name])
        except VoiceFailed as error:
            raise _failed(error) from error

    async def _spoken(self, voice: Voice, sentence: Sentence) -> Spoken:
        backend: VoiceBackend = self._served[voice.name][1] if voice.name in self._served else self._piper
        try:
            return await backend.say(voice, sentence.rate, word_marks.to_speak(sentence, voice.language))
        except VoiceFailed as error:
            raise _failed(error) from error

    async def _sound(self, voice: Voice, said: list[Utterance]) -> tuple[Samples, int]:
        """Return the samples of all utterances, and their sample rate."""
        spoken = {
            one: self._taken(voice, one) or await self._spoken(voice, one)
            for one in said
            if isinstance(one, Sentence)
        }
        rate = next(iter(spoken.values())).rate
        silences = (np.zeros(round(one.seconds * rate), np.int16) for one in said if isinstance(one, Pause))
        parts = [next(silences) if isinstance(one, Pause) else spoken[one].samples for one in said]
        return np.concatenate(parts), rate

    def _taken(self, voice: Voice, sentence: Sentence) -> Spoken | None:
        """Take the sound of a sentence that a client was told the times of."""
        if (timed := self._timed.get((voice, sentence))) is None:
            return None
        timed.clients -= 1
        if timed.clients == 0:
            del self._timed[voice, sentence]
        return timed.spoken

    async def _marks(self, voice: Voice, said: list[Utterance], types: Sequence[str]) -> bytes:
        """Return a line of JSON for each sentence and each word, whichever `types` has; `time` in ms
        (docs.aws.amazon.com/polly/latest/dg/output.html).

        The next request for the sound of the same text gets what was timed here, because Piper never speaks a
        sentence twice in the same way. Nothing else is kept, so that no tenant can tell from the time of an
        answer what another tenant's film says.
        """
        lines, time = [], 0.0
        for one in said:
            if isinstance(one, Pause):
                time += one.seconds
                continue
            if "word" in types and voice.name in self._served:
                raise _without_words(voice)
            if (timed := self._timed.get((voice, one))) is None:
                # Another client may have asked for the same meanwhile: both get the same.
                spoken = await self._spoken(voice, one)
                timed = self._timed.setdefault((voice, one), _Timed(spoken))
            timed.clients += 1
            if "sentence" in types:
                lines.append(_mark("sentence", time, one.text, one.start, one.end))
            if "word" in types:
                if timed.spoken.starts is None:
                    raise _without_words(voice)
                lines += _word_marks(one, voice, timed.spoken, time)
            time += len(timed.spoken.samples) / timed.spoken.rate
        while len(self._timed) > _MOST_TIMED:
            self._timed.popitem(last=False)
        return "".join(lines).encode()


def _word_marks(sentence: Sentence, voice: Voice, spoken: Spoken, time: float) -> list[str]:
    marks = []
    for first, until, starts in word_marks.words(sentence, voice.language, spoken):
        value = sentence.text[first:until]
        end = sentence.places[until - 1] + len(sentence.text[until - 1].encode())
        marks.append(_mark("word", time + starts, value, sentence.places[first], end))
    return marks


def _mark(type_: str, seconds: float, value: str, start: int, end: int) -> str:
    mark = {"time": round(seconds * 1000), "type": type_, "start": start, "end": end, "value": value}
    return json.dumps(mark, ensure_ascii=False) + "\n"


def _without_words(voice: Voice) -> ServiceError:
    """Return Polly's error for a voice that doesn't tell the times of words."""
    message = f"SpeechMarkTypes of {voice.name} must be sentence: it doesn't tell the times of words."
    return ServiceError(400, "ValidationException", message)


def _failed(error: VoiceFailed) -> ServiceError:
    """Return Polly's error for a voice that fails: only one that may pass is tried again."""
    if error.passing:
        return ServiceError(500, "ServiceFailureException", str(error))
    return ServiceError(400, "ValidationException", f"{error}. Repair or replace the voice (reel doctor)")


def _delivered(samples: Samples, rate: int, output_format: str, wanted: int) -> bytes:
    samples = resampled(samples, rate, wanted)
    if output_format == "pcm":
        return samples.astype("<i2").tobytes()
    container, codec = _CODECS[output_format]
    return encoded(samples, wanted, container, codec)
