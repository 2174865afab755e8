"""The docs cover every route, field, variant and setting, and their links work."""

import asyncio
import json
import os
import re
from pathlib import Path

import pytest

from reelworks.cli import engines, ops
from reelworks.mcp.server import server
from tests.api_tables import with_tables

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("*.md")])
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the headings' anchors as GitHub generates them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_work(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_tables_of_the_api_come_from_its_document() -> None:
    """`UPDATE_SNAPSHOTS=1` writes them anew."""
    written = with_tables(API)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        (ROOT / "docs" / "api.md").write_text(written, encoding="utf-8")
    else:
        assert written == API
    assert written.count("<!-- table: ") == 8


def test_every_deployment_setting_is_documented() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    settings = json.loads((ROOT / "cdk.json").read_text())["context"]["reelworks"]
    for name in settings:
        assert f"`{name}`" in page, name


def test_every_operator_s_command_is_documented() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    for group, app in (("ops", ops.ops_app), ("engines", engines.engines_app)):
        for command in app.registered_commands:
            assert command.callback is not None
            name = command.name or command.callback.__name__
            assert f"reel {group} {name}" in page, name


def test_every_tool_of_an_assistant_is_documented_and_each_configuration_is_json() -> None:
    page = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")
    for tool in asyncio.run(server(ROOT).list_tools()):
        assert f"`{tool.name}`" in page, tool.name
    blocks = re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        [servers] = json.loads(block).values()
        assert servers["reelworks"]["args"] == ["mcp"]
