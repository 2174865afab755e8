"""Check that ComfyUI is running and has what the workflows need."""

from pathlib import Path
from typing import Any

import httpx

from containers.comfyui.workflow import BadWorkflow, Workflow
from reelworks.cloud.backends.clips.engine_servers import workflow_file
from reelworks.cloud.home import Home
from reelworks.cloud.settings import Settings
from reelworks.doctor.finding import Busy, Finding, get_json
from reelworks.doctor.workflow_nodes import Saves, missing

# ComfyUI's folders of models that draw.
_COMFYUI_MODELS = ("checkpoints", "diffusion_models")


def workflows(settings: Settings, home: Home) -> list[Finding]:
    """Check that ComfyUI has what the configured workflows use. Empty if ComfyUI does not answer, which
    `comfyui` reports."""
    paths = {
        "Workflow for stills": settings.stills.workflow if settings.stills else None,
        "Workflow for clips": workflow_file(home.folder, settings.comfyui),
    }
    try:
        nodes = get_json(f"{settings.comfyui.url}/object_info")
    except (Busy, httpx.HTTPError, ValueError):
        return []
    saves: dict[str, Saves] = {"Workflow for stills": "image", "Workflow for clips": "video"}
    return [_workflow(what, path, nodes, saves[what]) for what, path in paths.items() if path]


def _workflow(what: str, path: Path, nodes: Any, saves: Saves) -> Finding:
    try:
        workflow = Workflow.read(path)
        wanting = missing(workflow, nodes, saves)
    except BadWorkflow as error:
        return Finding(what, False, True, str(error), "fix it as described in docs/comfyui.md")
    except (LookupError, TypeError, AttributeError) as error:
        return Finding(what, False, True, f"cannot read ComfyUI's /object_info: {error!r}")
    if wanting:
        found = f"{path}: ComfyUI is missing {', '.join(one.what for one in wanting)}"
        return Finding(what, False, True, found, "; ".join(dict.fromkeys(one.todo for one in wanting)))
    takes = ", ".join(sorted(workflow.slots))
    return Finding(what, True, True, f"{path} takes {takes}; its nodes and models are installed")


def comfyui(settings: Settings, home: Home) -> Finding:
    url = settings.comfyui.url
    needed = (
        "url" in settings.comfyui.model_fields_set
        or (settings.stills is not None and settings.stills.workflow is not None)
        or workflow_file(home.folder, settings.comfyui) is not None
    )
    try:
        stats = get_json(f"{url}/system_stats")
        release = stats["system"].get("comfyui_version")
        devices = [str(device["name"]) for device in stats["devices"]]
        models = [name for kind in _COMFYUI_MODELS for name in get_json(f"{url}/models/{kind}")]
    except Busy as busy:
        todo = "wait until it has finished its work, and run `reel doctor` again"
        return Finding("ComfyUI", False, False, f"busy at {url}: {busy}", todo, warning=True)
    except httpx.TransportError as error:
        if needed:
            todo = "start it: comfy launch (or correct url of [comfyui] in the settings)"
            found = f"set, but not running at {url}: {error or type(error).__name__}"
            return Finding("ComfyUI", False, True, found, todo)
        todo = "pip install comfy-cli; comfy install; comfy launch, or set url of [comfyui] in the settings"
        return Finding("ComfyUI", False, False, f"not found at {url}", todo)
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError) as error:
        status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None
        answer = f"answered {status}" if status else "is not ComfyUI, or is an unknown version"
        todo = "set url of [comfyui] in the settings to ComfyUI's address, or restart ComfyUI"
        return Finding("ComfyUI", False, needed, f"the server at {url} {answer}", todo)
    about = f"{release} at {url} on {', '.join(devices) or 'no device'}"
    return Finding("ComfyUI", True, needed, f"{about}; models: {', '.join(map(str, models)) or 'none'}")
