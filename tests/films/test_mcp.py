"""An assistant makes a film: with the MCP SDK's own client, over stdio and over HTTP."""

import asyncio
import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, ImageContent, TextContent
from PIL import Image

from tests.cloud.servers import answers, free_port, wait_until
from tests.films.conftest import REPOSITORY, Cloud
from tests.films.looking import look_at
from tests.films.requests import scene

FOX, OWL = ({**scene(animal), "narration": None, "seconds": 1} for animal in ("fox", "owl"))
BOARD = {"title": "Two animals", "style": "Warm light.", "scenes": [FOX, OWL]}


def environment(cloud: Cloud, key: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("REELWORKS_")},
        "REELWORKS_BASE_URL": cloud.status["base_url"],
        "REELWORKS_API_KEY": key,
        "PYTHONPATH": str(REPOSITORY),
    }


def text(result: CallToolResult) -> str:
    assert not result.is_error, result.content
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def pictures(result: CallToolResult) -> list[Any]:
    parts = [part for part in result.content if isinstance(part, ImageContent)]
    assert all(part.mime_type == "image/jpeg" for part in parts)
    return [Image.open(BytesIO(base64.b64decode(part.data))) for part in parts]


async def planned(client: Client) -> str:
    """Plan, look, edit and approve, over stdio; and leave while the clips are rendered."""
    reports: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, total, message))

    assert "animatic" in text(await client.call_tool("list_engines"))
    plan = {"storyboard": BOARD, "narrate": False, "engine": "animatic", "size": "256x256"}
    told = text(await client.call_tool("plan_film", plan))
    film = {"video_id": re.findall("video_[0-9a-f]{32}", told)[0]}
    assert "the storyboard is ready" in told
    assert "A fox sits in a green meadow" in told
    assert pictures(await client.call_tool("look_at_storyboard", film)) == []

    edit = {**film, "scene": 2, "image": "A hare sits in deep snow"}
    assert "approve_film" in text(await client.call_tool("edit_scene", edit))
    refused = await client.call_tool("edit_scene", {**edit, "scene": 3})
    assert refused.is_error
    assert "Scene 3 does not exist" in str(refused.content)

    approval = {**film, "gate": "storyboard", "wait_seconds": 120}
    told = text(await client.call_tool("approve_film", approval, progress_callback=on_progress))
    assert "voices and stills are ready" in told
    progress = [one for one, _, _ in reports]
    assert progress == sorted(set(progress)), "progress rises with each report"
    assert {total for _, total, _ in reports} == {100}
    looked = await client.call_tool("look_at_storyboard", film)
    assert "A hare sits in deep snow" in text(looked)
    stills = pictures(looked)
    assert len(stills) == 2
    assert all(max(still.size) <= 640 for still in stills)

    await client.call_tool("approve_film", {**film, "gate": "previews", "wait_seconds": 0})
    return film["video_id"]


async def fetched(client: Client, video_id: str) -> Path:
    film = {"video_id": video_id}
    assert "state: done" in text(await client.call_tool("wait_for_film", {**film, "wait_seconds": 120}))
    assert video_id in text(await client.call_tool("list_films"))
    assert "cost so far: $0.0000" in text(await client.call_tool("show_film", film))
    saved = await client.call_tool("fetch_film", film)
    assert len(pictures(saved)) == 1
    return Path(re.findall(r"film: (.*) \(", text(saved))[0])


@contextmanager
def over_http(cloud: Cloud, key: str, folder: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "reelworks", "mcp", "--http", str(port), "--folder", str(folder)]
    with subprocess.Popen(command, env=environment(cloud, key), stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}"))
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()


def test_an_assistant_makes_a_film(cloud: Cloud, tmp_path: Path) -> None:
    key = cloud.json("keys", "create", "assistants")["api_key"]
    stdio = StdioServerParameters(
        command=sys.executable, args=["-m", "reelworks", "mcp"], env=environment(cloud, key)
    )

    async def by_stdio() -> str:
        async with Client(stdio) as client:
            return await planned(client)

    async def by_http(url: str) -> Path:
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=300) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            return await fetched(client, video_id)

    video_id = asyncio.run(by_stdio())
    with over_http(cloud, key, tmp_path / "films") as url:
        film = asyncio.run(by_http(url))
    assert film == tmp_path / "films" / f"{video_id}.mp4"
    assert len(look_at(film).frames) > 8
