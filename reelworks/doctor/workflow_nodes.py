"""Find what a workflow needs and a ComfyUI server lacks, from the graph and the server's list of nodes
(GET /object_info)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from containers.comfyui.workflow import Slot, Workflow

# The folder where ComfyUI looks for the file that a loader's input names: folder_paths.py of
# github.com/Comfy-Org/ComfyUI.
_FOLDERS = {
    "ckpt_name": "checkpoints",
    "unet_name": "diffusion_models",
    "vae_name": "vae",
    "clip_name": "text_encoders",
    "clip_name1": "text_encoders",
    "clip_name2": "text_encoders",
    "clip_name3": "text_encoders",
    "lora_name": "loras",
    "control_net_name": "controlnet",
    "audio_encoder_name": "audio_encoders",
}


@dataclass(frozen=True)
class Missing:
    what: str
    todo: str


def missing(workflow: Workflow, nodes: Mapping[str, Any]) -> list[Missing]:
    """Return what is missing. `nodes` is the server's answer, by class. Inputs that a request fills in are
    skipped."""
    found = dict.fromkeys(_missing(workflow, nodes))  # each only once, even if several nodes need it
    return list(found)


def _missing(workflow: Workflow, nodes: Mapping[str, Any]) -> Iterator[Missing]:
    for node, made in workflow.graph.items():
        kind = made["class_type"]
        if kind not in nodes:
            yield Missing(f"the node {kind}", "ComfyUI: Manager → Install Missing Custom Nodes")
            continue
        for name, value in made["inputs"].items():
            choices = _choices(nodes[kind], name)
            filled = workflow.binding_of(Slot(node, name)) is not None
            if choices is None or filled or isinstance(value, list) or value in choices:
                continue
            if folder := _FOLDERS.get(name):
                yield Missing(str(value), f"put {value} into ComfyUI's folder models/{folder}")
            else:
                has = ", ".join(map(str, choices)) or "none"
                yield Missing(f"{name} {value}", f"choose another in {workflow.describe(node)}: {has}")


def _choices(node: Mapping[str, Any], name: str) -> list[Any] | None:
    """Return an input's allowed values, or None if it is not a choice. Older servers give the list in place
    of the type, newer ones beside the type COMBO."""
    groups = node.get("input", {})
    spec = groups.get("required", {}).get(name) or groups.get("optional", {}).get(name) or [None]
    if isinstance(spec[0], list):
        return list(spec[0])
    if spec[0] == "COMBO" and len(spec) > 1 and "options" in spec[1]:
        return list(spec[1]["options"])
    return None
