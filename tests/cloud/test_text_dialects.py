"""What real servers with OpenAI's or Ollama's API refuse, and how they are asked again."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.services.bedrock import BedrockRuntime
from reelworks.cloud.settings import Settings, TextServer
from tests.cloud.model_servers import ModelServer, ollama_answer, openai_answer
from tests.cloud.servers import serving, stopping, wait_until

CHAT = "/v1/chat/completions"
SCHEMA = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
TOOL = {
    "tools": [{"toolSpec": {"name": "storyboard", "description": "…", "inputSchema": {"json": SCHEMA}}}],
    "toolChoice": {"tool": {"name": "storyboard"}},
}
FILM = json.dumps({"title": "Bees"})
Answering = Callable[[Any], Response]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def server(stack: ExitStack) -> tuple[ModelServer, str]:
    server = ModelServer()
    return server, stack.enter_context(serving(server.app))


@pytest.fixture
def client(stack: ExitStack, server: tuple[ModelServer, str]) -> Callable[..., Any]:
    def connect(kind: TextKind = TextKind.OPENAI, **settings: Any) -> Any:
        text = TextServer(kind=kind, url=server[1], model="m", **settings)
        url = stack.enter_context(serving(stopping(BedrockRuntime(Settings(text=text)))))
        client = boto3.Session("test", "test", region_name="us-east-1").client(
            "bedrock-runtime", endpoint_url=url, config=Config(retries={"total_max_attempts": 1})
        )
        return stack.enter_context(closing(client))

    return connect


def fill(client: Any, **inference: Any) -> Any:
    answer = client.converse(
        modelId="any",
        system=[{"text": "You are a director."}],
        messages=[{"role": "user", "content": [{"text": "A film on bees."}]}],
        inferenceConfig=inference or {"maxTokens": 500, "temperature": 0.5, "topP": 0.9},
        toolConfig=TOOL,
    )
    uses = [
        block["toolUse"]["input"] for block in answer["output"]["message"]["content"] if "toolUse" in block
    ]
    return uses[0] if uses else None


def error(status: int, message: str, **fields: Any) -> Response:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error", **fields}}, status)


def openai_reasoning(asked: Any) -> Response:
    """api.openai.com with one of its reasoning models."""
    if "max_tokens" in asked:
        said = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens'"
        return error(400, f"{said} instead.", param="max_tokens", code="unsupported_parameter")
    for name, default in (("temperature", 1), ("top_p", 1)):
        if asked.get(name, default) != default:
            said = f"Unsupported value: '{name}' does not support {asked[name]}. Only the default"
            return error(400, f"{said} (1) value is supported.", param=name, code="unsupported_value")
    return openai_answer(FILM)


def llama_cpp_python(asked: Any) -> Response:
    """llama_cpp.server: pydantic's complaint about the type is an internal error there."""
    form = asked.get("response_format") or {"type": "text"}
    if form["type"] not in ("text", "json_object"):
        return JSONResponse(
            {"error": {"message": "Internal Server Error", "type": "internal_server_error"}}, 500
        )
    assert form.get("schema") == SCHEMA
    return openai_answer(FILM)


def fastapi_422(asked: Any) -> Response:
    """A server that repeats the whole request in its complaint."""
    form = asked.get("response_format")
    if form and form["type"] == "json_schema":
        where = ["body", "response_format", "type"]
        detail = [{"type": "literal_error", "loc": where, "msg": "Input should be 'text'", "input": asked}]
        return JSONResponse({"detail": detail}, 422)
    if form and "schema" in form:
        where = ["body", "response_format", "schema"]
        return JSONResponse({"detail": [{"loc": where, "msg": "Extra inputs are not permitted"}]}, 422)
    return openai_answer(FILM)


def json_object_only(asked: Any) -> Response:
    """DeepSeek and others."""
    form = asked.get("response_format") or {}
    if form.get("type") == "json_schema":
        return error(400, "This response_format type is unavailable now")
    if "schema" in form:
        return error(400, "Unknown parameter: 'response_format.schema'.", param="response_format.schema")
    return openai_answer(FILM)


def no_json_mode(asked: Any) -> Response:
    if "response_format" in asked:
        return JSONResponse({"error": "'response_format' is not supported by this model"}, 400)
    return openai_answer(f"Here is the storyboard:\n```json\n{FILM}\n```")


def no_grammar(asked: Any) -> Response:
    """llama.cpp with a schema that its grammar can't express."""
    form = asked.get("response_format") or {}
    if form.get("json_schema") or form.get("schema"):
        return JSONResponse({"error": {"code": 400, "message": "failed to parse grammar"}}, 400)
    return openai_answer(FILM)


def no_system_role(asked: Any) -> Response:
    """Gemma's chat template."""
    if any(message["role"] == "system" for message in asked["messages"]):
        return error(500, "Jinja Exception: System role not supported")
    assert "You are a director." in asked["messages"][0]["content"]
    return openai_answer(FILM)


def one_sampler(asked: Any) -> Response:
    """Anthropic's models behind an OpenAI-compatible gateway."""
    if "temperature" in asked and "top_p" in asked:
        return error(400, "`temperature` and `top_p` cannot both be specified for this model.")
    return openai_answer(FILM)


def error_with_200(asked: Any) -> Response:
    if "max_tokens" in asked:
        return JSONResponse({"error": {"message": "Unrecognized request argument: max_tokens", "code": 400}})
    return openai_answer(FILM)


def reasoning_without_system(asked: Any) -> Response:
    """o1-mini."""
    if any(message["role"] == "system" for message in asked["messages"]):
        said = "Unsupported value: 'messages[0].role' does not support 'system' with this model."
        return error(400, said, param="messages[0].role", code="unsupported_value")
    return openai_answer(FILM)


def alternating_roles(asked: Any) -> Response:
    """Chat templates of Mistral 7B and Gemma."""
    if asked["messages"][0]["role"] != "user":
        said = "Conversation roles must alternate user/assistant/user/assistant/..."
        return JSONResponse({"object": "error", "message": said, "type": "BadRequestError", "code": 400}, 400)
    return openai_answer(FILM)


def mistral(asked: Any) -> Response:
    if asked.get("response_format", {}).get("type") == "json_schema":
        where = ["body", "response_format", "type"]
        detail = [{"type": "enum", "loc": where, "msg": "Input should be 'text'", "input": asked}]
        return JSONResponse({"object": "error", "message": {"detail": detail}}, 422)
    return openai_answer(FILM)


def gemini(asked: Any) -> Response:
    if "top_p" in asked:
        said = 'Invalid JSON payload received. Unknown name "top_p": Cannot find field.'
        return JSONResponse([{"error": {"code": 400, "message": said, "status": "INVALID_ARGUMENT"}}], 400)
    return openai_answer(FILM)


def shorter_answers(asked: Any) -> Response:
    if asked.get("max_tokens", 0) > 256:
        said = "max_tokens is too large: 500. This model supports at most 256 completion tokens."
        return error(400, said, param="max_tokens", code="invalid_value")
    return openai_answer(FILM)


def fixed_temperature(asked: Any) -> Response:
    if asked.get("temperature", 1) != 1:
        return error(400, "This model requires `temperature` to be 1.")
    return openai_answer(FILM)


def everything(asked: Any) -> Response:
    """A server that takes nothing beyond the messages."""
    for name in asked:
        if name not in ("model", "messages"):
            return error(400, f"Unsupported parameter: '{name}'", param=name)
    return openai_answer(f"<think>Hm.</think>{FILM}")


@pytest.mark.parametrize(
    ("answering", "tries"),
    [
        (openai_reasoning, 4),
        (llama_cpp_python, 2),
        (fastapi_422, 3),
        (json_object_only, 3),
        (no_json_mode, 4),
        (no_grammar, 3),
        (no_system_role, 2),
        (one_sampler, 2),
        (error_with_200, 2),
        (reasoning_without_system, 2),
        (alternating_roles, 2),
        (mistral, 2),
        (gemini, 2),
        (shorter_answers, 2),
        (fixed_temperature, 2),
        (everything, 8),
    ],
)
def test_a_refused_question_is_asked_in_the_form_that_the_server_takes(
    client: Callable[..., Any], server: tuple[ModelServer, str], answering: Answering, tries: int
) -> None:
    server[0].answers[CHAT] = answering
    runtime = client()
    assert fill(runtime) == {"title": "Bees"}
    assert len(server[0].requests) == tries
    assert fill(runtime) == {"title": "Bees"}
    assert len(server[0].requests) == tries + 1, "what the server takes is remembered"


def ollama_json_only(asked: Any) -> Response:
    if isinstance(asked.get("format"), dict):
        return JSONResponse({"error": 'invalid format: expected "json" or a JSON schema'}, 400)
    return ollama_answer(FILM)


def ollama_no_format(asked: Any) -> Response:
    if "format" in asked:
        return JSONResponse({"error": "failed to load model vocabulary required for format"}, 500)
    return ollama_answer(FILM)


def ollama_no_thinking(asked: Any) -> Response:
    if "think" in asked:
        return JSONResponse({"error": 'think value "false" is not supported for this model'}, 400)
    return ollama_answer([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": FILM}])


def ollama_older_model(asked: Any) -> Response:
    if "think" in asked:
        return JSONResponse({"error": '"m" does not support thinking'}, 400)
    return ollama_answer(FILM)


@pytest.mark.parametrize(
    ("answering", "tries"),
    [(ollama_json_only, 2), (ollama_no_format, 3), (ollama_no_thinking, 2), (ollama_older_model, 2)],
)
def test_ollama_too(
    client: Callable[..., Any], server: tuple[ModelServer, str], answering: Answering, tries: int
) -> None:
    server[0].answers["/api/chat"] = answering
    runtime = client(TextKind.OLLAMA)
    for asked in (tries, tries + 1):
        assert fill(runtime) == {"title": "Bees"}
        assert len(server[0].requests) == asked


@pytest.mark.parametrize(
    ("refusal", "tries"),
    [
        (error(500, "CUDA error: out of memory"), 1),
        (
            error(400, "This model's maximum context length is 2048 tokens; max_tokens must be at most 900."),
            1,
        ),
        (error(401, "Incorrect API key provided"), 1),
        (error(404, "The model `m` does not exist"), 1),
        (error(429, "Rate limit reached"), 1),
        (error(503, "Loading model"), 1),
        (error(500, "Internal Server Error"), 4),  # the form may be the reason
        (Response(b"Traceback (most recent call last):\n" + b"x" * 5000 + b"\nKeyError: 'y'", 500), 4),
    ],
)
def test_what_no_other_form_changes_is_said_at_once(
    client: Callable[..., Any], server: tuple[ModelServer, str], refusal: Response, tries: int
) -> None:
    server[0].answers[CHAT] = refusal
    with pytest.raises(ClientError) as caught:
        fill(client())
    assert len(server[0].requests) == tries
    message = caught.value.response["Error"]["Message"]
    assert message.startswith(f"{server[1]}{CHAT} returned {refusal.status_code}: ")
    assert message.endswith("KeyError: 'y'") or json.loads(refusal.body)["error"]["message"] in message
    assert len(message) < 1000


@pytest.mark.parametrize(
    "message",
    [
        {"content": [{"type": "text", "text": FILM}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                     {"type": "text", "text": FILM[:9]}, {"type": "text", "text": FILM[9:]}]},
        {"content": None, "tool_calls": [{"function": {"name": "storyboard", "arguments": FILM}}]},
        {"content": "", "tool_calls": [{"function": {"name": "storyboard", "arguments": {"title": "Bees"}}}]},
        {"content": FILM, "reasoning_content": "Hm."},
        {"content": [FILM[:9], {"type": "reference", "reference_ids": [1]}, FILM[9:]]},
        {"content": {"title": "Bees"}},
        {"content": {"type": "text", "text": FILM}},
        {"content": None, "function_call": {"name": "storyboard", "arguments": FILM}},
    ],
)  # fmt: skip
def test_the_ways_of_giving_an_answer(
    client: Callable[..., Any], server: tuple[ModelServer, str], message: dict[str, Any]
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    server[0].answers[CHAT] = JSONResponse({"choices": [choice], "usage": {"prompt_tokens": None}})
    assert fill(client()) == {"title": "Bees"}


def test_a_refusal_in_a_field_of_its_own_is_a_filtered_answer(
    client: Callable[..., Any], server: tuple[ModelServer, str]
) -> None:
    choice = {
        "message": {"role": "assistant", "content": None, "refusal": "I can't."},
        "finish_reason": "stop",
    }
    server[0].answers[CHAT] = JSONResponse({"choices": [choice]})
    answer = client().converse(modelId="any", messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    assert answer["stopReason"] == "content_filtered"


class SlowServer:
    """A server that answers when it is allowed to, and counts who is gone meanwhile."""

    def __init__(self) -> None:
        self.asked = self.abandoned = 0
        self.answer = threading.Event()
        self.app = Starlette(routes=[Route("/{path:path}", self.chat, methods=["POST"])])

    async def chat(self, request: Request) -> Response:
        await request.body()
        self.asked += 1
        while not self.answer.is_set():
            if await request.is_disconnected():
                self.abandoned += 1
                return Response(status_code=499)
            await asyncio.sleep(0.01)
        return openai_answer(FILM)


def test_a_slow_model_is_asked_once_and_an_abandoned_question_is_cancelled(stack: ExitStack) -> None:
    slow = SlowServer()
    text = TextServer(url=stack.enter_context(serving(slow.app)), model="m")
    url = stack.enter_context(serving(stopping(BedrockRuntime(Settings(text=text)))))
    body = {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    with closing(HTTPConnection(url.removeprefix("http://"))) as connection:
        connection.request("POST", "/model/any/converse", json.dumps(body))
        wait_until(lambda: slow.asked == 1)
    wait_until(lambda: slow.abandoned == 1)
    slow.answer.set()
    assert httpx.post(f"{url}/model/any/converse", json=body, timeout=30, trust_env=False).status_code == 200
    assert (slow.asked, slow.abandoned) == (2, 1)


def test_a_model_that_takes_longer_than_the_setting_is_given_up_once(stack: ExitStack) -> None:
    slow = SlowServer()
    text = TextServer.model_construct(
        kind=TextKind.OPENAI,
        url=stack.enter_context(serving(slow.app)),
        model="m",
        api_key=None,
        context_tokens=8192,
        timeout_seconds=3,  # less than the settings allow, for the test
    )
    settings = Settings.model_construct(**{**dict(Settings()), "text": text})
    url = stack.enter_context(serving(stopping(BedrockRuntime(settings))))
    client = boto3.Session("test", "test", region_name="us-east-1").client(
        "bedrock-runtime", endpoint_url=url
    )
    with (
        closing(client),
        pytest.raises(client.exceptions.ModelErrorException, match="within 3 s; give it more"),
    ):
        fill(client)
    wait_until(lambda: slow.abandoned == 1)
    assert slow.asked == 1, "neither the cloud nor botocore asks again"
