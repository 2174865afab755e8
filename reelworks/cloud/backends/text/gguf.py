"""A small open model in a GGUF file, by llama.cpp as a program of its own (the extra `writer`)."""

import json
import sys
from pathlib import Path

import httpx

from reelworks.cloud.backends.text import gguf_program
from reelworks.cloud.backends.text.dialect import Dialect
from reelworks.cloud.backends.text.interface import ANSWER_SECONDS, CONTEXT_TOKENS, Answer, Conversation
from reelworks.cloud.backends.text.openai_format import answer_of, request_of
from reelworks.cloud.backends.text.writers import INSTALL, is_installed
from reelworks.cloud.errors import ServiceError
from reelworks.cloud.processes.line_worker import LineWorker, WorkerFailed

# As Ollama's: repairing a storyboard must not load the model again.
_KEPT_SECONDS = 60
_NAMED = "llama.cpp"


class Gguf:
    """A model in a file, loaded with the first question and ended a minute after the last."""

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
        """`model`: the file's path. `http`, `url` and `api_key` are ignored: there is no server. `seconds`:
        how long an answer may take, with loading the model."""
        self._file = Path(model)
        self._context_tokens = context_tokens
        self._seconds = seconds
        self._worker = LineWorker(
            [sys.executable, "-P", "-m", gguf_program.__name__, model, str(context_tokens)],
            is_answer=lambda line: line.startswith(gguf_program.ANSWER),
            idle_seconds=_KEPT_SECONDS,
        )

    @property
    def name(self) -> str:
        return f"{_NAMED} {self._file.stem}"

    @property
    def schema_refused(self) -> str | None:
        return None  # llama.cpp makes a grammar of it

    async def answer(self, conversation: Conversation) -> Answer:
        if conversation.images:
            raise ServiceError(400, "ValidationException", f"{self.name} can't see pictures")
        if conversation.context_tokens not in (None, self._context_tokens):
            problem = (
                f"{self.name} has a context of {self._context_tokens} tokens: omit num_ctx (context_size), "
                "or set context_tokens of [text] in reelworks.toml."
            )
            raise ServiceError(400, "ValidationException", problem)
        if not is_installed():
            raise _failed(f"llama.cpp is not installed; install it with {INSTALL}")
        if not self._file.is_file():
            raise _failed(f"{self._file} does not exist; change model of [text] in reelworks.toml")
        # A model that thinks aloud would think inside the JSON, or before it and out of its tokens.
        request = request_of(conversation, self._file.stem, Dialect())
        request["chat_template_kwargs"] = {"enable_thinking": False}
        try:
            line = await self._worker.ask(json.dumps(request), self._seconds)
        except WorkerFailed as error:
            if error.passing:
                raise ServiceError(503, "ServiceUnavailableException", f"{self.name}: {error}") from error
            raise _failed(f"{self.name}: {error}") from error
        answer = json.loads(line.removeprefix(gguf_program.ANSWER))
        if problem := answer.get("error"):
            raise _failed(f"{self.name}: {problem['message']}")
        return answer_of(answer, self.name)

    async def free(self) -> None:
        await self._worker.stop()  # the next question loads it again


def _failed(message: str) -> ServiceError:
    return ServiceError(424, "ModelErrorException", message)
