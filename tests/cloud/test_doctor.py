"""What `reel doctor` finds about the local backends, with and without real servers."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from reelworks.cloud.home import Home
from reelworks.doctor import backends
from reelworks.doctor.finding import Finding
from reelworks.doctor.text import found_ollama, openai_servers
from tests.cloud.servers import serving
from tests.comfyui_server import ComfyUIServer

REPOSITORY = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"  # the discard port, where nothing listens


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def server(stack: ExitStack, answers: dict[str, Any]) -> str:
    async def answer(request: Request) -> JSONResponse:
        found = answers.get(request.url.path)
        return JSONResponse({"error": "not found"}, 404) if found is None else JSONResponse(found)

    return stack.enter_context(
        serving(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])]))
    )


def found(tmp_path: Path, file: str = "", **environment: str) -> dict[str, Finding]:
    home = Home(tmp_path)
    home.settings.write_text(file)
    defaults = {"REELWORKS_COMFYUI_URL": NOWHERE}
    return {finding.what: finding for finding in backends(home, defaults | environment)}


def test_the_bundled_backends(tmp_path: Path) -> None:
    findings = found(tmp_path)
    assert findings["Voice Joe"].ok
    assert findings["Voice Joe"].found.startswith("en-US ")
    assert findings["Piper"].ok
    assert "python -m piper.download_voices" in findings["Piper"].found  # the way to another
    assert "hf download stabilityai/sdxl-turbo" in findings["Stills"].todo
    for what in ("Stills", "ComfyUI"):
        assert not findings[what].ok
        assert not findings[what].needed
        assert findings[what].todo
    assert NOWHERE in findings["ComfyUI"].found


def test_a_text_server_its_models_and_the_command_for_one(stack: ExitStack, tmp_path: Path) -> None:
    tags = {"models": [{"name": "llama3.2:latest"}, {"name": "gemma3:4b"}]}
    url = server(stack, {"/api/tags": tags, "/v1/models": {"data": [{"id": "qwen3-4b"}]}})
    ollama = f"[text]\nkind = 'ollama'\nurl = '{url}'\n"
    assert found(tmp_path, ollama + "model = 'llama3.2'")["Text model"].ok
    missing = found(tmp_path, ollama + "model = 'mistral'")["Text model"]
    assert (missing.ok, missing.needed, missing.todo) == (False, True, "ollama pull mistral")
    assert "it has llama3.2:latest, gemma3:4b" in missing.found
    other = f"[text]\nurl = '{url}/v1'\n"
    assert found(tmp_path, other + "model = 'qwen3-4b'")["Text model"].ok
    assert "it has qwen3-4b" in found(tmp_path, other + "model = 'phi'")["Text model"].found
    down = found(tmp_path, f"[text]\nurl = '{NOWHERE}'\nmodel = 'm'")["Text model"]
    assert (down.ok, down.needed) == (False, True)
    assert "does not answer" in down.found
    down = found(tmp_path, f"[text]\nkind = 'ollama'\nurl = '{NOWHERE}'\nmodel = 'm'")["Text model"]
    assert "ollama serve" in down.todo


def test_servers_that_run_but_are_not_used_yet(stack: ExitStack, tmp_path: Path) -> None:
    url = server(stack, {"/v1/models": {"data": [{"id": "qwen3-4b"}, {"id": "phi-4"}]}})
    home = Home(tmp_path)
    there = openai_servers([NOWHERE, url], home)
    assert there.ok
    assert there.found.startswith(f"{url} has qwen3-4b, phi-4; ")
    assert f"[text] in {home.settings}" in there.found
    none = openai_servers([NOWHERE], home)
    assert (none.ok, none.needed) == (False, False)
    assert "llama-server" in none.todo


def test_a_discovered_ollama(stack: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers: dict[str, Any] = {"/api/tags": {"models": []}, "/api/show": {"capabilities": ["completion"]}}
    url = server(stack, answers)
    assert found_ollama(url).todo == "ollama pull qwen3:8b"
    answers["/api/tags"] = {"models": [{"name": "gemma3:4b"}]}
    assert found_ollama(url).ok
    assert found_ollama(url).found == f"ollama gemma3:4b at {url}; it has gemma3:4b"
    answers["/api/show"] = {"capabilities": ["embedding"]}
    embeds = found_ollama(url)
    assert (embeds.ok, embeds.needed, embeds.todo) == (False, False, "ollama pull qwen3:8b")
    assert "gemma3:4b" in embeds.found
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found_ollama(NOWHERE).todo.endswith("install.sh | sh; ollama serve; ollama pull qwen3:8b")
    (tmp_path / "ollama").touch(0o755)
    assert found_ollama(NOWHERE).todo == "ollama serve; ollama pull qwen3:8b"


@pytest.mark.parametrize("combo", [False, True])
def test_models_and_nodes_that_comfyui_lacks_for_a_workflow(
    stack: ExitStack, tmp_path: Path, combo: bool
) -> None:
    comfyui = ComfyUIServer(combo=combo)
    url = stack.enter_context(serving(comfyui.app))
    graph = json.loads((REPOSITORY / "docs/comfyui/text-to-video.json").read_text())
    (tmp_path / "workflows").mkdir()
    file = tmp_path / "workflows" / "comfyui.json"
    file.write_text(json.dumps(graph))
    whole = found(tmp_path, REELWORKS_COMFYUI_URL=url)["Workflow for clips"]
    assert (whole.ok, whole.needed) == (True, True), whole
    loader = next(node for node in graph.values() if node["class_type"] == "UNETLoader")
    loader["inputs"]["unet_name"] = "mine.safetensors"
    graph["77"] = {"class_type": "Upscaler9000", "inputs": {}}
    file.write_text(json.dumps(graph))
    lacking = found(tmp_path, REELWORKS_COMFYUI_URL=url)["Workflow for clips"]
    assert not lacking.ok
    assert "mine.safetensors" in lacking.found
    assert "the node Upscaler9000" in lacking.found
    assert "put mine.safetensors into ComfyUI's folder models/diffusion_models" in lacking.todo
    assert "Install Missing Custom Nodes" in lacking.todo
    file.write_text("{}")
    assert not found(tmp_path, REELWORKS_COMFYUI_URL=url)["Workflow for clips"].ok


def test_a_missing_voice_and_the_command_to_install_it(tmp_path: Path) -> None:
    amy = found(tmp_path, "[speech]\nvoices = {Amy = '/voices/en_US-amy-medium.onnx'}")["Voice Amy"]
    assert (amy.ok, amy.needed) == (False, True)
    assert "/voices/en_US-amy-medium.onnx" in amy.found
    assert amy.todo == "python -m piper.download_voices --download-dir /voices en_US-amy-medium"


def test_comfyui_its_models_and_the_stills_workflow(stack: ExitStack, tmp_path: Path) -> None:
    stats = {"system": {"comfyui_version": "0.3.75"}, "devices": [{"name": "cuda:0 RTX 4090"}]}
    models = {"/models/checkpoints": ["sdxl.safetensors"], "/models/diffusion_models": ["flux.safetensors"]}
    url = server(stack, {"/system_stats": stats} | models)
    titled = {"class_type": "CLIPTextEncode", "inputs": {"text": ""}, "_meta": {"title": "reelworks: prompt"}}
    (tmp_path / "flux.json").write_text(json.dumps({"6": titled}))
    file = f"[stills]\nworkflow = '{tmp_path}/flux.json'"
    findings = found(tmp_path, file, REELWORKS_COMFYUI_URL=url)
    assert findings["Stills"].ok
    assert findings["Stills"].found.endswith("flux.json takes prompt")
    assert (findings["ComfyUI"].ok, findings["ComfyUI"].needed) == (True, True)
    for word in ("0.3.75", "RTX 4090", "sdxl.safetensors", "flux.safetensors"):
        assert word in findings["ComfyUI"].found
    down = found(tmp_path, file)["ComfyUI"]
    assert (down.ok, down.needed) == (False, True)  # the stills need it
    (tmp_path / "flux.json").write_text(json.dumps({"6": titled | {"_meta": {}}}))
    assert "reelworks: prompt" in found(tmp_path, file)["Stills"].found


def test_a_diffusers_model(tmp_path: Path) -> None:
    file = f"[stills]\nmodel = '{tmp_path}/sd'"
    missing = found(tmp_path, file)["Stills"]
    assert (missing.ok, missing.needed) == (False, True)
    assert "model_index.json" in missing.found
    (tmp_path / "sd").mkdir()
    (tmp_path / "sd" / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    there = found(tmp_path, file)["Stills"]
    assert not there.ok
    assert "no safetensors" in there.found
    (tmp_path / "sd" / "unet").mkdir()
    (tmp_path / "sd" / "unet" / "diffusion_pytorch_model.safetensors").touch()
    there = found(tmp_path, file)["Stills"]
    assert there.ok
    assert "StableDiffusionPipeline" in there.found


def test_invalid_settings_are_reported_elsewhere(tmp_path: Path) -> None:
    assert found(tmp_path, "[text]\nkind = 'llama'") == {}
