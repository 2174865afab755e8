"""Voices of a server with POST /v1/audio/speech, through the Polly stand-in: what it is asked, and how its
failures are told. It answers as Kokoro-FastAPI, Chatterbox and OpenAI do: WAV as a stream, errors in
FastAPI's or OpenAI's form."""

import asyncio
import io
import wave
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from reelworks.cloud.backends.voice.catalogue import speech_servers
from reelworks.cloud.errors import CloudError
from reelworks.cloud.home import Home
from reelworks.cloud.services.polly import Polly
from reelworks.cloud.settings import Settings
from reelworks.doctor.voice import served_voices
from tests.cloud.servers import serving, stopping

RATE = 24_000
KEY = "sk-of-the-voice"


def spoken(seconds: float) -> bytes:
    """Return a WAV as servers stream it: its header has the largest length."""
    tone = np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE) * 8000
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", ""))
        sound.writeframes(tone.astype("<i2").tobytes())
    body = bytearray(file.getvalue())
    body[4:8] = body[40:44] = b"\xff\xff\xff\xff"
    return bytes(body)


class Kokoro:
    """A speech server. `answer` replaces its answers."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Callable[[], Response] | None = None
        self.lists = True
        self.app = Starlette(
            routes=[
                Route("/v1/audio/speech", self._speak, methods=["POST"]),
                Route("/v1/audio/voices", self._voices),
            ]
        )

    async def _speak(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return JSONResponse({"error": {"message": "Incorrect API key provided."}}, 401)
        asked = await request.json()
        self.asked.append(asked)
        if self.answer:
            return self.answer()
        if asked["voice"] != "af_bella":
            detail = {"error": "validation_error", "message": f"Voice '{asked['voice']}' not found."}
            return JSONResponse({"detail": detail}, 400)
        body = spoken(len(asked["input"]) / 20 / asked["speed"])
        return StreamingResponse(iter([body[:100], body[100:]]), media_type="audio/wav")

    async def _voices(self, _: Request) -> Response:
        return JSONResponse(
            {"voices": ["af_bella", "am_adam"]} if self.lists else {}, 200 if self.lists else 404
        )


Say = Callable[..., tuple[np.ndarray[Any, Any], dict[str, Any]]]


@pytest.fixture(scope="module")
def kokoro() -> Iterator[tuple[Kokoro, str]]:
    server = Kokoro()
    with serving(server.app) as url:
        yield server, url


@pytest.fixture
def server(kokoro: tuple[Kokoro, str]) -> Kokoro:
    kokoro[0].asked, kokoro[0].answer, kokoro[0].lists = [], None, True
    return kokoro[0]


def settings_of(folder: Path, url: str, **changes: str) -> Settings:
    home = Home(folder)
    keys = {"api_key": f"'{KEY}'", "voices": "{Bella = 'af_bella', Nobody = 'none'}"} | changes
    lines = [
        f"url = '{url}'",
        "model = 'kokoro'",
        "language = 'en-US'",
        *(f"{k} = {v}" for k, v in keys.items()),
    ]
    home.settings.write_text("[speech.servers.kokoro]\n" + "\n".join(lines))
    return Settings.load(home, {})


@pytest.fixture(scope="module")
def clients(
    kokoro: tuple[Kokoro, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Any]]:
    session = boto3.Session("test", "test", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1})
    with ExitStack() as stack:

        def client(url: str = kokoro[1], **changes: str) -> Any:
            speech = settings_of(tmp_path_factory.mktemp("home"), url, **changes).speech
            polly = Polly(speech.voices, speech_servers(speech))
            endpoint = stack.enter_context(serving(stopping(polly)))
            return stack.enter_context(closing(session.client("polly", endpoint_url=endpoint, config=config)))

        yield client


@pytest.fixture(scope="module")
def polly(clients: Callable[..., Any]) -> Any:
    return clients()


def say(client: Any, text: str = "A bee lands on a flower.", voice: str = "Bella", **fields: Any) -> Any:
    request = {"Text": text, "VoiceId": voice, "OutputFormat": "pcm", "SampleRate": "16000"} | fields
    return np.frombuffer(client.synthesize_speech(**request)["AudioStream"].read(), "<i2")


def test_a_voice_of_a_server_speaks(polly: Any, server: Kokoro) -> None:
    sound = say(polly)
    assert len(sound) == pytest.approx(24 / 20 * 16_000, rel=0.01)
    assert np.abs(sound).max() > 4000
    assert server.asked == [
        {
            "model": "kokoro",
            "input": "A bee lands on a flower.",
            "voice": "af_bella",
            "response_format": "wav",
            "speed": 1.0,
        }
    ]


def test_it_says_other_words_but_no_phonemes(polly: Any, server: Kokoro) -> None:
    say(polly, "<speak>A <sub alias='jif'>GIF</sub>.</speak>", TextType="ssml")
    assert server.asked[-1]["input"] == "A jif."
    say(polly, "It is 5 km away and costs $5.")
    assert server.asked[-1]["input"] == "It is 5 kilometers away and costs 5 dollars."
    sounds = "<speak>A <phoneme alphabet='ipa' ph='ɡɪf'>GIF</phoneme>.</speak>"
    with pytest.raises(ClientError, match="Bella speaks no phonemes, such as /ɡɪf/; give words instead"):
        say(polly, sounds, TextType="ssml")


def test_it_speaks_faster_when_it_is_told_to(polly: Any, server: Kokoro) -> None:
    text = '<speak><prosody rate="150%">A bee lands on a flower.</prosody></speak>'
    assert len(say(polly, text, TextType="ssml")) == pytest.approx(24 / 20 / 1.5 * 16_000, rel=0.01)
    assert server.asked[0]["speed"] == 1.5


def test_its_voices_are_listed_beside_the_bundled_one(polly: Any) -> None:
    voices = {voice["Id"]: voice["LanguageCode"] for voice in polly.describe_voices()["Voices"]}
    assert voices == {"Joe": "en-US", "Bella": "en-US", "Nobody": "en-US"}


def cut() -> Response:
    return Response(spoken(1)[:20], media_type="audio/wav")


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        (lambda: JSONResponse({"error": {"message": "Wait."}}, 429), "ServiceFailure", "429: Wait."),
        (lambda: JSONResponse({"detail": "Loading."}, 503), "ServiceFailure", "503: Loading."),
        (lambda: Response("Bad\x1b[31m gateway", 502), "ServiceFailure", r"502: Bad\\x1b[31m gateway"),
        (lambda: JSONResponse({"error": {"message": "No model."}}, 404), "Validation", "404: No model."),
        (lambda: JSONResponse({"detail": [{"loc": ["body", "speed"], "msg": "too fast"}]}, 422),
         "Validation", "422: speed: too fast"),
        (lambda: JSONResponse({"ok": True}), "Validation", "no usable sound"),
        (lambda: Response(b"", media_type="audio/wav"), "Validation", "no usable sound"),
        (cut, "Validation", "no usable sound"),
    ],
)  # fmt: skip
def test_a_failure_is_told_and_tried_again_only_if_it_may_pass(
    polly: Any, server: Kokoro, answer: Callable[[], Response], code: str, says: str
) -> None:
    server.answer = answer
    with pytest.raises(ClientError) as failed:
        say(polly)
    error = failed.value.response["Error"]
    assert error["Code"].startswith(code)
    assert says.replace("\\\\", "\\") in error["Message"]
    assert "\x1b" not in error["Message"]
    assert KEY not in error["Message"]


def test_an_unknown_voice_of_the_server_and_a_wrong_key(clients: Any, polly: Any, server: Kokoro) -> None:
    with pytest.raises(ClientError, match="Voice 'none' not found"):
        say(polly, voice="Nobody")
    with pytest.raises(ClientError, match="401: Incorrect API key"):
        say(clients(api_key="'another'"))


def test_a_server_that_is_down_is_named_with_the_remedy(clients: Any) -> None:
    with pytest.raises(ClientError, match=r"127.0.0.1:9/v1/audio/speech can't be reached; start the server"):
        say(clients("http://127.0.0.1:9/v1"))


def test_a_server_that_hangs_ends_in_time(clients: Any, server: Kokoro) -> None:
    async def drops() -> Any:
        for byte in spoken(1):
            yield bytes([byte])
            await asyncio.sleep(0.3)

    server.answer = lambda: StreamingResponse(drops(), media_type="audio/wav")
    with pytest.raises(ClientError, match="did not answer within 1 s"):
        say(clients(timeout_seconds="1"))


def test_doctor_lets_each_voice_speak(kokoro: tuple[Kokoro, str], server: Kokoro, tmp_path: Path) -> None:
    bella, nobody = served_voices(settings_of(tmp_path, kokoro[1]).speech)
    assert (bella.ok, bella.found) == (True, "en-US af_bella; it speaks")
    assert (nobody.ok, nobody.todo) == (False, "use one of the server's voices: af_bella, am_adam")
    server.lists = False
    nobody = served_voices(settings_of(tmp_path, kokoro[1]).speech)[1]
    assert nobody.todo == "see [speech] in reelworks.toml"


def test_each_voice_has_a_name_of_its_own(tmp_path: Path) -> None:
    twice = "{Bella = 'a'}\n[speech.voices]\nBella = '/b.onnx'"
    with pytest.raises(CloudError, match="each voice needs a name of its own; Bella is there twice"):
        settings_of(tmp_path, "http://127.0.0.1:9", voices=twice)
