"""Check the text backend: the configured model, Ollama and other servers."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from lambdas.domain.json_answers import object_in
from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.backends.text.interface import Conversation, Tool, Turn
from reelworks.cloud.backends.text.ollama import find_ollama
from reelworks.cloud.errors import ServiceError
from reelworks.cloud.home import Home
from reelworks.cloud.services.bedrock import OLLAMA_URL, connect
from reelworks.cloud.settings import TextServer
from reelworks.doctor.servers import Busy, get_json
from reelworks.finding import Finding

_ASKING_SECONDS = 60  # includes loading a model of 8 GB from a slow disk

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
    try:
        models = _models(configured)
    except Busy as busy:
        return _busy(name, busy)
    if isinstance(models, Silent):
        start = _start_ollama() if configured.kind is TextKind.OLLAMA else "start it"
        todo = f"{start}, or remove [text] from the settings"
        return Finding("Text model", False, True, f"{name} does not answer: {models.reason}", todo)
    # Not every server lists its models; the question below shows whether it has this one.
    if models and not {configured.model, f"{configured.model}:latest"} & {*models}:
        found = f"{name}: model not found; it has {', '.join(models)}"
        pull = f"ollama pull {configured.model}"
        todo = pull if configured.kind is TextKind.OLLAMA else "set text.model to one of these"
        return Finding("Text model", False, True, found, todo)
    return asyncio.run(_asked(configured, name, needed=True))


def found_ollama(url: str) -> Finding:
    """Check for an Ollama server, which is used without being configured."""
    server = TextServer(kind=TextKind.OLLAMA, url=url, model="any")
    try:
        models = _models(server)
    except Busy as busy:
        return _busy(f"Ollama at {url}", busy)
    if isinstance(models, Silent):
        how = f"does not answer at {url}" if shutil.which("ollama") else "is not installed"
        found = f"none: Ollama {how}; the rule-based director is used"
        return Finding("Text model", False, False, found, f"{_start_ollama()}; ollama pull {_OLLAMA_MODEL}")
    chatting = asyncio.run(_ollama(url))
    has = f"it has {', '.join(models) or 'no models'}"
    if chatting:
        name = f"{chatting} at {url}; {has}"
        model = chatting.removeprefix("ollama ")
        return asyncio.run(_asked(server.model_copy(update={"model": model}), name, needed=False))
    found = f"Ollama at {url} has no chat model ({has}); the rule-based director is used"
    return Finding("Text model", False, False, found, f"ollama pull {_OLLAMA_MODEL}")


_QUESTION = Conversation(
    system="",
    turns=(Turn("user", "Name a colour."),),
    tool=Tool(
        "colour",
        "A colour.",
        {
            "type": "object",
            "properties": {"name": {"type": "string", "description": "The colour's name."}},
            "required": ["name"],
            "additionalProperties": False,
        },
    ),
    max_tokens=1_000,  # some models think aloud
    temperature=0.7,
    top_p=None,
    stop=(),
    context_tokens=None,
)


async def _asked(server: TextServer, name: str, *, needed: bool) -> Finding:
    """Ask the model one question whose answer must follow a schema, as a storyboard must."""
    async with httpx.AsyncClient(trust_env=False) as http:
        patient = server.model_copy(update={"timeout_seconds": min(server.timeout_seconds, _ASKING_SECONDS)})
        backend = connect(patient, http)
        try:
            answer = await backend.answer(_QUESTION)
        except ServiceError as error:
            if error.status in (429, 503):
                return _busy(name, Busy(str(error)))
            if isinstance(error.__cause__, TimeoutError):
                slow = f"it did not answer a short question within {patient.timeout_seconds} s"
                return _busy(name, Busy(slow))
            return Finding(
                "Text model", False, needed, f"{name} can't be used: {error}", "fix it on the server"
            )
    if answer.stop_reason == "max_tokens":
        found = f"{name} wrote more than {_QUESTION.max_tokens} tokens and gave no answer"
        return Finding("Text model", False, needed, found, "choose a model that thinks less, or none")
    assert _QUESTION.tool  # noqa: S101  see above
    given = object_in(answer.text, _QUESTION.tool.schema)
    if given is None or not isinstance(given.get("name"), str):
        found = f"{name} does not follow a schema; it answered {answer.text[:100]!r}"
        todo = "choose a model or a server that supports JSON schemas"
        wrong = given is not None  # an object of another form can be repaired; prose can't be filmed
        return Finding("Text model", False, needed and not wrong, found, todo, warning=wrong)
    if backend.schema_refused:
        found = f"{name} answers, but its server refuses a JSON schema; asked by {backend.schema_refused}"
        todo = "update the server, or use one with structured outputs: storyboards fail less often"
        return Finding("Text model", False, False, found, todo, warning=True)
    return Finding("Text model", True, needed, f"{name}; it answers by a schema")


def _busy(name: str, busy: Busy) -> Finding:
    todo = "wait until it has finished its work, and run `reel doctor` again"
    return Finding("Text model", False, False, f"{name} is busy: {busy}", todo, warning=True)


def _start_ollama() -> str:
    return "ollama serve" if shutil.which("ollama") else f"{_INSTALL_OLLAMA}; ollama serve"


def openai_servers(urls: Sequence[str], home: Home) -> Finding:
    """Check the default addresses of such servers. A server is used only once it is configured."""
    what = "OpenAI-compatible servers"
    there: dict[str, str] = {}
    for url in urls:
        try:
            models = _models(TextServer(url=url, model="any"))
        except Busy as busy:
            there[url] = f"is busy ({busy})"
            continue
        if not isinstance(models, Silent) and models:
            there[url] = f"has {', '.join(models)}"
    if not there:
        todo = (
            f"start one (e.g. llama-server -m MODEL.gguf) and set url and model of [text] in {home.settings}"
        )
        return Finding(what, False, False, f"none at {', '.join(urls)}", todo)
    has = "; ".join(f"{url} {what}" for url, what in there.items())
    return Finding(what, True, False, f"{has}; to use one, set url and model of [text] in {home.settings}")


@dataclass(frozen=True)
class Silent:
    """A server that does not answer, or with something else."""

    reason: str


def _models(server: TextServer) -> list[str] | Silent:
    """Return the names of a server's models; none if it does not list them. Raises Busy."""
    headers = {"authorization": f"Bearer {server.api_key}"} if server.api_key else {}
    try:
        if server.kind is TextKind.OLLAMA:
            tags = get_json(f"{server.url}/api/tags")
            return [str(model["name"]) for model in tags["models"]]
        models = get_json(f"{server.url.removesuffix('/v1')}/v1/models", headers)
        return [str(model["id"]) for model in models["data"]]
    except httpx.HTTPStatusError as error:
        return [] if error.response.status_code == httpx.codes.NOT_FOUND else Silent(str(error))
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        return Silent(str(error) or type(error).__name__)


async def _ollama(url: str) -> str | None:
    async with httpx.AsyncClient(trust_env=False) as http:
        found = await find_ollama(http, url)
    return str(found.name) if found else None
