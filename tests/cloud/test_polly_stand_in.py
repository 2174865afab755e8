"""The Polly stand-in, driven by an unmodified boto3 client. The bundled voice speaks, and its speech is
measured."""

import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import av
import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from numpy.typing import NDArray

from lambdas.adapters.speech import Speech, spoken_words
from lambdas.domain.narration import Speaker
from lambdas.domain.pronunciation import plain
from reelworks.cloud.backends.voice.piper import bundled_model
from reelworks.cloud.lifecycle.cloud_status import Status
from reelworks.cloud.services.polly import Polly
from tests.cloud import small_stack
from tests.cloud.servers import serving, stopping

SENTENCE = "A bee lands on a flower and drinks, while the morning sun rises over the meadow."


@pytest.fixture(scope="module")
def connect() -> Iterator[Callable[..., Any]]:
    """Return a function that creates a client of a stand-in with the given voices."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1})
    with ExitStack() as stack:

        def connect(voices: dict[str, Path]) -> Any:
            url = stack.enter_context(serving(stopping(Polly(voices)), timeout_keep_alive=75))
            return stack.enter_context(closing(session.client("polly", endpoint_url=url, config=config)))

        yield connect


@pytest.fixture(scope="module")
def polly(connect: Callable[..., Any]) -> Any:
    """With only the bundled voice."""
    return connect({})


def speak(client: Any, text: str = SENTENCE, **fields: Any) -> tuple[bytes, Any]:
    request = {"Text": text, "VoiceId": "Joe", "OutputFormat": "mp3", "Engine": "neural"} | fields
    answer = client.synthesize_speech(**request)
    return answer["AudioStream"].read(), answer


def decoded(file: bytes) -> tuple[NDArray[np.float64], int]:
    with av.open(io.BytesIO(file)) as container:
        frames = list(container.decode(audio=0))
        assert {frame.layout.nb_channels for frame in frames} == {1}
        rate = frames[0].sample_rate
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        parts = [part.to_ndarray()[0] for frame in [*frames, None] for part in resampler.resample(frame)]
    return np.concatenate(parts).astype(float), rate


def test_a_sentence_is_audible_at_every_format_and_rate(polly: Any) -> None:
    pcm, answer = speak(polly, OutputFormat="pcm")
    samples = np.frombuffer(pcm, "<i2") / 32768
    seconds = len(samples) / 16000
    assert answer["ContentType"] == "audio/pcm"
    assert answer["RequestCharacters"] == len(SENTENCE)
    assert 3.5 < seconds < 8  # 15 words
    assert np.sqrt(np.mean(samples**2)) > 0.03
    loud = [np.abs(part).max() > 0.05 for part in np.array_split(samples, 20)]
    assert sum(loud) >= 15  # speech throughout
    for output_format, rate, content_type in [
        ("mp3", 24000, "audio/mpeg"),
        ("mp3", 22050, "audio/mpeg"),
        ("mp3", 8000, "audio/mpeg"),
        ("ogg_opus", 48000, "audio/ogg"),
    ]:
        file, answer = speak(polly, OutputFormat=output_format, SampleRate=str(rate))
        sound, heard_rate = decoded(file)
        assert (heard_rate, answer["ContentType"]) == (rate, content_type)
        assert len(sound) / rate == pytest.approx(seconds, rel=0.2)  # spoken again, a little differently
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(np.sqrt(np.mean(samples**2)), rel=0.4)


def test_speed_pauses_and_the_times_of_sentences(polly: Any) -> None:
    text = '<speak><prosody rate="200%">One bee flies.<break time="2s"/>Two bees dance.</prosody></speak>'
    marks, answer = speak(
        polly, text, TextType="ssml", OutputFormat="json", SpeechMarkTypes=["sentence"], SampleRate="8000"
    )
    pcm, sound = speak(polly, text, TextType="ssml", OutputFormat="pcm", SampleRate="8000")
    samples = np.frombuffer(pcm, "<i2") / 32768
    assert sound["RequestCharacters"] == len("One bee flies.Two bees dance.")
    assert answer["ContentType"] == "application/x-json-stream"
    first, second = map(json.loads, marks.splitlines())
    assert (first["time"], first["type"], first["value"]) == (0, "sentence", "One bee flies.")
    assert text[second["start"] : second["end"]] == second["value"] == "Two bees dance."
    starts = round(second["time"] * 8)
    assert not samples[starts - 15_000 : starts - 100].any()  # the pause, to the sample
    assert np.abs(samples[starts : starts + 4000]).max() > 0.05
    slow, _ = speak(polly, "One bee flies.", OutputFormat="pcm", SampleRate="8000")
    assert starts / 8000 - 2 == pytest.approx(len(slow) / 16000 / 2, rel=0.35)  # twice as fast


def test_words_are_said_in_another_way(polly: Any) -> None:
    """As others, or by their sounds."""

    def seconds(word: str) -> float:
        text = f"<speak>{word}</speak>"
        return len(speak(polly, text, TextType="ssml", OutputFormat="pcm", SampleRate="16000")[0]) / 32000

    long = "one hundred thousand and one bees"
    phonemes = '<phoneme alphabet="ipa" ph="wʌn hˈʌndɹəd θˈaʊzənd ænd wʌn bˈiːz">B</phoneme>'
    said = seconds(long)
    assert seconds(f'<sub alias="{long}">B</sub>') == pytest.approx(said, rel=0.25)
    assert seconds(phonemes) == pytest.approx(said, rel=0.25)
    assert seconds("B") < said / 2


def test_nothing_is_kept_that_another_tenant_could_notice(polly: Any) -> None:
    """Piper never speaks a sentence twice in the same way, so an equal sound would be a kept one."""
    fields = {"OutputFormat": "pcm", "SampleRate": "16000"}
    said = [speak(polly, "The secret bee flies at noon.", **fields)[0] for _ in range(3)]
    assert len(set(said)) == 3
    marks = {"OutputFormat": "json", "SpeechMarkTypes": ["sentence"]}
    assert speak(polly, "One bee. Two bees.", **marks)[0]
    timed, later = (speak(polly, "One bee. Two bees.", **fields)[0] for _ in range(2))
    assert timed != later


def test_emoji_are_not_named(polly: Any) -> None:
    """“One bee 🪁🪁🪁🪁🪁🪁” takes as long as “One bee”: espeak names each “symbol one F A eight one”."""
    plain, pictures = (
        len(speak(polly, text, OutputFormat="pcm", SampleRate="16000")[0]) / 32000
        for text in ("One bee flies home.", "One bee 🪁🪁🪁🪁🪁🪁 flies home. 🎉")
    )
    assert pictures == pytest.approx(plain, rel=0.4)


def test_the_pipeline_can_use_it(polly: Any) -> None:
    by = Speaker(voice="Joe", engine="neural", language=None, speed=2.0, sample_rate=24000)
    speech, said = Speech(polly), plain("One bee flies.")
    marks = speech.word_marks(said, by)
    sound, rate = decoded(speech.speak(said, by))
    assert rate == 24000
    assert 0.3 < len(sound) / rate < 1.5
    assert np.abs(sound).max() > 0.1
    assert marks
    words = spoken_words(marks, said, by, len(sound) / rate)
    assert [word.text for word in words] == ["One", "bee", "flies"]


@pytest.mark.parametrize("speed", [1.0, 1.4])
def test_words_begin_when_they_are_heard(polly: Any, speed: float) -> None:
    """Each after a comma within 50 ms, in the very sound that was timed, though no two are alike."""
    by = Speaker(voice="Joe", engine="neural", language=None, speed=speed, sample_rate=24000)
    speech, said = (
        Speech(polly),
        plain("A bee flies, then it sleeps, and finally the sun rises, so it wakes."),
    )
    marks = [speech.word_marks(said, by) for _ in range(2)]
    sounds = [speech.speak(said, by) for _ in range(3)]
    assert marks[0] == marks[1], "two clients at once get the same"
    assert sounds[0] == sounds[1] != sounds[2]
    sound, rate = decoded(sounds[0])
    assert marks[0]
    words = spoken_words(marks[0], said, by, len(sound) / rate)
    assert " ".join(word.text for word in words) == said.text.replace(",", "").rstrip(".")
    level = np.sqrt(np.convolve(sound**2, np.ones(120) / 120, "same"))
    for word in words:
        if word.text not in ("then", "and", "so"):
            continue
        around = int((word.start - 0.25) * rate)
        quietest = around + int(np.argmin(level[around : int(word.start * rate)]))
        heard = quietest + int(np.argmax(level[quietest:] > 0.02))
        assert heard / rate == pytest.approx(word.start, abs=0.05), word.text


def test_words_that_are_said_in_another_way_have_the_time_of_what_is_said(polly: Any) -> None:
    text = (
        "<speak>Most of the time 🐝 it's “12 km” or $3,\n so <sub alias='jif files'>GIFs</sub>"
        " &amp; <phoneme ph='ˈnæsə'>NASA</phoneme>'s  Zoë go.</speak>"
    )
    marks, _ = speak(polly, text, TextType="ssml", OutputFormat="json", SpeechMarkTypes=["sentence", "word"])
    whole, *words = map(json.loads, marks.splitlines())
    assert whole["type"] == "sentence"
    assert [word["value"] for word in words][:9] == [
        "Most",
        "of",
        "the",
        "time",
        "it's",
        "12",
        "km",
        "or",
        "$3",
    ]
    assert [word["value"] for word in words][9:] == ["so", "jif", "files", "NASA's", "Zoë", "go"]
    sent = text.encode()
    places = [sent[word["start"] : word["end"]].decode() for word in words]
    assert places[:10] == [*(word["value"] for word in words[:10])]
    assert places[-2:] == ["Zoë", "go"]
    assert {word["start"] for word in words[10:12]} == {sent.index(b"<sub")}
    times = [word["time"] for word in words]
    assert times == sorted(set(times))


def test_a_user_s_own_voice(connect: Callable[..., Any], tmp_path: Path) -> None:
    bundled = bundled_model()
    assert bundled
    (tmp_path / "eva.onnx").symlink_to(bundled)
    config = json.loads(Path(f"{bundled}.json").read_text())
    config["language"] |= {"code": "de_DE", "name_english": "German"}
    (tmp_path / "eva.onnx.json").write_text(json.dumps(config))
    eva = connect({"Eva": tmp_path / "eva.onnx"})
    voices = {voice["Id"]: voice for voice in eva.describe_voices()["Voices"]}
    assert list(voices) == ["Joe", "Eva"]
    assert voices["Joe"]["LanguageCode"] == "en-US"
    assert (voices["Eva"]["LanguageCode"], voices["Eva"]["LanguageName"]) == ("de-DE", "German")
    assert voices["Eva"]["SupportedEngines"] == ["standard", "neural"]
    german = eva.describe_voices(LanguageCode="de-DE", Engine="neural")["Voices"]
    assert [voice["Id"] for voice in german] == ["Eva"]
    fields = {"VoiceId": "Eva", "LanguageCode": "de-DE", "Engine": "standard"}
    sound, rate = decoded(speak(eva, "Hallo.", **fields)[0])
    assert rate == 22050  # the default of the standard engine
    assert np.abs(sound).max() > 0.1


def test_the_pc_s_cloud_serves_it_at_its_single_address(cloud: Status) -> None:
    voices = small_stack.aws(cloud, "polly").describe_voices()["Voices"]
    assert [voice["Id"] for voice in voices] == ["Joe"]


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"VoiceId": "Joanna"}, "ValidationException", "'Joanna' is unknown on this machine; available: Joe"),
        ({"Engine": "generative"}, "EngineNotSupportedException", "standard, neural"),
        ({"LanguageCode": "de-DE"}, "LanguageNotSupportedException", "must be en-US"),
        ({"Text": "Hello. 蜜蜂飞。"}, "LanguageNotSupportedException", "en-US, which “蜜蜂飞。” is not"),
        ({"OutputFormat": "pcm", "SampleRate": "24000"}, "InvalidSampleRateException", "8000, 16000"),
        ({"SampleRate": "11025"}, "InvalidSampleRateException", "22050"),
        ({"OutputFormat": "ogg_vorbis"}, "ValidationException", "OutputFormat"),
        ({"OutputFormat": "json"}, "ValidationException", "SpeechMarkTypes"),
        ({"OutputFormat": "json", "SpeechMarkTypes": ["viseme"]}, "ValidationException", "SpeechMarkTypes"),
        ({"SpeechMarkTypes": ["sentence"]}, "MarksNotSupportedForFormatException", "json"),
        ({"LexiconNames": ["mine"]}, "ValidationException", "LexiconNames"),
        ({"Text": "a" * 3001}, "TextLengthExceededException", "3000"),
        ({"Text": " ... "}, "ValidationException", "nothing that can be spoken"),
        ({"Text": "A bee", "TextType": "ssml"}, "InvalidSsmlException", "not well-formed"),
        ({"Text": "<speak><w>A</w></speak>", "TextType": "ssml"}, "InvalidSsmlException", "<w>"),
        (
            {"Text": '<speak><phoneme alphabet="ipa" ph="kɝ">A</phoneme></speak>', "TextType": "ssml"},
            "InvalidSsmlException",
            "Joe does not have the phonemes ɝ of /kɝ/",
        ),
    ],
)
def test_a_rejected_request(polly: Any, fields: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        speak(polly, **fields)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_broken_voice_is_an_error(connect: Callable[..., Any], tmp_path: Path) -> None:
    bundled = bundled_model()
    assert bundled
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    shutil.copy(f"{bundled}.json", tmp_path / "bad.onnx.json")
    (tmp_path / "half.onnx").symlink_to(bundled)
    missing = tmp_path / "gone.onnx"
    polly = connect({"Bad": tmp_path / "bad.onnx", "Half": tmp_path / "half.onnx", "Gone": missing})
    for voice, message in [("Bad", "exited with code"), ("Half", "half.onnx.json"), ("Gone", str(missing))]:
        with pytest.raises(ClientError, match=message) as caught:
            speak(polly, VoiceId=voice)
        # Not a failure that Polly's clients try again.
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        assert voice in str(caught.value)
        assert "Traceback" not in str(caught.value)
    assert len(speak(polly, "A bee.")[0]) > 1000  # the others speak on
