"""What `reel doctor` finds about the local backends, with and without real servers."""

import json
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from containers.comfyui.workflow import Workflow
from reelworks.cloud.backends.voice.piper import bundled_model
from reelworks.cloud.home import Home
from reelworks.cloud.settings import Settings
from reelworks.doctor import backends
from reelworks.doctor.comfyui import comfyui, workflows
from reelworks.doctor.engines import engine_finding
from reelworks.doctor.images import stills
from reelworks.doctor.text import text_models
from reelworks.doctor.workflow_nodes import missing
from reelworks.finding import Finding
from tests.cloud.model_servers import listed_by_vllm, ollama_answer, openai_answer, places_at
from tests.cloud.servers import serving
from tests.comfyui_server import ComfyUIServer

REPOSITORY = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"  # the discard port, where nothing listens


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def server(stack: ExitStack, answers: dict[str, Any]) -> str:
    async def answer(request: Request) -> Response:
        found = answers.get(request.url.path)
        if callable(found) and not isinstance(found, Response):
            found = found(await request.json())
        if isinstance(found, Response):
            return found
        return JSONResponse({"error": "not found"}, 404) if found is None else JSONResponse(found)

    return stack.enter_context(
        serving(Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])]))
    )


def found(tmp_path: Path, file: str = "", **environment: str) -> dict[str, Finding]:
    """Return all findings but the voices', which take seconds to speak."""
    home = Home(tmp_path)
    home.settings.write_text(file)
    settings = Settings.load(home, environment)
    findings = [
        *text_models(settings, home, ()),
        stills(settings.stills, home),
        comfyui(settings, home),
        *workflows(settings, home),
    ]
    return {finding.what: finding for finding in findings}


def found_with_voices(tmp_path: Path, file: str = "") -> dict[str, Finding]:
    home = Home(tmp_path)
    home.settings.write_text(file)
    return {finding.what: finding for finding in backends(home, {})}


def test_the_bundled_backends(tmp_path: Path) -> None:
    findings = found_with_voices(tmp_path)
    assert findings["Voice Joe"].ok
    assert findings["Voice Joe"].found.startswith("en-US ")
    assert findings["Piper"].ok
    assert "python -m piper.download_voices" in findings["Piper"].found  # the way to another
    assert "hf download stabilityai/sdxl-turbo" in findings["Stills"].todo
    assert (findings["Stills"].ok, findings["Stills"].needed) == (False, False)
    assert "it speaks" in findings["Voice Joe"].found
    assert not findings["ComfyUI"].needed, "nothing asks for it"


def test_comfyui_that_is_set_but_down_is_an_error(tmp_path: Path) -> None:
    by_url = found(tmp_path, REELWORKS_COMFYUI_URL=NOWHERE)["ComfyUI"]
    (tmp_path / "workflows").mkdir()
    graph = REPOSITORY / "docs" / "comfyui" / "text-to-video.json"
    (tmp_path / "workflows" / "comfyui.json").write_bytes(graph.read_bytes())
    by_workflow = found(tmp_path, f"[comfyui]\nurl = '{NOWHERE}'")["ComfyUI"]
    for finding in (by_url, by_workflow):
        assert (finding.ok, finding.needed) == (False, True)
        assert finding.found.startswith(f"set, but not running at {NOWHERE}: ")
        assert "comfy launch" in finding.todo


@pytest.mark.parametrize(
    "stats",
    [
        [],
        {"system": None, "devices": []},
        {"system": {}, "devices": None},
        {"system": {}, "devices": [{"index": 0}]},
    ],
)
def test_a_server_in_place_of_comfyui_is_told(stack: ExitStack, tmp_path: Path, stats: Any) -> None:
    url = server(stack, {"/system_stats": stats})
    finding = found(tmp_path, REELWORKS_COMFYUI_URL=url)["ComfyUI"]
    assert (finding.ok, finding.needed) == (False, True)
    assert finding.found == f"the server at {url} is not ComfyUI, or is an unknown version"
    other = found(tmp_path, REELWORKS_COMFYUI_URL=server(stack, {}))["ComfyUI"]
    assert "answered 404" in other.found


def test_a_text_server_its_models_and_the_command_for_one(stack: ExitStack, tmp_path: Path) -> None:
    tags = {"models": [{"name": "llama3.2:latest"}, {"name": "gemma3:4b"}]}
    colour = '{"name": "blue"}'
    answers = {"/api/tags": tags, "/v1/models": {"data": [{"id": "qwen3-4b"}]}}
    chats = {"/api/chat": ollama_answer(colour), "/v1/chat/completions": openai_answer(colour)}
    url = server(stack, answers | chats)
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


def refuses_schemas(asked: Any) -> Response:
    if (asked.get("response_format") or {}).get("type") == "json_schema":
        return JSONResponse({"error": {"message": "Internal Server Error"}}, 500)
    return openai_answer('```json\n{"name": "blue"}\n```')


@pytest.mark.parametrize(
    ("chat", "state", "said"),
    [
        (openai_answer('{"name": "blue"}'), (True, True, False), "it answers by a schema"),
        (refuses_schemas, (False, False, True), "refuses a JSON schema; asked by json_object with a schema"),
        (JSONResponse({"error": {"message": "no JSON here"}}, 500), (False, True, False), "no JSON here"),
        (openai_answer("Blue is a colour."), (False, True, False), "does not follow a schema"),
        (openai_answer('{"colour": "blue"}'), (False, False, True), "does not follow a schema"),
        (openai_answer("hm, hm", "length"), (False, True, False), "gave no answer"),
        (JSONResponse({"error": "Loading model"}, 503), (False, False, True), "is busy: .*Loading model"),
        (JSONResponse({"error": "slow down"}, 429), (False, False, True), "is busy: .*slow down"),
        (JSONResponse({"error": "bad key"}, 401), (False, True, False), "bad key"),
    ],
)
@pytest.mark.parametrize("lists", [True, False])
def test_a_text_server_is_asked_once(
    stack: ExitStack, tmp_path: Path, chat: Any, state: tuple[bool, bool, bool], said: str, lists: bool
) -> None:
    models = {"/v1/models": {"data": [{"id": "m"}]}} if lists else {}  # not every server lists them
    url = server(stack, {"/v1/chat/completions": chat} | models)
    finding = found(tmp_path, f"[text]\nurl = '{url}'\nmodel = 'm'")["Text model"]
    assert (finding.ok, finding.needed, finding.warning) == state
    assert re.search(said, finding.found)
    assert bool(finding.todo) is not finding.ok


def test_a_server_that_takes_no_time_to_answer_is_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers that generate in their only thread take connections meanwhile and answer later."""
    monkeypatch.setattr("reelworks.doctor.servers.LOOK_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        findings = found(tmp_path, f"[text]\nurl = '{url}'\nmodel = 'm'", REELWORKS_COMFYUI_URL=url)
    for what in ("Text model", "ComfyUI"):
        assert findings[what].warning
        assert "busy" in findings[what].found
        assert "does not answer" not in findings[what].found


def test_a_truncated_voice_does_not_speak(tmp_path: Path) -> None:
    bundled = bundled_model()
    assert bundled
    (tmp_path / "cut.onnx").write_bytes(bundled.read_bytes()[:100_000])
    shutil.copy(f"{bundled}.json", tmp_path / "cut.onnx.json")
    cut = found_with_voices(tmp_path, f"[speech]\nvoices = {{Cut = '{tmp_path}/cut.onnx'}}")["Voice Cut"]
    assert (cut.ok, cut.needed) == (False, True)
    assert "cut.onnx" in cut.found
    assert "Traceback" not in cut.found
    assert "download_voices" in cut.todo


def test_the_nano_model_is_there_before_the_first_up(tmp_path: Path) -> None:
    home = Home(tmp_path)
    before = engine_finding("cogvideox-nano", home)
    assert before.ok
    assert "comes with Reelworks" in before.found
    home.create()
    assert engine_finding("cogvideox-nano", home).ok


SAVERS = [
    ("SaveVideo", True),
    ("VHS_VideoCombine", True),
    ("SaveWEBM", True),
    ("SomeAuthorsSaver", True),  # in doubt
    ("SaveImage", False),
    ("PreviewImage", False),
    ("SaveAudioMP3", False),
    ("SaveAnimatedWEBP", False),
    (None, False),
]


@pytest.mark.parametrize(("saver", "saves"), SAVERS)
@pytest.mark.parametrize("marked", [False, True])
def test_a_workflow_that_saves_no_video(saver: str | None, saves: bool, marked: bool, tmp_path: Path) -> None:
    nodes = {"Text": {"output_node": False}} | ({saver: {"output_node": True}} if saver else {})
    title = "reelworks: prompt, video" if marked and not saver else "reelworks: prompt"
    graph: dict[str, Any] = {
        "1": {"class_type": "Text", "inputs": {"text": ""}, "_meta": {"title": title}},
    }
    if saver:
        mark = {"title": "reelworks: video"} if marked else {}
        graph["2"] = {"class_type": saver, "inputs": {}, "_meta": mark}
    (tmp_path / "w.json").write_text(json.dumps(graph))
    lacking = missing(Workflow.read(tmp_path / "w.json"), nodes, "video")
    assert (not lacking) is saves
    assert all("video" in one.what and "Save Video" in one.todo for one in lacking)


def test_links_and_inputs_are_checked_without_running_the_workflow(tmp_path: Path) -> None:
    nodes = {
        "Text": {"input": {"required": {"text": ["STRING", {}]}}, "output": ["STRING"]},
        "Draw": {"input": {"required": {"text": ["STRING", {}], "seed": ["INT", {}]}}, "output": ["IMAGE"]},
        "SaveVideo": {"input": {"required": {"video": ["VIDEO", {}]}}, "output_node": True},
    }
    graph: dict[str, Any] = {
        "1": {"class_type": "Text", "inputs": {"text": ""}, "_meta": {"title": "reelworks: prompt"}},
        "2": {"class_type": "Draw", "inputs": {"text": ["9", 0]}},
        "3": {"class_type": "SaveVideo", "inputs": {"video": ["2", 0]}},
    }
    (tmp_path / "w.json").write_text(json.dumps(graph))
    said = [one.what for one in missing(Workflow.read(tmp_path / "w.json"), nodes, "video")]
    assert said == [
        "the input seed of node 2 (Draw)",
        "the node 9 for node 2 (Draw), input text",
        "a VIDEO for node 3 (SaveVideo), input video, which gets a IMAGE",
    ]


def test_without_a_text_model_it_names_the_one_command_that_gets_one(tmp_path: Path) -> None:
    (none,) = text_models(Settings(), Home(tmp_path), ())
    assert (none.ok, none.needed) == (False, False)
    assert (none.found, none.todo) == ("none: the rule-based director is used", "reel models pull qwen3-4b")


def test_the_text_model_that_is_found_is_asked(stack: ExitStack, tmp_path: Path) -> None:
    chats: dict[str, Any] = {"/v1/models": listed_by_vllm("Qwen/Qwen3-8B")}
    chats["/v1/chat/completions"] = openai_answer('{"name": "blue"}')
    vllm = server(stack, chats)
    ollama = server(stack, {"/api/tags": {"models": []}})
    home = Home(tmp_path)
    used, other = text_models(Settings(), home, places_at(ollama=ollama, vllm=vllm))
    assert used.ok
    assert used.found == f"Qwen/Qwen3-8B (found: vLLM at {vllm}); it answers by a schema"
    assert (other.what, other.ok, other.needed) == (f"Ollama at {ollama}", False, False)
    assert other.todo == "ollama pull qwen3:8b"


def test_the_rules_can_be_set(tmp_path: Path) -> None:
    rules = found(tmp_path, "[text]\nkind = 'rules'")["Text model"]
    assert (rules.ok, rules.found) == (True, "the rule-based director, as set")


@pytest.mark.parametrize("combo", [False, True])
def test_models_and_nodes_that_comfyui_lacks_for_a_workflow(
    stack: ExitStack, tmp_path: Path, combo: bool
) -> None:
    url = stack.enter_context(serving(ComfyUIServer(combo=combo).app))
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
    amy = found_with_voices(tmp_path, "[speech]\nvoices = {Amy = '/voices/en_US-amy-medium.onnx'}")[
        "Voice Amy"
    ]
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
    down = found(tmp_path, file, REELWORKS_COMFYUI_URL=NOWHERE)["ComfyUI"]
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
    assert found_with_voices(tmp_path, "[text]\nkind = 'llama'") == {}
