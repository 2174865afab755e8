"""Bedrock's runtime on this machine: Converse in the service's wire format.

Source: botocore's model of bedrock-runtime, 2023-09-30. The request's model id is accepted as it is;
`additionalModelResponseFields.answered_by` says who answered in its place.
"""

import time
from typing import Annotated, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from reelworks.cloud.text_backends import (
    Answer,
    Backend,
    Conversation,
    Director,
    Ollama,
    TextBackend,
    Turn,
    find_ollama,
)
from reelworks.cloud.wire import ServiceError, service

OLLAMA_URL = "http://127.0.0.1:11434"  # where Ollama listens unless told otherwise
LOOK_EVERY_SECONDS = 30.0


class _Document(BaseModel):
    """What Bedrock has beyond these fields (tools, guardrails, images) is refused, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class _Text(_Document):
    text: Annotated[str, Field(pattern=r"\S")]


class _Message(_Document):
    role: Literal["user", "assistant"]
    content: Annotated[tuple[_Text, ...], Field(min_length=1)]


class _InferenceConfig(_Document):
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stop_sequences: tuple[str, ...] = ()


class _ConverseRequest(_Document):
    messages: Annotated[tuple[_Message, ...], Field(min_length=1)]
    system: tuple[_Text, ...] = ()
    inference_config: _InferenceConfig = _InferenceConfig()

    def conversation(self) -> Conversation:
        return Conversation(
            system="\n".join(block.text for block in self.system),
            turns=tuple(
                Turn(message.role, "\n".join(block.text for block in message.content))
                for message in self.messages
            ),
            max_tokens=self.inference_config.max_tokens,
            temperature=self.inference_config.temperature,
            top_p=self.inference_config.top_p,
            stop=self.inference_config.stop_sequences,
        )


class BedrockRuntime:
    """An ASGI app for requests signed for `bedrock`.

    Who answers: the configured backend, and only it, even when it is down; without one, an Ollama found at
    `ollama_url`, else the rule-based director.
    """

    def __init__(self, configured: TextBackend | None, *, ollama_url: str = OLLAMA_URL) -> None:
        self._http = httpx.AsyncClient(trust_env=False)  # a proxy is not for loopback
        self._configured = configured.connect(self._http) if configured else None
        self._ollama_url = ollama_url
        self._found: Ollama | None = None
        self._looked_at = float("-inf")
        self._app = service([Route("/model/{model:path}/converse", self._converse, methods=["POST"])])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def stop(self) -> None:
        await self._http.aclose()

    async def _converse(self, request: Request) -> JSONResponse:
        try:
            conversation = _ConverseRequest.model_validate_json(await request.body()).conversation()
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"])) or "body"
            raise ServiceError(400, "ValidationException", f"{where}: {problem['msg']}") from error
        if conversation.turns[-1].role != "user":
            raise ServiceError(400, "ValidationException", "A conversation must end with a user message.")
        backend = await self._backend()
        started = time.monotonic()
        answer = await backend.answer(conversation)
        return JSONResponse(_response(answer, backend.name, time.monotonic() - started))

    async def _backend(self) -> Backend:
        if self._configured:
            return self._configured
        if time.monotonic() - self._looked_at > LOOK_EVERY_SECONDS:
            self._found = await find_ollama(self._http, self._ollama_url)
            self._looked_at = time.monotonic()
        return self._found or Director()


def _response(answer: Answer, answered_by: str, seconds: float) -> dict[str, object]:
    content = [{"text": answer.text}] if answer.text else []
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": answer.stop_reason,
        "usage": {
            "inputTokens": answer.input_tokens,
            "outputTokens": answer.output_tokens,
            "totalTokens": answer.input_tokens + answer.output_tokens,
        },
        "metrics": {"latencyMs": round(seconds * 1000)},
        "additionalModelResponseFields": {"answered_by": answered_by},
    }
