"""`reel up`, `down`, `status`, `doctor`: the PC's cloud."""

import time
from typing import Annotated

import typer
from rich.markup import escape

from reelworks.cli.terminal import Json, fail, out, print_json

app = typer.Typer()


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="The port to use; else 4566 or a free one.")] = None,
    as_json: Json = False,
) -> None:
    """Start the PC's cloud, deploy the pipeline to it, and resume what was unfinished."""
    from reelworks.cloud import errors, home
    from reelworks.cloud.lifecycle import start_stop

    began = time.monotonic()
    try:
        status = start_stop.up(home.Home.locate(), port=port)
    except errors.CloudError as error:
        fail(f"{error.message} {error.advice}")
    if as_json:
        print_json(status.document())
    else:
        out.print(f"up at {status.base_url} ({time.monotonic() - began:.1f} s)")


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the PC's cloud; unfinished videos go on at the next `reel up`."""
    from reelworks.cloud import errors, home
    from reelworks.cloud.lifecycle import start_stop

    try:
        start_stop.down(home.Home.locate())
    except errors.CloudError as error:
        fail(f"{error.message} {error.advice}")
    if as_json:
        print_json({"state": "down"})
    else:
        out.print("down")


@app.command()
def status(as_json: Json = False) -> None:
    """Whether the PC's cloud is up, where it is, and the key to it."""
    from reelworks.cloud import home
    from reelworks.cloud.lifecycle import start_stop

    found = start_stop.status(home.Home.locate())
    if as_json:
        print_json(found.document())
    elif found.state == "up":
        out.print(f"up at {found.base_url}\nOPENAI_BASE_URL={found.base_url}\nOPENAI_API_KEY={found.api_key}")
    else:
        out.print("down")


@app.command()
def doctor(as_json: Json = False) -> None:
    """What this PC has, what is missing, and the command that gets it."""
    from reelworks.doctor import examine

    findings = examine()
    if as_json:
        print_json([finding.document() for finding in findings])
    else:
        for finding in findings:
            mark = "[green]✓[/green]" if finding.ok else "[red]✗[/red]" if finding.needed else "[dim]-[/dim]"
            out.print(f"{mark} {finding.what}: {escape(finding.found)}", soft_wrap=True)
            if not finding.ok and finding.todo:
                out.print(f"    to get it: {escape(finding.todo)}", soft_wrap=True)
    if any(finding.needed and not finding.ok for finding in findings):
        raise typer.Exit(1)
