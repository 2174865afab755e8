"""`reel logs`: the logs of a deployment's functions."""

import time
from typing import Annotated

import typer
from rich.markup import escape

from reelworks.cli import progress
from reelworks.cli.terminal import Json, err, fail, out, print_json

app = typer.Typer()
_YEAR = 366 * 24 * 60  # minutes


@app.command()
def logs(
    video_id: Annotated[str | None, typer.Argument(help="Show only events of this video.")] = None,
    function: Annotated[str | None, typer.Option(help="Show only this function, for example Plan.")] = None,
    minutes: Annotated[int, typer.Option(min=1, max=_YEAR, help="How many minutes back to look.")] = 60,
    as_json: Json = False,
) -> None:
    """Show the logs of the deployment's functions, oldest first."""
    from reelworks.deployment import Deployment, DeploymentError

    try:
        events = list(Deployment.find().log_events(video_id=video_id, function=function, minutes=minutes))
    except DeploymentError as error:
        fail(str(error))
    if as_json:
        print_json(events)
        return
    if not events:
        about = f" for {video_id}" if video_id else ""
        err.print(f"No log events{escape(about)} in the last {minutes} minutes.", soft_wrap=True)
    for event in events:
        clock = time.strftime("%H:%M:%S", time.localtime(event["at_ms"] / 1000))
        text = escape(progress.log_line(event["message"]))
        out.print(f"{clock} [cyan]{event['function']:<14}[/cyan] {text}", soft_wrap=True)
