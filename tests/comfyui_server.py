"""A server with ComfyUI's wire formats, including errors, that renders graphs as plain frames.

The formats are those of https://github.com/Comfy-Org/ComfyUI: server.py, execution.py and main.py. A prompt
is checked as ComfyUI checks it, waits in a queue, and runs node after node; what it saves has the size,
length, rate and sound that the graph says. A test can hold it, have a node fail, or look at what it was sent.
"""

import asyncio
import io
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Graph = dict[str, dict[str, Any]]
LOOK_SECONDS = 0.005

# Each node's inputs besides links: a number's bounds, the choices, or anything.
NODES: dict[str, dict[str, tuple[float, float] | list[str] | None]] = {
    "UNETLoader": {
        "unet_name": ["wan2.2_ti2v_5B_fp16.safetensors", "wan2.2_s2v_14B_fp8_scaled.safetensors"],
        "weight_dtype": ["default"],
    },
    "CLIPLoader": {
        "clip_name": ["umt5_xxl_fp8_e4m3fn_scaled.safetensors"],
        "type": ["wan"],
        "device": ["default"],
    },
    "VAELoader": {"vae_name": ["wan2.2_vae.safetensors", "wan_2.1_vae.safetensors"]},
    "ModelSamplingSD3": {"shift": (0, 100)},
    "CLIPTextEncode": {"text": None},
    "LoadImage": {"image": None},
    "WanFirstLastFrameToVideo": {
        "width": (16, 16384),
        "height": (16, 16384),
        "length": (1, 16384),
        "batch_size": (1, 4096),
    },
    "LoadAudio": {"audio": None},
    "AudioEncoderLoader": {"audio_encoder_name": ["wav2vec2_large_english_fp16.safetensors"]},
    "AudioEncoderEncode": {},
    "Wan22ImageToVideoLatent": {
        "width": (32, 16384),
        "height": (32, 16384),
        "length": (1, 16384),
        "batch_size": (1, 4096),
    },
    "WanSoundImageToVideo": {
        "width": (16, 16384),
        "height": (16, 16384),
        "length": (1, 16384),
        "batch_size": (1, 4096),
    },
    "KSampler": {
        "seed": (0, 2**64 - 1),
        "steps": (1, 10000),
        "cfg": (0, 100),
        "sampler_name": ["uni_pc"],
        "scheduler": ["simple"],
        "denoise": (0, 1),
    },
    "VAEDecode": {},
    "PrimitiveInt": {"value": (-(2**63), 2**63 - 1)},
    "CreateVideo": {"fps": (1, 120)},
    "SaveVideo": {"filename_prefix": None, "format": ["auto", "mp4"], "codec": ["auto", "h264"]},
    "SaveWEBM": {"filename_prefix": None, "codec": ["vp9"], "fps": (0.01, 1000), "crf": (0, 63)},
    "SaveImage": {"filename_prefix": None},
    "VHS_VideoCombine": {
        "frame_rate": (1, 1000),
        "filename_prefix": None,
        "format": ["video/h264-mp4"],
        "save_output": None,
    },
}
SAVING = ("SaveVideo", "SaveWEBM", "SaveImage", "VHS_VideoCombine")
MADE_BY = {"LoadImage": "image", "LoadAudio": "audio"}


class Interrupted(Exception):
    pass


@dataclass
class ComfyUIServer:
    """`app` is the server. Its version is one of those with /api/jobs unless `jobs` is False."""

    jobs: bool = True
    combo: bool = False  # /object_info lists choices as newer versions do
    hold: bool = False  # the sampler does not end
    fail: dict[str, tuple[str, str]] = field(default_factory=dict)  # class → the exception's type and message
    gives: dict[str, Any] = field(default_factory=dict)  # overrides for a video: width, length, fps, sound
    prompts: list[Graph] = field(default_factory=list)  # that were taken
    calls: list[str] = field(default_factory=list)  # of requests that change something
    input: dict[str, bytes] = field(default_factory=dict)
    saved: dict[tuple[str, str, str], bytes] = field(default_factory=dict)  # by type, subfolder, filename
    history: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: list[list[Any]] = field(default_factory=list)
    pending: list[list[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._interrupted = False
        self._number = 0
        self._worker: asyncio.Task[None] | None = None
        routes = [
            Route("/system_stats", self._system_stats),
            Route("/object_info", self._object_info),
            Route("/models/{folder}", lambda _: JSONResponse([])),
            Route("/upload/image", self._upload, methods=["POST"]),
            Route("/prompt", self._prompt, methods=["POST"]),
            Route("/history/{prompt_id}", self._history),
            Route("/queue", self._queue),
            Route("/queue", self._change_queue, methods=["POST"]),
            Route("/interrupt", self._interrupt, methods=["POST"]),
            Route("/free", self._free, methods=["POST"]),
            Route("/view", self._view),
        ]
        if self.jobs:
            routes.append(Route("/api/jobs/{prompt_id}/cancel", self._cancel, methods=["POST"]))
        self.app = Starlette(routes=routes)

    def crowd(self) -> None:
        """Run another user's prompt, which does not end."""
        self.running.append([-1, str(uuid.uuid4()), {}, {}, []])

    def interrupt(self) -> None:
        """Interrupt as the user's button does."""
        self._interrupted = True

    def clear(self) -> None:
        """Forget all prompts, as a restart does."""
        self.pending.clear()
        self.running.clear()
        self.history.clear()

    async def _system_stats(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "system": {
                    "os": "linux",
                    "comfyui_version": "0.3.75",
                    "python_version": "3.12.3",
                    "argv": [],
                },
                "devices": [
                    {"name": "cuda:0 NVIDIA GeForce RTX 4090 : cudaMallocAsync", "type": "cuda", "index": 0}
                ],
            }
        )

    async def _object_info(self, _request: Request) -> Response:
        return JSONResponse(
            {
                kind: {
                    "input": {"required": {name: self._input(bounds) for name, bounds in inputs.items()}},
                    "output_node": kind.startswith(("Save", "Preview")) or kind.endswith("Combine"),
                }
                for kind, inputs in NODES.items()
            }
        )

    def _input(self, bounds: tuple[float, float] | list[str] | None) -> list[Any]:
        if isinstance(bounds, list):
            return ["COMBO", {"options": bounds}] if self.combo else [bounds]
        return ["FLOAT", {"min": bounds[0], "max": bounds[1]}] if bounds else ["STRING", {}]

    async def _upload(self, request: Request) -> Response:
        async with request.form() as form:
            image, subfolder = form["image"], str(form.get("subfolder", ""))
            assert not isinstance(image, str)
            assert (form["type"], form["overwrite"]) == ("input", "true")
            name = str(image.filename)
            self.input[f"{subfolder}/{name}" if subfolder else name] = await image.read()
        self.calls.append("upload")
        return JSONResponse({"name": name, "subfolder": subfolder, "type": "input"})

    async def _prompt(self, request: Request) -> Response:
        document = await request.json()
        graph: Graph = document["prompt"]
        error, node_errors = self._validate(graph)
        if error:
            return JSONResponse({"error": error, "node_errors": node_errors}, 400)
        prompt_id = document["prompt_id"] if self.jobs else str(uuid.uuid4())
        self._number += 1
        self.prompts.append(graph)
        self.calls.append("prompt")
        self.pending.append([self._number, prompt_id, graph, {}, []])
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return JSONResponse({"prompt_id": prompt_id, "number": self._number, "node_errors": node_errors})

    async def _history(self, request: Request) -> Response:
        prompt_id = request.path_params["prompt_id"]
        return JSONResponse({prompt_id: self.history[prompt_id]} if prompt_id in self.history else {})

    async def _queue(self, _request: Request) -> Response:
        return JSONResponse({"queue_running": self.running, "queue_pending": self.pending})

    async def _change_queue(self, request: Request) -> Response:
        self.calls.append("delete")
        gone = (await request.json())["delete"]
        self.pending[:] = [item for item in self.pending if item[1] not in gone]
        return Response()

    async def _interrupt(self, request: Request) -> Response:
        # Old versions ignore prompt_id.
        self.calls.append("interrupt")
        self._interrupted = True
        return Response()

    async def _free(self, request: Request) -> Response:
        assert await request.json() == {"unload_models": True, "free_memory": True}
        self.calls.append("free")
        return Response()

    async def _cancel(self, request: Request) -> Response:
        self.calls.append("cancel")
        prompt_id = request.path_params["prompt_id"]
        waited = len(self.pending)
        self.pending[:] = [item for item in self.pending if item[1] != prompt_id]
        runs = any(item[1] == prompt_id for item in self.running)
        self._interrupted = self._interrupted or runs
        return JSONResponse({"cancelled": runs or len(self.pending) < waited})

    async def _view(self, request: Request) -> Response:
        query = request.query_params
        content = self.saved.get((query["type"], query["subfolder"], query["filename"]))
        return Response(status_code=404) if content is None else Response(content, media_type="video/mp4")

    def _validate(self, graph: Graph) -> tuple[dict[str, Any] | None, Any]:
        for node, made in graph.items():
            if made["class_type"] not in NODES:
                title = made.get("_meta", {}).get("title", made["class_type"])
                return {
                    "type": "missing_node_type",
                    "message": f"Node '{title}' not found. The custom node may not be installed.",
                    "details": f"Node ID '#{node}'",
                    "extra_info": {"node_id": node, "class_type": made["class_type"], "node_title": title},
                }, []
        outputs = [node for node, made in graph.items() if made["class_type"] in SAVING]
        if not outputs:
            return {
                "type": "prompt_no_outputs",
                "message": "Prompt has no outputs",
                "details": "",
                "extra_info": {},
            }, []
        node_errors: dict[str, dict[str, Any]] = {}
        good = [output for output in outputs if not self._wrong(graph, output, output, node_errors)]
        if good:
            return None, node_errors
        details = [
            f"{error['message']}: {error['details']}"
            for wrong in node_errors.values()
            for error in wrong["errors"]
        ]
        return {
            "type": "prompt_outputs_failed_validation",
            "message": "Prompt outputs failed validation",
            "details": "\n".join(details),
            "extra_info": {},
        }, node_errors

    def _wrong(self, graph: Graph, node: str, output: str, node_errors: dict[str, dict[str, Any]]) -> bool:
        made = graph[node]
        errors, wrong = [], False
        for name, value in made["inputs"].items():
            if isinstance(value, list):
                wrong |= self._wrong(graph, value[0], output, node_errors)
            elif complaint := self._complaint(made["class_type"], name, value):
                kind, message, details = complaint
                extra = {"input_name": name, "received_value": value}
                errors.append({"type": kind, "message": message, "details": details, "extra_info": extra})
        if errors:
            entry = node_errors.setdefault(
                node, {"errors": errors, "dependent_outputs": [], "class_type": made["class_type"]}
            )
            entry["dependent_outputs"].append(output)
        return wrong or bool(errors)

    def _complaint(self, kind: str, name: str, value: Any) -> tuple[str, str, str] | None:
        if kind in MADE_BY and name == MADE_BY[kind] and value not in self.input:
            details = f"{name} - Invalid {name} file: {value}"
            return "custom_validation_failed", "Custom validation failed for node", details
        allowed = NODES[kind].get(name)
        if isinstance(allowed, list) and value not in allowed:
            return "value_not_in_list", "Value not in list", f"{name}: '{value}' not in {allowed}"
        if isinstance(allowed, tuple) and value < allowed[0]:
            message = f"Value {value} smaller than min of {allowed[0]}"
            return "value_smaller_than_min", message, name
        if isinstance(allowed, tuple) and value > allowed[1]:
            return "value_bigger_than_max", f"Value {value} bigger than max of {allowed[1]}", name
        return None

    async def _work(self) -> None:
        while self.pending and not self.running:
            item = self.pending.pop(0)
            self.running.append(item)
            prompt_id, graph = item[1], item[2]
            self._interrupted = False
            outputs: dict[str, Any] = {}
            messages: list[list[Any]] = [["execution_start", {"prompt_id": prompt_id, "timestamp": 1}]]
            failed = await self._run(prompt_id, graph, outputs)
            messages.append(failed or ["execution_success", {"prompt_id": prompt_id, "timestamp": 2}])
            if item in self.running:
                self.running.remove(item)
                self.history[prompt_id] = {
                    "prompt": item,
                    "outputs": outputs,
                    "status": {
                        "status_str": "error" if failed else "success",
                        "completed": not failed,
                        "messages": messages,
                    },
                    "meta": {},
                }

    async def _run(self, prompt_id: str, graph: Graph, outputs: dict[str, Any]) -> list[Any] | None:
        """Return what ended the prompt early, or None."""
        # Nodes that save run last.
        for node in sorted(graph, key=lambda node: graph[node]["class_type"] in SAVING):
            kind = graph[node]["class_type"]
            told = {"prompt_id": prompt_id, "node_id": node, "node_type": kind, "executed": list(outputs)}
            if kind in self.fail:
                exception_type, message = self.fail[kind]
                error = {"exception_type": exception_type, "exception_message": f"{message}\n"}
                rest = {"traceback": [], "current_inputs": {}, "current_outputs": []}
                return ["execution_error", {**told, **error, **rest}]
            while kind == "KSampler" and self.hold and not self._interrupted:
                await asyncio.sleep(LOOK_SECONDS)
            if self._interrupted:
                return ["execution_interrupted", told]
            if kind in SAVING:
                outputs[node] = self._save(graph, node)
        return None

    def _save(self, graph: Graph, node: str) -> dict[str, Any]:
        kind, inputs = graph[node]["class_type"], graph[node]["inputs"]
        subfolder, _, stem = str(inputs["filename_prefix"]).rpartition("/")
        if kind == "SaveImage":
            shown = {"filename": f"{stem}_00001_.png", "subfolder": subfolder, "type": "output"}
            self.saved["output", subfolder, shown["filename"]] = b"a PNG"
            return {"images": [shown]}
        video = {"width": 64, "height": 64, "length": 1, "fps": 24, "sound": b""}
        for upstream in _upstream(graph, node):
            kept = graph[upstream]["inputs"]
            rate = kept.get("frame_rate", kept.get("fps", video["fps"]))
            video |= {"fps": rate} | {name: kept[name] for name in video if name in kept and name != "fps"}
        # A video's sound is the one linked to the node that creates it.
        makers = [made["inputs"] for made in graph.values() if made["class_type"] in ("CreateVideo", kind)]
        links = [inputs["audio"][0] for inputs in makers if "audio" in inputs]
        if links:
            video["sound"] = self.input[graph[links[0]]["inputs"]["audio"]]
        content = film(**video | self.gives, webm=kind == "SaveWEBM")
        filename = f"{stem}_00001_.{'webm' if kind == 'SaveWEBM' else 'mp4'}"
        place = "output" if inputs.get("save_output", True) else "temp"
        self.saved[place, subfolder, filename] = content
        shown = {"filename": filename, "subfolder": subfolder, "type": place}
        if kind == "VHS_VideoCombine":
            more = {"format": inputs["format"], "frame_rate": inputs["frame_rate"], "fullpath": "/…"}
            return {"gifs": [shown | more]}
        return {"images": [shown], "animated": [True]}


def _upstream(graph: Graph, node: str) -> list[str]:
    links = [value[0] for value in graph[node]["inputs"].values() if isinstance(value, list)]
    return [found for link in links for found in _upstream(graph, link)] + [node]


def film(
    *,
    width: int,
    height: int,
    length: int,
    fps: float,
    sound: bytes = b"",
    webm: bool = False,
    flashes: Sequence[int] = (),
) -> bytes:
    """Encode brightening frames as SaveVideo (H.264, with B-frames) or SaveWEBM does. With `flashes`, frames
    are black but for those, at which a beep begins."""
    output = io.BytesIO()
    with av.open(output, "w", format="webm" if webm else "mp4") as container:
        stream = container.add_stream("libvpx-vp9" if webm else "libx264", rate=int(fps))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        track = (
            container.add_stream("libopus" if webm else "aac", rate=48000, layout="mono") if sound else None
        )
        for number in range(length):
            light = 20 + 200 * number // max(length, 2)
            if flashes:
                light = 255 if number in flashes else 0
            grey = np.full((height, width, 3), light, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))
        if track:
            samples = math.ceil(length / fps * 48000)
            tone = (0.3 * np.sin(np.arange(samples) * 2 * np.pi * 440 / 48000)).astype(np.float32)
            if flashes:
                at = np.arange(samples)
                beeps = [round(number / fps * 48000) for number in flashes]
                tone[~np.any([(first <= at) & (at < first + 2400) for first in beeps], axis=0)] = 0
            frame = av.AudioFrame.from_ndarray(tone[None], format="flt", layout="mono")
            frame.sample_rate, frame.pts = 48000, 0
            container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return output.getvalue()
