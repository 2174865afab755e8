"""Read a workflow as ComfyUI exports it ("API format"), and map a request's fields to its nodes.

The author defines the mapping in the nodes' titles, which the export keeps under `_meta`: the node
`reelworks: prompt` takes the prompt, `reelworks: width, height, frames=length` takes those three, the last
into its input `length`. docs/comfyui.md is the guide for authors.
"""

import copy
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

Graph = dict[str, dict[str, Any]]

PREFIX = "reelworks:"
# Input that a binding sets if the title names none: the first of these that the node has. They are the names
# in ComfyUI's own nodes and in the best-known others; `value` is that of its primitives.
INPUTS: dict[str, tuple[str, ...]] = {
    "prompt": ("text", "prompt", "positive_prompt", "value"),
    "negative_prompt": ("text", "negative_prompt", "negative", "value"),
    "image": ("image",),
    "last_image": ("image",),
    "audio": ("audio",),
    "width": ("width", "value"),
    "height": ("height", "value"),
    "frames": ("length", "frames", "num_frames", "value"),
    "fps": ("fps", "frame_rate", "value"),
    "seed": ("seed", "noise_seed", "value"),
    "steps": ("steps", "value"),
    "guidance": ("cfg", "guidance", "value"),
}
# Marks the node whose video is the clip if several nodes save one. It sets no input.
VIDEO = "video"


class BadWorkflow(Exception):
    """The workflow file can't be used; the message says what to change in it."""


@dataclass(frozen=True)
class Slot:
    """An input of a node."""

    node: str
    input: str


@dataclass(frozen=True)
class Workflow:
    name: str
    revision: str
    """Changes with the file."""
    graph: Graph
    slots: Mapping[str, tuple[Slot, ...]]
    """By binding; only those that the workflow has."""
    video: str | None
    """Node whose video is the clip; None if none is marked."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the workflow in the file `path`. Raises BadWorkflow."""
        try:
            if path.exists() and not path.is_file():
                raise BadWorkflow(f"{path} is not a file")  # reading a pipe would never end
            content = path.read_bytes()
            document = json.loads(content)
        except (OSError, ValueError) as error:
            raise BadWorkflow(f"{path} can't be read: {error}") from error
        except RecursionError:
            raise BadWorkflow(f"{path} can't be read: it is nested too deeply") from None
        graph = _graph(path, document)
        slots: dict[str, tuple[Slot, ...]] = {}
        marked = []
        for node, binding, input_name in _bindings(graph):
            if binding == VIDEO:
                marked.append(node)
            else:
                slots[binding] = (*slots.get(binding, ()), _slot(graph, node, binding, input_name))
        if "prompt" not in slots:
            raise BadWorkflow(
                f'{path} has no node titled "{PREFIX} prompt"; give this title to the node for the prompt'
            )
        if len(marked) > 1:
            raise BadWorkflow(f'"{PREFIX} {VIDEO}" must title only one node; got {_listed(graph, marked)}')
        revision = hashlib.sha256(content).hexdigest()[:16]
        return cls(path.stem, revision, graph, slots, marked[0] if marked else None)

    def filled(self, values: Mapping[str, str | int | float], *, without: Collection[str] = ()) -> Graph:
        """Return a copy of the graph with `values`, by binding, filled in; each must have a slot. The
        nodes of the bindings in `without`, and the inputs that take what they make, are left out."""
        graph = copy.deepcopy(self.graph)
        gone = {slot.node for binding in without for slot in self.slots[binding]}
        for node in gone:
            del graph[node]
        for made in graph.values():
            made["inputs"] = {
                name: value
                for name, value in made["inputs"].items()
                if not (isinstance(value, list) and value and str(value[0]) in gone)
            }
        for binding, value in values.items():
            for slot in self.slots[binding]:
                graph[slot.node]["inputs"][slot.input] = value
        return graph

    def binding_of(self, slot: Slot) -> str | None:
        """Return the binding that sets the slot, or None."""
        return next((binding for binding, slots in self.slots.items() if slot in slots), None)

    def describe(self, node: str) -> str:
        """Describe the node so that the author can find it."""
        return _described(self.graph, node)


def _graph(path: Path, document: Any) -> Graph:
    if isinstance(document, dict) and "nodes" in document and "links" in document:
        raise BadWorkflow(
            f"{path} is a saved workflow, not an exported one; export it with Workflow → Export (API)"
        )
    if (
        not isinstance(document, dict)
        or not document
        or not all(
            isinstance(node, dict) and isinstance(node.get("class_type"), str) for node in document.values()
        )
        or not all(isinstance(node.get("inputs"), dict) for node in document.values())
    ):
        raise BadWorkflow(f"{path} is not a ComfyUI workflow; export one with Workflow → Export (API)")
    return document


def _bindings(graph: Graph) -> list[tuple[str, str, str | None]]:
    """Return (node, binding, the input that the title names) for every title with the prefix."""
    found = []
    for node in graph:
        title = _title(graph, node)
        if not title.lower().startswith(PREFIX):
            continue
        words = [word for word in re.split(r"[,\s]+", title[len(PREFIX) :]) if word]
        if not words:
            raise BadWorkflow(
                f'{_described(graph, node)}: its title must name what it takes, for example "{PREFIX} prompt"'
            )
        for word in words:
            binding, _, input_name = word.partition("=")
            if binding not in INPUTS and binding != VIDEO:
                allowed = ", ".join((*INPUTS, VIDEO))
                raise BadWorkflow(
                    f"{_described(graph, node)}: unknown binding {binding!r}; allowed: {allowed}"
                )
            found.append((node, binding, input_name or None))
    return found


def _slot(graph: Graph, node: str, binding: str, input_name: str | None) -> Slot:
    inputs = graph[node]["inputs"]
    usual = INPUTS[binding]
    name = input_name or next((name for name in usual if name in inputs), usual[0])
    if name not in inputs:
        has = ", ".join(inputs) or "none"
        raise BadWorkflow(
            f"{_described(graph, node)} has no input {name!r} for {binding}; it has {has}. "
            f'Name one in the title, for example "{PREFIX} {binding}={next(iter(inputs), usual[0])}"'
        )
    if isinstance(inputs[name], list):
        raise BadWorkflow(
            f"{_described(graph, node)}: input {name!r} comes from another node; "
            f"title {_described(graph, str(inputs[name][0]))} instead"
        )
    return Slot(node, name)


def _title(graph: Graph, node: str) -> str:
    meta = graph[node].get("_meta")
    title = meta.get("title") if isinstance(meta, dict) else None
    return title.strip() if isinstance(title, str) else ""


def _described(graph: Graph, node: str) -> str:
    if node not in graph:
        return f"node {node}"
    title, kind = _title(graph, node), graph[node]["class_type"]
    return f"node {node} “{title}” ({kind})" if title else f"node {node} ({kind})"


def _listed(graph: Graph, nodes: list[str]) -> str:
    return " and ".join(_described(graph, node) for node in nodes)
