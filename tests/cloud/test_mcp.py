"""The tools of `reel mcp`, called by the MCP SDK's client, with an API on loopback."""

import asyncio
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.types import CallToolResult, ImageContent, TextContent
from PIL import Image
from typer.testing import CliRunner

from reelworks.cli import app as reel
from reelworks.mcp.http import app
from reelworks.mcp.server import server
from tests.cloud.servers import serving
from tests.cloud.test_cli_review import ID, Api

KEY, PORT = "rk-x", 8123
FILM = {"video_id": ID}


def png(size: tuple[int, int]) -> bytes:
    written = BytesIO()
    Image.new("RGB", size, "red").save(written, "PNG")
    return written.getvalue()


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    api = Api()
    with serving(api.app) as url:
        monkeypatch.setenv("REELWORKS_BASE_URL", f"{url}/v1")
        monkeypatch.setenv("REELWORKS_API_KEY", KEY)
        yield api


def called(folder: Path, *calls: tuple[str, dict[str, Any]]) -> list[CallToolResult]:
    async def call() -> list[CallToolResult]:
        async with Client(server(folder)) as client:
            return [await client.call_tool(name, given) for name, given in calls]

    return asyncio.run(call())


def told(folder: Path, name: str, given: dict[str, Any]) -> str:
    [result] = called(folder, (name, given))
    assert not result.is_error, result.content
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def refused(folder: Path, name: str, given: dict[str, Any]) -> str:
    [result] = called(folder, (name, given))
    assert result.is_error
    [part] = result.content
    assert isinstance(part, TextContent)
    return part.text


def test_each_tool_says_what_it_costs_and_whether_it_only_reads(tmp_path: Path) -> None:
    tools = asyncio.run(server(tmp_path).list_tools())
    assert len(tools) == 15
    for tool in tools:
        assert "cost" in (tool.description or "").lower(), tool.name
        assert "  " not in (tool.description or "")
        assert tool.annotations is not None
        reads = tool.name.startswith(("list_", "show_", "look_", "wait_", "estimate_"))
        assert tool.annotations.read_only_hint is reads, tool.name
        assert tool.annotations.destructive_hint is (None if reads else tool.name == "cancel_film")
        for name, schema in tool.input_schema["properties"].items():
            assert name in ("limit", "part") or schema.get("description"), (tool.name, name)


def test_a_plan_waits_for_approval(api: Api, tmp_path: Path) -> None:
    said = told(tmp_path, "plan_film", {"topic": "Kites", "scenes": 2, "stills": "premium"})
    assert api.asked[-1][2] == {
        "topic": "Kites",
        "scenes": 2,
        "narrate": True,
        "captions": False,
        "stills": "premium",
        "review": ["storyboard", "previews"],
    }
    assert "state: waiting for you: the storyboard is ready" in said
    assert "approve_film with gate=storyboard" in said
    assert "narration: A kite rises." in said


def test_an_estimate_is_one_of_what_would_be_made(api: Api, tmp_path: Path) -> None:
    said = told(tmp_path, "estimate_film", {"prompt": "A bee", "seconds": 12, "max_cost": 0.1})
    assert api.asked == [
        ("POST", "/v1/videos?dry_run=true", {"prompt": "A bee", "seconds": 12, "max_cost": 0.1})
    ]
    assert "clips: USD 0.3251 (2 of 720x480, 8 fps)\n" in said
    assert said.endswith("made\nwould be refused: max_cost is too low.")
    shared = {"topic": "Kites", "scenes": 2, "max_cost": 0.1}
    for name in ("estimate_film", "plan_film"):
        told(tmp_path, name, shared)
    estimated, planned = (body for _, _, body in api.asked[-2:])
    assert estimated["stills"] == "standard"
    assert planned == estimated | {"captions": False, "review": ["storyboard", "previews"]}


def test_stills_are_left_out_where_the_engine_takes_none(api: Api, tmp_path: Path) -> None:
    api.takes_stills = False
    told(tmp_path, "estimate_film", {"topic": "Kites"})
    assert ["stills" in body for _, _, body in api.asked] == [True, False]
    assert "No stills." in refused(tmp_path, "estimate_film", {"topic": "Kites", "stills": "premium"})


def test_a_limit_is_sent_and_shown(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Api, "video", api.video | {"cost": 0.5, "max_cost": 2.5})
    told(tmp_path, "make_film", {"prompt": "A bee", "max_cost": 2.5})
    assert api.asked[-1][2]["max_cost"] == 2.5
    assert "cost so far: $0.5000, at most $2.5" in told(tmp_path, "retry_film", {**FILM, "max_cost": 2.5})
    told(tmp_path, "approve_film", {**FILM, "gate": "previews", "max_cost": 2.5})
    assert [path for _, path, _ in api.asked[-2:]] == [
        f"/v1/videos/{ID}/retry?max_cost=2.5",
        f"/v1/videos/{ID}/approve?gate=previews&max_cost=2.5",
    ]
    assert "greater than 0" in refused(tmp_path, "retry_film", {**FILM, "max_cost": 0})


def test_an_edit_changes_what_is_given(api: Api, tmp_path: Path) -> None:
    edit = {"scene": 2, "narration": "Bees.", "video": "It hums.", "seconds": 3}
    told(tmp_path, "edit_scene", FILM | edit)
    scene = api.storyboard["scenes"][1]
    assert scene["narration"] == {"text": "Bees."}
    assert scene["image"]["positive_prompt"] == "A kite."
    assert scene["video"] == {"positive_prompt": "It hums.", "negative_prompt": ""}
    assert scene["seconds"] == 3


@pytest.mark.parametrize("name", ["edit_scene", "regenerate_scene"])
def test_scenes_count_from_one(api: Api, tmp_path: Path, name: str) -> None:
    given = {**FILM, "scene": 3, "narration": "Bees."} | ({"part": "voice"} if name != "edit_scene" else {})
    assert "Scene 3 does not exist" in refused(tmp_path, name, given)


def test_an_approval_names_its_gate(api: Api, tmp_path: Path) -> None:
    """So that one that is sent twice doesn't approve the next gate."""
    assert "the film waits at gate storyboard" in refused(tmp_path, "approve_film", FILM)
    assert api.asked == []
    told(tmp_path, "approve_film", {**FILM, "gate": "storyboard"})
    assert api.gate == "previews"


def test_stills_are_pictures_a_few_at_a_time(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {"state": "done", "reused": False, "by": "Joe", "took": 1.25, "cost": 0.0}
    video = api.video | {"stills": [made | {"scene": number} for number in range(8)]}
    monkeypatch.setattr(Api, "video", video)
    monkeypatch.setattr("tests.cloud.test_cli_review.FILM", png((1600, 900)))
    [result, rest] = called(
        tmp_path, ("look_at_storyboard", FILM), ("look_at_storyboard", {**FILM, "first_scene": 7})
    )
    pictures = [part for part in result.content if isinstance(part, ImageContent)]
    assert [part.mime_type for part in pictures] == ["image/jpeg"] * 6
    assert "first_scene=7" in str(result.content[-1])
    assert len([part for part in rest.content if isinstance(part, ImageContent)]) == 2


def test_a_film_is_fetched_with_a_picture(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.cloud.test_cli_review.FILM", png((64, 48)))
    api.stage, api.gate = "completed", None
    [result] = called(tmp_path / "new", ("fetch_film", FILM))
    text, picture = result.content
    assert isinstance(text, TextContent)
    assert isinstance(picture, ImageContent)
    assert f"film: {tmp_path / 'new' / ID}.mp4" in text.text
    assert (tmp_path / "new" / f"{ID}.mp4").read_bytes() == png((64, 48))
    (tmp_path / "file").touch()
    assert "cannot write" in refused(tmp_path / "file", "fetch_film", FILM)


def test_an_error_has_the_api_s_message_and_advice(api: Api, tmp_path: Path) -> None:
    given = {**FILM, "scene": 1, "video": ""}
    said = refused(tmp_path, "edit_scene", given)
    assert "It is missing. (field: scenes[0].video.positive_prompt)\nChange the request as" in said


def test_a_cloud_that_is_down_is_an_error_of_the_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An assistant may be started before the cloud."""
    monkeypatch.delenv("REELWORKS_BASE_URL", raising=False)
    monkeypatch.delenv("REELWORKS_API_KEY", raising=False)
    monkeypatch.setenv("REELWORKS_HOME", str(tmp_path / "home"))
    assert "the PC's cloud is down; start it with `reel up`" in refused(tmp_path, "list_films", {})


def test_a_wait_ends_in_time_and_the_film_goes_on(api: Api, tmp_path: Path) -> None:
    api.stage, api.gate = "rendering", None
    assert "Call wait_for_film to go on" in told(tmp_path, "wait_for_film", {**FILM, "wait_seconds": 1})
    assert api.asked == [], "nothing was cancelled"


def test_hostile_text_is_shown_as_escapes(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Api, "video", api.video | {"prompt": "\x1b[2J\u202e"})
    assert "\\x1b[2J\\u202e" in told(tmp_path, "show_film", FILM)


# --- over HTTP


def asked(tmp_path: Path, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app(tmp_path, PORT, KEY), client=("127.0.0.1", 5))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{PORT}") as client:
            return await client.post("/mcp", headers=headers, json={})

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer rk-y"}, 401),
        ({"Authorization": KEY}, 401),
        ({"Authorization": f"Bearer {KEY}", "Host": "evil.example"}, 403),
        ({"Authorization": f"Bearer {KEY}", "Host": "127.0.0.1:1"}, 403),
        ({"Authorization": f"Bearer {KEY}", "Origin": "https://evil.example"}, 403),
        ({"Authorization": f"Bearer {KEY}", "Origin": "http://localhost:3000"}, 403),
        ({"Authorization": f"Bearer {KEY}", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_only_callers_with_the_key_and_no_pages_are_served(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    assert asked(tmp_path, **headers).status_code == status


def test_the_missing_sdk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    result = CliRunner().invoke(reel, ["mcp"])
    assert result.exit_code == 1
    assert "pip install -e '.[mcp]'" in result.stderr
