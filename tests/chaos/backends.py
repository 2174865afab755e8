"""The servers behind the cloud: a text model, a voice, ComfyUI and an engine's `/v1/videos`. Each may hang,
answer byte by byte or with nonsense, or be gone."""

import asyncio
import io
import shutil
import wave
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.cloud.model_servers import answer_as_director
from tests.cloud.servers import free_port, serving
from tests.comfyui_server import ComfyUIServer
from tests.videos_server import VideosServer

REPOSITORY = Path(__file__).parents[2]
MOODS = ("hangs", "slow", "nonsense", "broken", "gone")
HANG_SECONDS = 30
VOICE = "Bella"
_BYTES_A_SECOND = 200

SETTINGS = """
[webhooks]
loopback = true

[text]
kind = "openai"
url = "{text}/v1"
model = "director"
timeout_seconds = 20

[speech.servers.kokoro]
url = "{voice}"
model = "kokoro"
language = "en-US"
voices = {{{name} = "af_bella"}}
timeout_seconds = 20

[comfyui]
url = "{comfyui}"

[engines.wan]
videos_url = "{videos}/v1"
model = "{model}"
sizes = ["96x64"]
fps = [8]
frame_step = 4
longest_clip = 2
patience_seconds = 60
"""


class Moody:
    """An ASGI app that answers as its mood is: `good`, or one of MOODS."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.mood = "good"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        mood = self.mood if scope["type"] == "http" else "good"
        if mood == "broken":
            await Response("Internal Server Error", 500)(scope, receive, send)
        elif mood == "nonsense":
            await Response("<html>Welcome to nginx!</html>", media_type="text/html")(scope, receive, send)
        else:
            if mood == "hangs":
                await asyncio.sleep(HANG_SECONDS)
            await self._app(scope, receive, _slowly(send) if mood == "slow" else send)


def _slowly(send: Any) -> Any:
    async def drops(message: Any) -> None:
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or not body:
            await send(message)
            return
        step = max(1, len(body) // 50)
        for start in range(0, len(body), step):
            more = message.get("more_body", False) or start + step < len(body)
            await send({**message, "body": body[start : start + step], "more_body": more})
            await asyncio.sleep(min(0.2, step / _BYTES_A_SECOND))

    return drops


class Backend:
    """A server on a port of its own, which it keeps when it is gone for a while."""

    def __init__(self, app: Any) -> None:
        self._app = Moody(app)
        self._port = free_port()
        self._running: ExitStack | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        if self._running is None:
            self._running = ExitStack()
            self._running.enter_context(serving(self._app, port=self._port, timeout_graceful_shutdown=1))

    def stop(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None

    def become(self, mood: str) -> None:
        self._app.mood = mood
        if mood == "gone":
            self.stop()
        else:
            self.start()


class Backends:
    """All of them, and the settings that name them."""

    def __init__(self) -> None:
        self.videos = VideosServer()
        self.comfyui = ComfyUIServer()
        self.named = {
            "text": Backend(_director()),
            "voice": Backend(_voice()),
            "comfyui": Backend(self.comfyui.app),
            "videos": Backend(self.videos.app),
        }

    def set_up(self, home: Path) -> None:
        """Write the settings and the workflow to the cloud's home folder."""
        urls = {name: backend.url for name, backend in self.named.items()}
        settings = SETTINGS.format(**urls, model=self.videos.model, name=VOICE)
        (home / "reelworks.toml").write_text(settings)
        workflow = home / "workflows" / "comfyui.json"
        workflow.parent.mkdir()
        shutil.copy(REPOSITORY / "docs" / "comfyui" / "text-to-video.json", workflow)

    def stop(self) -> None:
        for backend in self.named.values():
            backend.stop()

    def rendered(self) -> int:
        """Return how many clips the servers were asked for."""
        return len(self.videos.orders) + len(self.comfyui.prompts)


def _director() -> Starlette:
    """A text model in OpenAI's format that answers as the rule-based director."""

    async def answer(request: Request) -> Response:
        return answer_as_director(await request.json())

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "director", "object": "model"}]})

    return Starlette(
        routes=[Route("/v1/chat/completions", answer, methods=["POST"]), Route("/v1/models", models)]
    )


def _voice() -> Starlette:
    """A voice in the form of Kokoro-FastAPI: a tone as long as the text."""

    async def speak(request: Request) -> Response:
        asked = await request.json()
        rate = 24_000
        seconds = np.arange(int(rate * len(asked["input"]) / 20)) / rate
        tone = (8000 * np.sin(seconds * 2 * np.pi * 220)).astype("<i2")
        file = io.BytesIO()
        with wave.open(file, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(rate)
            sound.writeframes(tone.tobytes())
        return Response(file.getvalue(), media_type="audio/wav")

    async def voices(_: Request) -> Response:
        return JSONResponse({"voices": ["af_bella"]})

    return Starlette(
        routes=[Route("/v1/audio/speech", speak, methods=["POST"]), Route("/v1/audio/voices", voices)]
    )
