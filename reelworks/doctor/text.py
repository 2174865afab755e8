"""Check the text backend: the configured model, Ollama and other servers."""

import asyncio
import shutil
from collections.abc import Sequence

import httpx

from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.backends.text.ollama import find_ollama
from reelworks.cloud.home import Home
from reelworks.cloud.services.bedrock import OLLAMA_URL
from reelworks.cloud.settings import TextServer
from reelworks.doctor.finding import Finding, get_json

# Default addresses of llama.cpp, vLLM and LM Studio.
OPENAI_URLS = ("http://127.0.0.1:8080", "http://127.0.0.1:8000", "http://127.0.0.1:1234")
_OLLAMA_MODEL = "qwen3:8b"  # follows a schema, and fits in 8 GB if nothing else is loaded
_INSTALL_OLLAMA = "curl -fsSL https://ollama.com/install.sh | sh"  # ollama.com/download


def text_models(configured: TextServer | None, home: Home) -> list[Finding]:
    if configured:
        return [_configured_text_model(configured)]
    return [found_ollama(OLLAMA_URL), openai_servers(OPENAI_URLS, home)]


def _configured_text_model(configured: TextServer) -> Finding:
    name = f"{configured.kind} {configured.model} at {configured.url}"
    models = _models(configured)
    if models is None:
        start = _start_ollama() if configured.kind is TextKind.OLLAMA else "start it"
        return Finding(
            "Text model",
            False,
            True,
            f"{name} does not answer",
            f"{start}, or remove [text] from the settings",
        )
    if configured.model in models or f"{configured.model}:latest" in models:
        return Finding("Text model", True, True, name)
    found = f"{name}: model not found; it has {', '.join(models) or 'none'}"
    pull = f"ollama pull {configured.model}"
    todo = pull if configured.kind is TextKind.OLLAMA else "set text.model to one of these"
    return Finding("Text model", False, True, found, todo)


def found_ollama(url: str) -> Finding:
    """Check for an Ollama server, which is used without being configured."""
    models = _models(TextServer(kind=TextKind.OLLAMA, url=url, model="any"))
    if models is None:
        how = f"does not answer at {url}" if shutil.which("ollama") else "is not installed"
        found = f"none: Ollama {how}; the rule-based director is used"
        return Finding("Text model", False, False, found, f"{_start_ollama()}; ollama pull {_OLLAMA_MODEL}")
    chatting = asyncio.run(_ollama(url))
    has = f"it has {', '.join(models) or 'no models'}"
    if chatting:
        return Finding("Text model", True, False, f"{chatting} at {url}; {has}")
    found = f"Ollama at {url} has no chat model ({has}); the rule-based director is used"
    return Finding("Text model", False, False, found, f"ollama pull {_OLLAMA_MODEL}")


def _start_ollama() -> str:
    return "ollama serve" if shutil.which("ollama") else f"{_INSTALL_OLLAMA}; ollama serve"


def openai_servers(urls: Sequence[str], home: Home) -> Finding:
    """Check the default addresses of such servers. A server is used only once it is configured."""
    what = "OpenAI-compatible servers"
    found = {url: _models(TextServer(url=url, model="any")) for url in urls}
    there = {url: models for url, models in found.items() if models}
    if not there:
        todo = (
            f"start one (e.g. llama-server -m MODEL.gguf) and set url and model of [text] in {home.settings}"
        )
        return Finding(what, False, False, f"none at {', '.join(urls)}", todo)
    has = "; ".join(f"{url} has {', '.join(models)}" for url, models in there.items())
    return Finding(what, True, False, f"{has}; to use one, set url and model of [text] in {home.settings}")


def _models(server: TextServer) -> list[str] | None:
    """Return the names of a server's models, or None if it does not answer with any."""
    headers = {"authorization": f"Bearer {server.api_key}"} if server.api_key else {}
    try:
        if server.kind is TextKind.OLLAMA:
            tags = get_json(f"{server.url}/api/tags")
            return [str(model["name"]) for model in tags["models"]]
        models = get_json(f"{server.url.removesuffix('/v1')}/v1/models", headers)
        return [str(model["id"]) for model in models["data"]]
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None


async def _ollama(url: str) -> str | None:
    async with httpx.AsyncClient(trust_env=False) as http:
        found = await find_ollama(http, url)
    return str(found.name) if found else None
