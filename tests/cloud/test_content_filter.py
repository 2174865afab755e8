"""The content filter at the API's door and the drop folder's, with a PC's list of words as the guardrail."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lambdas.adapters import stores
from lambdas.adapters.clients import client
from lambdas.adapters.storyboards import Storyboards
from lambdas.api.request import settings
from lambdas.domain.stages import Stage
from lambdas.domain.storyboard import parse_storyboard
from lambdas.intake.drop_folder import DropFolder
from reelworks.cloud.services.bedrock import BedrockRuntime
from reelworks.cloud.services.bedrock_guardrail import WORD_LIST
from reelworks.cloud.settings import ContentFilter, Settings
from tests.cloud.deployment import Deployment, png
from tests.cloud.rest import Answer, call, complete, create
from tests.cloud.servers import serving, stopping

STORYBOARD = {
    "title": "Bees",
    "scenes": [{"image": {"positive_prompt": "A hive"}, "video": {"positive_prompt": "Bees fly out"}}],
}


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("words") / "words.txt"
    file.write_text("wasp\n\nhornet nest\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def guardrail(words: Path) -> Iterator[str]:
    with serving(stopping(BedrockRuntime(Settings(content_filter=ContentFilter(words=words))))) as url:
        yield url


def use(environment: pytest.MonkeyPatch, url: str, guardrail: str = WORD_LIST) -> None:
    environment.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url)
    environment.setenv("REELWORKS_GUARDRAIL", guardrail)
    forget()


def forget() -> None:
    settings.cache_clear()
    client.cache_clear()


@pytest.fixture
def tenant(aws: Deployment, guardrail: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    use(monkeypatch, guardrail)
    yield f"tenant-{uuid4().hex[:8]}"
    monkeypatch.undo()
    forget()
    aws.messages()


def post(tenant: str, path: str = "/v1/videos", method: str = "POST", **body: Any) -> Answer:
    return call(method, path, body=body, tenant=tenant)


def test_what_it_allows_is_made(tenant: str) -> None:
    assert post(tenant, prompt="A waspish hornet, far from its nest").status == 200


@pytest.mark.parametrize(
    ("fields", "field", "word"),
    [
        ({"prompt": "A Wasp!"}, "prompt", "wasp"),
        ({"prompt": "A bee", "negative_prompt": "wasp"}, "negative_prompt", "wasp"),
        ({"topic": "Bees", "tone": "like a hornet  nest"}, "tone", "hornet nest"),
        (
            {"topic": "Bees", "storyboard": {"scenes": [{"narration": {"text": "A wasp comes."}}]}},
            "scenes[0].narration.text",
            "wasp",
        ),
        ({"storyboard": {**STORYBOARD, "style": "wasp colours"}}, "style", "wasp"),
    ],
)
def test_a_create_is_refused_with_the_field_and_the_reason_and_nothing_is_kept(
    aws: Deployment, tenant: str, fields: dict[str, Any], field: str, word: str
) -> None:
    refused = post(tenant, **fields)
    assert refused.status == 400
    assert (refused.error["code"], refused.error["param"]) == ("content_policy_violation", field)
    assert refused.error["message"] == (
        f"{field} is refused by the content filter: word {word}. Word it differently."
    )
    assert aws.messages() == []
    assert call("GET", "/v1/videos", tenant=tenant).json["data"] == []


def test_an_invalid_request_is_refused_without_asking(tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "http://127.0.0.1:9")
    assert post(tenant, prompt="A wasp", size="1x1").error["param"] == "size"


def test_changes_of_films_are_checked(tenant: str) -> None:
    id_ = create(tenant)["id"]
    complete(id_, tenant)
    refused = [
        post(tenant, f"/v1/videos/{id_}/remix", prompt="Add a wasp"),
        post(tenant, "/v1/videos/extensions", prompt="A wasp comes", seconds=4, video={"id": id_}),
        post(tenant, "/v1/videos/edits", prompt="A wasp", video={"id": id_}),
        post(tenant, "/v1/prompts/enhance", prompt="A wasp"),
    ]
    assert [answer.error["code"] for answer in refused] == 4 * ["content_policy_violation"]
    assert {answer.error["param"] for answer in refused} == {"prompt"}


def test_edits_of_a_storyboard_are_checked_and_only_what_is_new_in_them(aws: Deployment, tenant: str) -> None:
    id_ = create(tenant, prompt="", storyboard={**STORYBOARD, "title": "Bees"}, narrate=False)["id"]
    videos, outputs = stores.videos(settings()), stores.outputs(settings())
    video = videos.advance(tenant, id_, Stage.PLANNING)
    old = {**STORYBOARD, "style": "wasp colours"}  # from before there was a filter
    sha256 = Storyboards(outputs).put(video, parse_storyboard(old))
    videos.advance(tenant, id_, Stage.FAILED, storyboard=sha256)
    path = f"/v1/videos/{id_}/storyboard"
    assert post(tenant, path, "PUT", **{**old, "title": "Honey"}).status == 200
    refused = post(tenant, path, "PUT", **{**old, "title": "A wasp"})
    assert (refused.status, refused.error["param"]) == (400, "title")
    note = post(tenant, f"/v1/videos/{id_}/scenes/0/regenerate", part="text", note="Add a wasp")
    assert note.error["param"] == "note"
    assert call("GET", path, tenant=tenant).json["title"] == "Honey"


def test_a_character_is_checked(tenant: str) -> None:
    picture = {"image_url": f"data:image/png;base64,{_base64(png())}"}
    refused = post(tenant, "/v1/videos/characters", name="Buzz", description="A wasp", image=picture)
    assert (refused.status, refused.error["param"]) == (400, "description")
    assert call("GET", "/v1/videos/characters", tenant=tenant).json["data"] == []


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def test_a_dropped_prompt_is_refused_in_its_error_file(aws: Deployment, tenant: str) -> None:
    inputs, outputs = stores.inputs(settings()), stores.outputs(settings())
    key = f"drop/{tenant}/wasp.txt"
    inputs.put(key, b"A wasp", "text/plain")
    etag = client("s3").head_object(Bucket=aws.settings.input_bucket, Key=key)["ETag"].strip('"')
    DropFolder(settings(), pair_seconds=0).take(key, etag)
    assert b"content filter: word wasp" in outputs.get(f"{key}.error.json")
    assert aws.messages() == []


# --- a filter that doesn't answer


def _refusing(code: str, status: int) -> Starlette:
    async def refuse(_: Request) -> Response:
        return JSONResponse({"message": "no"}, status, headers={"x-amzn-errortype": code})

    return Starlette(routes=[Route("/{path:path}", refuse, methods=["POST"])])


@pytest.mark.parametrize(("code", "status"), [("ThrottlingException", 429), ("ServiceUnavailable", 503)])
def test_while_it_does_not_answer_nothing_passes(
    aws: Deployment, tenant: str, monkeypatch: pytest.MonkeyPatch, code: str, status: int
) -> None:
    with serving(_refusing(code, status)) as url:
        use(monkeypatch, url)
        answer = post(tenant, prompt="A bee")
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert aws.messages() == []
    use(monkeypatch, url, guardrail="")
    assert call("GET", "/v1/videos", tenant=tenant).json["data"] == []


def test_a_guardrail_that_is_missing_lets_nothing_pass(
    aws: Deployment, tenant: str, guardrail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, guardrail, guardrail="other:1")
    assert post(tenant, prompt="A bee").status == 500
    assert aws.messages() == []
