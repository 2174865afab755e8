"""Arguments and options that several commands take, and files that they read."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from reelworks.cli.terminal import fail

VideoId = Annotated[str, typer.Argument(help="As `reel make` and `reel list` show it.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Where to put the film.")]
Wait = Annotated[bool, typer.Option(help="Wait for the film and download it.")]


def read_json_file(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        fail(f"{path} can't be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        fail(f"{path} is not valid JSON: {error}")
