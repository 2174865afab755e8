"""Ollama, through its own API: the only one that can free the GPU."""

import asyncio
import logging

import httpx

from reelworks.cloud.backends.text.http import given, post_json, reading_answer, text_of
from reelworks.cloud.backends.text.interface import Answer, Conversation

CONTEXT_TOKENS = 8192  # sent explicitly: Ollama's documented defaults conflict
LOOK_SECONDS = 0.5  # for an Ollama that may not be running
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
    ) -> None:
        """`api_key` is ignored: Ollama needs none."""
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
            "options": given(options),
            "format": conversation.tool and conversation.tool.schema,
        }
        answer = await post_json(self._http, f"{self._url}/api/chat", given(request), {})
        with reading_answer(self._url):
            return Answer(
                text=text_of(answer["message"]["content"]),
                stop_reason="max_tokens" if answer.get("done_reason") == "length" else "end_turn",
                input_tokens=int(answer.get("prompt_eval_count", 0)),
                output_tokens=int(answer.get("eval_count", 0)),
            )

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


async def find_ollama(http: httpx.AsyncClient, url: str) -> Ollama | None:
    """Return the Ollama at `url` with its first model that can chat; None without such a server or model."""
    try:
        models = (await http.get(f"{url}/api/tags", timeout=LOOK_SECONDS)).raise_for_status().json()["models"]
        for model in models:
            show = await http.post(f"{url}/api/show", json={"model": model["name"]}, timeout=LOOK_SECONDS)
            # An embedding model lacks `completion`; Ollama before 0.6.4 lists no capabilities.
            if "completion" in show.raise_for_status().json().get("capabilities", ["completion"]):
                return Ollama(http, url, model["name"])
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
        return None  # the server at this URL is not Ollama
    return None
