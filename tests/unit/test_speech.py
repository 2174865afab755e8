import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from lambdas.adapters.speech import MAX_BYTES, Speech, spoken_words
from lambdas.domain.errors import NarrationRefused, ServiceUnavailable
from lambdas.domain.narration import Speaker
from lambdas.domain.pronunciation import Phonemes, Said, plain, pronounced


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client("polly", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def sound(data: bytes) -> dict[str, Any]:
    return {"AudioStream": StreamingBody(io.BytesIO(data), len(data)), "ContentType": "audio/mpeg"}


def speak(stub: Stubber, text: str = "A bee.", **fields: Any) -> bytes:
    usual = Speaker(voice="Joe", engine="neural", language=None, speed=1.0, sample_rate=24000)
    return Speech(stub.client).speak(plain(text), usual.model_copy(update=fields))


REQUEST = {
    "Text": "A bee.",
    "TextType": "text",
    "VoiceId": "Joe",
    "Engine": "neural",
    "OutputFormat": "mp3",
    "SampleRate": "24000",
}


def test_a_sentence(stub: Stubber) -> None:
    stub.add_response("synthesize_speech", sound(b"mp3"), REQUEST)
    assert speak(stub) == b"mp3"


def test_language_and_sample_rate(stub: Stubber) -> None:
    asked = REQUEST | {"LanguageCode": "de-DE", "SampleRate": "22050", "Engine": "standard"}
    stub.add_response("synthesize_speech", sound(b"mp3"), asked)
    assert speak(stub, language="de-DE", sample_rate=22050, engine="standard") == b"mp3"


def test_a_speed_is_requested_in_ssml_with_the_text_escaped(stub: Stubber) -> None:
    spoken = '<speak><prosody rate="80%">Bee &amp; &lt;Fox&gt;.</prosody></speak>'
    stub.add_response("synthesize_speech", sound(b"mp3"), REQUEST | {"Text": spoken, "TextType": "ssml"})
    assert speak(stub, "Bee & <Fox>.", speed=0.8) == b"mp3"


@pytest.mark.parametrize("speed", [0.1, 2.5])
def test_a_speed_that_polly_does_not_support(stub: Stubber, speed: float) -> None:
    with pytest.raises(NarrationRefused, match=r"0\.2 to 2"):
        speak(stub, speed=speed)


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ValidationException", 400, NarrationRefused),
        ("TextLengthExceededException", 400, NarrationRefused),
        ("LanguageNotSupportedException", 400, NarrationRefused),
        ("ThrottlingException", 400, ServiceUnavailable),
        ("ServiceFailureException", 500, ServiceUnavailable),
        ("AccessDeniedException", 403, ClientError),
    ],
)
def test_errors_of_polly(stub: Stubber, code: str, status: int, error: type[Exception]) -> None:
    stub.add_client_error("synthesize_speech", code, "there is no voice 'Bob'; there are: Joe", status)
    with pytest.raises(error, match="there are: Joe") as raised:
        speak(stub)
    assert error is not NarrationRefused or "An error occurred" not in str(raised.value)


@pytest.mark.parametrize("size", [0, MAX_BYTES + 1])
def test_empty_and_oversized_sound(stub: Stubber, size: int) -> None:
    stub.add_response("synthesize_speech", sound(bytes(size)))
    with pytest.raises(NarrationRefused, match="bytes of sound"):
        speak(stub)


MARKS = REQUEST | {"OutputFormat": "json", "SpeechMarkTypes": ["word"]}
del MARKS["SampleRate"]


def times(
    stub: Stubber, text: str | Said, seconds: float = 2, **fields: Any
) -> list[tuple[str, float, float]] | None:
    usual = Speaker(voice="Joe", engine="neural", language=None, speed=1.0, sample_rate=24000)
    said = plain(text) if isinstance(text, str) else text
    by = usual.model_copy(update=fields)
    marks = Speech(stub.client).word_marks(said, by)
    if marks is None:
        return None
    return [(word.text, word.start, word.end) for word in spoken_words(marks, said, by, seconds)]


def test_the_times_of_words_are_polly_s_to_the_millisecond(stub: Stubber) -> None:
    """In the form of Polly's own example of word marks: places count bytes of the text sent."""
    marks = (
        b'{"time":6,"type":"word","start":0,"end":4,"value":"Mary"}\n'
        b'{"time":373,"type":"word","start":5,"end":8,"value":"had"}\n'
        b'{"time":604,"type":"word","start":9,"end":17,"value":"caf\xc3\xa9s"}\n'
    )
    text = "Mary had “cafés”."
    marks = marks.replace(b'"start":9,"end":17', b'"start":12,"end":18')
    stub.add_response("synthesize_speech", sound(marks), MARKS | {"Text": text})
    assert times(stub, text) == [("Mary", 0.006, 0.373), ("had", 0.373, 0.604), ("cafés", 0.604, 2)]


def test_words_of_markup_are_those_of_the_text(stub: Stubber) -> None:
    spoken = '<speak><prosody rate="80%">Q&amp;A!</prosody></speak>'
    start = spoken.index("Q")
    mark = f'{{"time":0,"type":"word","start":{start},"end":{start + 7},"value":"Q&amp;A"}}'.encode()
    stub.add_response("synthesize_speech", sound(mark), MARKS | {"Text": spoken, "TextType": "ssml"})
    assert times(stub, "Q&A!", speed=0.8) == [("Q&A", 0, 2)]


LEXICON = {"GIF": "jif & more", "NASA": Phonemes(ipa="ˈnæsə")}
PRONOUNCED = pronounced("A GIF of NASA & Co.", LEXICON)
MARKED_UP = (
    '<speak>A <sub alias="jif &amp; more">GIF</sub> of <phoneme alphabet="ipa" ph="ˈnæsə">NASA</phoneme> '
    "&amp; Co.</speak>"
)


def test_a_pronunciation_is_requested_in_ssml(stub: Stubber) -> None:
    stub.add_response("synthesize_speech", sound(b"mp3"), REQUEST | {"Text": MARKED_UP, "TextType": "ssml"})
    usual = Speaker(voice="Joe", engine="neural", language=None, speed=1.0, sample_rate=24000)
    assert Speech(stub.client).speak(PRONOUNCED, usual) == b"mp3"


@pytest.mark.parametrize("places", ["element", "text"])
def test_the_words_said_for_another_have_its_time_and_are_that_one(stub: Stubber, places: str) -> None:
    """Whether Polly means the element by a mark, or the text in it, and however many words it says there."""
    sent, marks = MARKED_UP.encode(), []
    shown = {"element": (b"<sub", b"<sub", b"<phoneme"), "text": (b"GIF", b"GIF", b"NASA")}[places]
    for time, word in zip(
        (0, 100, 300, 500, 600, 900), (b"A ", *shown[:2], b"of", shown[2], b"Co"), strict=True
    ):
        begin = sent.index(word)
        marks.append(json.dumps({"time": time, "start": begin, "end": begin + len(word.strip())}))
    stub.add_response(
        "synthesize_speech",
        sound("\n".join(marks).encode()),
        MARKS | {"Text": MARKED_UP, "TextType": "ssml"},
    )
    assert times(stub, PRONOUNCED) == [
        ("A", 0, 0.1),
        ("GIF", 0.1, 0.5),
        ("of", 0.5, 0.6),
        ("NASA", 0.6, 0.9),
        ("Co", 0.9, 2),
    ]


def test_a_voice_without_times_of_words(stub: Stubber) -> None:
    stub.add_client_error("synthesize_speech", "ValidationException", "no word marks", 400)
    assert times(stub, "A bee.") is None


def test_times_of_words_are_tried_again_if_polly_is_busy(stub: Stubber) -> None:
    stub.add_client_error("synthesize_speech", "ThrottlingException", "slow down", 400)
    with pytest.raises(ServiceUnavailable):
        times(stub, "A bee.")


@pytest.mark.parametrize(
    "marks",
    [
        b"<html>",
        b'{"time":0}',
        b'{"time":2000,"start":0,"end":1}',  # after the sound
        b'{"time":500,"start":0,"end":1}\n{"time":400,"start":2,"end":5}',  # backwards
        b'{"time":0,"start":40,"end":44}',  # outside the text
    ],
)
def test_times_that_do_not_fit_the_text_or_its_sound_are_not_used(stub: Stubber, marks: bytes) -> None:
    stub.add_response("synthesize_speech", sound(marks), MARKS)
    assert times(stub, "A bee.") == []
