"""Find what a workflow needs and a ComfyUI server lacks, from the graph and the server's list of nodes
(GET /object_info)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

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


Saves = Literal["image", "video"]
_SAVERS: dict[Saves, re.Pattern[str]] = {
    "video": re.compile(r"video|webm|mp4|mkv|movie|combine", re.IGNORECASE),
    "image": re.compile(r"image|picture|png|jpe?g|webp", re.IGNORECASE),
}
# ComfyUI's own nodes that show or save something else: nodes.py and comfy_extras of the repository above.
_OTHER_SAVERS = re.compile(
    r"^(?:SaveAudio|PreviewAudio|SaveLatent|SaveAnimated|Preview3D|SaveGLB|PreviewAny|SaveSVG|CheckpointSave|"
    r"CLIPSave|VAESave|ModelSave|LoraSave|SaveLoRA|ShowText)"
)
_EXPORT = "in ComfyUI, then export the workflow again (Workflow → Export (API))"


@dataclass(frozen=True)
class Missing:
    what: str
    todo: str


def missing(workflow: Workflow, nodes: Mapping[str, Any], saves: Saves) -> list[Missing]:
    """Return what is missing for the workflow to run and to save an image or a video. `nodes` is the server's
    answer, by class. Inputs that a request fills in are skipped."""
    # Each only once, even if several nodes need it.
    found = dict.fromkeys((*_missing(workflow, nodes), *_unsaved(workflow, nodes, saves)))
    return list(found)


def _unsaved(workflow: Workflow, nodes: Mapping[str, Any], saves: Saves) -> Iterator[Missing]:
    """Find out from the kinds of the nodes whether the workflow saves something that can be used. In doubt
    (another author's node that saves something), it does."""
    node_of = {"image": "Save Image", "video": "Save Video"}[saves]
    outputs = [node for node in workflow.graph if _is_output(workflow.graph[node]["class_type"], nodes)]
    useful = [node for node in outputs if _may_save(workflow, node, nodes, saves)]
    if saves == "video" and workflow.video is not None and workflow.video not in useful:
        where = workflow.describe(workflow.video)
        yield Missing(f"a saved video: {where} saves none", f"title the {node_of} node instead")
    elif not useful:
        told = ", ".join(workflow.describe(node) for node in outputs) or "no node saves anything"
        yield Missing(f"a node that saves the {saves} ({told})", f"add a {node_of} node {_EXPORT}")


def _is_output(kind: str, nodes: Mapping[str, Any]) -> bool:
    info = nodes.get(kind, {})
    # A node that is missing is reported as such.
    return kind not in nodes or bool(info.get("output_node", re.match(r"Save|Preview|.*Combine", kind)))


def _may_save(workflow: Workflow, node: str, nodes: Mapping[str, Any], saves: Saves) -> bool:
    kind = workflow.graph[node]["class_type"]
    other: Saves = "image" if saves == "video" else "video"
    takes = {_type_of(workflow, value, nodes) for value in workflow.graph[node]["inputs"].values()}
    if _SAVERS[saves].search(kind) or (saves.upper() in takes and saves == "video"):
        return True
    return not (_OTHER_SAVERS.match(kind) or _SAVERS[other].search(kind))


def _type_of(workflow: Workflow, value: Any, nodes: Mapping[str, Any]) -> str | None:
    """Return the type of the output that a link comes from; None for anything else, or if it is unknown."""
    if not _is_link(value) or value[0] not in workflow.graph:
        return None
    outputs = nodes.get(workflow.graph[value[0]]["class_type"], {}).get("output")
    if not isinstance(outputs, list) or not 0 <= value[1] < len(outputs):
        return None
    return outputs[value[1]] if isinstance(outputs[value[1]], str) else None


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int


def _missing(workflow: Workflow, nodes: Mapping[str, Any]) -> Iterator[Missing]:
    for node, made in workflow.graph.items():
        kind = made["class_type"]
        if kind not in nodes:
            yield Missing(f"the node {kind}", "ComfyUI: Manager → Install Missing Custom Nodes")
            continue
        for name in nodes[kind].get("input", {}).get("required", {}):
            if name not in made["inputs"]:
                yield Missing(f"the input {name} of {workflow.describe(node)}", f"set it {_EXPORT}")
        for name, value in made["inputs"].items():
            if _is_link(value):
                yield from _broken_link(workflow, node, name, value, nodes)
            choices = _choices(nodes[kind], name)
            filled = workflow.binding_of(Slot(node, name)) is not None
            if choices is None or filled or isinstance(value, list) or value in choices:
                continue
            if folder := _FOLDERS.get(name):
                yield Missing(str(value), f"put {value} into ComfyUI's folder models/{folder}")
            else:
                has = ", ".join(map(str, choices)) or "none"
                yield Missing(f"{name} {value}", f"choose another in {workflow.describe(node)}: {has}")


def _broken_link(
    workflow: Workflow, node: str, name: str, link: Any, nodes: Mapping[str, Any]
) -> Iterator[Missing]:
    where = f"{workflow.describe(node)}, input {name}"
    if link[0] not in workflow.graph:
        yield Missing(f"the node {link[0]} for {where}", f"connect the input {_EXPORT}")
        return
    groups = nodes[workflow.graph[node]["class_type"]].get("input", {})
    spec = groups.get("required", {}).get(name) or groups.get("optional", {}).get(name) or [None]
    given, taken = _type_of(workflow, link, nodes), spec[0]
    if given is None or not isinstance(taken, str) or "*" in (given, taken):
        return
    if taken == taken.upper() and taken != "COMBO" and not {*given.split(",")} & {*taken.split(",")}:
        yield Missing(f"a {taken} for {where}, which gets a {given}", f"connect the input {_EXPORT}")


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
