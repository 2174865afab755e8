"""Print findings, and end the command with status 1 if something needed is missing."""

from collections.abc import Sequence

import typer
from rich.markup import escape
from rich.table import Table

from reelworks.cli.terminal import out, print_json
from reelworks.finding import Finding, all_needed_is_there


def show(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print the findings as a table, or as JSON. Raises typer.Exit(1) if something needed is missing."""
    if as_json:
        print_json([finding.document() for finding in findings])
    else:
        out.print(_table(findings))
    if not all_needed_is_there(findings):
        raise typer.Exit(1)


def _table(findings: Sequence[Finding]) -> Table:
    table = Table("", "Check", "Found", "Fix", show_lines=True)
    for column in table.columns[2:]:
        column.overflow = "fold"  # a command must be whole
    for finding in findings:
        todo = "" if finding.ok else finding.todo
        table.add_row(_mark(finding), *map(escape, (finding.what, finding.found, todo)))
    return table


def _mark(finding: Finding) -> str:
    if finding.warning:
        return "[yellow]![/yellow]"
    if finding.ok:
        return "[green]✓[/green]"
    return "[red]✗[/red]" if finding.needed else "[dim]-[/dim]"
