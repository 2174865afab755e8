"""Check that ComfyUI is running and has what the workflows need."""

from pathlib import Path
from typing import Any

import httpx

from containers.comfyui.workflow import BadWorkflow, Workflow
from reelworks.cloud.backends.clips.engine_servers import workflow_file
from reelworks.cloud.home import Home
from reelworks.cloud.settings import Settings
from reelworks.doctor.finding import Finding, get_json
from reelworks.doctor.workflow_nodes import missing

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
    except (httpx.HTTPError, ValueError):
        return []
    return [_workflow(what, path, nodes) for what, path in paths.items() if path]


def _workflow(what: str, path: Path, nodes: Any) -> Finding:
    try:
        workflow = Workflow.read(path)
        wanting = missing(workflow, nodes)
    except BadWorkflow as error:
        return Finding(what, False, True, str(error), "fix it as described in docs/comfyui.md")
    except (LookupError, TypeError, AttributeError) as error:
        return Finding(what, False, True, f"cannot read ComfyUI's /object_info: {error!r}")
    if wanting:
        found = f"{path}: ComfyUI is missing {', '.join(one.what for one in wanting)}"
        return Finding(what, False, True, found, "; ".join(dict.fromkeys(one.todo for one in wanting)))
    takes = ", ".join(sorted(workflow.slots))
    return Finding(what, True, True, f"{path} takes {takes}; its nodes and models are installed")


def comfyui(settings: Settings) -> Finding:
    url = settings.comfyui.url
    needed = settings.stills is not None and settings.stills.workflow is not None
    try:
        stats = get_json(f"{url}/system_stats")
        release, devices = stats["system"].get("comfyui_version"), stats["devices"]
        models = [name for kind in _COMFYUI_MODELS for name in get_json(f"{url}/models/{kind}")]
    except (httpx.HTTPError, ValueError, LookupError, TypeError, AttributeError):
        todo = "pip install comfy-cli; comfy install; comfy launch, or set url of [comfyui] in the settings"
        return Finding("ComfyUI", False, needed, f"not found at {url}", todo)
    about = f"{release} at {url} on {', '.join(str(device['name']) for device in devices) or 'no device'}"
    return Finding("ComfyUI", True, needed, f"{about}; models: {', '.join(map(str, models)) or 'none'}")
