"""`reel show --quality`: the quality report of a film as a page."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from lambdas.domain.control_characters import visible
from reelworks.cli.terminal import out, print_json

if TYPE_CHECKING:
    from reelworks.client import Client

_MARKS = {"pass": "[green]✓[/green]", "warn": "[yellow]![/yellow]", "not_measured": "[dim]-[/dim]"}
_SHOWN = 8  # findings of a check


def show_quality(client: "Client", video_id: str, *, as_json: bool) -> None:
    """Print the report of the film that waits for its review, or of the latest one. Raises ApiError if there
    is none."""
    report = fetch_quality(client, video_id)
    print_json(report) if as_json else print_quality(report)


def fetch_quality(client: "Client", video_id: str) -> dict[str, Any]:
    """Return the report that `show_quality` shows."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "quality.json")
        client.download(video_id, file, variant="quality")
        report: dict[str, Any] = json.loads(file.read_bytes())
    return report


def print_quality(report: dict[str, Any]) -> None:
    table = Table("", "Check", "Found", "Allowed", show_lines=True)
    for check in report["checks"]:
        cells = (check["name"], _found(check), f"{check['allows']} ({check['source']})")
        table.add_row(_MARKS[check["status"]], *(escape(visible(cell, lines=True)) for cell in cells))
    out.print(table)
    count = report["warnings"]
    out.print(f"{count} of {len(report['checks'])} checks warn." if count else "No check warns.")


def _found(check: dict[str, Any]) -> str:
    found = [f"{_place(one)}: {one['message']}" for one in check["found"][:_SHOWN]]
    if (more := check["count"] - len(found)) > 0:
        found.append(f"and {more} more: see --json")
    return "\n".join([*found, *([check["note"]] if check.get("note") else [])]) or "nothing"


def _place(one: dict[str, Any]) -> str:
    scene = f"scene {one['scene'] + 1}, " if "scene" in one else ""
    end = f"-{one['end']:g}" if one["end"] > one["start"] else ""
    return f"{scene}{one['start']:g}{end} s"
