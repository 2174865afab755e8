"""Speech from Polly, sentence by sentence, so that the sound itself shows where each sentence starts."""

from typing import Any
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, error_message, translated
from lambdas.domain.errors import NarrationRefused

# Polly's limits for the prosody rate (docs.aws.amazon.com/polly/latest/dg/prosody-tag.html)
SLOWEST, FASTEST = 0.2, 2.0
MAX_BYTES = 16 * 1024 * 1024  # the longest text that Polly speaks takes a few minutes

# Polly's errors for an invalid request; repeating the request would fail again.
_REFUSALS = frozenset(
    {
        "EngineNotSupportedException",
        "InvalidSampleRateException",
        "InvalidSsmlException",
        "LanguageNotSupportedException",
        "TextLengthExceededException",
        "ValidationException",  # for example: unknown voice
    }
)


class Speech:
    def __init__(self, polly: Any) -> None:
        self._polly = polly

    def speak(
        self,
        text: str,
        *,
        voice: str,
        engine: str,
        language: str | None = None,
        speed: float = 1.0,
        sample_rate: int = 24000,
    ) -> bytes:
        """Return the speech as an MP3 with one channel. `language` (BCP 47) is for voices that have several;
        `speed` 1 is the voice's own, 2 is twice as fast. MP3, because Polly supports it at every sample rate
        and every player plays it.

        Raises NarrationRefused if Polly can't speak the text, ServiceUnavailable if the failure is temporary.
        """
        request = {"Text": text, "TextType": "text"}
        if speed != 1.0:
            if not SLOWEST <= speed <= FASTEST:
                raise NarrationRefused(f"speed must be from {SLOWEST:g} to {FASTEST:g}; got {speed:g}")
            spoken = f'<speak><prosody rate="{speed:.0%}">{escape(text)}</prosody></speak>'
            request = {"Text": spoken, "TextType": "ssml"}
        if language:
            request["LanguageCode"] = language
        with translated(f"speak with {voice}"):
            try:
                answer = self._polly.synthesize_speech(
                    **request,
                    VoiceId=voice,
                    Engine=engine,
                    OutputFormat="mp3",
                    SampleRate=str(sample_rate),
                )
            except ClientError as error:
                if error_code(error) in _REFUSALS:
                    raise NarrationRefused(f"voice {voice} can't speak it: {error_message(error)}") from error
                raise
            sound = bytes(answer["AudioStream"].read(MAX_BYTES + 1))
        if not 0 < len(sound) <= MAX_BYTES:
            raise NarrationRefused(
                f"voice {voice} returned {len(sound):,} bytes of sound for {len(text)} characters"
            )
        return sound
