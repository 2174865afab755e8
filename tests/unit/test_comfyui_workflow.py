"""How node titles bind request fields to a workflow's nodes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from containers.comfyui.workflow import BadWorkflow, Slot, Workflow

SAMPLES = Path(__file__).parents[2] / "docs" / "comfyui"


def graph_of(name: str = "text-to-video") -> dict[str, Any]:
    graph: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return graph


def written(folder: Path, document: Any) -> Workflow:
    path = folder / "mine.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return Workflow.read(path)


def test_the_documented_samples_declare_their_inputs() -> None:
    text = Workflow.read(SAMPLES / "text-to-video.json")
    everything = {
        "prompt",
        "negative_prompt",
        "width",
        "height",
        "frames",
        "fps",
        "seed",
        "steps",
        "guidance",
    }
    assert set(text.slots) == everything
    assert text.slots["frames"] == (Slot("55", "length"),)
    assert text.slots["guidance"] == (Slot("3", "cfg"),)
    speech = Workflow.read(SAMPLES / "speech-to-video.json")
    assert set(speech.slots) == everything | {"image", "audio"}
    assert speech.name == "speech-to-video"
    assert speech.revision != text.revision


def test_values_are_set_in_a_copy_and_the_rest_is_unchanged(tmp_path: Path) -> None:
    workflow = written(tmp_path, graph_of())
    filled = workflow.filled({"prompt": "a boat", "width": 96, "seed": 7})
    expected = graph_of()
    expected["6"]["inputs"]["text"] = "a boat"
    expected["55"]["inputs"]["width"] = 96
    expected["3"]["inputs"]["seed"] = 7
    assert filled == expected
    assert workflow.graph == graph_of()


def test_a_binding_may_be_on_several_nodes_and_name_its_input(tmp_path: Path) -> None:
    graph = graph_of()
    graph["70"] = {
        "class_type": "PrimitiveInt",
        "inputs": {"value": 1},
        "_meta": {"title": "Reelworks: seed"},
    }
    graph["48"]["_meta"]["title"] = "reelworks: fps=shift"
    workflow = written(tmp_path, graph)
    assert workflow.slots["seed"] == (Slot("3", "seed"), Slot("70", "value"))
    assert workflow.slots["fps"] == (Slot("48", "shift"), Slot("57", "fps"))
    assert workflow.filled({"seed": 5})["70"]["inputs"]["value"] == 5
    assert workflow.binding_of(Slot("70", "value")) == "seed"
    assert workflow.binding_of(Slot("70", "other")) is None


def test_the_node_whose_video_is_the_clip_can_be_marked(tmp_path: Path) -> None:
    graph = graph_of()
    assert written(tmp_path, graph).video is None
    graph["58"]["_meta"]["title"] = "reelworks: video"
    assert written(tmp_path, graph).video == "58"
    graph["8"]["_meta"]["title"] = "reelworks: video"
    with pytest.raises(BadWorkflow, match=r"node 8 .* and node 58 "):
        written(tmp_path, graph)


@pytest.mark.parametrize(
    ("node", "title", "says"),
    [
        ("6", "Positive prompt", 'no node titled "reelworks: prompt"'),
        (
            "8",
            "reelworks: sampler",
            "node 8 .*unknown binding 'sampler'; allowed: prompt, negative_prompt, image",
        ),
        ("8", "reelworks:", "node 8 .*must name what it takes"),
        ("8", "reelworks: seed", r"node 8 .*has no input 'seed' for seed; it has samples, vae"),
        (
            "55",
            "reelworks: frames=count",
            "node 55 .*has no input 'count' for frames; it has width, height",
        ),
        (
            "3",
            "reelworks: seed=model",
            ": input 'model' comes from another node; title node 48 “ModelSampling",
        ),
    ],
)
def test_an_invalid_title_is_reported(tmp_path: Path, node: str, title: str, says: str) -> None:
    graph = graph_of()
    graph[node]["_meta"]["title"] = title
    with pytest.raises(BadWorkflow, match=says):
        written(tmp_path, graph)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("{", "can't be read"),
        ('{"a":' * 100_000, "nested too deeply"),
        ({"nodes": [], "links": [], "version": 0.4}, r"Export \(API\)"),
        ([], "not a ComfyUI workflow"),
        ({}, "not a ComfyUI workflow"),
        ({"1": {"class_type": "KSampler"}}, "not a ComfyUI workflow"),
        ({"1": {"inputs": {}}}, "not a ComfyUI workflow"),
    ],
)
def test_a_file_not_in_api_format_is_reported(tmp_path: Path, document: Any, says: str) -> None:
    with pytest.raises(BadWorkflow, match=says):
        written(tmp_path, document)


def test_a_pipe_is_reported(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(BadWorkflow, match=r"pipe\.json is not a file"):
        Workflow.read(tmp_path / "pipe.json")


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BadWorkflow, match=r"none\.json can't be read"):
        Workflow.read(tmp_path / "none.json")
