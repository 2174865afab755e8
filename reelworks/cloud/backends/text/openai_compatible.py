"""Servers with OpenAI's chat completions API: llama.cpp, vLLM, LM Studio, hosted services."""

from typing import Any

import httpx

from reelworks.cloud.backends.text.http import given, post_json, reading_answer, text_of
from reelworks.cloud.backends.text.interface import Answer, Conversation, StopReason, Tool
from reelworks.cloud.errors import ServiceError


class OpenAICompatible:
    """A client of POST /v1/chat/completions, as in llama.cpp, vLLM, LM Studio and hosted services."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        context_tokens: int | None = None,
    ) -> None:
        """`context_tokens` is ignored: such a server sets its own context size."""
        self._http = http
        self._url = url.removesuffix("/v1")
        self._model = model
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}

    @property
    def name(self) -> str:
        return f"openai-compatible {self._model}"

    async def answer(self, conversation: Conversation) -> Answer:
        if conversation.context_tokens is not None:
            problem = f"The text model at {self._url} does not support num_ctx; set it on the server."
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
        answer = await post_json(
            self._http, f"{self._url}/v1/chat/completions", given(request), self._headers
        )
        stops: dict[str, StopReason] = {"length": "max_tokens", "content_filter": "content_filtered"}
        with reading_answer(self._url):
            choice = answer["choices"][0]
            usage = answer.get("usage") or {}
            return Answer(
                text=text_of(choice["message"]["content"]),
                stop_reason=stops.get(choice.get("finish_reason"), "end_turn"),
                input_tokens=int(usage.get("prompt_tokens", 0)),
                output_tokens=int(usage.get("completion_tokens", 0)),
            )

    async def free(self) -> None:
        """Do nothing: the API has no such request, and such a server manages its own memory."""


def _response_format(tool: Tool) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": tool.name, "schema": tool.schema}}
