"""Speech from Polly, sentence by sentence, so that the sound itself shows where each sentence starts."""

import json
from typing import Any
from xml.sax.saxutils import escape, quoteattr, unescape

from botocore.exceptions import ClientError

from lambdas.adapters.clients import error_code, error_message, translated
from lambdas.domain.errors import NarrationRefused
from lambdas.domain.narration import Speaker, SpokenWord
from lambdas.domain.pronunciation import Part, Said
from lambdas.telemetry import logger

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
# Its errors for a voice that has no times of words, where it speaks the same text.
_NO_MARKS = frozenset(
    {"EngineNotSupportedException", "MarksNotSupportedForFormatException", "ValidationException"}
)


class Speech:
    def __init__(self, polly: Any) -> None:
        self._polly = polly

    def speak(self, said: Said, by: Speaker) -> bytes:
        """Return the speech as an MP3 with one channel. MP3, because Polly supports it at every sample rate
        and every player plays it.

        Raises NarrationRefused if Polly can't speak the text, ServiceUnavailable if the failure is temporary.
        """
        asked = {"OutputFormat": "mp3", "SampleRate": str(by.sample_rate)}
        with translated(f"speak with {by.voice}"):
            try:
                answer = self._polly.synthesize_speech(**_request(said, by), **asked)
            except ClientError as error:
                if error_code(error) in _REFUSALS:
                    raise NarrationRefused(
                        f"voice {by.voice} can't speak it: {error_message(error)}"
                    ) from error
                raise
            sound = bytes(answer["AudioStream"].read(MAX_BYTES + 1))
        if not 0 < len(sound) <= MAX_BYTES:
            raise NarrationRefused(
                f"voice {by.voice} returned {len(sound):,} bytes of sound for {len(said.text)} characters"
            )
        return sound

    def word_marks(self, said: Said, by: Speaker) -> bytes | None:
        """Return Polly's word marks of a sentence: lines of JSON; None if the voice has none. Polly bills the
        text. Ask before `speak`: a PC's voice never speaks a sentence twice in the same way, and the sound
        that is asked for next is the one that it timed.

        Raises ServiceUnavailable if the failure is temporary.
        """
        request = _request(said, by)
        with translated(f"time the words of {by.voice}"):
            try:
                answer = self._polly.synthesize_speech(
                    **request, OutputFormat="json", SpeechMarkTypes=["word"]
                )
            except ClientError as error:
                if error_code(error) in _NO_MARKS:
                    return None
                raise
            return bytes(answer["AudioStream"].read(MAX_BYTES))


def spoken_words(marks: bytes, said: Said, by: Speaker, seconds: float) -> tuple[SpokenWord, ...]:
    """Return when each word of a sentence is spoken in its sound, which is `seconds` long; none if the marks
    don't fit the text or the sound.

    Polly says where a word starts; it lasts until the next one, or the sound's end.
    """
    try:
        return _spoken_words(marks, _request(said, by)["Text"].encode(), said, seconds)
    except (ValueError, LookupError, TypeError) as error:
        logger.warning("word times ignored", extra={"voice": by.voice, "reason": str(error)})
        return ()


def _request(said: Said, by: Speaker) -> dict[str, str]:
    """Return the part of the request that sound and times of a sentence share."""
    request = {"Text": said.text, "TextType": "text", "VoiceId": by.voice, "Engine": by.engine}
    if not SLOWEST <= by.speed <= FASTEST:
        raise NarrationRefused(f"speed must be from {SLOWEST:g} to {FASTEST:g}; got {by.speed:g}")
    if by.speed != 1.0 or not said.is_plain:
        spoken = "".join(map(_marked_up, said.parts))
        if by.speed != 1.0:
            spoken = f'<prosody rate="{by.speed:.0%}">{spoken}</prosody>'
        request |= {"Text": f"<speak>{spoken}</speak>", "TextType": "ssml"}
    if by.language:
        request["LanguageCode"] = by.language
    return request


def _marked_up(part: Part) -> str:
    if part.pause is not None:
        return f'<break time="{part.pause * 1000:.0f}ms"/>'
    text = escape(part.text)
    if part.ipa is not None:
        return f'<phoneme alphabet="ipa" ph={quoteattr(part.ipa)}>{text}</phoneme>'
    return text if part.alias is None else f"<sub alias={quoteattr(part.alias)}>{text}</sub>"


def _replaced(said: Said, sent: bytes) -> list[tuple[int, int, str]]:
    """Return the parts of which something else is said: where each begins and ends in the text sent, in
    bytes, and the text as it is written."""
    found, at = [], 0
    for part in said.parts:
        if part.text and not part.is_plain:
            marked_up = _marked_up(part).encode()
            at = sent.index(marked_up, at)
            found.append((at, at + len(marked_up), part.text))
    return found


def _spoken_words(marks: bytes, sent: bytes, said: Said, seconds: float) -> tuple[SpokenWord, ...]:
    """Read Polly's word marks: lines of JSON with `time` in ms, `start` and `end` in bytes of the text sent
    (docs.aws.amazon.com/polly/latest/dg/output.html). The words that are said for another one are that one.

    Raises ValueError, LookupError, TypeError.
    """
    found: list[tuple[str, float]] = []
    replaced = _replaced(said, sent)
    latest = None  # the last mark's part of which something else is said
    for line in marks.splitlines():
        mark = json.loads(line)
        start = mark["time"] / 1000
        within = next((one for one in replaced if one[0] <= mark["start"] < one[1]), None)
        written = within[2] if within else sent[mark["start"] : mark["end"]].decode()
        if not written.strip():
            raise ValueError(f"a word at {mark['start']} to {mark['end']} of {len(sent)} bytes")
        if not (found[-1][1] if found else 0) <= start < seconds:
            raise ValueError(f"“{written[:40]}” at {start:g} s of a sound of {seconds:.2f} s")
        if within is None or within != latest:
            is_text = within or sent == said.text.encode()
            found.append((written if is_text else unescape(written), start))
        latest = within
    ends = [start for _, start in found[1:]] + [seconds]
    return tuple(
        SpokenWord(text=text, start=start, end=end) for (text, start), end in zip(found, ends, strict=False)
    )
