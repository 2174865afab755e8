"""Voices of a server with OpenAI's speech API: Kokoro-FastAPI, Chatterbox, OpenAI's own and others.

Source: platform.openai.com/docs/api-reference/audio/createSpeech. Servers stream WAV with a header that
doesn't know its length, which the film's own reader accepts.
"""

import asyncio
import io
import json
from collections.abc import Mapping

import httpx
import numpy as np

from lambdas.domain.control_characters import visible
from lambdas.domain.errors import SoundUnreadable
from lambdas.domain.failures import shortened
from lambdas.media.sound_input import RATE, samples
from reelworks.cloud.backends.server_errors import complaint
from reelworks.cloud.backends.voice.interface import Samples, Spoken, Voice, VoiceFailed, Words

SLOWEST, FASTEST = 0.25, 4.0  # the API's limits of `speed`
_CONNECT_SECONDS = 10.0
_LONGEST_REASON = 600  # characters
_MOST_BYTES = 100 * 1024 * 1024
_BUSY = (408, 425, 429, 500, 502, 503, 504)  # statuses that may pass


class SpeechServer:
    """A client of POST /v1/audio/speech. `voices`: the server's names of voices by ours, all of one language;
    `seconds`: how long a sentence may take, with loading the model."""

    def __init__(
        self,
        url: str,
        model: str,
        voices: Mapping[str, str],
        language: str,
        *,
        api_key: str | None = None,
        seconds: float,
    ) -> None:
        self._url = f"{url.removesuffix('/v1')}/v1/audio/speech"
        self._model = model
        self._voices = voices
        self._language = language
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._seconds = seconds
        self._http: httpx.AsyncClient | None = None

    @property
    def voices(self) -> list[Voice]:
        return [
            Voice(name=name, source=source, language=self._language, language_name=self._language)
            for name, source in self._voices.items()
        ]

    async def say(self, voice: Voice, rate: float, words: Words) -> Spoken:
        """Speak one line of text at `rate` (1 is the voice's own).

        Raises VoiceFailed if the server can't be reached, refuses the request, or sends no usable sound.
        """
        request = {
            "model": self._model,
            "input": "".join(map(str, words)),
            "voice": voice.source,
            "response_format": "wav",
            "speed": min(FASTEST, max(SLOWEST, rate)),
        }
        sound = await self._posted(request, voice)
        return Spoken(await asyncio.to_thread(_decoded, sound, voice), RATE)

    async def listed(self) -> list[str]:
        """Return the names of voices that the server lists, where it has a list, as Kokoro-FastAPI has."""
        try:
            answer = await self._client().get(
                f"{self._url.removesuffix('speech')}voices", headers=self._headers, timeout=_CONNECT_SECONDS
            )
            found = answer.json()["voices"] if answer.is_success else []
            return [visible(str(one.get("id") if isinstance(one, dict) else one)) for one in found]
        except (httpx.HTTPError, ValueError, LookupError, TypeError):
            return []

    async def stop(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _posted(self, request: Mapping[str, object], voice: Voice) -> bytes:
        try:
            # In total: a server may send something now and then without ever finishing.
            async with (
                asyncio.timeout(self._seconds),
                self._client().stream("POST", self._url, json=request, headers=self._headers) as response,
            ):
                body = await self._body(response)
        except TimeoutError as error:
            how = f"did not answer within {self._seconds:g} s; choose a faster model"
            raise self._failed(voice, how) from error
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL) as error:
            how = "can't be reached; start the server, or change [speech] in reelworks.toml"
            raise self._failed(voice, how) from error
        except httpx.HTTPError as error:  # it broke off while answering: it may have been restarted
            how = f"broke off its answer: {error or type(error).__name__}"
            raise self._failed(voice, how, passing=True) from error
        if not response.is_success:
            said = shortened(visible(_complaint(body)), _LONGEST_REASON) or "nothing"
            passing = response.status_code in _BUSY
            raise self._failed(voice, f"returned {response.status_code}: {said}", passing=passing)
        return body

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS))
        return self._http

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise httpx.DecodingError("it is longer than 100 MB")
        return bytes(body)

    def _failed(self, voice: Voice, how: str, *, passing: bool = False) -> VoiceFailed:
        return VoiceFailed(f"The voice {voice.name} failed: {self._url} {how}", passing=passing)


def _complaint(body: bytes) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    return complaint(document, body.decode(errors="replace"))[0]


def _decoded(body: bytes, voice: Voice) -> Samples:
    """Return the sound in one channel. Raises VoiceFailed."""
    try:
        sound = np.concatenate([block.mean(axis=0) for block in samples(io.BytesIO(body), "its sound")])
    except SoundUnreadable as error:
        message = f"The voice {voice.name} failed: the server sent no usable sound. {error.message}"
        raise VoiceFailed(message) from error
    spoken: Samples = np.round(np.clip(sound, -1, 1) * np.iinfo(np.int16).max).astype(np.int16)
    return spoken
