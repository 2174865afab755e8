"""A server with OpenAI's /v1/videos, in the wire formats of vLLM-Omni and SGLang, that renders plain frames.

The formats are recorded from https://github.com/vllm-project/vllm-omni (entrypoints/openai/video_api and
protocol/videos.py) and https://github.com/sgl-project/sglang (multimodal_gen/runtime/entrypoints/openai): see
docs/decisions/0060-relay.md. What a job makes has the size, length and rate that it was asked for. A test can
have it fail as those servers are known to fail, or look at what it was sent.
"""

import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.comfyui_server import film

_NUMBERS = {"num_frames": int, "fps": int, "seed": int, "num_inference_steps": int, "guidance_scale": float}
_BOUNDS = {"num_inference_steps": (1, 200), "guidance_scale": (0, 20), "num_frames": (1, 10_000)}


@dataclass
class VideosServer:
    """`app` is the server."""

    model: str = "Wan-AI/Wan2.2-TI2V-5B-Diffusers"
    kind: str = "vllm-omni"  # or sglang
    key: str | None = None
    checks_model: bool = True  # versions up to 0.19 accept any name
    hold: bool = False  # a job in progress does not end: out of memory, in a worker that nobody watches
    restarts: int = 0  # how many jobs are gone, once they are in progress, as after a restart
    lose_answers: int = 0  # how many jobs are started whose answer is lost
    fail: dict[str, Any] | None = None  # the error that every job ends with
    gives: dict[str, Any] = field(default_factory=dict)  # overrides for a video: width, length, fps, sound
    content: bytes | None = None  # instead of a video
    redirects: bool = False  # the content is elsewhere
    answers: dict[str, Response] = field(default_factory=dict)  # instead of its own, by method and route
    orders: list[dict[str, Any]] = field(default_factory=list)  # that were taken
    images: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)  # of the requests that start a job
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    authorized_downloads: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._asked: dict[str, dict[str, Any]] = {}
        self.app = Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/models", self._models_of_sglang),
                Route("/v1/videos", self._create, methods=["POST"]),
                Route("/v1/videos", self._list),
                Route("/v1/videos/{id}", self._retrieve),
                Route("/v1/videos/{id}", self._delete, methods=["DELETE"]),
                Route("/v1/videos/{id}/content", self._content),
                Route("/elsewhere/{id}", self._elsewhere),
            ],
            # FastAPI's form.
            exception_handlers={
                HTTPException: lambda _, error: JSONResponse(
                    {"detail": error.detail}, status_code=error.status_code
                )
            },
        )

    def restart(self) -> None:
        """Forget all jobs, which are only in memory."""
        self.jobs.clear()

    # --- routes

    async def _models(self, request: Request) -> Response:
        self._authorize(request)
        if found := self.answers.get("GET /v1/models"):
            return found
        if self.kind == "sglang":
            raise HTTPException(404, "Not Found")
        served = {"id": self.model, "object": "model", "owned_by": "vllm", "root": self.model, "parent": None}
        return JSONResponse({"object": "list", "data": [served]})

    async def _models_of_sglang(self, _request: Request) -> Response:
        if self.kind != "sglang":
            raise HTTPException(404, "Not Found")
        return JSONResponse({"model_path": self.model, "task_type": "TI2V", "pipeline_name": "wan_pipeline"})

    async def _create(self, request: Request) -> Response:
        self._authorize(request)
        if found := self.answers.get("POST /v1/videos"):
            return found
        fields, image = await self._fields(request)
        if not fields.get("prompt"):
            raise HTTPException(
                422, [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required"}]
            )
        for name, (least, most) in _BOUNDS.items():
            if name in fields and not least <= float(fields[name]) <= most:
                said = f"Input should be between {least} and {most}"
                raise HTTPException(422, [{"type": "bounds", "loc": ["body", name], "msg": said}])
        given = fields.get("model")
        if self.checks_model and self.kind == "vllm-omni" and given not in (None, self.model):
            raise HTTPException(
                400, f"Model mismatch: request specifies '{given}' but server is running '{self.model}'."
            )
        once = request.headers["idempotency-key"]
        self.headers.append(dict(request.headers))
        self.orders.append(fields)
        if image is not None:
            self.images.append(image)
        job: dict[str, Any] = {
            "id": f"video_gen_{uuid.uuid4().hex}",
            "object": "video",
            "model": given or self.model,
            "status": "queued",
            "progress": 0,
            "created_at": int(time.time()),
            "size": fields["size"],
            "seconds": fields.get("seconds", "4"),
            "error": None,
        }
        if self.kind == "vllm-omni":
            job["prompt"] = fields["prompt"]
        self.jobs[job["id"]] = job
        self._asked[job["id"]] = fields | {"once": once}
        if self.lose_answers:
            self.lose_answers -= 1
            return JSONResponse({"detail": "upstream timed out"}, status_code=504)
        return JSONResponse(job)

    async def _list(self, _request: Request) -> Response:
        jobs = sorted(self.jobs.values(), key=lambda job: -job["created_at"])
        return JSONResponse({"object": "list", "data": jobs, "has_more": False})

    async def _retrieve(self, request: Request) -> Response:
        self._authorize(request)
        if found := self.answers.get("GET /v1/videos/{id}"):
            return found
        job = self._job(request)
        if job["status"] == "queued":
            job["status"] = "in_progress"
        elif self.restarts:
            self.restarts -= 1
            self.restart()
            job = self._job(request)
        elif not self.hold and self.fail:
            job |= {"status": "failed", "error": self.fail, "completed_at": int(time.time())}
        elif not self.hold:
            job |= {"status": "completed", "progress": 100, "completed_at": int(time.time())}
        return JSONResponse(job)

    async def _delete(self, request: Request) -> Response:
        job = self._job(request)
        del self.jobs[job["id"]]
        self.deleted.append(job["id"])
        return JSONResponse({"id": job["id"], "deleted": True, "object": "video.deleted"})

    async def _content(self, request: Request) -> Response:
        self._authorize(request)
        job = self._job(request)
        if job["status"] != "completed":
            raise HTTPException(404, "Generation is still in-progress")
        if self.redirects:
            return RedirectResponse(f"http://elsewhere:9/elsewhere/{job['id']}", 302)
        return Response(self._video(job["id"]), media_type="video/mp4")

    async def _elsewhere(self, request: Request) -> Response:
        self.authorized_downloads.append(request.headers.get("authorization"))
        return Response(self._video(request.path_params["id"]), media_type="video/mp4")

    # ---

    def _authorize(self, request: Request) -> None:
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            raise HTTPException(401, "Unauthorized")

    async def _fields(self, request: Request) -> tuple[dict[str, Any], bytes | None]:
        form = request.headers.get("content-type", "").startswith("multipart/form-data")
        if not form and self.kind == "sglang":
            return dict(await request.json()), None
        if not form:  # vLLM-Omni reads only forms
            raise HTTPException(
                422, [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required"}]
            )
        fields: dict[str, Any] = {}
        image = None
        async with request.form() as parts:
            for name, value in parts.items():
                if isinstance(value, UploadFile):
                    image = await value.read()
                else:
                    fields[name] = value
        if self.kind == "sglang" and image is None:
            raise HTTPException(400, "input_reference file or reference_url is required")
        for name, number in _NUMBERS.items():
            if name in fields:
                fields[name] = number(fields[name])
        return fields, image

    def _job(self, request: Request) -> dict[str, Any]:
        job = self.jobs.get(request.path_params["id"])
        if job is None:
            raise HTTPException(404, "Video not found")
        return job

    def _video(self, job: str) -> bytes:
        if self.content is not None:
            return self.content
        asked = self._asked[job]
        width, height = map(int, asked["size"].split("x"))
        fps = int(asked.get("fps", 24))
        length = int(asked.get("num_frames") or int(asked.get("seconds", 4)) * fps)
        sound = b"heard" if asked.get("generate_sound") == "true" else b""
        given = {"width": width, "height": height, "length": length, "fps": fps, "sound": sound}
        return film(**given | self.gives)


def main(port: str, held: str) -> None:
    """Serve on loopback; jobs hang if the file `held` is there: python -m tests.videos_server PORT HELD."""
    uvicorn.run(VideosServer(hold=Path(held).exists()).app, host="127.0.0.1", port=int(port), log_config=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
