"""Arguments and options shared by several commands, and the JSON files they read."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from reelworks.cli.terminal import fail

VideoId = Annotated[str, typer.Argument(help="Video ID, as shown by `reel make` and `reel list`.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File or folder to save the film to.")]
Wait = Annotated[bool, typer.Option(help="Wait for the film and download it.")]

MaxCost = Annotated[
    float | None, typer.Option(help="USD that the film may cost, by list prices; it stops before more.")
]

ClipSound = Annotated[
    str | None,
    typer.Option(help="The clips' own sound: keep, duck (lower it during speech) or drop."),
]


def existing_file(help: str, *, envvar: str | None = None) -> Any:
    """Return an option that names a file to read; `envvar`: the variable that names it by default."""
    return typer.Option(help=help, exists=True, dir_okay=False, readable=True, envvar=envvar)


def read_json_file(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}")
    except (ValueError, RecursionError) as error:
        fail(f"{path} is not valid JSON: {error}")


def read_storyboard(path: Path) -> Any:
    """Return a storyboard's document. Its scenes name files by their path from its folder."""
    from lambdas.domain.storyboard import with_scene_files

    return _with_files(read_json_file(path), path.parent, with_scene_files)


def read_brand(path: Path) -> Any:
    """Return a brand's document. It names files by their path from its folder."""
    from lambdas.domain.brand import with_brand_files

    return _with_files(read_json_file(path), path.parent, with_brand_files)


def _with_files(document: Any, folder: Path, replaced: Callable[[Any, Any], Any]) -> Any:
    """Return a document with a Path for each file that is named by one from the folder. `replaced` finds
    them."""

    def found(value: Any, param: str) -> Any:
        if not isinstance(value, str) or value.startswith("data:"):
            return value
        path = folder / Path(value).expanduser()
        if not path.is_file():
            fail(f"{param}: there is no file {path}")
        return path

    return replaced(document, found)


Since = Annotated[
    str, typer.Option(help="How far back to look: 30m, 24h, 7d, 2w, or a date or time such as 2026-01-31.")
]
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def ago(text: str) -> datetime:
    """Return the time that `--since` names: 30m, 24h, 7d or 2w ago, or a date or time of ISO 8601 (local time
    unless it has an offset)."""
    try:
        if text[-1:] in _UNITS:
            at = datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        else:
            at = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        fail(f"--since must be like 30m, 24h, 7d or 2026-01-31; got {text!r}")
    if at > datetime.now(UTC):
        fail(f"--since must be in the past; got {text!r}")
    return at
