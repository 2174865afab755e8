"""Check the image backend for stills: a diffusers model or a ComfyUI workflow."""

import json
from pathlib import Path

from containers.comfyui.workflow import BadWorkflow, Workflow
from reelworks.cloud.home import Home
from reelworks.cloud.settings import Stills
from reelworks.doctor.finding import Finding
from reelworks.doctor.machine import torch


def stills(configured: Stills | None, home: Home) -> Finding:
    if configured is None:
        folder = home.folder / "stills" / "sdxl-turbo"
        get = _get_model("stabilityai/sdxl-turbo", folder)
        todo = f"{get}; set model (or workflow) of [stills] in {home.settings}"
        return Finding("Stills", False, False, "no model; stills are drawn like drafts", todo)
    if configured.workflow:
        try:
            workflow = Workflow.read(configured.workflow)
        except BadWorkflow as error:
            return Finding("Stills", False, True, str(error), "fix the workflow or configure another one")
        return Finding("Stills", True, True, f"{configured.workflow} takes {', '.join(workflow.slots)}")
    assert configured.model  # noqa: S101  the settings require a model or a workflow
    return _diffusers(configured.model)


def _diffusers(model: Path) -> Finding:
    index = model / "model_index.json"
    try:
        kind = json.loads(index.read_text())["_class_name"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        todo = f"use a folder in diffusers' format: {_get_model('NAME', model)}"
        return Finding("Stills", False, True, f"cannot read {index}: {error}", todo)
    if not any(model.glob("*/*.safetensors")):
        found = f"{model} has no safetensors files; other formats are not supported"
        return Finding("Stills", False, True, found, _get_model("NAME", model))
    if not torch().ok:
        return Finding("Stills", False, True, "torch and diffusers are not installed", torch().todo)
    return Finding("Stills", True, True, f"{kind} in {model}")


def _get_model(name: str, folder: Path) -> str:
    """Return the download command. Of several formats of the weights, it gets only the one that is loaded."""
    wanted = ("*.json", "*.txt", "*/model.safetensors", "*/diffusion_pytorch_model.safetensors")
    words = " ".join(f"--include '{one}'" for one in wanted)
    return f"hf download {name} {words} --local-dir {folder}"
