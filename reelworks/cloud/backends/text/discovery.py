"""Find the text model server that runs on this PC, by what answers at the programs' default addresses."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from reelworks.cloud.backends.text.catalogue import TextKind

LOOK_SECONDS = 0.5  # for all of a server's answers: `reel up` must not wait for one that hangs


@dataclass(frozen=True)
class Found:
    """A server that was recognised. `model`: the one to write with; None: it has none that can chat."""

    program: str
    kind: TextKind
    url: str
    model: str | None


@dataclass(frozen=True)
class Place:
    """Where a program listens unless told otherwise. `models` asks a server there for its models that can
    chat, the one to use first. If the server is another program, it raises httpx.HTTPError, or whatever
    reading a malformed answer raises."""

    program: str
    kind: TextKind
    url: str
    models: Callable[[httpx.AsyncClient, str], Awaitable[Sequence[str]]]


async def find_servers(http: httpx.AsyncClient, places: Sequence[Place]) -> list[Found]:
    """Return the servers that answer, in the order of the places; those with a model come first."""
    asked = await asyncio.gather(*(_look(http, place) for place in places))
    found = [one for one in asked if one is not None]
    return sorted(found, key=lambda one: one.model is None)


async def _look(http: httpx.AsyncClient, place: Place) -> Found | None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            models = await place.models(http, place.url)
    except (TimeoutError, httpx.HTTPError):
        return None
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):  # another program's answer
        return None
    return Found(place.program, place.kind, place.url, models[0] if models else None)


async def _get(http: httpx.AsyncClient, url: str) -> Any:
    return (await http.get(url, timeout=LOOK_SECONDS)).raise_for_status().json()


async def _of_ollama(http: httpx.AsyncClient, url: str) -> Sequence[str]:
    """Source: docs/api.md of github.com/ollama/ollama."""
    for model in (await _get(http, f"{url}/api/tags"))["models"]:
        asked = {"model": model["name"]}
        shown = (await http.post(f"{url}/api/show", json=asked, timeout=LOOK_SECONDS)).raise_for_status()
        # An embedding model lacks `completion`; Ollama before 0.6.4 lists no capabilities.
        if "completion" in shown.json().get("capabilities", ["completion"]):
            return [str(model["name"])]
    return []


async def _of_lm_studio(http: httpx.AsyncClient, url: str) -> Sequence[str]:
    """It loads the model that is asked for. Source: lmstudio.ai/docs/developer/rest/endpoints."""
    listed = (await _get(http, f"{url}/api/v0/models"))["data"]
    chat = [model for model in listed if model["type"] in ("llm", "vlm")]
    return [str(model["id"]) for model in sorted(chat, key=lambda model: model["state"] != "loaded")]


# Models that such a server may list although they don't chat. Only their names tell.
_NO_CHAT = re.compile(r"embed|rerank|\bbge\b|\be5\b|whisper|\btts\b", re.IGNORECASE)


async def _of_llama_cpp(http: httpx.AsyncClient, url: str) -> Sequence[str]:
    """A server of several models says which are loaded. Source: tools/server/README.md of
    github.com/ggml-org/llama.cpp."""
    models = _owned_by("llamacpp", await _get(http, f"{url}/v1/models"))

    def is_unloaded(model: dict[str, Any]) -> bool:
        return bool(model.get("status", {"value": "loaded"})["value"] != "loaded")

    return [str(model["id"]) for model in sorted(models, key=is_unloaded)]


async def _of_vllm(http: httpx.AsyncClient, url: str) -> Sequence[str]:
    """vLLM-Omni answers alike, but its models that make pictures or video have no length in tokens. Source:
    docs.vllm.ai, serving/openai_compatible_server."""
    models = _owned_by("vllm", await _get(http, f"{url}/v1/models"))
    return [str(model["id"]) for model in models if isinstance(model["max_model_len"], int)]


def _owned_by(owner: str, listed: Any) -> list[dict[str, Any]]:
    models = listed["data"]
    if not models or any(model["owned_by"] != owner for model in models):
        raise ValueError(f"the server is not {owner}'s")
    return [model for model in models if not _NO_CHAT.search(model["id"])]


PLACES = (
    Place("Ollama", TextKind.OLLAMA, "http://127.0.0.1:11434", _of_ollama),
    Place("LM Studio", TextKind.OPENAI, "http://127.0.0.1:1234", _of_lm_studio),
    Place("llama.cpp", TextKind.OPENAI, "http://127.0.0.1:8080", _of_llama_cpp),
    Place("vLLM", TextKind.OPENAI, "http://127.0.0.1:8000", _of_vllm),
)
