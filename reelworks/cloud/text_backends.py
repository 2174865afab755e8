"""What answers in Bedrock's place: a model server of this PC's user, or the rule-based director.

Every backend raises ServiceError with the code that Bedrock has for the case.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol, Self

import httpx

from reelworks.cloud import director
from reelworks.cloud.wire import ServiceError

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "content_filtered"]

CONTEXT_TOKENS = 8192  # Ollama's documented defaults conflict, so it is always told
LONGEST_ANSWER_SECONDS = 240.0  # loading the model from disk included
LOOK_SECONDS = 0.5  # for an Ollama that may not be there


@dataclass(frozen=True)
class Turn:
    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class Conversation:
    """A Converse request; what is None is left to the model."""

    system: str
    turns: tuple[Turn, ...]
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    stop: tuple[str, ...]

    def messages(self) -> list[dict[str, str]]:
        """In the form that Ollama and OpenAI share."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return system + [{"role": turn.role, "content": turn.text} for turn in self.turns]


@dataclass(frozen=True)
class Answer:
    """`text` may be empty. Tokens are the model's own count."""

    text: str
    stop_reason: StopReason
    input_tokens: int
    output_tokens: int


class Backend(Protocol):
    @property
    def name(self) -> str:
        """For the record: who answered."""

    async def answer(self, conversation: Conversation) -> Answer: ...


class Kind(StrEnum):
    OLLAMA = "ollama"
    OPENAI = "openai"  # what llama.cpp, vLLM and LM Studio speak, and Ollama too


@dataclass(frozen=True)
class TextBackend:
    """The model server that the user has configured."""

    kind: Kind
    url: str
    model: str
    api_key: str | None = None

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> Self | None:
        """From REELWORKS_TEXT_URL, _MODEL, _API_KEY and _KIND (default openai). None without a URL.

        Raises ValueError if the others do not fit.
        """
        url = env.get("REELWORKS_TEXT_URL")
        if not url:
            return None
        kind = env.get("REELWORKS_TEXT_KIND", Kind.OPENAI)
        if kind not in list(Kind):
            raise ValueError(f"REELWORKS_TEXT_KIND must be one of {', '.join(Kind)}; it is {kind!r}.")
        model = env.get("REELWORKS_TEXT_MODEL")
        if not model:
            raise ValueError("REELWORKS_TEXT_MODEL must name a model of the server at REELWORKS_TEXT_URL.")
        return cls(Kind(kind), url, model, env.get("REELWORKS_TEXT_API_KEY") or None)

    def connect(self, http: httpx.AsyncClient) -> Backend:
        if self.kind is Kind.OLLAMA:
            return Ollama(http, self.url, self.model)
        return OpenAICompatible(http, self.url, self.model, self.api_key)


class Ollama:
    """Ollama's own API, which alone can free the GPU after the answer.

    Source: docs/api.md of github.com/ollama/ollama.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, model: str) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._model = model

    @property
    def name(self) -> str:
        return f"ollama {self._model}"

    async def answer(self, conversation: Conversation) -> Answer:
        options = {
            "num_ctx": CONTEXT_TOKENS,
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
            "keep_alive": 0,  # the video engine needs the memory next
            "options": _given(options),
        }
        answer = await _post(self._http, f"{self._url}/api/chat", request, {})
        with _reading(self._url):
            return Answer(
                text=_text(answer["message"]["content"]),
                stop_reason="max_tokens" if answer.get("done_reason") == "length" else "end_turn",
                input_tokens=int(answer.get("prompt_eval_count", 0)),
                output_tokens=int(answer.get("eval_count", 0)),
            )


class OpenAICompatible:
    """POST /v1/chat/completions, as llama.cpp, vLLM, LM Studio and hosted services have it."""

    def __init__(self, http: httpx.AsyncClient, url: str, model: str, api_key: str | None) -> None:
        self._http = http
        self._url = url.rstrip("/").removesuffix("/v1")
        self._model = model
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}

    @property
    def name(self) -> str:
        return f"openai-compatible {self._model}"

    async def answer(self, conversation: Conversation) -> Answer:
        request = {
            "model": self._model,
            "messages": conversation.messages(),
            "max_tokens": conversation.max_tokens,
            "temperature": conversation.temperature,
            "top_p": conversation.top_p,
            "stop": list(conversation.stop) or None,
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


class Director:
    """The rule-based director as a backend; it counts words as tokens."""

    name = "rule-based director"

    async def answer(self, conversation: Conversation) -> Answer:
        message = conversation.turns[-1].text
        try:
            task = director.read_task(message)
        except director.NotATask as error:
            raise ServiceError(400, "ValidationException", str(error)) from error
        text = director.enhance(task.prompt, task.words)
        return Answer(text, "end_turn", len(message.split()), len(text.split()))


async def find_ollama(http: httpx.AsyncClient, url: str) -> Ollama | None:
    """The Ollama at `url` with its first model that can chat; None if there is no such server or model."""
    try:
        models = (await http.get(f"{url}/api/tags", timeout=LOOK_SECONDS)).raise_for_status().json()["models"]
        for model in models:
            show = await http.post(f"{url}/api/show", json={"model": model["name"]}, timeout=LOOK_SECONDS)
            # An embedding model lacks it; Ollama before 0.6.4 lists no capabilities.
            if "completion" in show.raise_for_status().json().get("capabilities", ["completion"]):
                return Ollama(http, url, model["name"])
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


def _text(content: object) -> str:
    if content is None:  # what OpenAI's format has in place of an empty text
        return ""
    if not isinstance(content, str):
        raise TypeError("the message's content is not text")
    return content


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
