"""Polly on this machine: SynthesizeSpeech and DescribeVoices in the service's wire format, spoken by Piper or
by servers with a speech API.

Source: botocore's model of polly, 2016-06-10. Every voice accepts the two cheapest engines. Not supported:
ogg_vorbis (the FFmpeg that PyAV ships can't encode it with one channel), mulaw, alaw, lexicons, and speech
marks other than sentences.
"""

import asyncio
import json
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lambdas.domain.spoken_text import without_emoji
from reelworks.cloud.backends.voice.interface import (
    Samples,
    Voice,
    VoiceBackend,
    VoiceFailed,
    Words,
)
from reelworks.cloud.backends.voice.piper import Piper, read_voice, voice_files
from reelworks.cloud.backends.voice.reading import read_aloud
from reelworks.cloud.backends.voice.speech_server import SpeechServer
from reelworks.cloud.errors import ServiceError
from reelworks.cloud.services import ssml
from reelworks.cloud.services.speech_encoding import encoded, resampled
from reelworks.cloud.services.ssml import BadMarkup, Pause, Sentence, Utterance
from reelworks.cloud.services.wire import parsed, service

ENGINES = ("standard", "neural")
MOST_CHARACTERS = 3000  # billed, without markup (docs.aws.amazon.com/polly/latest/dg/limits.html)
MOST_MARKED_UP = 6000
_MOST_TIMED = 256  # sentences: a few minutes of audio, 15 MB

_Spoken = tuple[Samples, int]  # and their sample rate

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
    for one in sentence.words:
        if isinstance(one, str):
            continue
        if not voice.phonemes:
            return f"The voice {voice.name} speaks no phonemes, such as /{one.ipa}/; give words instead."
        if missing := sorted(set(one.signs) - voice.phonemes):
            return f"The voice {voice.name} does not have the phonemes {' '.join(missing)} of /{one.ipa}/."
    return None


def _read_aloud(words: Words, voice: Voice) -> Words:
    return tuple(
        read_aloud(without_emoji(one), voice.language) if isinstance(one, str) else one for one in words
    )


class _SpeechRequest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_pascal)

    output_format: Literal["mp3", "ogg_opus", "pcm", "json"]
    text: Annotated[str, Field(min_length=1)]
    voice_id: str
    engine: str = "standard"
    language_code: str | None = None
    sample_rate: str | None = None
    text_type: Literal["text", "ssml"] = "text"
    speech_mark_types: tuple[Literal["sentence"], ...] = ()

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
        self._timed: OrderedDict[tuple[Voice, Sentence], _Spoken] = OrderedDict()
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
                raise ServiceError(400, "ValidationException", "SpeechMarkTypes must be sentence with json.")
            marks = await self._marks(voice, said)
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

    async def _spoken(self, voice: Voice, sentence: Sentence) -> _Spoken:
        backend: VoiceBackend = self._served[voice.name][1] if voice.name in self._served else self._piper
        try:
            return await backend.say(voice, sentence.rate, _read_aloud(sentence.words, voice))
        except VoiceFailed as error:
            raise _failed(error) from error

    async def _sound(self, voice: Voice, said: list[Utterance]) -> tuple[Samples, int]:
        """Return the samples of all utterances, and their sample rate."""
        spoken = {
            one: self._timed.pop((voice, one))
            if (voice, one) in self._timed
            else await self._spoken(voice, one)
            for one in said
            if isinstance(one, Sentence)
        }
        rate = next(iter(spoken.values()))[1]
        silences = (np.zeros(round(one.seconds * rate), np.int16) for one in said if isinstance(one, Pause))
        parts = [next(silences) if isinstance(one, Pause) else spoken[one][0] for one in said]
        return np.concatenate(parts), rate

    async def _marks(self, voice: Voice, said: list[Utterance]) -> bytes:
        """Return a line of JSON for each sentence; `time` in ms
        (docs.aws.amazon.com/polly/latest/dg/output.html).

        The next request for the sound of the same text gets what was timed here, because Piper never speaks a
        sentence twice in the same way. Nothing else is kept: films don't request times, so no tenant can tell
        from the time of an answer what another tenant's film says.
        """
        lines, time = [], 0.0
        for one in said:
            if isinstance(one, Pause):
                time += one.seconds
                continue
            mark = {"time": round(time * 1000), "type": "sentence", "start": one.start, "end": one.end}
            lines.append(json.dumps(mark | {"value": one.text}, ensure_ascii=False) + "\n")
            samples, rate = self._timed[voice, one] = await self._spoken(voice, one)
            time += len(samples) / rate
        while len(self._timed) > _MOST_TIMED:
            self._timed.popitem(last=False)
        return "".join(lines).encode()


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
