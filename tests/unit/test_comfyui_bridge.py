"""The bridge between its client and a ComfyUI server; tests/cloud/ tests it as a process."""

import asyncio
import base64
import io
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image
from starlette.types import Receive, Scope, Send

from containers.comfyui import bridge as bridge_module
from containers.comfyui.bridge import Bridge
from containers.comfyui.client import ComfyUI
from containers.diffusion.errors import NotReady
from containers.serving import app as serving
from containers.serving.app import MAX_BODY_BYTES, create_app
from tests.comfyui_server import ComfyUIServer
from tests.contract import document

SAMPLES = Path(__file__).parents[2] / "docs" / "comfyui"
Document = dict[str, Any]


class Bench:
    """A bridge, a client of it, the ComfyUI server behind it, and the workflow's file."""

    def __init__(
        self, comfyui: ComfyUIServer, line: "Line", client: httpx.AsyncClient, workflow: Path
    ) -> None:
        self.comfyui = comfyui
        self.line = line
        self.workflow = workflow
        self._client = client

    async def ping(self) -> httpx.Response:
        return await self._client.get("/ping")

    async def ask(self, kind: str = "text", **changed: Any) -> httpx.Response:
        steps = {"steps": 2} if kind == "text" else {}
        return await self._client.post(
            "/invocations", json=document(f"clip_request.{kind}") | steps | changed
        )

    async def post(self, content: Any, media_type: str = "application/json") -> httpx.Response:
        return await self._client.post("/invocations", content=content, headers={"Content-Type": media_type})

    async def request(self, method: str, path: str) -> httpx.Response:
        return await self._client.request(method, path)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.005)

    def change(self, change: Callable[[Document], None]) -> None:
        graph = json.loads(self.workflow.read_text())
        change(graph)
        self.workflow.write_text(json.dumps(graph))


class Line(httpx.AsyncBaseTransport):
    """Forwards to a ComfyUI server; responses to `lost` (methods and path prefixes) are lost once each."""

    def __init__(self, comfyui: ComfyUIServer) -> None:
        self.lost: list[tuple[str, str]] = []
        self._line = httpx.ASGITransport(comfyui.app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._line.handle_async_request(request)
        for method, path in self.lost:
            if request.method == method and request.url.path.startswith(path):
                self.lost.remove((method, path))
                raise httpx.ReadTimeout("", request=request)
        return answer


Test = Callable[[Bench], Awaitable[None]]
Run = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(bridge_module, "POLL_SECONDS", 0.005)

    def run(test: Test, *, sample: str = "text-to-video", seconds: float = 60, jobs: bool = True) -> None:
        workflow = tmp_path / "mine.json"
        workflow.write_text((SAMPLES / f"{sample}.json").read_text())
        asyncio.run(_with_server(test, workflow, seconds, ComfyUIServer(jobs=jobs)))

    return run


async def _with_server(test: Test, workflow: Path, seconds: float, comfyui: ComfyUIServer) -> None:
    line = Line(comfyui)
    app = create_app(Bridge(ComfyUI("http://comfyui:8188/", transport=line), workflow, seconds))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://engine", timeout=60) as client:
            await test(Bench(comfyui, line, client, workflow))


def error_of(answer: httpx.Response) -> tuple[int, str, str | None, str]:
    error = answer.json()["error"]
    assert error.keys() == document("error.invalid_request")["error"].keys()
    return answer.status_code, error["code"], error["param"], error["message"]


def streams(clip: bytes) -> list[tuple[str, str]]:
    with av.open(io.BytesIO(clip)) as container:
        return [(stream.type, stream.codec_context.name) for stream in container.streams]


def save_by_video_helper_suite(graph: Document) -> None:
    graph["57"] |= {
        "class_type": "VHS_VideoCombine",
        "inputs": {
            "frame_rate": 8,
            "filename_prefix": "AnimateDiff",
            "format": "video/h264-mp4",
            "save_output": True,
            "images": ["8", 0],
        },
    }
    del graph["58"]


def preview(graph: Document) -> None:
    """Add a second video node whose output is only temporary."""
    graph["59"] = {
        "class_type": "VHS_VideoCombine",
        "inputs": {
            "frame_rate": 8,
            "filename_prefix": "preview",
            "format": "video/h264-mp4",
            "save_output": False,
            "images": ["8", 0],
        },
    }


def test_a_clip_is_rendered_by_the_workflow_with_the_request_in_it(run: Run) -> None:
    async def test(bench: Bench) -> None:
        answer = await bench.ask(guidance=3.5)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "video/mp4"
        (graph,) = bench.comfyui.prompts
        expected = json.loads(bench.workflow.read_text())
        expected["6"]["inputs"]["text"] = "A bee lands on a bright yellow flower in a sunny meadow."
        expected["7"]["inputs"]["text"] = "snow"
        expected["55"]["inputs"] |= {"width": 96, "height": 64, "length": 17}
        expected["57"]["inputs"]["fps"] = 8
        expected["3"]["inputs"] |= {"seed": 7, "steps": 2, "cfg": 3.5}
        assert graph == expected
        with av.open(io.BytesIO(answer.content)) as container:
            video = container.streams.video[0]
            assert (video.width, video.height, video.frames, video.average_rate) == (96, 64, 17, 8)
            said = container.metadata
        assert (said["engine"], said["model"], said["seed"]) == ("comfyui", "mine", "7")
        revision = said["model_revision"]
        assert answer.headers["x-amzn-sagemaker-custom-attributes"] == f"workflow={revision}"
        assert json.loads(said["request"])["guidance"] == 3.5

    run(test)


def test_omitted_fields_keep_the_workflow_s_values(run: Run) -> None:
    async def test(bench: Bench) -> None:
        assert (await bench.ask(negative_prompt="", steps=None)).status_code == 200
        (graph,) = bench.comfyui.prompts
        assert graph["7"]["inputs"]["text"] == "blurry, low quality, subtitles, static"
        assert (graph["3"]["inputs"]["steps"], graph["3"]["inputs"]["cfg"]) == (20, 5)

    run(test)


@pytest.mark.parametrize("change", [save_by_video_helper_suite, preview])
def test_the_video_is_found_where_its_node_shows_it(run: Run, change: Callable[[Document], None]) -> None:
    async def test(bench: Bench) -> None:
        bench.change(change)
        answer = await bench.ask()
        assert answer.status_code == 200, answer.text

    run(test)


def test_image_and_sound_are_uploaded_and_the_clip_has_the_sound(run: Run) -> None:
    async def test(bench: Bench) -> None:
        asked = document("clip_request.audio")
        for _ in range(2):
            answer = await bench.ask("audio")
            assert answer.status_code == 200, answer.text
        assert streams(answer.content) == [("video", "h264"), ("audio", "aac")]
        first, second = bench.comfyui.prompts
        image, audio = first["52"]["inputs"]["image"], first["58"]["inputs"]["audio"]
        assert (image, audio) == (second["52"]["inputs"]["image"], second["58"]["inputs"]["audio"])
        assert set(bench.comfyui.input) == {image, audio}, "the same files again take no more room"
        assert bench.comfyui.input[audio] == base64.b64decode(asked["audio"])
        with Image.open(io.BytesIO(bench.comfyui.input[image])) as sent:
            assert (sent.format, sent.mode, sent.size) == ("PNG", "RGB", (96, 64))

    run(test, sample="speech-to-video")


def from_both_ends(graph: Document) -> None:
    """Render between two images, as ComfyUI's template for Wan's first and last frames does."""
    for node, binding in (("61", "image"), ("62", "last_image")):
        graph[node] = {
            "class_type": "LoadImage",
            "inputs": {"image": "example.png"},
            "_meta": {"title": f"reelworks: {binding}"},
        }
    graph["55"] |= {"class_type": "WanFirstLastFrameToVideo"}
    graph["55"]["inputs"] |= {"start_image": ["61", 0], "end_image": ["62", 0]}


def test_a_last_image_is_uploaded_or_its_node_left_out(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.change(from_both_ends)
        for kind in ("last_image", "image"):
            answer = await bench.ask(kind)
            assert answer.status_code == 200, answer.text
        both, first = bench.comfyui.prompts
        assert {both["61"]["inputs"]["image"], both["62"]["inputs"]["image"]} <= set(bench.comfyui.input)
        assert both["55"]["inputs"]["end_image"] == ["62", 0]
        assert "62" not in first
        assert "end_image" not in first["55"]["inputs"]
        assert first["55"]["inputs"]["start_image"] == ["61", 0]
        told = (await bench.ping()).json()
        assert {"image", "last_image"} <= set(told["takes"])

    run(test)


@pytest.mark.parametrize(
    ("sample", "changed", "param", "says"),
    [
        ("text-to-video", {"image": document("clip_request.image")["image"]}, "image", "reelworks: image"),
        ("text-to-video", {"audio": document("clip_request.audio")["audio"]}, "audio", "reelworks: audio"),
        ("text-to-video", {"last_image": "AAAA"}, "last_image", "reelworks: last_image"),
        ("text-to-video", {"video": "AAAA"}, "video", "not supported by workflows; leave it out"),
        ("text-to-video", {"speed": "fast"}, "speed", "not supported by workflows; leave it out"),
        (
            "text-to-video",
            {"loras": [{"name": "watercolour"}]},
            "loras",
            "not supported by workflows; leave it out",
        ),
        ("text-to-video", {"prompt": " \n"}, "prompt", "is empty or contains only whitespace"),
        ("text-to-video", {"width": 97}, "width", "multiple of 2"),
        ("text-to-video", {"height": 8192}, "height", "less than 4097"),
        ("text-to-video", {"frames": 0}, "frames", "greater than"),
        ("text-to-video", {"skip_frames": 17}, "skip_frames", "less than frames"),
        ("text-to-video", {"fps": 0}, "fps", "greater than"),
        ("text-to-video", {"seed": -1}, "seed", "greater than"),
        ("text-to-video", {"sampler": "euler"}, "sampler", "unknown field"),
        ("speech-to-video", {"image": None}, "image", "required"),
        ("speech-to-video", {"audio": None}, "audio", "required"),
        ("speech-to-video", {"image": "not base64!"}, "image", "base64"),
        ("speech-to-video", {"image": base64.b64encode(b"no picture").decode()}, "image", "PNG, JPEG"),
        ("speech-to-video", {"audio": "not base64!"}, "audio", "base64"),
        ("speech-to-video", {"audio": base64.b64encode(b"no sound").decode()}, "audio", "WAV or MP3"),
        ("speech-to-video", {"audio": base64.b64encode(b"ID3 no sound").decode()}, "audio", "corrupt"),
        (
            "speech-to-video",
            {
                "audio": base64.b64encode(
                    base64.b64decode(document("clip_request.audio")["audio"])[:44]
                ).decode()
            },
            "audio",
            "contains no sound",
        ),
    ],
)
def test_unsupported_fields_are_rejected_before_comfyui_is_called(
    run: Run, sample: str, changed: Document, param: str, says: str
) -> None:
    async def test(bench: Bench) -> None:
        answer = await bench.ask("text" if sample == "text-to-video" else "audio", **changed)
        status, code, named, message = error_of(answer)
        assert (status, code, named) == (400, "invalid_request", param)
        assert says in message
        assert bench.comfyui.calls == []

    run(test, sample=sample)


def test_negative_prompts_and_steps_need_a_bound_node(run: Run) -> None:
    async def test(bench: Bench) -> None:
        def untitled(graph: Document) -> None:
            graph["7"]["_meta"]["title"] = "Negative"
            graph["3"]["_meta"]["title"] = "reelworks: seed"

        bench.change(untitled)
        assert error_of(await bench.ask())[2] == "negative_prompt"
        assert error_of(await bench.ask(negative_prompt=""))[2] == "steps"
        assert error_of(await bench.ask(negative_prompt="", steps=None, guidance=2))[2] == "guidance"
        assert (await bench.ask(negative_prompt="", steps=None)).status_code == 200

    run(test)


def test_a_rejection_by_comfyui_names_the_node_and_its_input(run: Run) -> None:
    async def test(bench: Bench) -> None:
        def break_it(graph: Document) -> None:
            graph["39"]["inputs"]["vae_name"] = "other.safetensors"

        answer = await bench.ask(width=64, height=64, steps=20)
        assert answer.status_code == 200
        bench.change(break_it)
        status, code, param, message = error_of(await bench.ask())
        assert (status, code, param) == (400, "invalid_request", None)
        assert "node 39 “Load VAE” (VAELoader), input vae_name: Value not in list: vae_name: " in message
        assert len(bench.comfyui.prompts) == 1

    run(test)


def test_a_rejection_by_comfyui_names_the_bound_field(run: Run) -> None:
    async def test(bench: Bench) -> None:
        def bind_the_steps_to_what_is_at_most_1(graph: Document) -> None:
            graph["3"]["_meta"]["title"] = "reelworks: seed, steps=denoise"

        bench.change(bind_the_steps_to_what_is_at_most_1)
        status, code, param, message = error_of(await bench.ask())
        assert (status, code, param) == (400, "invalid_request", "steps")
        assert "(KSampler), input denoise: Value 2 bigger than max of 1: denoise" in message

    run(test)


def test_a_workflow_that_can_only_run_in_part_is_rejected_and_dequeued(run: Run) -> None:
    async def test(bench: Bench) -> None:
        def save_what_is_not_there(graph: Document) -> None:
            graph["60"] = {"class_type": "LoadImage", "inputs": {"image": "gone.png"}}
            graph["61"] = {
                "class_type": "SaveImage",
                "inputs": {"images": ["60", 0], "filename_prefix": "other"},
            }

        bench.comfyui.hold = True
        bench.change(save_what_is_not_there)
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (400, "invalid_request")
        assert "node 60 (LoadImage), input image: Custom validation failed for node" in message
        await bench.until(lambda: not bench.comfyui.pending and not bench.comfyui.running)

    run(test)


@pytest.mark.parametrize(
    ("node", "change", "says"),
    [
        ("48", {"class_type": "ModelSamplingOther"}, "Node 'ModelSamplingSD3' not found. The custom node"),
        ("58", {"class_type": "VAEDecode", "inputs": {}}, "Prompt has no outputs"),
    ],
)
def test_a_workflow_that_this_comfyui_cannot_run_is_reported(
    run: Run, node: str, change: Document, says: str
) -> None:
    async def test(bench: Bench) -> None:
        bench.change(lambda graph: graph[node].update(change))
        status, code, param, message = error_of(await bench.ask())
        assert (status, code, param) == (400, "invalid_request", None)
        assert says in message

    run(test)


@pytest.mark.parametrize(
    ("exception", "status", "code"),
    [
        (("RuntimeError", "mat1 and mat2 shapes cannot be multiplied"), 500, "broken"),
        (("torch.OutOfMemoryError", "CUDA out of memory."), 507, "out_of_memory"),
        (("torch.cuda.OutOfMemoryError", "Allocation on device 0"), 507, "out_of_memory"),
        (("RuntimeError", "MPS backend out of memory (MPS allocated: 17.9 GB)"), 507, "out_of_memory"),
        (("torch.AcceleratorError", "CUDA error: out of memory"), 507, "out_of_memory"),
        (("RuntimeError", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), 507, "out_of_memory"),
        (("RuntimeError", "[enforce fail] DefaultCPUAllocator: can't allocate memory"), 507, "out_of_memory"),
        (("MemoryError", ""), 507, "out_of_memory"),
        (("ValueError", "the seed is out of memory_range"), 500, "broken"),
    ],
)
def test_a_failing_node_is_named_and_the_next_clip_accepted(
    run: Run, exception: tuple[str, str], status: int, code: str
) -> None:
    async def test(bench: Bench) -> None:
        bench.comfyui.fail["KSampler"] = exception
        answer = error_of(await bench.ask())
        node = "node 3 “reelworks: seed, steps, guidance” (KSampler)"
        assert answer == (status, code, None, f"{node}: {exception[0]}: {exception[1]}")
        bench.comfyui.fail.clear()
        assert (await bench.ask()).status_code == 200

    run(test)


@pytest.mark.parametrize(
    ("gives", "says"),
    [
        ({"fps": 16}, "the rate of the workflow's video must be 8; got 16 frames a second"),
        ({"length": 13}, "the length of the workflow's video must be 17; got 13 frames"),
    ],
)
def test_a_clip_that_differs_from_the_request_is_reported(run: Run, gives: Document, says: str) -> None:
    async def test(bench: Bench) -> None:
        bench.comfyui.gives = gives
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (500, "broken")
        assert says in message

    run(test)


def test_workflows_that_save_no_video_or_several_are_reported(run: Run) -> None:
    async def test(bench: Bench) -> None:
        def save_images(graph: Document) -> None:
            graph["58"] |= {"class_type": "SaveImage"}
            del graph["58"]["inputs"]["format"], graph["58"]["inputs"]["codec"]

        def save_two(graph: Document) -> None:
            graph["59"]["inputs"]["save_output"] = True
            graph["59"]["_meta"] = {"title": "The other"}

        original = bench.workflow.read_text()
        bench.change(save_images)
        assert "no node saved a video" in error_of(await bench.ask())[3]
        bench.workflow.write_text(original)
        bench.change(preview)
        bench.change(save_two)
        message = error_of(await bench.ask())[3]
        assert "several videos, node 58 “Save Video” (SaveVideo): reelworks_00001_.mp4 and node 59" in message
        bench.change(lambda graph: graph["59"]["_meta"].update(title="reelworks: video, fps"))
        assert (await bench.ask()).status_code == 200

    run(test)


def test_one_clip_at_a_time(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.comfyui.hold = True
        first = asyncio.create_task(bench.ask())
        await bench.until(lambda: bool(bench.comfyui.running))
        assert (await bench.ask()).json() == document("error.busy")
        busy = await bench.ping()
        assert (busy.status_code, busy.json()["status"]) == (200, "busy")
        bench.comfyui.hold = False
        assert (await first).status_code == 200
        assert (await bench.ping()).json()["status"] == "ready"
        assert len(bench.comfyui.prompts) == 1

    run(test)


def test_ping_reports_the_workflow_s_inputs_and_where_it_runs(run: Run) -> None:
    async def test(bench: Bench) -> None:
        ping = await bench.ping()
        assert ping.status_code == 200
        told = ping.json()
        assert told.keys() >= document("ping.ready").keys() - {"speed", "speeds"}
        assert (told["status"], told["reason"], told["engine"]) == ("ready", None, "comfyui")
        assert (told["model"], told["comfyui"]) == ("mine", "0.3.75")
        assert "RTX 4090" in told["device"]
        assert {"prompt", "image", "audio", "width", "seed"} <= set(told["takes"])
        bench.workflow.write_text((SAMPLES / "text-to-video.json").read_text())
        changed = (await bench.ping()).json()
        assert "image" not in changed["takes"]
        assert changed["workflow"] != told["workflow"]

    run(test, sample="speech-to-video")


def test_an_unusable_workflow_is_reported_until_it_is_fixed(run: Run) -> None:
    async def test(bench: Bench) -> None:
        mended = bench.workflow.read_text()
        bench.workflow.write_text("{}")
        ping = await bench.ping()
        assert (ping.status_code, ping.json()["status"]) == (503, "failed")
        assert "Export (API)" in ping.json()["reason"]
        assert error_of(await bench.ask())[:2] == (503, "not_ready")
        bench.workflow.write_text(mended)
        assert (await bench.ping()).status_code == 200
        assert (await bench.ask()).status_code == 200

    run(test)


@pytest.mark.parametrize("jobs", [True, False], ids=["with /api/jobs", "without"])
@pytest.mark.parametrize("waits", [True, False], ids=["waiting", "running"])
def test_only_the_clip_whose_client_disconnected_is_cancelled(run: Run, jobs: bool, waits: bool) -> None:
    async def test(bench: Bench) -> None:
        comfyui = bench.comfyui
        comfyui.hold = True
        if waits:
            comfyui.crowd()
        others = list(comfyui.running)
        client = asyncio.create_task(bench.ask())
        await bench.until(lambda: bool(comfyui.pending if waits else comfyui.running))
        if waits:
            async with asyncio.timeout(30):
                while not ((await bench.ping()).json()["reason"] or "").startswith("waiting behind 1"):
                    await asyncio.sleep(0.005)
        client.cancel()
        await bench.until(lambda: not comfyui.pending and comfyui.running == others)
        assert comfyui.calls[1:] == (["cancel"] if jobs else ["delete"] if waits else ["delete", "interrupt"])
        comfyui.running.clear()
        comfyui.hold = False
        assert (await bench.ask()).status_code == 200

    run(test, jobs=jobs)


def test_a_clip_that_never_ends_times_out(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.comfyui.hold = True
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (500, "engine_failed")
        assert "did not finish the clip within 0.2 s" in message
        await bench.until(lambda: not bench.comfyui.running)
        assert bench.comfyui.calls == ["prompt", "cancel"]

    run(test, seconds=0.2)


def test_an_interrupted_or_lost_clip_is_reported(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.comfyui.hold = True
        first = asyncio.create_task(bench.ask())
        await bench.until(lambda: bool(bench.comfyui.running))
        bench.comfyui.interrupt()
        assert "interrupted in ComfyUI, at node 3" in error_of(await first)[3]
        second = asyncio.create_task(bench.ask())
        await bench.until(lambda: bool(bench.comfyui.running))
        bench.comfyui.clear()
        assert error_of(await second)[:2] == (500, "engine_failed")
        assert "lost the clip" in error_of(await second)[3]
        bench.comfyui.interrupt()  # for work still running in the background

    run(test)


def test_the_bridge_waits_for_a_comfyui_that_is_slow_while_computing(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.line.lost = [("GET", "/queue"), ("GET", "/history"), ("GET", "/queue")]
        assert (await bench.ask()).status_code == 200
        assert bench.line.lost == []
        bench.line.lost = [("GET", "/system_stats")]
        slow = await bench.ping()
        assert (slow.status_code, slow.json()["status"]) == (503, "starting")
        assert "did not answer in time" in slow.json()["reason"]

    run(test)


def test_a_prompt_whose_response_is_lost_is_dequeued(run: Run) -> None:
    async def test(bench: Bench) -> None:
        bench.comfyui.hold = True
        bench.line.lost = [("POST", "/prompt")]
        assert error_of(await bench.ask())[:2] == (503, "not_ready")
        assert bench.comfyui.calls == ["prompt", "cancel"]
        await bench.until(lambda: not bench.comfyui.pending and not bench.comfyui.running)

    run(test)


def test_a_missing_file_is_reported(run: Run) -> None:
    async def test(bench: Bench) -> None:
        class Forgetful(dict[Any, bytes]):
            def __setitem__(self, key: Any, value: bytes) -> None:
                pass

        bench.comfyui.saved = Forgetful()
        status, code, _, message = error_of(await bench.ask())
        assert (status, code) == (500, "engine_failed")
        assert "saved reelworks_00001_.mp4, but answered 404" in message

    run(test)


def test_models_are_unloaded_when_idle(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(bench: Bench) -> None:
        await bench.ask()
        monkeypatch.setattr(bridge_module, "REST_SECONDS", 0)
        assert error_of(await bench.ask(frames=0))[0] == 400
        assert bench.comfyui.calls == ["prompt"]
        await bench.ask()
        await bench.until(lambda: bench.comfyui.calls == ["prompt", "prompt", "free"])

    run(test)


def test_a_bridge_unloads_models_when_it_ends(run: Run) -> None:
    seen: list[ComfyUIServer] = []

    async def test(bench: Bench) -> None:
        seen.append(bench.comfyui)
        await bench.ask()
        assert bench.comfyui.calls == ["prompt"]

    run(test)
    assert seen[0].calls == ["prompt", "free"]


def test_a_workflow_that_changed_since_the_lookup_is_rejected(run: Run, tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        revision = (await bench.ping()).json()["workflow"]
        line = httpx.ASGITransport(bench.comfyui.app)
        bridge = Bridge(ComfyUI("http://comfyui:8188", transport=line), bench.workflow, 60, revision)
        assert (await bridge.health())[0]
        bench.change(lambda graph: graph["3"]["inputs"].update(steps=3))
        serving, told = await bridge.health()
        assert (serving, told["status"]) == (False, "failed")
        assert "mine.json has changed since" in told["reason"]
        assert "run `reel up` again" in told["reason"]
        with pytest.raises(NotReady, match=r"mine\.json has changed since"):
            await bridge.render(json.dumps(document("clip_request.text")).encode())
        assert bench.comfyui.calls == []
        await bridge.close()

    run(test)


def test_a_server_other_than_comfyui_is_reported(tmp_path: Path) -> None:
    async def other(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"<html>It works!</html>"})

    async def test() -> None:
        comfyui = ComfyUI("http://127.0.0.1:8188", transport=httpx.ASGITransport(other))
        serving, document = await Bridge(comfyui, SAMPLES / "text-to-video.json", 60).health()
        assert not serving
        assert document["status"] == "failed"
        assert "http://127.0.0.1:8188 isn't ComfyUI" in document["reason"]

    asyncio.run(test())


def test_http_errors_follow_the_contract(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "BODY_SECONDS", 0.1)

    async def test(bench: Bench) -> None:
        async def slowly() -> Any:
            yield b'{"prompt": '
            await asyncio.sleep(60)

        assert error_of(await bench.post(b"{}", "text/plain"))[:3] == (415, "invalid_request", "Content-Type")
        assert error_of(await bench.post(bytes(MAX_BODY_BYTES + 1)))[0] == 413
        assert error_of(await bench.post(slowly()))[0] == 408
        assert error_of(await bench.post(b"[]"))[:3] == (400, "invalid_request", None)
        for method, path, status in (("GET", "/", 404), ("GET", "/invocations", 405), ("GET", "/docs", 404)):
            answer = await bench.request(method, path)
            assert answer.status_code == status
            assert answer.json()["error"]["code"] == "invalid_request"

    run(test)


def test_logs_contain_clips_but_no_prompts(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def test(bench: Bench) -> None:
        with caplog.at_level(logging.INFO, "containers"):
            await bench.ask("audio", prompt="SECRET")
            bench.comfyui.fail["KSampler"] = ("RuntimeError", "broken")
            await bench.ask("audio", prompt="SECRET")

    run(test, sample="speech-to-video")
    events = [record.getMessage() for record in caplog.records]
    assert [event for event in events if event != "clip started"] == ["clip rendered", "clip failed"]
    rendered = next(record for record in caplog.records if record.getMessage() == "clip rendered")
    assert (rendered.__dict__["frames"], rendered.__dict__["with_audio"]) == (17, True)
    assert "SECRET" not in repr([record.__dict__ for record in caplog.records])
