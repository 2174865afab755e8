"""Servers with OpenAI's chat completions API: llama.cpp, vLLM, LM Studio, hosted services."""

from typing import Any

import httpx

from reelworks.cloud.backends.text.dialect import Dialect, ask, with_system
from reelworks.cloud.backends.text.http import given, message_text, post_json, reading_answer
from reelworks.cloud.backends.text.interface import (
    ANSWER_SECONDS,
    Answer,
    Conversation,
    StopReason,
    Tool,
)
from reelworks.cloud.errors import ServiceError


class OpenAICompatible:
    """A client of POST /v1/chat/completions, as in llama.cpp, vLLM, LM Studio and hosted services.

    JSON is required by `json_schema`, else by `json_object` with the schema (llama-cpp-python), else by
    `json_object`, else only in words.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        context_tokens: int | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`context_tokens` is ignored: such a server sets its own context size. `seconds`: how long an answer
        may take, with loading the model."""
        self._http = http
        self._url = url.removesuffix("/v1")
        self._model = model
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._seconds = seconds
        self._dialect = Dialect()

    @property
    def name(self) -> str:
        return f"openai-compatible {self._model}"

    @property
    def schema_refused(self) -> str | None:
        """How JSON is required instead, once the server has refused `json_schema`."""
        return _FORM_NAMES[self._dialect.form] if self._dialect.form else None

    async def answer(self, conversation: Conversation) -> Answer:
        if conversation.context_tokens is not None:
            problem = f"{self._url} does not support num_ctx (context_size); set it on the server."
            raise ServiceError(400, "ValidationException", problem)

        def request(dialect: Dialect) -> dict[str, Any]:
            options: dict[str, Any] = {
                "temperature": conversation.temperature,
                "top_p": conversation.top_p,
                "stop": list(conversation.stop) or None,
            }
            fields = {name: value for name, value in options.items() if name not in dialect.left_out}
            if dialect.limit:
                fields[dialect.limit] = conversation.max_tokens
            if conversation.tool:
                fields["response_format"] = _response_format(conversation.tool, dialect.form)
            messages = _with_images(with_system(conversation.messages(), dialect), conversation)
            return given({"model": self._model, "messages": messages, **fields})

        url = f"{self._url}/v1/chat/completions"
        answer, self._dialect = await ask(
            self._dialect,
            len(_FORM_NAMES) if conversation.tool else 0,
            request,
            lambda sent: post_json(self._http, url, sent, self._headers, self._seconds),
        )
        stops: dict[str, StopReason] = {"length": "max_tokens", "content_filter": "content_filtered"}
        with reading_answer(self._url):
            choice = answer["choices"][0]
            usage = answer.get("usage") or {}
            message = choice["message"]
            text = message_text(message)
            stop = stops.get(choice.get("finish_reason"), "end_turn")
            if not text and message.get("refusal"):
                stop = "content_filtered"
            return Answer(
                text=text,
                stop_reason=stop,
                input_tokens=int(usage.get("prompt_tokens") or 0),
                output_tokens=int(usage.get("completion_tokens") or 0),
            )

    async def free(self) -> None:
        """Do nothing: the API has no such request, and such a server manages its own memory."""


def _with_images(messages: list[dict[str, str]], conversation: Conversation) -> list[dict[str, Any]]:
    """Return the messages with each turn's pictures as parts of its content. The turns' messages come last.

    Source: platform.openai.com/docs/guides/images-vision; llama.cpp, vLLM and LM Studio take the same.
    """
    if not conversation.images:
        return [*messages]
    first = len(messages) - len(conversation.turns)
    shown: list[dict[str, Any]] = [*messages[:first]]
    for message, turn in zip(messages[first:], conversation.turns, strict=True):
        urls = [f"data:{image.media_type};base64,{image.base64}" for image in turn.images]
        parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        content = [*parts, {"type": "text", "text": message["content"]}] if parts else message["content"]
        shown.append({**message, "content": content})
    return shown


_FORM_NAMES = ("json_schema", "json_object with a schema", "json_object", "the prompt only")


def _response_format(tool: Tool, form: int) -> dict[str, Any] | None:
    forms: tuple[dict[str, Any] | None, ...] = (
        {"type": "json_schema", "json_schema": {"name": tool.name, "schema": tool.schema}},
        {"type": "json_object", "schema": tool.schema},
        {"type": "json_object"},
        None,
    )
    return forms[form]
