"""Speech from Polly, sentence by sentence, so that the sound itself shows where each sentence starts."""

from typing import Any
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, error_message, translated
from lambdas.domain.errors import NarrationRefused
from lambdas.domain.narration import Speaker

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

    def speak(self, text: str, by: Speaker) -> bytes:
        """Return the speech as an MP3 with one channel. MP3, because Polly supports it at every sample rate
        and every player plays it.

        Raises NarrationRefused if Polly can't speak the text, ServiceUnavailable if the failure is temporary.
        """
        request = {"Text": text, "TextType": "text"}
        if by.speed != 1.0:
            if not SLOWEST <= by.speed <= FASTEST:
                raise NarrationRefused(f"speed must be from {SLOWEST:g} to {FASTEST:g}; got {by.speed:g}")
            spoken = f'<speak><prosody rate="{by.speed:.0%}">{escape(text)}</prosody></speak>'
            request = {"Text": spoken, "TextType": "ssml"}
        if by.language:
            request["LanguageCode"] = by.language
        with translated(f"speak with {by.voice}"):
            try:
                answer = self._polly.synthesize_speech(
                    **request,
                    VoiceId=by.voice,
                    Engine=by.engine,
                    OutputFormat="mp3",
                    SampleRate=str(by.sample_rate),
                )
            except ClientError as error:
                if error_code(error) in _REFUSALS:
                    raise NarrationRefused(
                        f"voice {by.voice} can't speak it: {error_message(error)}"
                    ) from error
                raise
            sound = bytes(answer["AudioStream"].read(MAX_BYTES + 1))
        if not 0 < len(sound) <= MAX_BYTES:
            raise NarrationRefused(
                f"voice {by.voice} returned {len(sound):,} bytes of sound for {len(text)} characters"
            )
        return sound
