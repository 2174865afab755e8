"""The Bedrock stand-in, driven by an unmodified boto3 client, with real servers as its backends."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from starlette.responses import JSONResponse, Response

from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.backends.text.discovery import Place
from reelworks.cloud.services.bedrock import BedrockRuntime
from reelworks.cloud.settings import Settings, TextServer
from tests.cloud.model_servers import ModelServer, ollama_answer, openai_answer, places_at
from tests.cloud.servers import free_port, serving, stopping

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
TASK = "Write at most 80 words.\n<prompt>A bee on a flower</prompt>"


@pytest.fixture
def closed_url() -> str:
    """Return a URL where nothing listens."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def model_server(stack: ExitStack) -> tuple[ModelServer, str]:
    server = ModelServer()
    return server, stack.enter_context(serving(server.app))


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    return boto3.Session("test", "test", region_name="us-east-1")


@pytest.fixture
def bedrock(stack: ExitStack, session: boto3.Session) -> Callable[..., Any]:
    """Return a function that creates a client of a runtime with the given backend."""

    def connect(configured: TextServer | None = None, places: Sequence[Place] = ()) -> Any:
        runtime = BedrockRuntime(Settings(text=configured), places=places)
        url = stack.enter_context(serving(stopping(runtime)))
        config = Config(retries={"total_max_attempts": 1})
        client = session.client("bedrock-runtime", endpoint_url=url, config=config)
        return stack.enter_context(closing(client))

    return connect


def converse(client: Any, text: str = TASK, **fields: Any) -> Any:
    return client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": text}]}], **fields)


def test_the_director_answers_without_a_model(bedrock: Callable[..., Any]) -> None:
    answer = converse(bedrock(), system=[{"text": "You are a director."}], inferenceConfig={"maxTokens": 300})
    text = answer["output"]["message"]["content"][0]["text"]
    assert text.startswith("A bee on a flower. ")
    assert 40 < len(text.split()) <= 80
    assert answer["output"]["message"]["role"] == "assistant"
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"]["totalTokens"] == answer["usage"]["inputTokens"] + answer["usage"]["outputTokens"]
    assert answer["metrics"]["latencyMs"] >= 0
    assert answer["additionalModelResponseFields"] == {"answered_by": "rule-based director"}


def test_the_director_rejects_texts_that_are_not_its_tasks(bedrock: Callable[..., Any]) -> None:
    client = bedrock()
    with pytest.raises(client.exceptions.ValidationException, match="<prompt>"):
        converse(client, "What is the capital of France?")


def test_a_configured_ollama(bedrock: Callable[..., Any], model_server: tuple[ModelServer, str]) -> None:
    server, url = model_server
    server.answers["/api/chat"] = ollama_answer("A bee lands on a flower.")
    answer = converse(
        bedrock(TextServer(kind=TextKind.OLLAMA, url=url, model="llama3.1:8b")),
        system=[{"text": "You are a director."}],
        inferenceConfig={"maxTokens": 300, "temperature": 0.5, "stopSequences": ["END"]},
    )
    assert answer["output"]["message"]["content"] == [{"text": "A bee lands on a flower."}]
    assert answer["usage"] == {"inputTokens": 31, "outputTokens": 17, "totalTokens": 48}
    assert answer["additionalModelResponseFields"] == {"answered_by": "ollama llama3.1:8b"}
    assert [(path, document) for path, _, document in server.requests] == [
        (
            "/api/chat",
            {
                "model": "llama3.1:8b",
                "messages": [
                    {"role": "system", "content": "You are a director."},
                    {"role": "user", "content": TASK},
                ],
                "stream": False,
                "think": False,
                "keep_alive": 60,
                "options": {"num_ctx": 8192, "num_predict": 300, "temperature": 0.5, "stop": ["END"]},
            },
        )
    ]


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_a_configured_openai_compatible_server(
    bedrock: Callable[..., Any], model_server: tuple[ModelServer, str], suffix: str
) -> None:
    server, url = model_server
    server.answers["/v1/chat/completions"] = openai_answer("A bee lands on a flower.")
    answer = converse(
        bedrock(TextServer(url=url + suffix, model="qwen3-4b", api_key="sk-local")),
        system=[{"text": "You are a director."}],
        inferenceConfig={"maxTokens": 300, "topP": 0.9},
    )
    assert answer["output"]["message"]["content"] == [{"text": "A bee lands on a flower."}]
    assert answer["usage"] == {"inputTokens": 31, "outputTokens": 17, "totalTokens": 48}
    assert answer["additionalModelResponseFields"] == {"answered_by": "openai-compatible qwen3-4b"}
    path, headers, document = server.requests[0]
    assert (path, headers["authorization"]) == ("/v1/chat/completions", "Bearer sk-local")
    assert document == {
        "model": "qwen3-4b",
        "messages": [{"role": "system", "content": "You are a director."}, {"role": "user", "content": TASK}],
        "max_tokens": 300,
        "top_p": 0.9,
    }


BY = {TextKind.OLLAMA: "ollama m", TextKind.OPENAI: "openai-compatible m"}
BACKENDS: list[tuple[TextKind, str, Callable[..., Response]]] = [
    (TextKind.OLLAMA, "/api/chat", ollama_answer),
    (TextKind.OPENAI, "/v1/chat/completions", openai_answer),
]


@pytest.mark.parametrize(("kind", "path", "answer"), BACKENDS)
def test_answers_of_a_model(
    bedrock: Callable[..., Any], model_server: tuple[ModelServer, str], kind: TextKind, path: str, answer: Any
) -> None:
    server, url = model_server
    client = bedrock(TextServer(kind=kind, url=url, model="m"))

    for text, content in (("A bee.", [{"text": "A bee."}]), ("", [])):
        server.answers[path] = answer(text)
        assert converse(client)["output"]["message"]["content"] == content
    cut = {"done_reason": "length"} if kind is TextKind.OLLAMA else {"finish_reason": "length"}
    server.answers[path] = answer("A bee lands on", **cut)
    assert converse(client)["stopReason"] == "max_tokens"


@pytest.mark.parametrize(("kind", "path", "answer"), BACKENDS)
@pytest.mark.parametrize(
    ("response", "code", "message"),
    [
        (JSONResponse({"error": "model requires more memory"}, 500), "ModelErrorException", "more memory"),
        (JSONResponse({"error": "model 'm' not found"}, 404), "ResourceNotFoundException", "'m' not found"),
        (JSONResponse({"error": "slow down"}, 429), "ThrottlingException", "slow down"),
        (JSONResponse({"error": "overloaded"}, 503), "ServiceUnavailableException", "overloaded"),
        (JSONResponse({"error": "bad key"}, 401), "AccessDeniedException", "bad key"),
        (JSONResponse({"error": "too many tokens"}, 400), "ValidationException", "too many tokens"),
        (Response(b""), "ModelErrorException", "malformed"),
        (Response(b"<html>login</html>"), "ModelErrorException", "malformed"),
        (Response(b"{}", headers={"content-encoding": "gzip"}), "ModelErrorException", "malformed"),
        (JSONResponse([]), "ModelErrorException", "malformed"),
        (JSONResponse({}), "ModelErrorException", "malformed"),
        (JSONResponse({"message": "hello", "choices": []}), "ModelErrorException", "malformed"),
        (ollama_answer([1]), "ModelErrorException", "malformed"),
        (openai_answer([1]), "ModelErrorException", "malformed"),
    ],
)
def test_errors_of_a_backend_become_bedrock_s(
    bedrock: Callable[..., Any],
    model_server: tuple[ModelServer, str],
    kind: TextKind,
    path: str,
    answer: Any,
    response: Response,
    code: str,
    message: str,
) -> None:
    server, url = model_server
    server.answers[path] = response
    client = bedrock(TextServer(kind=kind, url=url, model="m"))
    with pytest.raises(ClientError, match=message) as caught:
        converse(client)
    assert caught.value.response["Error"]["Code"] == code
    assert isinstance(caught.value, getattr(client.exceptions, code))
    assert url in caught.value.response["Error"]["Message"]


PICTURE = b"\xff\xd8 a picture"


def seen(client: Any) -> Any:
    shown = {"image": {"format": "jpeg", "source": {"bytes": PICTURE}}}
    return client.converse(modelId=MODEL, messages=[{"role": "user", "content": [shown, {"text": "Who?"}]}])


def test_a_picture_is_shown_to_a_model_that_sees(
    bedrock: Callable[..., Any], model_server: tuple[ModelServer, str]
) -> None:
    server, url = model_server
    base64 = b64encode(PICTURE).decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64}"}}
    shown = {
        TextKind.OLLAMA: {"role": "user", "content": "Who?", "images": [base64]},
        TextKind.OPENAI: {"role": "user", "content": [part, {"type": "text", "text": "Who?"}]},
    }
    server.answers["/api/show"] = JSONResponse({"capabilities": ["completion", "vision"]})
    for kind, path, answer in BACKENDS:
        server.answers[path] = answer("A small fox.")
        answered = seen(bedrock(TextServer(kind=kind, url=url, model="m")))
        assert answered["output"]["message"]["content"] == [{"text": "A small fox."}]
        assert server.requests[-1][2]["messages"] == [shown[kind]]


def test_a_model_that_sees_nothing_says_so_and_is_not_asked(
    bedrock: Callable[..., Any], model_server: tuple[ModelServer, str]
) -> None:
    server, url = model_server
    server.answers["/api/show"] = JSONResponse({"capabilities": ["completion"]})
    client = bedrock(TextServer(kind=TextKind.OLLAMA, url=url, model="m"))
    with pytest.raises(client.exceptions.ValidationException, match="m takes no pictures; choose"):
        seen(client)
    assert [path for path, _, _ in server.requests] == ["/api/show"]
    director = bedrock()
    with pytest.raises(director.exceptions.ValidationException, match="director can't see pictures"):
        seen(director)


@pytest.mark.parametrize("kind", BY)
def test_a_configured_backend_that_is_down_is_an_error(
    bedrock: Callable[..., Any], closed_url: str, kind: TextKind
) -> None:
    client = bedrock(TextServer(kind=kind, url=closed_url, model="m"))
    with pytest.raises(
        client.exceptions.ModelErrorException, match=f"{closed_url}.*start the server"
    ) as caught:
        converse(client)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-reelworks-answered-by"] == BY[kind]


def test_an_ollama_is_discovered_with_its_first_chat_model(
    bedrock: Callable[..., Any], model_server: tuple[ModelServer, str]
) -> None:
    server, url = model_server
    capabilities = {"nomic-embed-text:latest": ["embedding"], "gemma3:4b": ["completion", "vision"]}
    server.answers["/api/tags"] = JSONResponse({"models": [{"name": name} for name in capabilities]})
    server.answers["/api/show"] = lambda asked: JSONResponse({"capabilities": capabilities[asked["model"]]})
    server.answers["/api/chat"] = ollama_answer("A bee lands on a flower.")
    client = bedrock(places=places_at(ollama=url))
    for _ in range(2):
        assert converse(client)["additionalModelResponseFields"] == {"answered_by": "ollama gemma3:4b"}
    assert [path for path, _, _ in server.requests].count("/api/tags") == 1  # looked up once in a while


@pytest.mark.parametrize(
    "tags",
    [JSONResponse({"models": []}), JSONResponse({}, 500), JSONResponse(["no Ollama"]), Response(b"hello")],
)
def test_the_director_answers_if_no_ollama_model_is_found(
    bedrock: Callable[..., Any], model_server: tuple[ModelServer, str], tags: Response
) -> None:
    server, url = model_server
    server.answers["/api/tags"] = tags
    answer = converse(bedrock(places=places_at(ollama=url)))
    assert answer["additionalModelResponseFields"] == {"answered_by": "rule-based director"}
    assert [path for path, _, _ in server.requests] == ["/api/tags"]


@pytest.mark.parametrize(
    ("request_fields", "message"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": []}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"text": " "}]}]}, "messages.0.content.0.text"),
        ({"messages": [{"role": "system", "content": [{"text": "Hello"}]}]}, "messages.0.role"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"video": {"format": "mp4", "source": {"bytes": b"1"}}}]}
                ]
            },
            "messages.0.content.0",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"text": "Hello"}]}]},
            "must end with a user message",
        ),
        ({"inferenceConfig": {"temperature": 1.5}}, "inferenceConfig.temperature"),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}]}}, "toolChoice"),
        (
            {
                "toolConfig": {
                    "tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {}}}}],
                    "toolChoice": {"tool": {"name": "u"}},
                }
            },
            "must name the given tool; got 'u'",
        ),
    ],
)
def test_an_invalid_request(
    bedrock: Callable[..., Any], request_fields: dict[str, Any], message: str
) -> None:
    client = bedrock()
    fields = {"messages": [{"role": "user", "content": [{"text": TASK}]}]} | request_fields
    with pytest.raises(client.exceptions.ValidationException, match=message):
        client.converse(modelId=MODEL, **fields)


SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
TOOL = {"toolSpec": {"name": "storyboard", "description": "A film.", "inputSchema": {"json": SCHEMA}}}
FORCED = {"tools": [TOOL], "toolChoice": {"tool": {"name": "storyboard"}}}


@pytest.mark.parametrize(("kind", "path", "answer"), BACKENDS)
def test_a_required_tool_is_answered_by_its_schema(
    bedrock: Callable[..., Any], model_server: tuple[ModelServer, str], kind: TextKind, path: str, answer: Any
) -> None:
    server, url = model_server
    server.answers[path] = answer('{"title": "Bees"}')
    got = converse(bedrock(TextServer(kind=kind, url=url, model="m")), "A film on bees.", toolConfig=FORCED)
    assert got["stopReason"] == "tool_use"
    (block,) = got["output"]["message"]["content"]
    assert (block["toolUse"]["name"], block["toolUse"]["input"]) == ("storyboard", {"title": "Bees"})
    assert block["toolUse"]["toolUseId"]
    document = server.requests[0][2]
    if kind is TextKind.OLLAMA:
        assert document["format"] == SCHEMA
    else:
        schema = {"name": "storyboard", "schema": SCHEMA}
        assert document["response_format"] == {"type": "json_schema", "json_schema": schema}
    system, user = document["messages"]
    assert json.dumps(SCHEMA) in system["content"]
    assert "A film." in system["content"]
    assert user["content"] == "A film on bees."


@pytest.mark.parametrize(("kind", "path", "answer"), BACKENDS)
def test_tool_use_of_a_model(
    bedrock: Callable[..., Any], model_server: tuple[ModelServer, str], kind: TextKind, path: str, answer: Any
) -> None:
    server, url = model_server
    client = bedrock(TextServer(kind=kind, url=url, model="m"))
    for text in ("A film about bees.", '["Bees"]', ""):  # it did not use it
        server.answers[path] = answer(text)
        got = converse(client, toolConfig=FORCED)
        assert got["output"]["message"]["content"] == ([{"text": text}] if text else [])
        assert got["stopReason"] == "end_turn"
    cut = {"done_reason": "length"} if kind is TextKind.OLLAMA else {"finish_reason": "length"}
    server.answers[path] = answer('{"title": "Be', **cut)
    assert converse(client, toolConfig=FORCED)["stopReason"] == "max_tokens"


def test_a_tool_s_use_and_result_are_sent_to_the_model(
    bedrock: Callable[..., Any], model_server: tuple[ModelServer, str]
) -> None:
    server, url = model_server
    server.answers["/api/chat"] = ollama_answer('{"title": "Bees"}')
    use = {"toolUse": {"toolUseId": "1", "name": "storyboard", "input": {"title": 3}}}
    result = {"toolResult": {"toolUseId": "1", "content": [{"text": "title: a text"}], "status": "error"}}
    bedrock(TextServer(kind=TextKind.OLLAMA, url=url, model="m")).converse(
        modelId=MODEL,
        messages=[
            {"role": "user", "content": [{"text": "A film on bees."}]},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
        ],
        toolConfig=FORCED,
    )
    _, first, used, told = server.requests[0][2]["messages"]
    assert first["content"] == "A film on bees."
    assert used == {"role": "assistant", "content": '{"title": 3}'}
    assert told["role"] == "user"
    assert "error" in told["content"]
    assert "title: a text" in told["content"]


def test_the_size_of_ollama_s_context_can_be_set(
    bedrock: Callable[..., Any], model_server: tuple[ModelServer, str]
) -> None:
    server, url = model_server
    server.answers["/api/chat"] = ollama_answer("A bee.")
    fields = {"num_ctx": 16384}
    converse(
        bedrock(TextServer(kind=TextKind.OLLAMA, url=url, model="m")), additionalModelRequestFields=fields
    )
    assert server.requests[0][2]["options"]["num_ctx"] == 16384
    other = bedrock(TextServer(url=url, model="m"))
    with pytest.raises(
        other.exceptions.ValidationException, match=r"does not support num_ctx \(context_size\); set it"
    ):
        converse(other, additionalModelRequestFields=fields)
    with pytest.raises(other.exceptions.ValidationException, match="top_k"):
        converse(other, additionalModelRequestFields={"top_k": 40})


def test_the_director_only_fills_its_own_tools(bedrock: Callable[..., Any]) -> None:
    client = bedrock()
    with pytest.raises(client.exceptions.ValidationException, match="lists the scenes"):
        converse(client, toolConfig=FORCED)
    other = {
        "tools": [{"toolSpec": TOOL["toolSpec"] | {"name": "poem"}}],
        "toolChoice": {"tool": {"name": "poem"}},
    }
    with pytest.raises(client.exceptions.ValidationException, match="does not support the tool 'poem'"):
        converse(client, toolConfig=other)


def test_an_ollama_model_stays_for_the_next_call_and_unloads_before_a_picture_or_clip(
    model_server: tuple[ModelServer, str],
) -> None:
    server, url = model_server
    loaded: list[str] = []

    def chat(_: Any) -> Response:
        loaded[:] = ["m:latest"] * 3
        return ollama_answer("A bee.")

    def running(_: Any) -> Response:
        """Ollama reports that a model unloads some time before it is unloaded."""
        models = [{"name": name} for name in [*loaded[:1], "other:latest"]]
        del loaded[:1]
        return JSONResponse({"models": models})

    left = JSONResponse({"model": "m", "response": "", "done": True, "done_reason": "unload"})
    server.answers |= {"/api/chat": chat, "/api/generate": left, "/api/ps": running}
    body = {"messages": [{"role": "user", "content": [{"text": TASK}]}]}

    async def films() -> None:
        runtime = BedrockRuntime(Settings(text=TextServer(kind=TextKind.OLLAMA, url=url, model="m")))
        transport = httpx.ASGITransport(runtime)
        async with httpx.AsyncClient(transport=transport, base_url="http://bedrock") as http:
            for _ in range(2):
                assert (await http.post(f"/model/{MODEL}/converse", json=body)).status_code == 200
            assert {path for path, _, _ in server.requests} == {"/api/chat"}
            await runtime.free()
            assert not loaded
            asked = [(path, told) for path, _, told in server.requests[2:]]
            assert asked[0] == ("/api/generate", {"model": "m", "keep_alive": 0})
            assert asked[1:] == [("/api/ps", None)] * 4
            await runtime.free()
            assert len(server.requests) == 2 + len(asked), "nothing is loaded any more"

            await http.post(f"/model/{MODEL}/converse", json=body)
            picture = {"prompt": "A bee.", "aspect_ratio": "21:9"}
            assert (await http.post("/model/stability.sd3-5-large-v1:0/invoke", json=picture)).is_success
            assert not loaded

            await http.post(f"/model/{MODEL}/converse", json=body)
            server.answers["/api/generate"] = Response(status_code=500)
            await runtime.free()  # a server without unloading is left alone
        await runtime.stop()

    asyncio.run(films())


def test_other_operations_are_rejected(bedrock: Callable[..., Any]) -> None:
    with pytest.raises(ClientError, match="UnknownOperationException"):
        bedrock().count_tokens(modelId=MODEL, input={"invokeModel": {"body": b"{}"}})
