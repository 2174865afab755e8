"""The docs cover every route, field, variant and setting, and their links work."""

import asyncio
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from reelworks.cli import app, engines, ops
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


def test_links_work() -> None:
    broken = [f"{page.relative_to(ROOT)}: {link}" for page in PAGES for link in broken_links(page)]
    assert broken == []


def broken_links(page: Path) -> Iterator[str]:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize(("page", "tables"), [("api.md", 9), ("quality.md", 1)])
def test_the_tables_come_from_the_code(page: str, tables: int) -> None:
    """`UPDATE_SNAPSHOTS=1` writes them anew."""
    file = ROOT / "docs" / page
    there = file.read_text(encoding="utf-8")
    written = with_tables(there)
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.write_text(written, encoding="utf-8")
    else:
        assert written == there
    assert written.count("<!-- table: ") == tables


def test_every_deployment_setting_is_documented() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    settings = json.loads((ROOT / "cdk.json").read_text())["context"]["reelworks"]
    for name in settings:
        assert f"`{name}`" in page, name


def test_every_operator_s_command_is_documented() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    for group, commands in (("ops", ops.ops_app), ("engines", engines.engines_app)):
        for command in commands.registered_commands:
            assert command.callback is not None
            name = command.name or command.callback.__name__
            assert f"reel {group} {name}" in page, name


# In a code block or between backticks.
COMMAND = re.compile(
    r"(?:(?<=`)|^ *(?:\w+=\S+ )*|\$\()(?:\.venv/bin/)?reel ([a-z][^`|)#;\n]*)", flags=re.MULTILINE
)


def test_every_command_exists_with_its_options() -> None:
    reel = typer.main.get_command(app)
    for page in PAGES:
        text = re.sub(r"\\\n *", "", page.read_text(encoding="utf-8"))
        for command in COMMAND.findall(text):
            place = f"{page.relative_to(ROOT)}: reel {command}"
            here = reel
            words = shlex.split(command)
            while isinstance(here, TyperGroup) and words and not words[0].startswith("-"):
                assert words[0] in here.commands, place
                here = here.commands[words.pop(0)]
            options = {name for option in here.params for name in (*option.opts, *option.secondary_opts)}
            used = {word.partition("=")[0] for word in words if word.startswith("-")}
            assert used <= options | {"--help"}, place


def test_every_tool_of_an_assistant_is_documented_and_each_configuration_is_json() -> None:
    page = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")
    for tool in asyncio.run(server(ROOT).list_tools()):
        assert f"`{tool.name}`" in page, tool.name
    blocks = re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        [servers] = json.loads(block).values()
        assert servers["reelworks"]["args"] == ["mcp"]
