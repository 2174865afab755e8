"""A fake Ollama or OpenAI-compatible server, with recorded responses."""

import json
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class ModelServer:
    """Returns a set response for each path, and records the requests."""

    def __init__(self) -> None:
        self.answers: dict[str, Response | Callable[[Any], Response]] = {}
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        self.app = Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "POST"])])

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        document = json.loads(body) if body else None
        self.requests.append((request.url.path, dict(request.headers), document))
        answer = self.answers.get(request.url.path, JSONResponse({"error": "not found"}, 404))
        return answer if isinstance(answer, Response) else answer(document)


def ollama_answer(content: object, **fields: object) -> Response:
    message = {"role": "assistant", "content": content}
    counts = {"prompt_eval_count": 31, "eval_count": 17, "total_duration": 5_000_000}
    answer = {"model": "llama3.1:8b", "message": message, "done": True, "done_reason": "stop"}
    return JSONResponse(answer | counts | fields)


def openai_answer(content: object, finish_reason: str = "stop") -> Response:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content},
        "finish_reason": finish_reason,
    }
    usage = {"prompt_tokens": 31, "completion_tokens": 17, "total_tokens": 48}
    return JSONResponse(
        {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": usage}
    )
