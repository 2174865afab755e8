"""Client for the part of ComfyUI's HTTP API that the bridge uses.

https://docs.comfy.org/development/comfyui-server/comms_routes and server.py, execution.py and
comfy_execution/jobs.py of https://github.com/Comfy-Org/ComfyUI, in versions with and without /api/jobs.
"""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, Field, ValidationError

from containers.comfyui.workflow import Graph
from containers.diffusion.errors import EngineFailed

# Uploaded files go into their own folder below ComfyUI's input folder.
SUBFOLDER = "reelworks"
# ComfyUI answers from the process that computes: loading a model can block it for a while.
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
# For /ping, whose caller waits no longer than 5 s.
PING_SECONDS = 3.0
# A minute of 4K as SaveVideo writes it is a tenth of this.
MAX_FILE_BYTES = 4 * 1024**3
_TOLD = 500


class Unreachable(Exception):
    """Nothing answers at ComfyUI's address, or no longer."""


class TooSlow(Unreachable):
    """A server is running there, but does not answer in time."""


class Refused(Exception):
    """ComfyUI rejects the prompt; `node_errors` is empty unless an input of a node is the reason."""

    def __init__(self, message: str, node_errors: Mapping[str, "NodeErrors"]) -> None:
        super().__init__(message)
        self.node_errors = node_errors


class _Extra(BaseModel):
    input_name: str | None = None


class Complaint(BaseModel):
    message: str = ""
    details: str = ""
    extra_info: _Extra = _Extra()

    def __str__(self) -> str:
        return ": ".join(part.strip() for part in (self.message, self.details) if part.strip())


class NodeErrors(BaseModel):
    class_type: str = ""
    errors: list[Complaint] = []


class _Refusal(BaseModel):
    error: Complaint
    # An empty list if the complaint is about the whole prompt.
    node_errors: dict[str, NodeErrors] | list[Any] = {}


class _Queued(BaseModel):
    prompt_id: str
    node_errors: dict[str, NodeErrors] | list[Any] = {}


class _Upload(BaseModel):
    name: str
    subfolder: str = ""


class _Status(BaseModel):
    status_str: str = "success"
    messages: list[tuple[str, dict[str, Any]]] = []


class Saved(BaseModel):
    """A file that a node saved in one of ComfyUI's folders."""

    filename: str
    subfolder: str = ""
    type: str = "output"


class Finished(BaseModel):
    """Result of a prompt; `outputs` is {node: {kind: [what the node shows, including files]}}."""

    outputs: dict[str, dict[str, Any]] = {}
    status: _Status | None = None  # old versions have none

    def message(self, event: str) -> dict[str, Any] | None:
        """Return the data of the event `event`, or None if it did not happen."""
        messages = self.status.messages if self.status else []
        return next((data for name, data in messages if name == event), None)


class _Queue(BaseModel):
    # An item is [number, prompt id, graph, …]; the lower number comes first.
    queue_running: list[list[Any]] = []
    queue_pending: list[list[Any]] = []


class _Device(BaseModel):
    name: str


class _System(BaseModel):
    comfyui_version: str | None = None


class Stats(BaseModel):
    system: _System
    devices: list[_Device] = Field(default=[])


@dataclass(frozen=True)
class Upload:
    """A file for ComfyUI's input folder, where LoadImage and LoadAudio find it by name."""

    name: str
    content: bytes
    media_type: str


_Model = TypeVar("_Model", bound=BaseModel)


class ComfyUI:
    """Client of the server at `url`. Methods raise Unreachable, or EngineFailed for unexpected answers."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=self.url,
            timeout=TIMEOUT,
            trust_env=False,  # proxies are not for loopback
            transport=transport,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def stats(self) -> Stats:
        return _read(Stats, await self._send("GET", "/system_stats", timeout=PING_SECONDS))

    async def upload(self, file: Upload) -> str:
        """Upload the file; return the value with which a LoadImage or LoadAudio node loads it."""
        # Audio too: https://github.com/Comfy-Org/ComfyUI/blob/master/comfy_extras/nodes_audio.py lists the
        # input folder, and the front end uploads to this route.
        answer = await self._send(
            "POST",
            "/upload/image",
            files={"image": (file.name, file.content, file.media_type)},
            data={"type": "input", "subfolder": SUBFOLDER, "overwrite": "true"},
        )
        uploaded = _read(_Upload, answer)
        return f"{uploaded.subfolder}/{uploaded.name}" if uploaded.subfolder else uploaded.name

    async def queue(self, graph: Graph) -> str:
        """Queue the graph and return the prompt's id. Raises Refused, with nothing in the queue."""
        # Old versions accept no id from clients; a prompt whose answer is lost is then rendered for nobody.
        prompt_id = str(uuid.uuid4())
        try:
            prompt = {"prompt": graph, "prompt_id": prompt_id}
            answer = await self._send("POST", "/prompt", json=prompt, fine=(400,))
        except Unreachable:
            with suppress(Unreachable, EngineFailed):
                await self.cancel(prompt_id)
            raise
        if answer.status_code == httpx.codes.BAD_REQUEST:
            refusal = _read(_Refusal, answer)
            raise Refused(str(refusal.error), _by_node(refusal.node_errors))
        queued = _read(_Queued, answer)
        if wrong := _by_node(queued.node_errors):
            # ComfyUI would run the rest of the graph.
            await self.cancel(queued.prompt_id)
            raise Refused("part of the workflow can't run", wrong)
        return queued.prompt_id

    async def finished(self, prompt_id: str) -> Finished | None:
        """Return the prompt's result, or None if it isn't finished."""
        answer = await self._send("GET", f"/history/{prompt_id}")
        try:
            entry = answer.json().get(prompt_id)
            return None if entry is None else Finished.model_validate(entry)
        except (ValueError, AttributeError) as error:
            raise _nonsense(answer) from error

    async def ahead(self, prompt_id: str) -> int | None:
        """Return how many prompts come before this one, 0 while it runs, None if it isn't in the queue."""
        queue = _read(_Queue, await self._send("GET", "/queue"))
        if any(item[1] == prompt_id for item in queue.queue_running):
            return 0
        waiting = [item[1] for item in sorted(queue.queue_pending, key=lambda item: float(item[0]))]
        if prompt_id not in waiting:
            return None
        return len(queue.queue_running) + waiting.index(prompt_id)

    async def cancel(self, prompt_id: str) -> None:
        """Remove the prompt from the queue, or stop it; leave prompts of other users of the server alone."""
        answer = await self._send("POST", f"/api/jobs/{prompt_id}/cancel", fine=(404, 405))
        if answer.is_success:
            return
        # Older versions lack this route. In the oldest, /interrupt takes no id and stops whatever is running.
        await self._send("POST", "/queue", json={"delete": [prompt_id]})
        if await self.ahead(prompt_id) == 0:
            await self._send("POST", "/interrupt", json={"prompt_id": prompt_id})

    async def free(self) -> None:
        """Unload the models from the GPU once the queue is empty."""
        await self._send("POST", "/free", json={"unload_models": True, "free_memory": True})

    async def file(self, saved: Saved) -> bytes:
        """Return the content of a file of at most MAX_FILE_BYTES."""
        content = bytearray()
        try:
            async with self._http.stream("GET", "/view", params=saved.model_dump()) as answer:
                if not answer.is_success:
                    raise EngineFailed(
                        f"ComfyUI saved {saved.filename}, but answered {answer.status_code} to GET /view"
                    )
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_FILE_BYTES:
                        raise EngineFailed(f"{saved.filename} is larger than {MAX_FILE_BYTES:,} bytes")
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        return bytes(content)

    async def _send(
        self, method: str, path: str, fine: tuple[int, ...] = (), **options: Any
    ) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if not answer.is_success and answer.status_code not in fine:
            raise EngineFailed(
                f"ComfyUI at {self.url} answered {answer.status_code} to {method} {path}: "
                f"{answer.text[:_TOLD]}"
            )
        return answer

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        if isinstance(error, httpx.TimeoutException):
            return TooSlow(f"ComfyUI at {self.url} did not answer in time ({type(error).__name__})")
        return Unreachable(f"ComfyUI at {self.url} can't be reached: {str(error) or type(error).__name__}")


def _by_node(errors: dict[str, NodeErrors] | list[Any]) -> dict[str, NodeErrors]:
    return errors if isinstance(errors, dict) else {}


def _read(model: type[_Model], answer: httpx.Response) -> _Model:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise _nonsense(answer) from error


def _nonsense(answer: httpx.Response) -> EngineFailed:
    request = answer.request
    return EngineFailed(
        f"the server at {request.url.scheme}://{request.url.netloc.decode()} isn't ComfyUI, or is an unknown "
        f"version: {request.method} {request.url.path} returned {answer.text[:_TOLD]}"
    )
