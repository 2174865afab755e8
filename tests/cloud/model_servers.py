"""A fake Ollama or OpenAI-compatible server, with recorded responses, and what such servers list."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reelworks.cloud.backends.text.discovery import PLACES, Place
from reelworks.cloud.director import prompts, storyboards


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


def answer_as_director(asked: dict[str, Any]) -> Response:
    """Answer a request in OpenAI's format as the rule-based director."""
    content = asked["messages"][-1]["content"]
    if form := asked.get("response_format"):
        return openai_answer(json.dumps(storyboards.fill(form["json_schema"]["name"], content)))
    task = prompts.read_task(content)
    return openai_answer(prompts.enhance(task.prompt, task.words, task.change))


def places_at(**urls: str) -> list[Place]:
    """Return the default places of these programs, by their names in lower case, at other addresses."""
    return [
        replace(place, url=urls[name])
        for place in PLACES
        if (name := place.program.lower().replace(" ", "_").replace(".", "_")) in urls
    ]


def listed_by_llama_cpp(*names: str, **fields: object) -> Response:
    """Return what llama-server answers at /v1/models."""
    meta = {"vocab_type": 2, "n_vocab": 151936, "n_ctx_train": 40960, "n_embd": 2560, "size": 2491000000}
    data = [
        {"id": name, "object": "model", "created": 1783986018, "owned_by": "llamacpp", "meta": meta} | fields
        for name in names
    ]
    return JSONResponse({"object": "list", "data": data})


def listed_by_vllm(*names: str, max_model_len: int | None = 40960, **fields: object) -> Response:
    """Return what vLLM answers at /v1/models."""
    data = [
        {
            "id": name,
            "object": "model",
            "created": 1739935000,
            "owned_by": "vllm",
            "root": name,
            "parent": None,
            "max_model_len": max_model_len,
            "permission": [{"id": "modelperm-1", "object": "model_permission", "allow_sampling": True}],
        }
        | fields
        for name in names
    ]
    return JSONResponse({"object": "list", "data": data})


def listed_by_lm_studio(**states: tuple[str, str]) -> Response:
    """Return what LM Studio answers at /api/v0/models: each model's type and state."""
    data = [
        {
            "id": name.replace("_", "-"),
            "object": "model",
            "type": kind,
            "publisher": "lmstudio-community",
            "arch": "qwen3",
            "compatibility_type": "gguf",
            "quantization": "Q4_K_M",
            "state": state,
            "max_context_length": 40960,
        }
        for name, (kind, state) in states.items()
    ]
    return JSONResponse({"object": "list", "data": data})
