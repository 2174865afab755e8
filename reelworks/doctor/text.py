"""Check the text backend: the configured model, Ollama and other servers."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from lambdas.domain.json_answers import object_in
from reelworks.cloud.backends.text.catalogue import TextKind
from reelworks.cloud.backends.text.discovery import PLACES, Found, Place, find_servers
from reelworks.cloud.backends.text.interface import Conversation, Tool, Turn
from reelworks.cloud.backends.text.writers import OLLAMA_MODEL, how_to_get_one
from reelworks.cloud.errors import ServiceError
from reelworks.cloud.home import Home
from reelworks.cloud.services.text_models import (
    TextInUse,
    connect,
    text_in_use,
    without_video_servers,
)
from reelworks.cloud.settings import Settings, TextServer
from reelworks.doctor.servers import Busy, get_json
from reelworks.finding import Finding

_ASKING_SECONDS = 60  # includes loading a model of 8 GB from a slow disk

_INSTALL_OLLAMA = "curl -fsSL https://ollama.com/install.sh | sh"  # ollama.com/download
_WHAT = "Text model"


def text_models(settings: Settings, home: Home, places: Sequence[Place] = PLACES) -> list[Finding]:
    """Check the text model that is set, else the one that this PC has, and the other servers it has."""
    used, found = asyncio.run(_look(settings, home, places))
    if settings.text:
        return [_configured_text_model(settings.text)]
    others = [one for one in found if (one.url, one.model) != (used.server.url, used.server.model)]
    listed = [
        Finding(
            f"{one.program} at {one.url}",
            one.model is not None,
            False,
            f"not used: it has {one.model}" if one.model else "not used: it has no model that chats",
            f"to use it, set kind, url and model of [text] in {home.settings}" if one.model else _pull(one),
        )
        for one in others
    ]
    return [_found(used), *listed]


async def _look(settings: Settings, home: Home, places: Sequence[Place]) -> tuple[TextInUse, Sequence[Found]]:
    async with httpx.AsyncClient(trust_env=False) as http:
        used = await text_in_use(settings, home.models, http, places)
        return used, await find_servers(http, without_video_servers(places, settings))


def _found(used: TextInUse) -> Finding:
    """Check the text model that is used without being set."""
    if used.server.kind is TextKind.RULES:
        return Finding(_WHAT, False, False, "none: the rule-based director is used", how_to_get_one())
    return asyncio.run(_asked(used.server, f"{used.server.model} ({used.why})", needed=False))


def _pull(found: Found) -> str:
    return f"ollama pull {OLLAMA_MODEL}" if found.kind is TextKind.OLLAMA else "load a model into it"


def _configured_text_model(configured: TextServer) -> Finding:
    if configured.kind is TextKind.RULES:
        return Finding(_WHAT, True, True, "the rule-based director, as set")
    if configured.kind is TextKind.GGUF:
        return asyncio.run(_asked(configured, f"{configured.kind} {configured.model}", needed=True))
    name = f"{configured.kind} {configured.model} at {configured.url}"
    try:
        models = _models(configured)
    except Busy as busy:
        return _busy(name, busy)
    if isinstance(models, Silent):
        start = _start_ollama() if configured.kind is TextKind.OLLAMA else "start it"
        todo = f"{start}, or remove [text] from the settings"
        return Finding(_WHAT, False, True, f"{name} does not answer: {models.reason}", todo)
    # Not every server lists its models; the question below shows whether it has this one.
    if models and not {configured.model, f"{configured.model}:latest"} & {*models}:
        found = f"{name}: model not found; it has {', '.join(models)}"
        pull = f"ollama pull {configured.model}"
        todo = pull if configured.kind is TextKind.OLLAMA else "set text.model to one of these"
        return Finding(_WHAT, False, True, found, todo)
    return asyncio.run(_asked(configured, name, needed=True))


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
            return Finding(_WHAT, False, needed, f"{name} can't be used: {error}", "fix it on the server")
        finally:
            if server.kind is TextKind.GGUF:
                await backend.free()  # a server keeps its model, which may be in use
    if answer.stop_reason == "max_tokens":
        found = f"{name} wrote more than {_QUESTION.max_tokens} tokens and gave no answer"
        return Finding(_WHAT, False, needed, found, "choose a model that thinks less, or none")
    assert _QUESTION.tool  # noqa: S101  see above
    given = object_in(answer.text, _QUESTION.tool.schema)
    if given is None or not isinstance(given.get("name"), str):
        found = f"{name} does not follow a schema; it answered {answer.text[:100]!r}"
        todo = "choose a model or a server that supports JSON schemas"
        wrong = given is not None  # an object of another form can be repaired; prose can't be filmed
        return Finding(_WHAT, False, needed and not wrong, found, todo, warning=wrong)
    if backend.schema_refused:
        found = f"{name} answers, but its server refuses a JSON schema; asked by {backend.schema_refused}"
        todo = "update the server, or use one with structured outputs: storyboards fail less often"
        return Finding(_WHAT, False, False, found, todo, warning=True)
    return Finding(_WHAT, True, needed, f"{name}; it answers by a schema")


def _busy(name: str, busy: Busy) -> Finding:
    todo = "wait until it has finished its work, and run `reel doctor` again"
    return Finding(_WHAT, False, False, f"{name} is busy: {busy}", todo, warning=True)


def _start_ollama() -> str:
    return "ollama serve" if shutil.which("ollama") else f"{_INSTALL_OLLAMA}; ollama serve"


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
