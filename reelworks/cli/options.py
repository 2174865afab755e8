"""Arguments and options shared by several commands, and the JSON files they read."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from reelworks.cli.terminal import fail

VideoId = Annotated[str, typer.Argument(help="Video ID, as shown by `reel make` and `reel list`.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File or folder to save the film to.")]
Wait = Annotated[bool, typer.Option(help="Wait for the film and download it.")]


def read_json_file(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}")
    except (ValueError, RecursionError) as error:
        fail(f"{path} is not valid JSON: {error}")
