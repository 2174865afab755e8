"""Ollama, through its own API: the only one that can free the GPU."""

import asyncio
import logging
from typing import Any

import httpx

from reelworks.cloud.backends.text.dialect import Dialect, ask, with_system
from reelworks.cloud.backends.text.http import given, message_text, post_json, reading_answer
from reelworks.cloud.backends.text.interface import ANSWER_SECONDS, CONTEXT_TOKENS, Answer, Conversation
from reelworks.cloud.errors import ServiceError

# Long enough that repairing a storyboard, or regenerating its scenes one by one, does not reload the model
# from disk. If drawing or rendering starts earlier, the model is freed first.
KEPT_SECONDS = 60
_LEAVING_SECONDS = 10.0

logger = logging.getLogger(__name__)


class Ollama:
    """A client of Ollama's own API, the only one that can free the GPU.

    Source: docs/api.md of github.com/ollama/ollama.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        context_tokens: int = CONTEXT_TOKENS,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`api_key` is ignored: Ollama needs none. `seconds`: how long an answer may take, with loading the
        model."""
        self._http = http
        self._url = url
        self._model = model
        self._context_tokens = context_tokens
        self._seconds = seconds
        self._dialect = Dialect()

    @property
    def name(self) -> str:
        return f"ollama {self._model}"

    @property
    def schema_refused(self) -> str | None:
        return _FORM_NAMES[self._dialect.form] if self._dialect.form else None

    async def answer(self, conversation: Conversation) -> Answer:
        if conversation.images:
            await self._check_sees()
        options = {
            "num_ctx": conversation.context_tokens or self._context_tokens,
            "num_predict": conversation.max_tokens,
            "temperature": conversation.temperature,
            "top_p": conversation.top_p,
            "stop": list(conversation.stop) or None,
        }

        def request(dialect: Dialect) -> dict[str, Any]:
            fields: dict[str, Any] = {"think": False, "keep_alive": KEPT_SECONDS}
            if conversation.tool:
                fields["format"] = (conversation.tool.schema, "json", None)[dialect.form]
            return given(
                {
                    "model": self._model,
                    "messages": _with_images(with_system(conversation.messages(), dialect), conversation),
                    "stream": False,
                    "options": given(options),
                    **{name: value for name, value in fields.items() if name not in dialect.left_out},
                }
            )

        answer, self._dialect = await ask(
            self._dialect,
            len(_FORM_NAMES) if conversation.tool else 0,
            request,
            lambda sent: post_json(self._http, f"{self._url}/api/chat", sent, {}, self._seconds),
        )
        with reading_answer(self._url):
            return Answer(
                text=message_text(answer["message"]),
                stop_reason="max_tokens" if answer.get("done_reason") == "length" else "end_turn",
                input_tokens=int(answer.get("prompt_eval_count", 0)),
                output_tokens=int(answer.get("eval_count", 0)),
            )

    async def _check_sees(self) -> None:
        """Raise ServiceError unless the model takes pictures: it would answer without having seen them."""
        url = f"{self._url}/api/show"
        shown = await post_json(self._http, url, {"model": self._model}, {}, self._seconds)
        with reading_answer(self._url):
            sees = "vision" in shown.get("capabilities", ())
        if not sees:
            message = (
                f"{self._model} takes no pictures; choose a model with vision (ollama.com/search?c=vision)"
            )
            raise ServiceError(400, "ValidationException", message)

    async def free(self) -> None:
        """Unload the model; return once it is out of memory, because Ollama responds before that."""
        try:
            async with asyncio.timeout(_LEAVING_SECONDS):
                leave = {"model": self._model, "keep_alive": 0}
                (await self._http.post(f"{self._url}/api/generate", json=leave)).raise_for_status()
                while await self._is_loaded():
                    await asyncio.sleep(0.05)
        except (TimeoutError, httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            # Without Ollama no model is in memory either, and a model that stays may leave enough room.
            logger.warning("text model not freed", extra={"model": self._model, "reason": repr(error)})

    async def _is_loaded(self) -> bool:
        models = (await self._http.get(f"{self._url}/api/ps")).raise_for_status().json()["models"]
        return any(model["name"] in (self._model, f"{self._model}:latest") for model in models)


def _with_images(messages: list[dict[str, str]], conversation: Conversation) -> list[dict[str, Any]]:
    """Return the messages with each turn's pictures beside its text. The turns' messages come last."""
    first = len(messages) - len(conversation.turns)
    shown: list[dict[str, Any]] = [*messages[:first]]
    for message, turn in zip(messages[first:], conversation.turns, strict=True):
        images = [image.base64 for image in turn.images]
        shown.append({**message, "images": images} if images else {**message})
    return shown


_FORM_NAMES = ("a schema", "json", "the prompt only")
