"""Bedrock's runtime on this machine: Converse, and InvokeModel for images, in the service's wire format.

Source: botocore's model of bedrock-runtime, 2023-09-30. Any model id is accepted;
`additionalModelResponseFields` names the backend that answered in its place (`answered_by`) and says what the
user should know about the answer (`note`).
"""

import asyncio
import json
import secrets
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import httpx
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lambdas.adapters.text_model import ANSWERED_BY
from lambdas.domain.json_answers import object_in
from reelworks.cloud.backends.text.discovery import PLACES, Place
from reelworks.cloud.backends.text.interface import (
    Answer,
    Conversation,
    Picture,
    TextBackend,
    Tool,
    Turn,
)
from reelworks.cloud.errors import ServiceError
from reelworks.cloud.services.bedrock_guardrail import WordList
from reelworks.cloud.services.bedrock_images import BedrockImages
from reelworks.cloud.services.text_models import TextInUse, connect, text_in_use
from reelworks.cloud.services.wire import parsed, service
from reelworks.cloud.settings import Settings

LOOK_EVERY_SECONDS = 30.0
CALLER_GONE = 499  # nginx's status for a client that disconnected; no client receives it


class _Document(BaseModel):
    """A document of the wire format. Bedrock's other fields (guardrails, documents, a free choice of tools)
    are refused, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class _Text(_Document):
    text: Annotated[str, Field(pattern=r"\S")]


class _ToolUse(_Document):
    tool_use_id: str
    name: str
    input: dict[str, Any]


class _ToolResultBlock(_Document):
    text: str | None = None
    json_: Annotated[Any, Field(alias="json")] = None


class _ToolResult(_Document):
    tool_use_id: str
    content: tuple[_ToolResultBlock, ...]
    status: Literal["success", "error"] = "success"


class _ImageSource(_Document):
    bytes: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+=*$")]  # base64


class _Image(_Document):
    format: Literal["png", "jpeg", "gif", "webp"]
    source: _ImageSource


class _Block(_Document):
    text: Annotated[str, Field(pattern=r"\S")] | None = None
    image: _Image | None = None
    tool_use: _ToolUse | None = None
    tool_result: _ToolResult | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("must have exactly one of text, image, toolUse, toolResult")
        return self

    def as_text(self) -> str:
        """Return the text for local models, which read a tool's use as JSON and its result as text."""
        if self.tool_use:
            return json.dumps(self.tool_use.input, ensure_ascii=False)
        if self.tool_result:
            parts = (part.text or json.dumps(part.json_) for part in self.tool_result.content)
            return "\n".join((f"The tool's result, {self.tool_result.status}:", *parts))
        return self.text or ""


class _Message(_Document):
    role: Literal["user", "assistant"]
    content: Annotated[tuple[_Block, ...], Field(min_length=1)]


class _InferenceConfig(_Document):
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    stop_sequences: tuple[str, ...] = ()


class _InputSchema(_Document):
    json_: Annotated[dict[str, Any], Field(alias="json")]


class _ToolSpec(_Document):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str = ""
    input_schema: _InputSchema
    strict: bool = False


class _Tool(_Document):
    tool_spec: _ToolSpec


class _ToolName(_Document):
    name: str


class _ToolChoice(_Document):
    tool: _ToolName


class _ToolConfig(_Document):
    """One tool that the answer must use: the way to request JSON that follows a schema."""

    tools: Annotated[tuple[_Tool, ...], Field(min_length=1, max_length=1)]
    tool_choice: _ToolChoice

    def tool(self) -> Tool:
        spec = self.tools[0].tool_spec
        if self.tool_choice.tool.name != spec.name:
            message = f"toolConfig.toolChoice must name the given tool; got {self.tool_choice.tool.name!r}."
            raise ServiceError(400, "ValidationException", message)
        return Tool(spec.name, spec.description, spec.input_schema.json_)


class _ModelFields(_Document):
    num_ctx: Annotated[int | None, Field(alias="num_ctx", ge=512)] = None  # Ollama's name; tokens


class _ConverseRequest(_Document):
    messages: Annotated[tuple[_Message, ...], Field(min_length=1)]
    system: tuple[_Text, ...] = ()
    inference_config: _InferenceConfig = _InferenceConfig()
    tool_config: _ToolConfig | None = None
    additional_model_request_fields: _ModelFields = _ModelFields()

    def conversation(self) -> Conversation:
        return Conversation(
            system="\n".join(block.text for block in self.system),
            turns=tuple(
                Turn(
                    message.role,
                    "\n".join(block.as_text() for block in message.content if block.image is None),
                    tuple(
                        Picture(f"image/{block.image.format}", block.image.source.bytes)
                        for block in message.content
                        if block.image
                    ),
                )
                for message in self.messages
            ),
            tool=self.tool_config.tool() if self.tool_config else None,
            max_tokens=self.inference_config.max_tokens,
            temperature=self.inference_config.temperature,
            top_p=self.inference_config.top_p,
            stop=self.inference_config.stop_sequences,
            context_tokens=self.additional_model_request_fields.num_ctx,
        )


class BedrockRuntime:
    """An ASGI app for requests signed for `bedrock`.

    The text model that is set answers, and only it, even when it is down. Without one, what `text_in_use`
    finds answers; it looks again once in a while.
    """

    def __init__(
        self, settings: Settings, models: Path | None = None, *, places: Sequence[Place] = PLACES
    ) -> None:
        """`models`: the folder with models that were pulled. `places`: where to look for servers."""
        self._http = httpx.AsyncClient(trust_env=False)  # loopback needs no proxy
        self._settings = settings
        self._models = models
        self._places = places
        self._images = BedrockImages(settings)
        words = WordList(settings.content_filter.words)
        self._looking = asyncio.Lock()
        self._used: tuple[TextInUse, TextBackend] | None = None
        self._loaded: TextBackend | None = None  # has answered, so its model may be on the GPU
        self._looked_at = float("-inf")
        self._app = service(
            [
                Route("/model/{model:path}/converse", self._converse, methods=["POST"]),
                Route("/model/{model:path}/invoke", self._invoke_model, methods=["POST"]),
                Route("/guardrail/{id}/version/{version}/apply", words.apply, methods=["POST"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def stop(self) -> None:
        await self._free_text()
        await self._http.aclose()
        await self._images.stop()

    async def free(self) -> None:
        """Unload the text and image models from the GPU, which an engine needs next."""
        await self._free_text()
        await self._images.free()

    async def _free_text(self) -> None:
        loaded, self._loaded = self._loaded, None
        if loaded:
            await loaded.free()

    async def _invoke_model(self, request: Request) -> JSONResponse:
        await self._free_text()
        return await self._images.invoke_model(request)

    async def _converse(self, request: Request) -> Response:
        conversation = parsed(_ConverseRequest, await request.body()).conversation()
        if conversation.turns[-1].role != "user":
            raise ServiceError(400, "ValidationException", "A conversation must end with a user message.")
        backend = self._loaded = await self._backend()
        started = time.monotonic()
        try:
            answer = await _unless_gone(request, backend.answer(conversation))
        except ServiceError as error:
            error.headers[ANSWERED_BY] = backend.name
            raise
        if answer is None:
            return Response(status_code=CALLER_GONE)
        seconds = time.monotonic() - started
        return JSONResponse(_response(answer, conversation.tool, backend.name, seconds))

    async def _backend(self) -> TextBackend:
        async with self._looking:
            used, backend = self._used or (None, None)
            if backend is None or time.monotonic() - self._looked_at > LOOK_EVERY_SECONDS:
                found = await text_in_use(self._settings, self._models, self._http, self._places)
                if backend is None or found != used:  # else it is kept: it remembers what its server takes
                    await self._free_text()
                    backend = connect(found.server, self._http)
                    self._used = found, backend
                self._looked_at = time.monotonic()
            return backend


async def _unless_gone(request: Request, answering: Coroutine[Any, Any, Answer]) -> Answer | None:
    """Return the answer; None as soon as the caller is gone. The server then stops writing it, because its
    connection closes, and has its time for the next question."""
    answer = asyncio.create_task(answering)
    gone = asyncio.create_task(_until_gone(request))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        answer.cancel()
        gone.cancel()


async def _until_gone(request: Request) -> None:
    """Return once the client has closed its connection; call it after reading the body."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _response(answer: Answer, tool: Tool | None, answered_by: str, seconds: float) -> dict[str, object]:
    stop_reason: str = answer.stop_reason
    content: list[dict[str, object]] = [{"text": answer.text}] if answer.text else []
    # None: the model did not use the tool. The caller checks the input, as with Bedrock's own models.
    used = object_in(answer.text, tool.schema) if tool and stop_reason == "end_turn" else None
    if tool and used is not None:
        use_id = f"tooluse_{secrets.token_urlsafe(16)}"
        stop_reason = "tool_use"
        content = [{"toolUse": {"toolUseId": use_id, "name": tool.name, "input": used}}]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason,
        "usage": {
            "inputTokens": answer.input_tokens,
            "outputTokens": answer.output_tokens,
            "totalTokens": answer.input_tokens + answer.output_tokens,
        },
        "metrics": {"latencyMs": round(seconds * 1000)},
        "additionalModelResponseFields": {"answered_by": answered_by}
        | ({"note": answer.note} if answer.note else {}),
    }
