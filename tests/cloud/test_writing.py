"""Routes that help to write a request, with the text model and the speech service at the network's edge."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lambdas.adapters.clients import client, writing_client
from lambdas.intake.voices import voices
from tests.cloud.deployment import Deployment
from tests.cloud.pipeline.bench import converse_answer
from tests.cloud.rest import Answer, call
from tests.cloud.servers import serving

PAGES: list[dict[str, Any]] = [
    {
        "Voices": [
            {
                "Id": "Vicki",
                "Name": "Vicki",
                "LanguageCode": "de-DE",
                "LanguageName": "German",
                "Gender": "Female",
                "SupportedEngines": ["neural", "standard"],
            }
        ],
        "NextToken": "2",
    },
    {
        "Voices": [
            {
                "Id": "Kajal",
                "Name": "Kajal",
                "LanguageCode": "en-IN",
                "AdditionalLanguageCodes": ["hi-IN"],
                "LanguageName": "Indian English",
                "Gender": "Female",
                "SupportedEngines": ["neural"],
            }
        ]
    },
]


class Services:
    """Bedrock and Polly; `answer` is what the text model answers next."""

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, Any]] = (
            200,
            converse_answer("A golden bee drifts slowly over a field of clover in warm light."),
        )
        self.lists = 0
        self.spoken: list[dict[str, Any]] = []
        self.app = Starlette(
            routes=[
                Route("/model/{model}/converse", self._converse, methods=["POST"]),
                Route("/v1/voices", self._voices, methods=["GET"]),
                Route("/v1/speech", self._speech, methods=["POST"]),
            ]
        )

    async def _converse(self, request: Request) -> Response:
        status, body = self.answer
        headers = {} if status == 200 else {"x-amzn-errortype": body["code"]}
        return JSONResponse(body, status, headers=headers)

    async def _voices(self, request: Request) -> Response:
        self.lists += 1
        return JSONResponse(PAGES[1 if request.query_params.get("NextToken") else 0])

    async def _speech(self, request: Request) -> Response:
        self.spoken.append(await request.json())
        if self.spoken[-1]["Text"] == "unspeakable":
            headers = {"x-amzn-errortype": "LanguageNotSupportedException"}
            return JSONResponse({"message": "Not in this language."}, 400, headers=headers)
        return Response(b"sound", media_type="audio/mpeg")


@pytest.fixture
def services(aws: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    found = Services()
    caches = (client, writing_client, voices)
    with serving(found.app) as url:
        for service in ("BEDROCK_RUNTIME", "POLLY"):
            monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
        for made in caches:
            made.cache_clear()
        yield found
    for made in caches:
        made.cache_clear()


def enhance(**body: Any) -> Answer:
    return call("POST", "/v1/prompts/enhance", body=body)


def test_an_enhanced_prompt_can_be_seen_before_a_film_is_made(services: Services) -> None:
    answer = enhance(prompt=" A bee ", model="sora-2")
    assert answer.status == 200
    found = answer.json
    assert (found["object"], found["model"], found["given"]) == (
        "prompt.enhancement",
        "cogvideox-2b",
        "A bee",
    )
    assert (found["prompt"], found["by"]) == (
        "A golden bee drifts slowly over a field of clover in warm light.",
        "director",
    )
    assert (found["note"], found["prompt_tokens"]) == (None, 226)
    assert 5 < found["tokens"] < 30
    assert 0 < found["cost"] < 0.001


def test_an_unusable_answer_leaves_the_prompt_and_says_why(services: Services) -> None:
    services.answer = (200, converse_answer("I can't help with that."))
    found = enhance(prompt="A bee").json
    assert (found["prompt"], found["by"]) == ("A bee", None)
    assert "director" in found["note"]


def test_a_text_model_that_refuses_is_named(services: Services) -> None:
    services.answer = (403, {"code": "AccessDeniedException", "message": "No access to the model."})
    answer = enhance(prompt="A bee")
    assert (answer.status, answer.error["code"]) == (502, "text_model_unavailable")
    assert "No access to the model." in answer.error["message"]


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({}, "prompt", "is required"),
        ({"prompt": "\u2060"}, "prompt", "invisible"),
        ({"prompt": "x" * 2_001}, "prompt", "1 to 2,000"),
        ({"prompt": "A bee", "model": "veo"}, "model", "animatic, cogvideox-2b"),
        ({"prompt": "A bee", "temperature": 1}, "temperature", "allowed: prompt, model"),
    ],
)
def test_a_wrong_field_is_named(services: Services, body: dict[str, Any], param: str, says: str) -> None:
    answer = enhance(**body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert says in answer.error["message"]


def test_voices_are_listed_with_languages_and_prices(services: Services) -> None:
    found = call("GET", "/v1/voices").json
    assert found["object"] == "list"
    kajal, vicki = found["data"]
    assert kajal == {
        "id": "Kajal",
        "object": "voice",
        "language": "en-IN",
        "language_name": "Indian English",
        "other_languages": ["hi-IN"],
        "gender": "Female",
        "engines": ["neural"],
        "default": False,
        "cost_per_million_characters": {"neural": 16},
    }
    assert vicki["cost_per_million_characters"] == {"neural": 16, "standard": 4}
    assert services.lists == 2
    call("GET", "/v1/voices")
    assert services.lists == 2, "the list is known for a while"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"language": "de"}, ["Vicki"]),
        ({"language": "hi-in"}, ["Kajal"]),
        ({"language": "d"}, []),
        ({"engine": "standard"}, ["Vicki"]),
        ({"engine": "neural", "language": "en"}, ["Kajal"]),
    ],
)
def test_voices_of_a_language_or_an_engine(
    services: Services, query: dict[str, str], names: list[str]
) -> None:
    assert [one["id"] for one in call("GET", "/v1/voices", query=query).json["data"]] == names


def hear(voice: str, **body: Any) -> Answer:
    return call("POST", f"/v1/voices/{voice}/sample", body=body)


def test_a_voice_can_be_heard_and_says_the_same_only_once(services: Services) -> None:
    said = {"text": "**A kite** leans 🪁", "language": "hi-IN", "speed": 1}
    link = hear("Kajal", **said).json
    assert (link["object"], link["media_type"]) == ("content.link", "audio/mpeg")
    assert httpx.get(link["url"]).content == b"sound"
    [request] = services.spoken
    assert (request["Text"], request["VoiceId"], request["Engine"]) == ("A kite leans", "Kajal", "neural")
    assert request["LanguageCode"] == "hi-IN"
    assert hear("Kajal", **said).status == 200
    assert len(services.spoken) == 1
    hear("Vicki", text="Ein Drachen", engine="standard")
    assert services.spoken[-1]["Engine"] == "standard"


@pytest.mark.parametrize(
    ("voice", "body", "status", "param", "says"),
    [
        ("Nobody", {"text": "A kite"}, 404, "voice", "GET /v1/voices"),
        ("Kajal", {}, 400, "text", "is required"),
        ("Kajal", {"text": "🪁"}, 400, "text", "no letter or digit"),
        ("Kajal", {"text": "x" * 201}, 400, "text", "1 to 200"),
        ("Kajal", {"text": "A kite", "engine": "standard"}, 400, "engine", "must be one of neural"),
        ("Kajal", {"text": "A kite", "speed": 3}, 400, "speed", "from 0.5 to 2"),
        ("Kajal", {"text": "unspeakable"}, 400, "text", "Not in this language"),
    ],
)
def test_what_a_voice_can_t_say_is_refused(
    services: Services, voice: str, body: dict[str, Any], status: int, param: str, says: str
) -> None:
    answer = hear(voice, **body)
    assert (answer.status, answer.error["param"]) == (status, param)
    assert says in answer.error["message"]
