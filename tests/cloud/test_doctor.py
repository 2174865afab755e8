"""What `reel doctor` finds of the local backends: with real servers, and without."""

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
from reelworks.doctor import Finding, backends
from tests.cloud.servers import serving

NOWHERE = "http://127.0.0.1:9"  # the discard port, where nothing listens


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def server(stack: ExitStack, answers: dict[str, Any]) -> str:
    async def answer(request: Request) -> JSONResponse:
        found = answers.get(request.url.path)
        return JSONResponse({"error": "not found"}, 404) if found is None else JSONResponse(found)

    return stack.enter_context(serving(Starlette(routes=[Route("/{path:path}", answer)])))


def found(tmp_path: Path, file: str = "", **environment: str) -> dict[str, Finding]:
    home = Home(tmp_path)
    home.settings.write_text(file)
    defaults = {"REELWORKS_COMFYUI_URL": NOWHERE}
    return {finding.what: finding for finding in backends(home, defaults | environment)}


def test_what_comes_with_it(tmp_path: Path) -> None:
    findings = found(tmp_path)
    assert findings["Voice Joe"].ok
    assert findings["Voice Joe"].found.startswith("en-US ")
    assert "Piper" not in findings  # nothing is missing
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


def test_a_voice_that_is_not_there_and_the_command_that_gets_it(tmp_path: Path) -> None:
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
    assert there.ok
    assert "StableDiffusionPipeline" in there.found


def test_wrong_settings_are_told_elsewhere(tmp_path: Path) -> None:
    assert found(tmp_path, "[text]\nkind = 'llama'") == {}
