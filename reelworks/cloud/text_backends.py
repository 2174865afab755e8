"""What answers in Bedrock's place: a model server of this PC's user, or the rule-based director.

Every backend raises ServiceError with the code that Bedrock has for the case.
"""

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import httpx

from reelworks.cloud import director, storyteller
from reelworks.cloud.settings import TextKind, TextServer
from reelworks.cloud.wire import ServiceError

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "content_filtered"]

LONGEST_ANSWER_SECONDS = 240.0  # loading the model from disk included
LOOK_SECONDS = 0.5  # for an Ollama that may not be there
# A storyboard that is mended, or written anew scene by scene, asks again within this time, and need not wait
# for the model to be read from disk; whoever draws or renders before it is over has the model freed.
KEPT_SECONDS = 60
_LEAVING_SECONDS = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Turn:
    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class Tool:
    """What the answer is to be an input of: a JSON object by `schema`."""

    name: str
    description: str
    schema: dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """A Converse request; what is None is left to the model."""

    system: str
    turns: tuple[Turn, ...]
    tool: Tool | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: tuple[str, ...]
    context_tokens: int | None

    def messages(self) -> list[dict[str, str]]:
        """In the form that Ollama and OpenAI share. A tool's schema stands in it, too: a server that keeps a
        model to a schema doesn't tell the model of it (docs.ollama.com/capabilities/structured-outputs)."""
        parts = [self.system] if self.system else []
        if self.tool:
            parts.append(_instruction(self.tool))
        first = [{"role": "system", "content": "\n\n".join(parts)}] if parts else []
        return first + [{"role": turn.role, "content": turn.text} for turn in self.turns]


@dataclass(frozen=True)
class Answer:
    """`text` may be empty; where a tool was asked for, it is the JSON. Tokens are the model's own count."""

    text: str
    stop_reason: StopReason
    input_tokens: int
    output_tokens: int


class Backend(Protocol):
    @property
    def name(self) -> str:
        """For the record: who answered."""

    async def answer(self, conversation: Conversation) -> Answer: ...

    async def free(self) -> None:
        """Has the model leave the GPU, as far as the server can be told so. Raises nothing."""


def connect(server: TextServer, http: httpx.AsyncClient) -> Backend:
    if server.kind is TextKind.OLLAMA:
        return Ollama(http, server.url, server.model, server.context_tokens)
    return OpenAICompatible(http, server.url, server.model, server.api_key)


class Ollama:
    """Ollama's own API, which alone can free the GPU.

    Source: docs/api.md of github.com/ollama/ollama.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, model: str, context_tokens: int) -> None:
        self._http = http
        self._url = url
        self._model = model
        self._context_tokens = context_tokens

    @property
    def name(self) -> str:
        return f"ollama {self._model}"

    async def answer(self, conversation: Conversation) -> Answer:
        options = {
            "num_ctx": conversation.context_tokens or self._context_tokens,
            "num_predict": conversation.max_tokens,
            "temperature": conversation.temperature,
            "top_p": conversation.top_p,
            "stop": list(conversation.stop) or None,
        }
        request = {
            "model": self._model,
            "messages": conversation.messages(),
            "stream": False,
            "think": False,
            "keep_alive": KEPT_SECONDS,
            "options": _given(options),
            "format": conversation.tool and conversation.tool.schema,
        }
        answer = await _post(self._http, f"{self._url}/api/chat", _given(request), {})
        with _reading(self._url):
            return Answer(
                text=_text(answer["message"]["content"]),
                stop_reason="max_tokens" if answer.get("done_reason") == "length" else "end_turn",
                input_tokens=int(answer.get("prompt_eval_count", 0)),
                output_tokens=int(answer.get("eval_count", 0)),
            )

    async def free(self) -> None:
        """Returns once the model is out of memory: Ollama answers before it is."""
        try:
            async with asyncio.timeout(_LEAVING_SECONDS):
                leave = {"model": self._model, "keep_alive": 0}
                (await self._http.post(f"{self._url}/api/generate", json=leave)).raise_for_status()
                while await self._is_loaded():
                    await asyncio.sleep(0.05)
        except (TimeoutError, httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            # Without Ollama there is no model in memory either; and one that stays may leave room enough.
            logger.warning("text model not freed", extra={"model": self._model, "reason": repr(error)})

    async def _is_loaded(self) -> bool:
        models = (await self._http.get(f"{self._url}/api/ps")).raise_for_status().json()["models"]
        return any(model["name"] in (self._model, f"{self._model}:latest") for model in models)


class OpenAICompatible:
    """POST /v1/chat/completions, as llama.cpp, vLLM, LM Studio and hosted services have it."""

    def __init__(self, http: httpx.AsyncClient, url: str, model: str, api_key: str | None) -> None:
        self._http = http
        self._url = url.removesuffix("/v1")
        self._model = model
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}

    @property
    def name(self) -> str:
        return f"openai-compatible {self._model}"

    async def answer(self, conversation: Conversation) -> Answer:
        if conversation.context_tokens is not None:
            problem = f"The text model at {self._url} has a context size of its own: set it there."
            raise ServiceError(400, "ValidationException", problem)
        request = {
            "model": self._model,
            "messages": conversation.messages(),
            "max_tokens": conversation.max_tokens,
            "temperature": conversation.temperature,
            "top_p": conversation.top_p,
            "stop": list(conversation.stop) or None,
            "response_format": conversation.tool and _response_format(conversation.tool),
        }
        answer = await _post(self._http, f"{self._url}/v1/chat/completions", _given(request), self._headers)
        stops: dict[str, StopReason] = {"length": "max_tokens", "content_filter": "content_filtered"}
        with _reading(self._url):
            choice = answer["choices"][0]
            usage = answer.get("usage") or {}
            return Answer(
                text=_text(choice["message"]["content"]),
                stop_reason=stops.get(choice.get("finish_reason"), "end_turn"),
                input_tokens=int(usage.get("prompt_tokens", 0)),
                output_tokens=int(usage.get("completion_tokens", 0)),
            )

    async def free(self) -> None:
        """The format has no word for it: such a server has its memory for itself."""


class Director:
    """The rule-based director as a backend; it counts words as tokens."""

    name = "rule-based director"

    async def answer(self, conversation: Conversation) -> Answer:
        message = conversation.turns[-1].text
        try:
            if conversation.tool:
                text = json.dumps(storyteller.fill(conversation.tool.name, message), ensure_ascii=False)
            else:
                task = director.read_task(message)
                text = director.enhance(task.prompt, task.words, task.change)
        except director.NotATask as error:
            raise ServiceError(400, "ValidationException", str(error)) from error
        return Answer(text, "end_turn", len(message.split()), len(text.split()))

    async def free(self) -> None:
        """It holds nothing."""


async def find_ollama(http: httpx.AsyncClient, url: str) -> Ollama | None:
    """The Ollama at `url` with its first model that can chat; None if there is no such server or model."""
    try:
        models = (await http.get(f"{url}/api/tags", timeout=LOOK_SECONDS)).raise_for_status().json()["models"]
        for model in models:
            show = await http.post(f"{url}/api/show", json={"model": model["name"]}, timeout=LOOK_SECONDS)
            # An embedding model lacks it; Ollama before 0.6.4 lists no capabilities.
            if "completion" in show.raise_for_status().json().get("capabilities", ["completion"]):
                return Ollama(http, url, model["name"], TextServer.model_fields["context_tokens"].default)
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
        return None  # whatever listens there, it is no Ollama
    return None


async def _post(
    http: httpx.AsyncClient, url: str, request: dict[str, Any], headers: Mapping[str, str]
) -> dict[str, Any]:
    try:
        response = await http.post(url, json=request, headers=headers, timeout=LONGEST_ANSWER_SECONDS)
    except httpx.TimeoutException as error:
        raise ServiceError(
            408, "ModelTimeoutException", f"The text model at {url} did not answer in time."
        ) from error
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise ServiceError(
            503, "ServiceUnavailableException", f"The text model at {url} can't be reached: {error}"
        ) from error
    if not response.is_success:
        raise _refused(url, response)
    with _reading(url):
        answer = response.json()
        if not isinstance(answer, dict):
            raise TypeError("the answer is not an object")
    return answer


_REFUSALS = {
    400: (400, "ValidationException"),
    401: (403, "AccessDeniedException"),
    403: (403, "AccessDeniedException"),
    404: (404, "ResourceNotFoundException"),
    408: (408, "ModelTimeoutException"),
    429: (429, "ThrottlingException"),
    503: (503, "ServiceUnavailableException"),
}


def _refused(url: str, response: httpx.Response) -> ServiceError:
    message = f"The text model at {url} answered {response.status_code}: {response.text[:500]}"
    if response.status_code in _REFUSALS:
        return ServiceError(*_REFUSALS[response.status_code], message)
    return ServiceError(424, "ModelErrorException", message, originalStatusCode=response.status_code)


@contextmanager
def _reading(url: str) -> Iterator[None]:
    """Turns what goes wrong when a malformed answer is read into Bedrock's error."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"The answer of the text model at {url} is malformed: {error!r}"
        raise ServiceError(424, "ModelErrorException", message) from error


def _instruction(tool: Tool) -> str:
    return (
        f"Answer with one JSON object and nothing else: the input of the tool {tool.name!r}. "
        f"{tool.description}\nIts JSON schema: {json.dumps(tool.schema, ensure_ascii=False)}"
    )


def _response_format(tool: Tool) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": tool.name, "schema": tool.schema}}


def _text(content: object) -> str:
    if content is None:  # what OpenAI's format has in place of an empty text
        return ""
    if not isinstance(content, str):
        raise TypeError("the message's content is not text")
    return content


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
