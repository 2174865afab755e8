"""Servers with OpenAI's chat completions API: llama.cpp, vLLM, LM Studio, hosted services."""

import httpx

from reelworks.cloud.backends.text.dialect import Dialect, ask
from reelworks.cloud.backends.text.http import post_json
from reelworks.cloud.backends.text.interface import ANSWER_SECONDS, Answer, Conversation
from reelworks.cloud.backends.text.openai_format import FORMS, answer_of, request_of
from reelworks.cloud.errors import ServiceError


class OpenAICompatible:
    """A client of POST /v1/chat/completions, as in llama.cpp, vLLM, LM Studio and hosted services.

    JSON is required in the strictest of FORMS that the server takes.
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
        return FORMS[self._dialect.form] if self._dialect.form else None

    async def answer(self, conversation: Conversation) -> Answer:
        if conversation.context_tokens is not None:
            problem = f"{self._url} does not support num_ctx (context_size); set it on the server."
            raise ServiceError(400, "ValidationException", problem)
        url = f"{self._url}/v1/chat/completions"
        answer, self._dialect = await ask(
            self._dialect,
            len(FORMS) if conversation.tool else 0,
            lambda dialect: request_of(conversation, self._model, dialect),
            lambda sent: post_json(self._http, url, sent, self._headers, self._seconds),
        )
        return answer_of(answer, self._url)

    async def free(self) -> None:
        """Do nothing: the API has no such request, and such a server manages its own memory."""
